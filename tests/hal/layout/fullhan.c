/* The structures of Fullhan on the processor they are for: sizes and offsets
 * as in the vendor's SDKs. Compiled, never run.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fullhan/fullhanlayout.h"

#define SIZE(type, size) _Static_assert(sizeof (type) == (size), #type)
#define AT(type, member, offset)                                               \
  _Static_assert(offsetof (type, member) == (offset), #type "." #member)

SIZE (FhSize, 8);
SIZE (FhRate, 4);
SIZE (FhCap, 16);
AT (FhCap, b_frames, 12);
SIZE (FhRcA, 64);
SIZE (FhCbr, 36);
AT (FhCbr, rate, 8);
AT (FhCbr, max_percent, 12);
AT (FhCbr, fluctuation, 32);
AT (FhVbr, i_min, 8);
AT (FhVbr, rate, 24);
AT (FhVbr, max_percent, 28);
AT (FhVbr, fluctuation, 48);
SIZE (FhVbr, 64);
SIZE (FhConfigA, 148);
AT (FhConfigA, of.video.profile, 4);
AT (FhConfigA, of.video.gop, 8);
AT (FhConfigA, of.video.size.width, 12);
AT (FhConfigA, of.video.size.height, 16);
AT (FhConfigA, of.mjpeg.size, 4);
AT (FhConfigA, of.mjpeg.rotate, 12);
AT (FhConfigA, of.jpeg.qp, 4);
AT (FhConfigA, rc_mode, 84);
AT (FhConfigA, rc, 88);
SIZE (FhConfigB, 156);
AT (FhConfigB, rc_mode, 88);
SIZE (FhChangeA, 24);
AT (FhChangeA, rate, 20);
SIZE (FhChangeB, 40);
AT (FhChangeB, max_percent, 28);
SIZE (FhBind, 12);
SIZE (FhSoundConfig, 28);

#if UINTPTR_MAX == UINT32_MAX
SIZE (FhStreamA, 280);
AT (FhStreamA, of.video.channel, 8);
AT (FhStreamA, of.video.data, 12);
AT (FhStreamA, of.video.frame_type, 16);
AT (FhStreamA, of.video.length, 20);
AT (FhStreamA, of.video.pts, 24);
AT (FhStreamA, of.video.n_nals, 32);
AT (FhStreamA, of.video.nals, 36);
AT (FhStreamA, of.jpeg.channel, 8);
AT (FhStreamA, of.jpeg.data, 12);
AT (FhStreamA, of.jpeg.length, 16);
AT (FhStreamA, of.jpeg.pts, 24);
AT (FhStreamA, of.jpeg.qp, 32);
SIZE (FhStreamB, 320);
AT (FhStreamB, channel, 4);
AT (FhStreamB, of.video.data, 8);
AT (FhStreamB, of.video.frame_type, 12);
AT (FhStreamB, of.video.length, 16);
AT (FhStreamB, of.video.pts, 20);
AT (FhStreamB, of.video.n_nals, 28);
AT (FhStreamB, of.video.nals, 32);
AT (FhStreamB, of.video.reference, 272);
AT (FhStreamB, statistics, 276);
AT (FhStreamB, of.jpeg.data, 8);
AT (FhStreamB, of.jpeg.length, 12);
AT (FhStreamB, of.jpeg.pts, 16);
AT (FhStreamB, of.jpeg.qp, 24);
SIZE (FhSound, 8);
#endif
