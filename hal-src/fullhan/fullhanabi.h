/* Structures and values of Fullhan's media libraries.
 *
 * Generation A: FH8626V100, FH8852 and FH8856 V100 and V200. Generation B:
 * FH8852V201 and later; its structures are packed to 4 bytes. Where they are
 * the same, there is one declaration.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FULLHAN_ABI_H
#define FULLHAN_ABI_H

#include "hallayout.h"

/* What an encoder channel makes, as bits; those of channels */
enum {
  FH_TYPE_JPEG = 1, /* single pictures */
  FH_TYPE_MJPEG = 2,
  FH_TYPE_H264 = 4,
  FH_TYPE_H265 = 16,
};

/* and those of what is got from them. */
enum {
  FH_STREAM_JPEG = 1,
  FH_STREAM_MJPEG = 2,
  FH_STREAM_H264 = 4,
  FH_STREAM_H265 = 8,
};

/* Rate control */
enum {
  FH_RC_MJPEG_CQP = 0,
  FH_RC_H264_VBR = 3,
  FH_RC_H264_CBR = 4,
  FH_RC_H264_CQP = 5,
  FH_RC_H264_AVBR = 6,
  FH_RC_H265_VBR = 7,
  FH_RC_H265_CBR = 8,
  FH_RC_H265_CQP = 9,
  FH_RC_H265_AVBR = 10,
  FH_RC_H264_QVBR = 13, /* B */
  FH_RC_H265_QVBR = 14, /* B */
};

enum {
  FH_PROFILE_BASELINE = 66,
  FH_PROFILE_MAIN = 77,
  FH_PROFILE_HIGH = 100, /* B */
  FH_PROFILE_H265_MAIN = 1,
};

/* How the scaler lays out its output */
enum {
  FH_VO_BLOCKS = 0,
  FH_VO_LINES = 1,
};

#define FH_VPU_CHANNELS 4
#define FH_ENC_CHANNELS 8
#define FH_MAX_NALS 20
#define FH_PARAM_GOP 13 /* B */

/* Codes */
#define FH_ERROR_OPEN (-1001)
#define FH_ERROR_EMPTY (-1010)
#define FH_ERROR_EXISTS (-1011)

typedef struct
{
  uint32_t width, height;
} FhSize;

/* count pictures in time seconds */
typedef struct
{
  uint16_t count, time;
} FhRate;

typedef struct
{
  uint32_t types;
  FhSize max;
  uint32_t b_frames;
} FhCap;

typedef struct
{
  uint32_t profile, gop;
  FhSize size;
} FhVideoAttr;

typedef struct
{
  FhSize size;
  uint32_t rotate, speed;
} FhMjpegAttr;

typedef struct
{
  uint32_t qp, rotate, speed;
} FhJpegAttr;

/* Rate control by mode, each mode with its own order. */
typedef struct
{
  uint32_t qp_init, bitrate;
  FhRate rate;
  uint32_t max_percent, max_i_bits;
  int32_t ip_delta, i_share, p_share, fluctuation;
} FhCbr;

/* AVBR and QVBR begin in the same way. */
typedef struct
{
  uint32_t qp_init, bitrate;
  uint32_t i_min, i_max, p_min, p_max;
  FhRate rate;
  uint32_t max_percent, max_i_bits;
  int32_t ip_delta, i_share, p_share, fluctuation;
  uint32_t least_percent; /* of the bit rate, in scenes that allow it */
  uint32_t more[2];       /* AVBR: the highest QP then; QVBR: two PSNRs */
} FhVbr;

typedef struct
{
  uint32_t i, p;
  FhRate rate;
} FhCqp;

typedef struct
{
  uint32_t qp;
  FhRate rate;
} FhMjpegCqp;

/* The same words in both generations, B has more of them. */
typedef struct
{
  uint32_t mode;
  uint32_t words[15];
} FhRcA;

/* Attributes of a channel: smart modes, which have the most members, say how
 * long that part is. */
typedef struct
{
  uint32_t type;
  union
  {
    FhVideoAttr video;
    FhMjpegAttr mjpeg;
    FhJpegAttr jpeg;
    uint32_t words[20];
  } of;
  uint32_t rc_mode;
  uint32_t rc[15];
} FhConfigA;

typedef struct
{
  uint32_t type;
  union
  {
    FhVideoAttr video;
    FhMjpegAttr mjpeg;
    FhJpegAttr jpeg;
    uint32_t words[21];
  } of;
  uint32_t rc_mode;
  uint32_t rc[16];
} FhConfigB;

/* What changes without a new start of rate control. */
typedef struct
{
  uint32_t bitrate;
  uint32_t i_min, i_max, p_min, p_max;
  FhRate rate;
} FhChangeA;

typedef struct
{
  FhChangeA first;
  uint32_t max_i_bits, max_percent;
  int32_t i_share, p_share;
} FhChangeB;

/* A frame; what is JPEG has its own order. */
typedef struct
{
  uint32_t type, length;
  uint8_t *data;
} FhNal;

typedef struct
{
  uint32_t type;
  union
  {
    struct
    {
      uint32_t channel;
      uint8_t *data;
      uint32_t frame_type, length;
      hal_u64 pts; /* us */
      uint32_t n_nals;
      FhNal nals[FH_MAX_NALS];
    } video;
    struct
    {
      uint32_t channel;
      uint8_t *data;
      uint32_t length;
      hal_u64 pts;
      uint32_t qp;
    } jpeg;
  } of;
} FhStreamA;

#pragma pack(push, 4)
typedef struct
{
  uint32_t type, channel;
  union
  {
    struct
    {
      uint8_t *data;
      uint32_t frame_type, length;
      uint64_t pts;
      uint32_t n_nals;
      FhNal nals[FH_MAX_NALS];
      uint32_t reference;
    } video;
    struct
    {
      uint8_t *data;
      uint32_t length;
      uint64_t pts;
      uint32_t qp;
    } jpeg;
  } of;
  uint32_t statistics[11];
} FhStreamB;
#pragma pack(pop)

/* B: what is bound, passed by value */
enum {
  FH_OBJECT_VPU_OUT = 4,
  FH_OBJECT_ENC = 6,
  FH_OBJECT_JPEG = 7,
};

typedef struct
{
  uint32_t object, device, channel;
} FhBind;

/* Sound */
enum {
  FH_SOUND_MICROPHONE = 0,
  FH_SOUND_SPEAKER = 2,
};

typedef struct
{
  uint32_t input, rate, bits, encoding, channels, samples, volume;
} FhSoundConfig;

typedef struct
{
  uint32_t size;
  uint8_t *data;
} FhSound;

#endif /* FULLHAN_ABI_H */
