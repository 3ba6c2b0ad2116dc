/* Commands and replies: what is read can be written, and is the same.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "p2pwire.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  P2pWireCommand command, untouched;
  uint8_t bytes[P2P_WIRE_MAX_COMMAND_HEADER];
  size_t header_len = 12345, len;

  memset (&command, 0x5a, sizeof command);
  memset (&untouched, 0x5a, sizeof untouched);
  if (!p2p_wire_read_command (data, size, &command, &header_len)) {
    FUZZ_CHECK (!memcmp (&command, &untouched, sizeof command));
    FUZZ_CHECK (header_len == 12345);
    return 0;
  }
  FUZZ_CHECK (header_len <= size && header_len <= sizeof bytes);
  FUZZ_CHECK (size - header_len <= P2P_WIRE_MAX_COMMAND);
  FUZZ_CHECK (command.id != 0);
  FUZZ_CHECK (command.type == P2P_WIRE_COMMAND
              || command.type == P2P_WIRE_REPLY);
  FUZZ_CHECK (!command.refused
              || (command.type == P2P_WIRE_REPLY && size == header_len));
  /* There is one form only. */
  len = p2p_wire_write_command (&command, bytes, sizeof bytes);
  FUZZ_CHECK (len == header_len && !memcmp (bytes, data, len));
  FUZZ_CHECK (!p2p_wire_read_command (data, header_len - 1, &untouched, &len));
  return 0;
}
