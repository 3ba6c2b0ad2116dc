/* The structures of HiSilicon's and Goke's media libraries, by generation.
 *
 * Own declarations of what the libraries expect in memory: sizes and offsets
 * are facts about their interface, the names are ours. tests/hal/layout checks
 * them for the targets. Members that nothing here uses are only space.
 *
 *   v1  hi3516cv100, hi3518
 *   v2  hi3516cv200, hi3518ev20x, hi3516av100, hi3516dv100
 *   v3  hi3516cv300, hi3519v101
 *   v4  hi3516cv500/dv300/av300, hi3516ev200/ev300, hi3518ev300,
 *       gk7205v200/v300, gk7605v100
 *   v5  hi3516cv608/cv610 (32 bits), hi3519dv500 (64 bits)
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HISI_ABI_H
#define HISI_ABI_H

#include "hallayout.h"

/* Payload types */
enum {
  HISI_PT_JPEG = 26,
  HISI_PT_H264 = 96,
  HISI_PT_H265 = 265,
  HISI_PT_MJPEG = 1002,
};

/* Codes in the low 13 bits of an error; v5 has numbers of its own. */
#define HISI_ERROR(module, code)                                               \
  ((int32_t)(0xa0008000u | (unsigned)(module) << 16 | (unsigned)(code)))
#define HISI_ERROR_CODE(error) ((unsigned)(error)&0x1fff)
#define HISI_ERROR_MODULE(error) (((unsigned)(error) >> 16) & 0xff)

/* Modules that matter here and have the same number everywhere; VENC and VPSS
 * are in HisiLayout. */
enum {
  HISI_MOD_SYS = 2,
  HISI_MOD_GROUP = 6,
  HISI_MOD_AI = 21,
  HISI_MOD_AO = 22
};

typedef struct
{
  uint32_t module;
  int32_t device, channel;
} HisiMppChn;

typedef struct
{
  int32_t n_pictures; /* -1: for ever */
} HisiRecvParam;

typedef struct
{
  char text[64];
} HisiVersion;

#define HISI_N_PACK_INFO 8

typedef struct
{
  uint32_t type, offset, length;
} HisiPackInfo;

/* A part of a frame */
typedef struct
{
  uint32_t physical[2];
  uint8_t *address[2];
  uint32_t length[2]; /* the second part is at the ring's beginning */
  hal_u64 pts;
  int32_t field_end, frame_end;
  uint32_t type, offset;
} HisiV1Pack;

typedef struct
{
  uint32_t physical;
  uint8_t *address;
  uint32_t length;
  hal_u64 pts;
  int32_t frame_end;
  uint32_t type, offset, n_info;
  HisiPackInfo info[HISI_N_PACK_INFO];
} HisiV2Pack;

typedef struct
{
  hal_u64 physical;
  uint8_t *address;
  uint32_t length;
  hal_u64 pts;
  int32_t frame_end;
  uint32_t type, offset, n_info;
  HisiPackInfo info[HISI_N_PACK_INFO];
} HisiV4Pack;

/* v5 of 32 bits */
typedef struct
{
  uint32_t physical;
  uint8_t *address;
  uint32_t length;
  hal_u64 pts;
  int32_t frame_end, no_stuffing;
  uint32_t layer;
  int32_t unit_begin;
  uint32_t type, offset, n_info;
  HisiPackInfo info[HISI_N_PACK_INFO];
} HisiV5Pack;

/* v5 of 64 bits has v4's members. */
typedef HisiV4Pack HisiV5Pack64;

/* A frame; what follows the sequence number is statistics. */
typedef struct
{
  void *packs;
  uint32_t n_packs, sequence;
  uint32_t info[13];
} HisiV1Stream;

typedef struct
{
  void *packs;
  uint32_t n_packs, sequence;
  uint32_t info[15];
} HisiV2Stream;

typedef struct
{
  void *packs;
  uint32_t n_packs, sequence;
  uint32_t info[91];
} HisiV3Stream;

typedef struct
{
  void *packs;
  uint32_t n_packs, sequence;
  uint32_t info[15];
  hal_u64 more[39];
} HisiV4Stream;

typedef struct
{
  void *packs;
  uint32_t n_packs, sequence;
  uint32_t info[15];
  hal_u64 more[56];
} HisiV5Stream;

typedef struct
{
  void *packs;
  uint32_t n_packs, sequence;
  hal_u64 more[56];
} HisiV5Stream64;

/* State of a channel */
typedef struct
{
  int32_t registered;
  uint32_t left_pictures, left_bytes, left_frames, n_packs, more[2];
} HisiV1Status;

typedef struct
{
  uint32_t left_pictures, left_bytes, left_frames, n_packs, more[2];
} HisiV2Status;

typedef struct
{
  uint32_t left_pictures, left_bytes, left_frames, n_packs, more[4];
  uint32_t info[14];
} HisiV4Status;

typedef struct
{
  uint32_t left_pictures, left_bytes, left_frames, n_packs, more[26];
} HisiV5Status;

typedef struct
{
  uint32_t left_pictures, left_bytes, left_frames, n_packs, more[22];
} HisiV5Status64;

/* What a channel is created with. rc holds the parameters of the rate control
 * mode; HisiLayout says which is where. */
typedef struct
{
  uint32_t type;
  union
  {
    struct
    {
      uint32_t max_width, max_height, buffer_size, profile;
      int32_t by_frame, field, main_stream;
      uint32_t priority;
      int32_t vi_field;
      uint32_t width, height;
    } h26x;
    struct
    {
      uint32_t max_width, max_height, buffer_size;
      int32_t by_frame, main_stream, vi_field;
      uint32_t priority, width, height;
    } jpeg;
  } codec;
  uint32_t rc_mode;
  uint32_t rc[7];
  void *rc_private;
} HisiV1ChnAttr;

typedef struct
{
  uint32_t max_width, max_height, buffer_size, profile;
  int32_t by_frame;
  uint32_t width, height, n_b_frames, n_references;
} HisiV2H26x;

typedef struct
{
  uint32_t max_width, max_height, buffer_size;
  int32_t by_frame;
  uint32_t width, height;
} HisiV2Jpeg;

typedef struct
{
  uint32_t type;
  union
  {
    HisiV2H26x h26x;
    HisiV2Jpeg jpeg;
  } codec;
  uint32_t rc_mode;
  uint32_t rc[7];
  void *rc_private;
} HisiV2ChnAttr;

typedef struct
{
  uint32_t max_width, max_height, buffer_size, profile;
  int32_t by_frame;
  uint32_t width, height;
} HisiV3H26x;

typedef struct
{
  uint32_t type;
  union
  {
    HisiV3H26x h26x;
    HisiV2Jpeg jpeg;
  } codec;
  uint32_t rc_mode;
  uint32_t rc[8];
  void *rc_private;
  uint32_t gop_mode;
  int32_t ip_qp_delta;
  uint32_t gop_more[2];
} HisiV3ChnAttr;

typedef struct
{
  uint32_t type, max_width, max_height, buffer_size, profile;
  int32_t by_frame;
  uint32_t width, height;
  uint32_t codec[7];
  uint32_t rc_mode;
  uint32_t rc[9];
  uint32_t gop_mode;
  int32_t ip_qp_delta;
  uint32_t gop_more[2];
} HisiV4ChnAttr;

typedef struct
{
  uint32_t type, max_width, max_height, buffer_size, profile;
  int32_t by_frame;
  uint32_t width, height;
  uint32_t codec[7];
  uint32_t rc_mode;
  uint32_t rc[14];
  uint32_t gop_mode;
  int32_t ip_qp_delta;
  uint32_t gop_more[5];
} HisiV5ChnAttr;

/* v5 of 64 bits has v4's size. */
typedef HisiV4ChnAttr HisiV5ChnAttr64;

/* Sound */
typedef struct
{
  uint32_t rate, bits, mode, sound_mode, ex_flag, n_frames, samples, n_channels,
      clock;
} HisiV1AioAttr;

typedef struct
{
  uint32_t rate, bits, mode, sound_mode, ex_flag, n_frames, samples, n_channels,
      clock, i2s_type;
} HisiV4AioAttr;

typedef struct
{
  uint32_t bits, sound_mode;
  uint8_t *address[2];
  uint32_t physical[2];
  hal_u64 pts;
  uint32_t sequence, length, pool[2];
} HisiV1AudioFrame;

typedef struct
{
  uint32_t bits, sound_mode;
  uint8_t *address[2];
  hal_u64 physical[2];
  hal_u64 pts;
  uint32_t sequence, length, pool[2];
} HisiV4AudioFrame;

/* v5: physical addresses are as wide as the processor's. */
typedef HisiV1AudioFrame HisiV5AudioFrame;
typedef HisiV4AudioFrame HisiV5AudioFrame64;

/* The output of the scaler, as far as its size is known */
typedef struct
{
  uint32_t mode, width, height, more[15];
} HisiV4VpssChnAttr;

typedef struct
{
  int32_t mirror, flip, border;
  uint32_t width, height, more[19];
} HisiV5VpssChnAttr;

/* Limits of the rate control, by words: where a minimum and a maximum of the
 * quantiser are depends on the mode; see HisiLayout. */
typedef struct
{
  uint32_t words[47];
  void *rc_private;
} HisiV1RcParam;

typedef struct
{
  uint32_t words[41];
  void *rc_private;
} HisiV2RcParam;

typedef struct
{
  uint32_t words[111];
  void *rc_private;
} HisiV3RcParam;

typedef struct
{
  uint32_t words[68];
} HisiV4RcParam;

typedef struct
{
  uint32_t words[70];
} HisiV5RcParam;

typedef struct
{
  uint32_t index, enable, absolute;
  int32_t qp, x, y;
  uint32_t width, height;
} HisiV4Roi;

#endif /* HISI_ABI_H */
