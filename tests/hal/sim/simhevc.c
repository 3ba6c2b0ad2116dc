/* H.265 for the simulated encoders: ITU-T H.265 7.3, CABAC as in 9.3.4.
 *
 * Coding tree blocks of 16x16 that are one coding unit each. A key picture:
 * intra, planar, no coefficients; the others: skipped.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simwriter.h"

enum {
  H265_TRAIL_R = 1,
  H265_IDR = 19,
  H265_VPS = 32,
  H265_SPS = 33,
  H265_PPS = 34
};

enum {
  CONTEXT_SKIP, /* three of them */
  CONTEXT_PART_MODE = 3,
  CONTEXT_PREV_INTRA,
  CONTEXT_CHROMA_MODE,
  CONTEXT_CBF_CHROMA,
  CONTEXT_CBF_LUMA,
  N_CONTEXTS
};

/* Tables 9-5 and following: initType 1 for skip, 0 for the rest. */
static const uint8_t init_values[N_CONTEXTS]
    = { 197, 185, 201, 184, 184, 63, 94, 141 };

/* Table 9-46. */
static const uint8_t range_lps[64][4]
    = { { 128, 176, 208, 240 }, { 128, 167, 197, 227 }, { 128, 158, 187, 216 },
        { 123, 150, 178, 205 }, { 116, 142, 169, 195 }, { 111, 135, 160, 185 },
        { 105, 128, 152, 175 }, { 100, 122, 144, 166 }, { 95, 116, 137, 158 },
        { 90, 110, 130, 150 },  { 85, 104, 123, 142 },  { 81, 99, 117, 135 },
        { 77, 94, 111, 128 },   { 73, 89, 105, 122 },   { 69, 85, 100, 116 },
        { 66, 80, 95, 110 },    { 62, 76, 90, 104 },    { 59, 72, 86, 99 },
        { 56, 69, 81, 94 },     { 53, 65, 77, 89 },     { 51, 62, 73, 85 },
        { 48, 59, 69, 80 },     { 46, 56, 66, 76 },     { 43, 53, 63, 72 },
        { 41, 50, 59, 69 },     { 39, 48, 56, 65 },     { 37, 45, 54, 62 },
        { 35, 43, 51, 59 },     { 33, 41, 48, 56 },     { 32, 39, 46, 53 },
        { 30, 37, 43, 50 },     { 29, 35, 41, 48 },     { 27, 33, 39, 45 },
        { 26, 31, 37, 43 },     { 24, 30, 35, 41 },     { 23, 28, 33, 39 },
        { 22, 27, 32, 37 },     { 21, 26, 30, 35 },     { 20, 24, 29, 33 },
        { 19, 23, 27, 31 },     { 18, 22, 26, 30 },     { 17, 21, 25, 28 },
        { 16, 20, 23, 27 },     { 15, 19, 22, 25 },     { 14, 18, 21, 24 },
        { 14, 17, 20, 23 },     { 13, 16, 19, 22 },     { 12, 15, 18, 21 },
        { 12, 14, 17, 20 },     { 11, 14, 16, 19 },     { 11, 13, 15, 18 },
        { 10, 12, 15, 17 },     { 10, 12, 14, 16 },     { 9, 11, 13, 15 },
        { 9, 11, 12, 14 },      { 8, 10, 12, 14 },      { 8, 9, 11, 13 },
        { 7, 9, 11, 12 },       { 7, 9, 10, 12 },       { 7, 8, 10, 11 },
        { 6, 8, 9, 11 },        { 6, 7, 9, 10 },        { 6, 7, 8, 9 },
        { 2, 2, 2, 2 } };

/* Table 9-47. */
static const uint8_t next_lps[64]
    = { 0,  0,  1,  2,  2,  4,  4,  5,  6,  7,  8,  9,  9,  11, 11, 12,
        13, 13, 15, 15, 16, 16, 18, 18, 19, 19, 21, 21, 22, 22, 23, 24,
        24, 25, 26, 26, 27, 27, 28, 29, 29, 30, 30, 30, 31, 32, 32, 33,
        33, 33, 34, 34, 35, 35, 35, 36, 36, 36, 37, 37, 37, 38, 38, 63 };

typedef struct
{
  SimWriter *w;
  uint32_t low, range;
  unsigned outstanding;
  bool first;
  struct
  {
    uint8_t state, mps;
  } contexts[N_CONTEXTS];
} Cabac;

static void
cabac_init (Cabac *c, SimWriter *w)
{
  const int qp = 26;
  unsigned i;

  c->w = w;
  c->low = 0;
  c->range = 510;
  c->outstanding = 0;
  c->first = true;
  for (i = 0; i < N_CONTEXTS; i++) {
    int slope = (init_values[i] >> 4) * 5 - 45;
    int offset = ((init_values[i] & 15) << 3) - 16;
    int state = ((slope * qp) >> 4) + offset;

    state = state < 1 ? 1 : state > 126 ? 126 : state;
    c->contexts[i].mps = state > 63;
    c->contexts[i].state = (uint8_t)(state > 63 ? state - 64 : 63 - state);
  }
}

static void
put_bit (Cabac *c, unsigned bit)
{
  if (c->first)
    c->first = false;
  else
    sim_put (c->w, bit, 1);
  for (; c->outstanding > 0; c->outstanding--)
    sim_put (c->w, 1 - bit, 1);
}

static void
renormalise (Cabac *c)
{
  while (c->range < 256) {
    if (c->low < 256) {
      put_bit (c, 0);
    } else if (c->low >= 512) {
      c->low -= 512;
      put_bit (c, 1);
    } else {
      c->low -= 256;
      c->outstanding++;
    }
    c->range <<= 1;
    c->low <<= 1;
  }
}

static void
encode (Cabac *c, unsigned context, unsigned bin)
{
  uint8_t *state = &c->contexts[context].state;
  uint32_t lps = range_lps[*state][(c->range >> 6) & 3];

  c->range -= lps;
  if (bin != c->contexts[context].mps) {
    c->low += c->range;
    c->range = lps;
    if (*state == 0)
      c->contexts[context].mps ^= 1;
    *state = next_lps[*state];
  } else if (*state < 62) {
    (*state)++;
  }
  renormalise (c);
}

static void
encode_bypass (Cabac *c, unsigned bin)
{
  c->low <<= 1;
  if (bin)
    c->low += c->range;
  if (c->low >= 1024) {
    put_bit (c, 1);
    c->low -= 1024;
  } else if (c->low < 512) {
    put_bit (c, 0);
  } else {
    c->low -= 512;
    c->outstanding++;
  }
}

static void
encode_terminate (Cabac *c, unsigned bin)
{
  c->range -= 2;
  if (bin) {
    c->low += c->range;
    c->range = 2;
    renormalise (c);
    put_bit (c, (c->low >> 9) & 1);
    sim_put (c->w, ((c->low >> 7) & 3) | 1, 2);
  } else {
    renormalise (c);
  }
}

static void
add_nal (SimUnit *unit, const SimPicture *picture, unsigned type, SimWriter *w)
{
  uint8_t header[2] = { (uint8_t)(type << 1), 1 };

  sim_unit_add_nal (unit, picture, header, 2, type, w->data,
                    sim_writer_finish (w));
}

static void
put_tier_level (SimWriter *w)
{
  sim_put (w, 1, 8); /* Main */
  sim_put (w, 0x60000000, 32);
  sim_put (w, 0x9000, 16); /* progressive, frame only */
  sim_put (w, 0, 32);
  sim_put (w, 120, 8); /* level 4 */
}

static void
h265_headers (SimUnit *unit, const SimPicture *picture)
{
  unsigned width = (picture->width + 15) / 16 * 16;
  unsigned height = (picture->height + 15) / 16 * 16;
  SimWriter w;

  sim_writer_init (&w);
  sim_put (&w, 0x0c01, 16); /* base layer, one layer, one sub-layer, nesting */
  sim_put (&w, 0xffff, 16);
  put_tier_level (&w);
  sim_put (&w, 1, 1);
  sim_put_ue (&w, 1);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 6);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 2); /* no timing, no extension */
  sim_put (&w, 1, 1);
  add_nal (unit, picture, H265_VPS, &w);

  sim_writer_init (&w);
  sim_put (&w, 1, 8); /* VPS 0, one sub-layer, nesting */
  put_tier_level (&w);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 1); /* 4:2:0 */
  sim_put_ue (&w, width);
  sim_put_ue (&w, height);
  sim_put (&w, 1, 1); /* conformance window */
  sim_put_ue (&w, 0);
  sim_put_ue (&w, (width - picture->width) / 2);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, (height - picture->height) / 2);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 12); /* picture order count of 16 bits */
  sim_put (&w, 1, 1);
  sim_put_ue (&w, 1);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 1); /* coding blocks of 16 */
  sim_put_ue (&w, 0); /* ... only */
  sim_put_ue (&w, 0); /* transform blocks from 4 */
  sim_put_ue (&w, 2); /* to 16 */
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 4); /* no scaling lists, AMP, SAO, PCM */
  sim_put_ue (&w, 1); /* one set of references: the picture before */
  sim_put_ue (&w, 1);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 1, 1);
  sim_put (&w, 0, 3); /* no long-term, temporal vectors, smoothing */
  sim_put (&w, 1, 1); /* VUI */
  sim_put (&w, 0, 8);
  sim_put (&w, 1, 1); /* timing */
  sim_put (&w, picture->fps_den, 32);
  sim_put (&w, picture->fps_num, 32);
  sim_put (&w, 0, 3); /* no POC timing, HRD, restrictions */
  sim_put (&w, 0, 1);
  sim_put (&w, 1, 1);
  add_nal (unit, picture, H265_SPS, &w);

  sim_writer_init (&w);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 7);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put_se (&w, 0);
  sim_put (&w, 0, 3);
  sim_put_se (&w, 0);
  sim_put_se (&w, 0);
  sim_put (&w, 0, 7); /* up to loop_filter_across_slices */
  sim_put (&w, 5, 3); /* deblocking control: no override, disabled */
  sim_put (&w, 0, 2);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 2);
  sim_put (&w, 1, 1);
  add_nal (unit, picture, H265_PPS, &w);
}

static void
put_slice_header (SimWriter *w, const SimPicture *picture, unsigned first,
                  unsigned n_blocks)
{
  unsigned address_bits = 0;

  while (1u << address_bits < n_blocks)
    address_bits++;
  sim_put (w, first == 0, 1);
  if (picture->key)
    sim_put (w, 0, 1);
  sim_put_ue (w, 0);
  if (first != 0)
    sim_put (w, first, address_bits);
  sim_put_ue (w, picture->key ? 2 : 1);
  if (!picture->key) {
    sim_put (w, picture->number & 0xffff, 16);
    sim_put (w, 1, 1); /* the set of the SPS */
    sim_put (w, 0, 1);
    sim_put_ue (w, 4); /* one merge candidate */
  }
  sim_put_se (w, 0);
  sim_put (w, 1, 1);
  sim_writer_finish (w);
}

static void
h265_slice (SimUnit *unit, const SimPicture *picture, unsigned first,
            unsigned end)
{
  unsigned blocks_w = (picture->width + 15) / 16;
  unsigned blocks_h = (picture->height + 15) / 16;
  unsigned i;
  SimWriter w;
  Cabac c;

  sim_writer_init (&w);
  put_slice_header (&w, picture, first, blocks_w * blocks_h);
  cabac_init (&c, &w);
  for (i = first; i < end; i++) {
    if (picture->key) {
      encode (&c, CONTEXT_PART_MODE, 1);
      encode (&c, CONTEXT_PREV_INTRA, 1);
      encode_bypass (&c, 0);
      encode (&c, CONTEXT_CHROMA_MODE, 0);
      encode (&c, CONTEXT_CBF_CHROMA, 0);
      encode (&c, CONTEXT_CBF_CHROMA, 0);
      encode (&c, CONTEXT_CBF_LUMA, 0);
    } else {
      bool left = i % blocks_w != 0 && i > first;
      bool above = i >= first + blocks_w;

      encode (&c, CONTEXT_SKIP + (unsigned)left + (unsigned)above, 1);
    }
    encode_terminate (&c, i + 1 == end);
  }
  add_nal (unit, picture, picture->key ? H265_IDR : H265_TRAIL_R, &w);
}

void
sim_h265_encode (SimUnit *unit, const SimPicture *picture)
{
  unsigned blocks_w = (picture->width + 15) / 16;
  unsigned blocks_h = (picture->height + 15) / 16;
  unsigned slices = picture->slices < blocks_h ? picture->slices : blocks_h;
  unsigned i;

  if (picture->key)
    h265_headers (unit, picture);
  for (i = 0; i < slices; i++)
    h265_slice (unit, picture, blocks_h * i / slices * blocks_w,
                blocks_h * (i + 1) / slices * blocks_w);
}
