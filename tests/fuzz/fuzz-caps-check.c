/* Caps and parameters from the network: what is let through to the caps parser
 * has, counted in the simplest way, no more nesting than it may have.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "p2pwire.h"

static void
check_taken (const char *caps, size_t len)
{
  unsigned depth = 0, raw = 0;
  bool quoted = false;

  FUZZ_CHECK (len > 0 && len <= P2P_WIRE_MAX_CAPS);
  FUZZ_CHECK (memchr (caps, '/', len) != NULL);
  for (size_t i = 0; i < len; i++) {
    char c = caps[i];

    FUZZ_CHECK ((unsigned char)c >= 0x20 && c != 0x7f);
    if (quoted && c == '\\') {
      i++;
      FUZZ_CHECK (i < len);
    } else if (c == '"') {
      quoted = !quoted;
      raw = depth;
    } else if (strchr ("<{[(", c)) {
      FUZZ_CHECK (++raw <= P2P_WIRE_MAX_CAPS_DEPTH);
      depth += !quoted;
    } else if (strchr (">}])", c) && !quoted) {
      FUZZ_CHECK (depth-- > 0);
      raw = depth;
    } else {
      FUZZ_CHECK (quoted || (c != ';' && c != '\\'));
    }
  }
  FUZZ_CHECK (!quoted && depth == 0);
}

/* Both halves of the input, as a pad's match and as a request's parameters. */
static void
check_match (const uint8_t *data, size_t size)
{
  const uint8_t *end = memchr (data, 0, size);
  const char *params;
  size_t len;

  if (!end)
    return;
  params = (const char *)end + 1;
  len = size - (size_t)(end + 1 - data);
  p2p_wire_match ((const char *)data, params, len);
  /* What asks for itself is answered. */
  if (!memchr (params, 0, len) && len < 512) {
    char copy[512];

    memcpy (copy, params, len);
    copy[len] = 0;
    FUZZ_CHECK (p2p_wire_match (copy, params, len)
                || !p2p_wire_match ("", params, len));
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  if (p2p_wire_check_caps ((const char *)data, size))
    check_taken ((const char *)data, size);
  if (size > 0)
    check_match (data, size);
  return 0;
}
