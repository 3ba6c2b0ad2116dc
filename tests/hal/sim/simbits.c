/* Bitstreams for the simulated encoders; see simbits.h.
 *
 * H.264: ITU-T H.264 7.3, CAVLC. A key picture is macroblocks of type
 * I_16x16_2_0_0 without coefficients, which is eight bits each; the others are
 * one run of skipped macroblocks. H.265 is in simhevc.c.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "simbits.h"

#include <stdlib.h>
#include <string.h>

#include "simwriter.h"

enum { H264_P = 1, H264_IDR = 5, H264_SPS = 7, H264_PPS = 8, H264_FILLER = 12 };

static void
reserve (SimUnit *unit, size_t more)
{
  if (unit->allocated - unit->size >= more)
    return;
  unit->allocated = (unit->size + more) * 2;
  unit->data = realloc (unit->data, unit->allocated);
  if (unit->data == NULL)
    abort ();
}

static void
put_raw (SimUnit *unit, const void *data, size_t size)
{
  reserve (unit, size);
  memcpy (unit->data + unit->size, data, size);
  unit->size += size;
}

/* The payload of a NAL unit, with emulation prevention. */
void
sim_unit_add_nal (SimUnit *unit, const SimPicture *picture,
                  const uint8_t *header, size_t header_size, unsigned type,
                  const uint8_t *payload, size_t size)
{
  static const uint8_t start_code[] = { 0, 0, 0, 1 };
  bool shorter = picture->short_start_codes && unit->n_nals > 0;
  size_t begin = unit->size;
  unsigned zeros = 0;
  size_t i;

  if (unit->n_nals == SIM_MAX_NALS)
    abort ();
  put_raw (unit, start_code + shorter, 4u - shorter);
  put_raw (unit, header, header_size);
  reserve (unit, size + size / 2 + 1);
  for (i = 0; i < size; i++) {
    if (zeros >= 2 && payload[i] <= 3) {
      unit->data[unit->size++] = 3;
      zeros = 0;
    }
    unit->data[unit->size++] = payload[i];
    zeros = payload[i] == 0 ? zeros + 1 : 0;
  }
  unit->nals[unit->n_nals].offset = begin;
  unit->nals[unit->n_nals].size = unit->size - begin;
  unit->nals[unit->n_nals].type = type;
  unit->n_nals++;
}

static void
add_h264 (SimUnit *unit, const SimPicture *picture, unsigned type,
          SimWriter *writer)
{
  uint8_t header = (uint8_t)((type == H264_FILLER ? 0 : 3) << 5 | type);

  sim_unit_add_nal (unit, picture, &header, 1, type, writer->data,
                    sim_writer_finish (writer));
}

static void
h264_headers (SimUnit *unit, const SimPicture *picture)
{
  unsigned mb_w = (picture->width + 15) / 16;
  unsigned mb_h = (picture->height + 15) / 16;
  unsigned right = (mb_w * 16 - picture->width) / 2;
  unsigned bottom = (mb_h * 16 - picture->height) / 2;
  SimWriter w;

  sim_writer_init (&w);
  sim_put (&w, 100, 8); /* High */
  sim_put (&w, 0, 8);
  sim_put (&w, mb_w * mb_h > 8192 ? 51 : 40, 8);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 1); /* 4:2:0 */
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 2);  /* no bypass, no scaling matrices */
  sim_put_ue (&w, 12); /* frame_num of 16 bits */
  sim_put_ue (&w, 2);  /* output order is decoding order */
  sim_put_ue (&w, 1);
  sim_put (&w, 0, 1);
  sim_put_ue (&w, mb_w - 1);
  sim_put_ue (&w, mb_h - 1);
  sim_put (&w, 3, 2); /* frames only, direct_8x8_inference */
  sim_put (&w, right != 0 || bottom != 0, 1);
  if (right != 0 || bottom != 0) {
    sim_put_ue (&w, 0);
    sim_put_ue (&w, right);
    sim_put_ue (&w, 0);
    sim_put_ue (&w, bottom);
  }
  sim_put (&w, 1, 1); /* VUI */
  sim_put (&w, 0, 4); /* no aspect, overscan, signal type, chroma location */
  sim_put (&w, 1, 1); /* timing */
  sim_put (&w, picture->fps_den, 32);
  sim_put (&w, picture->fps_num * 2, 32);
  sim_put (&w, 1, 1);
  sim_put (&w, 0, 4); /* no HRD, pic_struct, restrictions */
  sim_put (&w, 1, 1);
  add_h264 (unit, picture, H264_SPS, &w);

  sim_writer_init (&w);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 2); /* CAVLC */
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put_ue (&w, 0);
  sim_put (&w, 0, 3);
  sim_put_se (&w, 0);
  sim_put_se (&w, 0);
  sim_put_se (&w, 0);
  sim_put (&w, 4, 3); /* deblocking_filter_control_present */
  sim_put (&w, 1, 1);
  add_h264 (unit, picture, H264_PPS, &w);
}

static void
h264_slice (SimUnit *unit, const SimPicture *picture, unsigned first,
            unsigned n)
{
  SimWriter w;
  unsigned i;

  sim_writer_init (&w);
  sim_put_ue (&w, first);
  sim_put_ue (&w, picture->key ? 7 : 5);
  sim_put_ue (&w, 0);
  sim_put (&w, picture->number & 0xffff, 16);
  if (picture->key)
    sim_put_ue (&w, picture->idr_id & 0xffff);
  else
    sim_put (&w, 0, 2); /* default count and order of references */
  sim_put (&w, 0, picture->key ? 2 : 1);
  sim_put_se (&w, 0);
  sim_put_ue (&w, 1); /* no deblocking */
  if (picture->key) {
    for (i = 0; i < n; i++)
      sim_put (&w, 0x27, 8);
  } else {
    sim_put_ue (&w, n);
  }
  sim_put (&w, 1, 1);
  add_h264 (unit, picture, picture->key ? H264_IDR : H264_P, &w);
}

static void
h264_encode (SimUnit *unit, const SimPicture *picture)
{
  unsigned mb_w = (picture->width + 15) / 16;
  unsigned mb_h = (picture->height + 15) / 16;
  unsigned slices = picture->slices < mb_h ? picture->slices : mb_h;
  unsigned i;

  if (picture->key)
    h264_headers (unit, picture);
  for (i = 0; i < slices; i++) {
    unsigned from = mb_h * i / slices, to = mb_h * (i + 1) / slices;

    h264_slice (unit, picture, from * mb_w, (to - from) * mb_w);
  }
}

static void
add_filler (SimUnit *unit, const SimPicture *picture)
{
  static const uint8_t h265_header[] = { 38 << 1, 1 };
  static const uint8_t h264_header[] = { H264_FILLER };
  bool h265 = picture->codec == HAL_CODEC_H265;
  size_t overhead = 3 + (h265 ? 2u : 1u) + 2;
  SimWriter w;

  if (unit->size + overhead > picture->target)
    return;
  sim_writer_init (&w);
  sim_put_bytes (&w, 0xff, picture->target - unit->size - overhead + 1);
  sim_put (&w, 1, 1);
  sim_unit_add_nal (unit, picture, h265 ? h265_header : h264_header,
                    h265 ? 2 : 1, h265 ? 38 : H264_FILLER, w.data,
                    sim_writer_finish (&w));
}

static const uint8_t jpeg_head[] = {
  0xff, 0xd8,                   /* SOI */
  0xff, 0xdb, 0x00, 0x43, 0x00, /* DQT, 64 times 16 */
};
static const uint8_t jpeg_tables[] = {
  /* DHT: DC with the single code 0 for category 0, AC with the single code 0
   * for end of block. */
  0xff, 0xc4, 0x00, 0x14, 0x00, 1, 0, 0, 0, 0, 0,
  0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0x00,
  0xff, 0xc4, 0x00, 0x14, 0x10, 1, 0, 0, 0, 0, 0,
  0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0x00,
};
static const uint8_t jpeg_scan[]
    = { 0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00 };

static void
jpeg_comment (SimUnit *unit, size_t size)
{
  while (size >= 4) {
    size_t part = size < 60000 ? size : 60000;
    uint8_t head[4]
        = { 0xff, 0xfe, (uint8_t)((part - 2) >> 8), (uint8_t)(part - 2) };

    put_raw (unit, head, 4);
    reserve (unit, part);
    memset (unit->data + unit->size, 'x', part - 4);
    unit->size += part - 4;
    size -= part;
  }
}

static void
jpeg_encode (SimUnit *unit, const SimPicture *picture)
{
  unsigned w = picture->width, h = picture->height;
  size_t bits = (size_t)((w + 7) / 8) * ((h + 7) / 8) * 2;
  size_t scan = (bits + 7) / 8;
  uint8_t frame[] = { 0xff,       0xc0,
                      0x00,       0x0b,
                      8,          (uint8_t)(h >> 8),
                      (uint8_t)h, (uint8_t)(w >> 8),
                      (uint8_t)w, 1,
                      1,          0x11,
                      0 };

  put_raw (unit, jpeg_head, sizeof jpeg_head);
  reserve (unit, 64);
  memset (unit->data + unit->size, 16, 64);
  unit->size += 64;
  put_raw (unit, frame, sizeof frame);
  put_raw (unit, jpeg_tables, sizeof jpeg_tables);
  if (picture->target > unit->size + scan + 16)
    jpeg_comment (unit, picture->target - unit->size - scan - 12);
  put_raw (unit, jpeg_scan, sizeof jpeg_scan);
  reserve (unit, scan + 2);
  memset (unit->data + unit->size, 0, scan);
  unit->size += scan;
  put_raw (unit, "\xff\xd9", 2);
  unit->nals[0].offset = 0;
  unit->nals[0].size = unit->size;
  unit->nals[0].type = 0;
  unit->n_nals = 1;
}

void
sim_unit_encode (SimUnit *unit, const SimPicture *picture)
{
  unit->size = 0;
  unit->n_nals = 0;
  switch (picture->codec) {
    case HAL_CODEC_H264:
      h264_encode (unit, picture);
      add_filler (unit, picture);
      break;
    case HAL_CODEC_H265:
      sim_h265_encode (unit, picture);
      add_filler (unit, picture);
      break;
    case HAL_CODEC_JPEG:
      jpeg_encode (unit, picture);
      break;
  }
}

void
sim_unit_clear (SimUnit *unit)
{
  free (unit->data);
  memset (unit, 0, sizeof *unit);
}
