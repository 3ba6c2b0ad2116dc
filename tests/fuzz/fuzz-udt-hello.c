/* The datagrams before a connection over plain UDP: what is read can be
 * written, and is the same again; a listener's answers are never longer than
 * the call.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "udthello.h"

static void
check_answers (const UdtHello *call, size_t size)
{
  static const UdtHelloType answers[]
      = { UDT_HELLO_RETRY, UDT_HELLO_ACCEPT, UDT_HELLO_REFUSE };
  uint8_t out[UDT_HELLO_MAX];

  for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
    UdtHello answer = { .type = answers[i], .version = UDT_HELLO_VERSION };
    size_t len;

    /* Of another version nothing but a refusal comes. */
    if (call->version != UDT_HELLO_VERSION && answers[i] != UDT_HELLO_REFUSE)
      continue;
    memcpy (answer.nonce, call->nonce, sizeof answer.nonce);
    len = udt_hello_write (&answer, out, sizeof out);
    FUZZ_CHECK (len > 0 && len <= size);
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  UdtHello hello, untouched;
  uint8_t again[UDT_HELLO_MAX];
  size_t len;

  memset (&hello, 0x5a, sizeof hello);
  memset (&untouched, 0x5a, sizeof untouched);
  if (!udt_hello_read (data, size, &hello)) {
    FUZZ_CHECK (!memcmp (&hello, &untouched, sizeof hello));
    return 0;
  }
  FUZZ_CHECK (udt_hello_is_datagram (data, size));
  if (hello.type == UDT_HELLO_CALL)
    check_answers (&hello, size);
  if (hello.version != UDT_HELLO_VERSION) {
    FUZZ_CHECK (hello.type == UDT_HELLO_CALL);
    return 0;
  }
  len = udt_hello_write (&hello, again, sizeof again);
  FUZZ_CHECK (len == size && !memcmp (again, data, len));
  FUZZ_CHECK (!udt_hello_read (data, len - 1, &untouched));
  FUZZ_CHECK (udt_hello_write (&hello, again, len - 1) == 0);
  return 0;
}
