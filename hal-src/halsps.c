/* What a sequence parameter set says: size, profile, level, frame rate.
 *
 * ITU-T H.264 7.3.2.1.1 and E.1.1, ITU-T H.265 7.3.2.2, 7.3.3 and E.2.1. A
 * reader that ran over the end reads zeros and is found out at the end.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "halnal.h"

/* Limits of the standards, so that loops end. */
#define MAX_SPS_SIZE 1024
#define MAX_POC_CYCLE 255
#define MAX_SUB_LAYERS 7
#define MAX_SHORT_TERM_SETS 64
#define MAX_DELTA_POCS 16
#define MAX_LONG_TERM 32
#define MAX_DIMENSION 16384
#define SAR_EXTENDED 255

typedef struct
{
  const uint8_t *data;
  size_t bits, position;
  bool overrun;
} Bits;

/* Removes the emulation prevention bytes (00 00 03). */
static size_t
unescape (const uint8_t *data, size_t size, uint8_t *out)
{
  size_t n = 0;
  unsigned zeros = 0;
  size_t i;

  for (i = 0; i < size; i++) {
    if (zeros >= 2 && data[i] == 3) {
      zeros = 0;
      continue;
    }
    zeros = data[i] == 0 ? zeros + 1 : 0;
    out[n++] = data[i];
  }
  return n;
}

static uint32_t
get (Bits *bits, unsigned n)
{
  uint32_t value = 0;

  if (n > bits->bits - bits->position) {
    bits->overrun = true;
    bits->position = bits->bits;
    return 0;
  }
  while (n-- > 0) {
    size_t at = bits->position++;

    value = value << 1 | ((bits->data[at / 8] >> (7 - at % 8)) & 1);
  }
  return value;
}

static void
skip (Bits *bits, size_t n)
{
  if (n > bits->bits - bits->position) {
    bits->overrun = true;
    bits->position = bits->bits;
  } else {
    bits->position += n;
  }
}

static uint32_t
get_ue (Bits *bits)
{
  unsigned zeros = 0;

  while (!bits->overrun && get (bits, 1) == 0) {
    if (++zeros > 31) {
      bits->overrun = true;
      return 0;
    }
  }
  if (zeros == 0 || bits->overrun)
    return 0;
  return (UINT32_C (1) << zeros) - 1 + get (bits, zeros);
}

static int64_t
get_se (Bits *bits)
{
  uint32_t value = get_ue (bits);

  return value & 1 ? (int64_t)(value / 2) + 1 : -(int64_t)(value / 2);
}

static void
skip_scaling_list (Bits *bits, unsigned size)
{
  int last = 8, next = 8;
  unsigned i;

  for (i = 0; i < size && !bits->overrun; i++) {
    if (next != 0)
      next = (int)((last + get_se (bits) + 256) % 256);
    if (next != 0)
      last = next;
  }
}

/* The front of VUI that both standards share, up to the timing. */
static void
skip_vui_front (Bits *bits)
{
  if (get (bits, 1) && get (bits, 8) == SAR_EXTENDED)
    skip (bits, 32);
  if (get (bits, 1))
    skip (bits, 1);
  if (get (bits, 1)) {
    skip (bits, 4);
    if (get (bits, 1))
      skip (bits, 24);
  }
  if (get (bits, 1)) {
    get_ue (bits);
    get_ue (bits);
  }
}

/* ticks: of the timescale in one frame. */
static void
get_timing (Bits *bits, unsigned ticks, HalSps *sps)
{
  uint32_t units = get (bits, 32);
  uint32_t scale = get (bits, 32);

  if (bits->overrun || units == 0 || scale == 0)
    return;
  if (units > UINT32_MAX / ticks)
    return;
  sps->fps_num = scale;
  sps->fps_den = units * ticks;
}

static void
skip_h264_high (Bits *bits, unsigned *chroma)
{
  unsigned i;

  *chroma = get_ue (bits);
  if (*chroma == 3 && get (bits, 1))
    *chroma = 0; /* separate planes are cropped like monochrome */
  get_ue (bits);
  get_ue (bits);
  skip (bits, 1);
  if (get (bits, 1)) {
    for (i = 0; i < (*chroma != 3 ? 8u : 12u); i++) {
      if (get (bits, 1))
        skip_scaling_list (bits, i < 6 ? 16 : 64);
    }
  }
}

static bool
h264_has_chroma_format (unsigned profile)
{
  static const uint8_t high[]
      = { 100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135 };

  return memchr (high, (int)profile, sizeof high) != NULL;
}

static void
skip_h264_poc (Bits *bits)
{
  uint32_t type = get_ue (bits);
  uint32_t i, n;

  if (type == 0) {
    get_ue (bits);
  } else if (type == 1) {
    skip (bits, 1);
    get_se (bits);
    get_se (bits);
    n = get_ue (bits);
    if (n > MAX_POC_CYCLE)
      bits->overrun = true;
    for (i = 0; i < n && !bits->overrun; i++)
      get_se (bits);
  }
}

/* Cuts crop units from both sides; false if nothing is left. */
static bool
crop (unsigned *length, uint32_t first, uint32_t second, unsigned unit)
{
  uint64_t cut = ((uint64_t)first + second) * unit;

  if (cut >= *length)
    return false;
  *length -= (unsigned)cut;
  return true;
}

static bool
parse_h264 (Bits *bits, HalSps *sps)
{
  unsigned chroma = 1;
  unsigned frame_only, field_factor;
  uint64_t width, height;
  uint32_t cut[4];
  unsigned i;

  sps->profile_idc = get (bits, 8);
  sps->constraints = get (bits, 8);
  sps->level_idc = get (bits, 8);
  get_ue (bits);
  if (h264_has_chroma_format (sps->profile_idc))
    skip_h264_high (bits, &chroma);
  get_ue (bits);
  skip_h264_poc (bits);
  get_ue (bits);
  skip (bits, 1);
  width = ((uint64_t)get_ue (bits) + 1) * 16;
  height = ((uint64_t)get_ue (bits) + 1) * 16;
  frame_only = get (bits, 1);
  field_factor = 2 - frame_only;
  height *= field_factor;
  if (width > MAX_DIMENSION || height > MAX_DIMENSION)
    return false;
  sps->width = (unsigned)width;
  sps->height = (unsigned)height;
  if (!frame_only)
    skip (bits, 1);
  skip (bits, 1);
  if (get (bits, 1)) {
    for (i = 0; i < 4; i++)
      cut[i] = get_ue (bits);
    if (!crop (&sps->width, cut[0], cut[1], chroma == 1 || chroma == 2 ? 2 : 1)
        || !crop (&sps->height, cut[2], cut[3],
                  (chroma == 1 ? 2 : 1) * field_factor))
      return false;
  }
  if (get (bits, 1)) {
    skip_vui_front (bits);
    if (get (bits, 1))
      get_timing (bits, 2, sps);
  }
  return true;
}

static void
skip_h265_tier_level (Bits *bits, unsigned sub_layers, HalSps *sps)
{
  bool profile[MAX_SUB_LAYERS], level[MAX_SUB_LAYERS];
  unsigned i;

  skip (bits, 2);
  sps->tier = get (bits, 1);
  sps->profile_idc = get (bits, 5);
  skip (bits, 80);
  sps->level_idc = get (bits, 8);
  for (i = 0; i < sub_layers; i++) {
    profile[i] = get (bits, 1);
    level[i] = get (bits, 1);
  }
  if (sub_layers > 0)
    skip (bits, 2 * (8 - sub_layers));
  for (i = 0; i < sub_layers; i++)
    skip (bits, (profile[i] ? 88 : 0) + (level[i] ? 8 : 0));
}

static void
skip_h265_scaling (Bits *bits)
{
  unsigned size, matrix, i;

  for (size = 0; size < 4; size++) {
    for (matrix = 0; matrix < 6; matrix += size == 3 ? 3 : 1) {
      if (!get (bits, 1)) {
        get_ue (bits);
        continue;
      }
      if (size > 1)
        get_se (bits);
      for (i = 0; i < (size == 0 ? 16u : 64u) && !bits->overrun; i++)
        get_se (bits);
    }
  }
}

/* 7.3.7; deltas[] holds how many pictures each earlier set has. */
static void
skip_h265_short_term (Bits *bits, unsigned index, unsigned *deltas)
{
  uint32_t negative, positive, i;

  if (index > 0 && get (bits, 1)) {
    unsigned used = 0;

    skip (bits, 1);
    get_ue (bits);
    for (i = 0; i <= deltas[index - 1]; i++) {
      if (get (bits, 1) || get (bits, 1))
        used++;
    }
    deltas[index] = used;
  } else {
    negative = get_ue (bits);
    positive = get_ue (bits);
    if (negative > MAX_DELTA_POCS || positive > MAX_DELTA_POCS) {
      bits->overrun = true;
      return;
    }
    for (i = 0; i < negative + positive; i++) {
      get_ue (bits);
      skip (bits, 1);
    }
    deltas[index] = negative + positive;
  }
}

static void
skip_h265_references (Bits *bits, unsigned poc_bits)
{
  unsigned deltas[MAX_SHORT_TERM_SETS];
  uint32_t n = get_ue (bits);
  uint32_t i;

  if (n > MAX_SHORT_TERM_SETS) {
    bits->overrun = true;
    return;
  }
  for (i = 0; i < n && !bits->overrun; i++)
    skip_h265_short_term (bits, i, deltas);
  if (!get (bits, 1))
    return;
  n = get_ue (bits);
  if (n > MAX_LONG_TERM)
    bits->overrun = true;
  else
    skip (bits, (size_t)n * (poc_bits + 1));
}

static void
parse_h265_vui (Bits *bits, HalSps *sps)
{
  unsigned i;

  skip_vui_front (bits);
  skip (bits, 3);
  if (get (bits, 1)) {
    for (i = 0; i < 4; i++)
      get_ue (bits);
  }
  if (get (bits, 1))
    get_timing (bits, 1, sps);
}

static bool
parse_h265_size (Bits *bits, HalSps *sps)
{
  unsigned chroma, i;
  uint32_t cut[4];

  chroma = get_ue (bits);
  if (chroma == 3)
    skip (bits, 1);
  sps->width = get_ue (bits);
  sps->height = get_ue (bits);
  if (sps->width == 0 || sps->height == 0 || sps->width > MAX_DIMENSION
      || sps->height > MAX_DIMENSION)
    return false;
  if (get (bits, 1)) {
    for (i = 0; i < 4; i++)
      cut[i] = get_ue (bits);
    return crop (&sps->width, cut[0], cut[1],
                 chroma == 1 || chroma == 2 ? 2 : 1)
           && crop (&sps->height, cut[2], cut[3], chroma == 1 ? 2 : 1);
  }
  return true;
}

static bool
parse_h265 (Bits *bits, HalSps *sps)
{
  unsigned sub_layers, poc_bits, i;

  skip (bits, 8 + 4); /* the rest of the NAL header, VPS id */
  sub_layers = get (bits, 3);
  if (sub_layers >= MAX_SUB_LAYERS)
    return false;
  skip (bits, 1);
  skip_h265_tier_level (bits, sub_layers, sps);
  get_ue (bits);
  if (!parse_h265_size (bits, sps))
    return false;
  get_ue (bits);
  get_ue (bits);
  poc_bits = get_ue (bits) + 4;
  if (poc_bits > 16)
    return false;
  for (i = get (bits, 1) ? 0 : sub_layers; i <= sub_layers; i++) {
    get_ue (bits);
    get_ue (bits);
    get_ue (bits);
  }
  for (i = 0; i < 6; i++)
    get_ue (bits);
  if (get (bits, 1) && get (bits, 1))
    skip_h265_scaling (bits);
  skip (bits, 2);
  if (get (bits, 1)) {
    skip (bits, 8);
    get_ue (bits);
    get_ue (bits);
    skip (bits, 1);
  }
  skip_h265_references (bits, poc_bits);
  skip (bits, 2);
  if (get (bits, 1))
    parse_h265_vui (bits, sps);
  return true;
}

bool
hal_sps_parse (HalCodec codec, const uint8_t *sps, size_t size, HalSps *ret_sps)
{
  uint8_t raw[MAX_SPS_SIZE];
  Bits bits = { raw, 0, 0, false };
  HalSps found = { 0 };
  bool good;

  if (codec == HAL_CODEC_JPEG || size < 4 || size > MAX_SPS_SIZE)
    return false;
  bits.bits = unescape (sps, size, raw) * 8;
  skip (&bits, 8);
  good = codec == HAL_CODEC_H265 ? parse_h265 (&bits, &found)
                                 : parse_h264 (&bits, &found);
  if (!good || bits.overrun)
    return false;
  *ret_sps = found;
  return true;
}
