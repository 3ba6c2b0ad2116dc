/* The header of a media frame: what is read can be written, and reads the same.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "p2pwire.h"

static void
check_time (int64_t time)
{
  FUZZ_CHECK (time == P2P_WIRE_TIME_NONE
              || (time >= -P2P_WIRE_MAX_TIME && time <= P2P_WIRE_MAX_TIME));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  P2pWireFrame frame, again, untouched;
  uint8_t bytes[P2P_WIRE_MAX_FRAME_HEADER];
  size_t header_len = 12345, len, again_len;

  /* The padding, too: compared below. */
  memset (&frame, 0x5a, sizeof frame);
  memset (&untouched, 0x5a, sizeof untouched);
  if (!p2p_wire_read_frame (data, size, &frame, &header_len)) {
    FUZZ_CHECK (!memcmp (&frame, &untouched, sizeof frame));
    FUZZ_CHECK (header_len == 12345);
    return 0;
  }
  FUZZ_CHECK (header_len <= size && header_len <= sizeof bytes);
  check_time (frame.pts);
  check_time (frame.dts);
  check_time (frame.sent);
  FUZZ_CHECK (frame.duration >= 0 || frame.duration == P2P_WIRE_TIME_NONE);
  FUZZ_CHECK (frame.latency >= 0 || frame.latency == P2P_WIRE_TIME_NONE);

  /* Flags of a later version are lost, which may make it shorter. */
  len = p2p_wire_write_frame (&frame, bytes, sizeof bytes);
  FUZZ_CHECK (len > 0 && len <= header_len);
  FUZZ_CHECK (p2p_wire_read_frame (bytes, len, &again, &again_len));
  FUZZ_CHECK (again_len == len);
  FUZZ_CHECK (again.caps_version == frame.caps_version
              && again.flags == frame.flags && again.pts == frame.pts
              && again.dts == frame.dts && again.sent == frame.sent
              && again.duration == frame.duration
              && again.latency == frame.latency);
  FUZZ_CHECK (!p2p_wire_read_frame (data, header_len - 1, &untouched, &len));
  return 0;
}
