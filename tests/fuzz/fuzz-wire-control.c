/* Control messages of a session: what is read can be written, and is the same
 * again, byte for byte: every message has one encoding only.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "p2pwire.h"

static void
check_text (const P2pWireControl *message, const uint8_t *data, size_t size)
{
  const uint8_t *text = (const uint8_t *)message->text.data;

  if (message->text.len == 0)
    return;
  FUZZ_CHECK (text > data && text <= data + size);
  FUZZ_CHECK (message->text.len <= (size_t)(data + size - text));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  P2pWireControl message, untouched;
  uint8_t again[P2P_WIRE_MAX_CONTROL];
  size_t len;

  memset (&message, 0x5a, sizeof message);
  memset (&untouched, 0x5a, sizeof untouched);
  if (!p2p_wire_read_control (data, size, &message)) {
    FUZZ_CHECK (!memcmp (&message, &untouched, sizeof message));
    return 0;
  }
  check_text (&message, data, size);
  len = p2p_wire_write_control (&message, again, sizeof again);
  if (!p2p_wire_type_is_known (message.type)) {
    FUZZ_CHECK (len == 0 && message.text.len == size - 1);
    return 0;
  }
  FUZZ_CHECK (p2p_wire_check_text (message.text.data, message.text.len));
  /* Only a later version's hello may be longer than what is known of it. */
  FUZZ_CHECK (len == size
              || (message.type == P2P_WIRE_HELLO
                  && message.version > P2P_WIRE_VERSION && len < size));
  FUZZ_CHECK (!memcmp (again, data, len));
  FUZZ_CHECK (!p2p_wire_read_control (data, len - 1, &untouched));
  return 0;
}
