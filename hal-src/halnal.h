/* Start codes, NAL unit headers and what a sequence parameter set says.
 *
 * Every function takes (pointer, length) and never reads beyond it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_NAL_H
#define HAL_NAL_H

#include "hal.h"

typedef struct
{
  const uint8_t *data; /* the header byte, after the start code */
  size_t size;         /* up to the next start code, trailing zeros cut */
  unsigned type;
} HalNal;

/* Iterates over the NAL units of a byte stream, with start codes of 3 and 4
 * bytes. *position is 0 before the first call. */
bool hal_nal_next (HalCodec codec, const uint8_t *data, size_t size,
                   size_t *position, HalNal *ret_nal);

bool hal_nal_is_vcl (HalCodec codec, unsigned type);
bool hal_nal_is_key (HalCodec codec, unsigned type);
bool hal_nal_is_sps (HalCodec codec, unsigned type);

/* Whether segments begin with a start code, or with JPEG's SOI. */
bool hal_frame_starts_well (HalCodec codec, const HalSegment *segments,
                            unsigned n_segments);
/* Whether the frame can be decoded without the ones before: an IDR (H.264), an
 * IRAP (H.265), any JPEG. Looks at NAL headers, even when a start code lies
 * across two segments, and stops at the first coded slice. */
bool hal_frame_is_key (HalCodec codec, const HalSegment *segments,
                       unsigned n_segments);

typedef struct
{
  unsigned width, height;    /* cropped */
  unsigned fps_num, fps_den; /* 0: does not say */
  unsigned profile_idc, level_idc;
  unsigned constraints; /* H.264: the byte after profile_idc */
  unsigned tier;        /* H.265 */
} HalSps;

/* sps: a whole NAL unit, header included. */
bool hal_sps_parse (HalCodec codec, const uint8_t *sps, size_t size,
                    HalSps *ret_sps);

#endif /* HAL_NAL_H */
