/* The structures of Ingenic's media library, by generation.
 *
 * Own declarations of what the library expects in memory: sizes and offsets
 * are facts about its interface, the names are ours. tests/hal/layout checks
 * them for MIPS o32, the only processor that the library exists for. Where it
 * has an address in a word of 32 bits, here is a pointer: the same on MIPS,
 * and right for a simulation on a PC. Members that nothing here uses are only
 * space.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef INGENIC_ABI_H
#define INGENIC_ABI_H

#include <stdbool.h>

#include "hallayout.h"

enum { INGENIC_DEVICE_FRAME_SOURCE = 0, INGENIC_DEVICE_ENCODER = 1 };
enum { INGENIC_AUDIO_BLOCK = 0, INGENIC_AUDIO_NO_BLOCK = 1 };

#define INGENIC_PIXEL_NV12 10
#define INGENIC_BUS_I2C 1
#define INGENIC_AUDIO_BITS 16
#define INGENIC_AUDIO_MONO 1

/* Profiles of the new kind: what is encoded in the upper byte. */
#define INGENIC_PROFILE(type, number) ((uint32_t)(type) << 24 | (number))
enum { INGENIC_TYPE_H264 = 0, INGENIC_TYPE_H265 = 1, INGENIC_TYPE_JPEG = 4 };

/* Which of T41's two encoders: the one that has all codecs. */
#define INGENIC_VPU_AVPU 1
/* T40 and T41 can have several sensors; the first one. */
#define INGENIC_MAIN_SENSOR 0
#define INGENIC_NO_GPIO (-1)

/* Rate control of the new kind */
enum {
  INGENIC_RC_FIXQP = 0,
  INGENIC_RC_CBR = 1,
  INGENIC_RC_VBR = 2,
  INGENIC_RC_CAPPED_VBR = 4,
  INGENIC_RC_CAPPED_QUALITY = 8,
};

/* The old kind: what is encoded, and rate control */
enum { INGENIC_PT_JPEG = 0, INGENIC_PT_H264 = 1, INGENIC_PT_H265 = 2 };
enum {
  INGENIC_OLD_RC_FIXQP = 0,
  INGENIC_OLD_RC_CBR = 1,
  INGENIC_OLD_RC_VBR = 2,
  INGENIC_OLD_RC_SMART = 3,
};

typedef struct
{
  int32_t device, group, output;
} IngenicCell;

typedef struct
{
  char text[64];
} IngenicVersion;

typedef struct
{
  uint32_t num, den;
} IngenicFrameRate;

typedef struct
{
  char name[32];
  uint32_t bus;
  char i2c_type[20];
  int32_t i2c_address, i2c_adapter;
  uint32_t spi[2];
  uint16_t gpios[4];
} IngenicSensorInfo;

/* T40 and T41: wider numbers of pins, and how the sensor is wired. */
typedef struct
{
  char name[32];
  uint32_t bus;
  char i2c_type[20];
  int32_t i2c_address, i2c_adapter;
  uint32_t spi[2];
  int32_t reset_gpio, power_down_gpio, power_gpio;
  uint16_t id;
  uint32_t interface, clock;
  int32_t mode;
} IngenicT40SensorInfo;

typedef struct
{
  int32_t enable, left, top, width, height;
} IngenicCrop;

/* An output of the ISP; some versions have no second crop at the end. */
typedef struct
{
  int32_t width, height, pixel_format;
  IngenicCrop crop;
  struct
  {
    int32_t enable, width, height;
  } scaler;
  int32_t fps_num, fps_den, n_buffers, type;
  IngenicCrop frame_crop;
} IngenicSourceAttr;

/* On T40 and T41 turning comes first; T41 has a word more at the end. */
typedef struct
{
  int32_t turn[5];
  IngenicSourceAttr attr;
} IngenicT40SourceAttr;

typedef struct
{
  uint8_t registered;
  uint32_t left_pictures, left_bytes, left_frames, n_packs, work_done;
} IngenicStatus;

/* The new kind: a frame is in a ring, which its packs may wrap round. */
typedef struct
{
  uint32_t offset, length;
  hal_s64 pts;
  uint8_t frame_end;
  uint32_t nal_type, slice_type;
} IngenicRingPack;

/* The old kind: a pack has an address of its own. */
typedef struct
{
  uint32_t physical;
  uint8_t *address;
  uint32_t length;
  hal_s64 pts;
  uint8_t frame_end;
  uint32_t type;
} IngenicPack;

typedef struct
{
  IngenicPack *packs;
  uint32_t n_packs, sequence, reference;
} IngenicStreamOld;

/* Words of the old kind's rate control; what follows them is fine tuning. */
typedef struct
{
  uint32_t mode;
  uint32_t words[10];
} IngenicRcOld;

/* What all chips of the old kind have at the beginning; what follows may be
 * zero: frames used as they come, no denoising, no skipping. */
typedef struct
{
  uint32_t type, buffer_size, profile, width, height;
  uint8_t crop_enable;
  uint32_t crop[4];
  uint32_t user_data[2];
  IngenicFrameRate fps;
  uint32_t gop;
  IngenicRcOld rc;
  uint32_t rest[17];
} IngenicAttrOld;

typedef struct
{
  int32_t gop;
} IngenicGop;

/* T23 has a number after the sensor's name. */
typedef struct
{
  char name[32];
  uint16_t id;
  uint32_t bus;
  char i2c_type[20];
  int32_t i2c_address, i2c_adapter;
  uint32_t spi[2];
  uint16_t gpios[4];
} IngenicT23SensorInfo;

/* T31 1.1.6; others end at once after is_vi, or anywhere between. */
typedef struct
{
  uint32_t physical;
  uint8_t *ring;
  uint32_t ring_size;
  IngenicRingPack *packs;
  uint32_t n_packs, sequence;
  uint8_t is_vi;
  uint32_t info[9];
} IngenicRingStream;

typedef struct
{
  uint32_t target;
  int16_t qp_init, qp_min, qp_max, qp_ip, qp_pb;
  uint32_t options, max_picture;
} IngenicCbr;

typedef struct
{
  uint32_t target, max;
  int16_t qp_init, qp_min, qp_max, qp_ip, qp_pb;
  uint32_t options, max_picture;
  uint16_t max_psnr;
} IngenicVbr;

typedef struct
{
  uint32_t mode;
  union
  {
    int16_t qp;
    IngenicCbr cbr;
    IngenicVbr vbr;
  } u;
} IngenicRcMode;

typedef struct
{
  uint32_t profile;
  uint8_t level, tier;
  uint16_t width, height;
  uint32_t picture_format, options, tools;
  uint8_t crop_enable;
  uint32_t crop[4];
  IngenicRcMode rc;
  IngenicFrameRate fps;
  uint32_t gop_mode;
  uint16_t gop, notify;
  uint32_t max_same_scene;
  uint8_t long_term;
  uint32_t long_term_every;
  uint8_t long_term_rc;
} IngenicT31Attr;

/* An encoder to choose before it, a buffer's size in it. */
typedef struct
{
  uint32_t vpu, profile;
  uint8_t level, tier;
  uint16_t width, height;
  uint32_t picture_format, options, tools;
  uint8_t crop_enable;
  uint32_t crop[4];
  uint32_t buffer_size;
  IngenicRcMode rc;
  IngenicFrameRate fps;
  uint32_t gop_mode;
  uint16_t gop, notify;
  uint32_t max_same_scene;
  uint8_t long_term;
  uint32_t long_term_every;
  uint8_t long_term_rc;
  _Alignas(4) uint8_t ivdc;
} IngenicT41Attr;

typedef struct
{
  uint32_t rate, bits, sound_mode, n_frames, samples, n_channels;
} IngenicAudioAttr;

/* 12 bytes from T40 on and on T23 */
typedef struct
{
  int32_t depth, reserved[2];
} IngenicAudioParam;

typedef struct
{
  uint32_t bits, sound_mode;
  uint8_t *address;
  uint32_t physical;
  hal_s64 pts;
  int32_t sequence, length;
} IngenicAudioFrame;

typedef struct
{
  int32_t total, free, busy;
} IngenicAudioState;

#endif /* INGENIC_ABI_H */
