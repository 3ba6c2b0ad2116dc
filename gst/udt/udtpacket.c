/* The header of a packet, the only part of it in clear. Layout in
 * docs/wire.md. Pure functions, any thread.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

bool
udt_header_parse (const uint8_t *data, size_t len, UdtHeader *header)
{
  UdtReader r = { data, data + len };
  uint8_t first;
  UdtHeader h;

  /* The low six bits are reserved: key phase and the like. */
  if (!udt_read_u8 (&r, &first) || first != UDT_FIRST_BYTE
      || !udt_read_u32 (&r, &h.id) || !udt_read_u32 (&r, &h.low_number))
    return false;
  *header = h;
  return true;
}

void
udt_header_write (uint8_t *data, const UdtHeader *header)
{
  UdtWriter w = { data, data + UDT_HEADER_SIZE };

  udt_write_u8 (&w, UDT_FIRST_BYTE);
  udt_write_u32 (&w, header->id);
  udt_write_u32 (&w, header->low_number);
}

bool
udt_packet_peek_id (const uint8_t *packet, size_t len, uint32_t *id)
{
  UdtHeader header;

  if (len < UDT_HEADER_SIZE + UDT_TAG_SIZE + 1
      || !udt_header_parse (packet, len, &header))
    return false;
  *id = header.id;
  return true;
}
