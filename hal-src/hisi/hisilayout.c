/* Where things are in the structures of each generation, as data.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hisilayout.h"

#include <stdio.h>

#include "halbackend.h"

#define NONE HAL_NO_OFFSET

#define STREAM(type)                                                           \
  {                                                                            \
    sizeof (type), offsetof (type, packs), offsetof (type, n_packs),           \
        offsetof (type, sequence)                                              \
  }
#define PACK(type)                                                             \
  {                                                                            \
    sizeof (type), offsetof (type, address), offsetof (type, length), NONE,    \
        NONE, offsetof (type, pts), offsetof (type, offset)                    \
  }
#define STATUS(type)                                                           \
  {                                                                            \
    sizeof (type), offsetof (type, n_packs)                                    \
  }
/* v1 to v3: a union by codec. */
#define ATTR_UNION(type_, gop_mode, ip_qp_delta)                               \
  {                                                                            \
    sizeof (type_), offsetof (type_, type),                                    \
        offsetof (type_, codec.h26x.max_width),                                \
        offsetof (type_, codec.h26x.max_height),                               \
        offsetof (type_, codec.h26x.buffer_size),                              \
        offsetof (type_, codec.h26x.profile),                                  \
        offsetof (type_, codec.h26x.by_frame),                                 \
        offsetof (type_, codec.h26x.width),                                    \
        offsetof (type_, codec.h26x.height),                                   \
        offsetof (type_, codec.jpeg.by_frame),                                 \
        offsetof (type_, codec.jpeg.width),                                    \
        offsetof (type_, codec.jpeg.height), offsetof (type_, rc_mode),        \
        offsetof (type_, rc), gop_mode, ip_qp_delta                            \
  }
/* v4 and v5: the same for all codecs. */
#define ATTR_FLAT(type_)                                                       \
  {                                                                            \
    sizeof (type_), offsetof (type_, type), offsetof (type_, max_width),       \
        offsetof (type_, max_height), offsetof (type_, buffer_size),           \
        offsetof (type_, profile), offsetof (type_, by_frame),                 \
        offsetof (type_, width), offsetof (type_, height),                     \
        offsetof (type_, by_frame), offsetof (type_, width),                   \
        offsetof (type_, height), offsetof (type_, rc_mode),                   \
        offsetof (type_, rc), offsetof (type_, gop_mode),                      \
        offsetof (type_, ip_qp_delta)                                          \
  }
#define AUDIO(type)                                                            \
  {                                                                            \
    sizeof (type), offsetof (type, address), offsetof (type, pts),             \
        offsetof (type, sequence), offsetof (type, length)                     \
  }
#define SCALER(type)                                                           \
  {                                                                            \
    offsetof (type, width), offsetof (type, height)                            \
  }
#define IN_ATTR(type)                                                          \
  {                                                                            \
    HISI_QP_ATTR, offsetof (type, rc[HISI_RC_MAX_QP]),                         \
        offsetof (type, rc[HISI_RC_MIN_QP]), NONE, NONE                        \
  }
#define IN_PARAM(max, min, max_i, min_i)                                       \
  {                                                                            \
    HISI_QP_PARAM, max, min, max_i, min_i                                      \
  }
#define NO_QP                                                                  \
  {                                                                            \
    HISI_QP_NONE, NONE, NONE, NONE, NONE                                       \
  }

/* The modes in the order of HalRateControl: CBR, VBR, AVBR, QVBR, CQP. */
#define V4_QP                                                                  \
  {                                                                            \
    { IN_PARAM (220, 224, 228, 232), IN_PARAM (232, 236, 240, 244),            \
      IN_PARAM (244, 248, 252, 256), IN_PARAM (228, 232, 236, 240), NO_QP },   \
    {                                                                          \
      IN_PARAM (220, 224, 228, 232), IN_PARAM (228, 232, 236, 240),            \
          IN_PARAM (240, 244, 248, 252), IN_PARAM (232, 236, 240, 244), NO_QP  \
    }                                                                          \
  }

static const HisiLayout v1 = {
  .generation = HISI_V1,
  .name = "v1",
  .venc_module = 7,
  .vpss_module = 8,
  .buffer_empty = 14,
  .stream = STREAM (HisiV1Stream),
  .pack = { sizeof (HisiV1Pack), offsetof (HisiV1Pack, address[0]),
            offsetof (HisiV1Pack, length[0]), offsetof (HisiV1Pack, address[1]),
            offsetof (HisiV1Pack, length[1]), offsetof (HisiV1Pack, pts),
            offsetof (HisiV1Pack, offset) },
  .status = STATUS (HisiV1Status),
  .attr = ATTR_UNION (HisiV1ChnAttr, NONE, NONE),
  .rc_param_size = sizeof (HisiV1RcParam),
  .rc_modes = { { 1, 2, 0, 0, 4 }, { 0, 0, 0, 0, 0 } },
  .rc_jpeg = 8,
  .qp = { { IN_PARAM (108, 116, NONE, 184), IN_ATTR (HisiV1ChnAttr), NO_QP,
            NO_QP, NO_QP },
          { NO_QP, NO_QP, NO_QP, NO_QP, NO_QP } },
  .audio_frame = AUDIO (HisiV1AudioFrame),
  .scaler = { NONE, NONE },
  .aio_size = sizeof (HisiV1AioAttr),
};

static const HisiLayout v2 = {
  .generation = HISI_V2,
  .name = "v2",
  .venc_module = 8,
  .vpss_module = 7,
  .buffer_empty = 14,
  .stream = STREAM (HisiV2Stream),
  .pack = PACK (HisiV2Pack),
  .status = STATUS (HisiV2Status),
  .attr = ATTR_UNION (HisiV2ChnAttr, NONE, NONE),
  .rc_param_size = sizeof (HisiV2RcParam),
  .rc_modes = { { 1, 2, 3, 0, 5 }, { 14, 15, 16, 0, 17 } },
  .rc_jpeg = 9,
  .qp = { { IN_PARAM (112, 116, 136, 132), IN_ATTR (HisiV2ChnAttr),
            IN_PARAM (132, 128, 124, 120), NO_QP, NO_QP },
          { IN_PARAM (112, 116, 136, 132), IN_ATTR (HisiV2ChnAttr),
            IN_PARAM (132, 128, 124, 120), NO_QP, NO_QP } },
  .audio_frame = AUDIO (HisiV1AudioFrame),
  .scaler = { NONE, NONE },
  .aio_size = sizeof (HisiV1AioAttr),
};

static const HisiLayout v3 = {
  .generation = HISI_V3,
  .name = "v3",
  .venc_module = 8,
  .vpss_module = 7,
  .buffer_empty = 14,
  .stream = STREAM (HisiV3Stream),
  .pack = PACK (HisiV2Pack),
  .status = STATUS (HisiV2Status),
  .attr = ATTR_UNION (HisiV3ChnAttr, offsetof (HisiV3ChnAttr, gop_mode),
                      offsetof (HisiV3ChnAttr, ip_qp_delta)),
  .rc_param_size = sizeof (HisiV3RcParam),
  .rc_modes = { { 1, 2, 3, 4, 5 }, { 10, 11, 12, 13, 14 } },
  .rc_jpeg = 9,
  .qp
  = { { IN_PARAM (400, 404, 408, 412), IN_ATTR (HisiV3ChnAttr),
        IN_PARAM (424, 428, 432, 436), IN_PARAM (408, 412, 416, 420), NO_QP },
      { IN_PARAM (400, 404, 408, 412), IN_ATTR (HisiV3ChnAttr),
        IN_PARAM (428, 432, 436, 440), IN_PARAM (412, 416, 420, 424), NO_QP } },
  .audio_frame = AUDIO (HisiV1AudioFrame),
  .scaler = { NONE, NONE },
  .aio_size = sizeof (HisiV1AioAttr),
};

static const HisiLayout v4 = {
  .generation = HISI_V4,
  .name = "v4",
  .venc_module = 8,
  .vpss_module = 7,
  .buffer_empty = 14,
  .stream = STREAM (HisiV4Stream),
  .pack = PACK (HisiV4Pack),
  .status = STATUS (HisiV4Status),
  .attr = ATTR_FLAT (HisiV4ChnAttr),
  .rc_param_size = sizeof (HisiV4RcParam),
  .rc_modes = { { 1, 2, 3, 4, 6 }, { 11, 12, 13, 14, 16 } },
  .rc_jpeg = 10,
  .qp = V4_QP,
  .audio_frame = AUDIO (HisiV4AudioFrame),
  .scaler = SCALER (HisiV4VpssChnAttr),
  .aio_size = sizeof (HisiV4AioAttr),
};

static const HisiLayout v5_32 = {
  .generation = HISI_V5,
  .name = "v5",
  .venc_module = 8,
  .vpss_module = 7,
  .buffer_empty = 0x16,
  .stream = STREAM (HisiV5Stream),
  .pack = PACK (HisiV5Pack),
  .status = STATUS (HisiV5Status),
  .attr = ATTR_FLAT (HisiV5ChnAttr),
  .rc_param_size = sizeof (HisiV5RcParam),
  .rc_modes = { { 2, 3, 4, 5, 7 }, { 14, 15, 16, 17, 19 } },
  .rc_jpeg = 12,
  .qp = V4_QP,
  .audio_frame = AUDIO (HisiV5AudioFrame),
  .scaler = SCALER (HisiV5VpssChnAttr),
  .aio_size = sizeof (HisiV4AioAttr),
};

static const HisiLayout v5_64 = {
  .generation = HISI_V5,
  .name = "v5",
  .venc_module = 8,
  .vpss_module = 7,
  .buffer_empty = 0x16,
  .stream = STREAM (HisiV5Stream64),
  .pack = PACK (HisiV5Pack64),
  .status = STATUS (HisiV5Status64),
  .attr = ATTR_FLAT (HisiV5ChnAttr64),
  .rc_param_size = sizeof (HisiV5RcParam),
  .rc_modes = { { 2, 3, 4, 5, 7 }, { 13, 14, 15, 16, 18 } },
  .rc_jpeg = 11,
  .qp = V4_QP,
  .audio_frame = AUDIO (HisiV5AudioFrame64),
  .scaler = SCALER (HisiV5VpssChnAttr),
  .aio_size = sizeof (HisiV4AioAttr),
};

const HisiLayout *
hisi_layout (HisiGeneration generation, bool is_64)
{
  switch (generation) {
    case HISI_V1:
      return &v1;
    case HISI_V2:
      return &v2;
    case HISI_V3:
      return &v3;
    case HISI_V4:
      return &v4;
    case HISI_V5:
      break;
  }
  return is_64 ? &v5_64 : &v5_32;
}

/* Parts of version strings ("HI_VERSION=Hi3516CV300_MPP_V1.0.0.0 ...") in
 * upper case; the first that is found counts. */
static const struct
{
  const char *token;
  HisiGeneration generation;
} chips[] = {
  { "HI3516CV100", HISI_V1 }, { "HI3518CV100", HISI_V1 },
  { "HI3518AV100", HISI_V1 }, { "HI3518_", HISI_V1 },
  { "HI3516CV200", HISI_V2 }, { "HI3518EV20", HISI_V2 },
  { "HI3516AV100", HISI_V2 }, { "HI3516DV100", HISI_V2 },
  { "HI3516A_", HISI_V2 },    { "HI3516D_", HISI_V2 },
  { "HI3516CV300", HISI_V3 }, { "HI3516EV100", HISI_V3 },
  { "HI3519V101", HISI_V3 },  { "HI3516AV200", HISI_V3 },
  { "HI3516CV500", HISI_V4 }, { "HI3516DV300", HISI_V4 },
  { "HI3516AV300", HISI_V4 }, { "HI3516EV200", HISI_V4 },
  { "HI3516EV300", HISI_V4 }, { "HI3516DV200", HISI_V4 },
  { "HI3518EV300", HISI_V4 }, { "GK7205V200", HISI_V4 },
  { "GK7205V210", HISI_V4 },  { "GK7205V300", HISI_V4 },
  { "GK7202V300", HISI_V4 },  { "GK7605V100", HISI_V4 },
  { "HI3516CV608", HISI_V5 }, { "HI3516CV610", HISI_V5 },
  { "HI3519DV500", HISI_V5 }, { "HI3516DV500", HISI_V5 },
};

static void
to_upper (const char *text, char *ret_text, size_t size)
{
  size_t i;

  for (i = 0; i + 1 < size && text[i] != '\0'; i++)
    ret_text[i]
        = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 32) : text[i];
  ret_text[i] = '\0';
}

/* What the functions alone leave possible, the newest first. */
static HisiGeneration
newest (const HisiShape *shape)
{
  return shape->ss            ? HISI_V5
         : shape->recv_frame  ? HISI_V4
         : shape->groups      ? HISI_V1
         : shape->rc_priority ? HISI_V2
                              : HISI_V3;
}

static bool
agrees (HisiGeneration generation, const HisiShape *shape)
{
  return generation == newest (shape);
}

HalStatus
hisi_generation (const char *version, const HisiShape *shape,
                 HisiGeneration *ret_generation, char *ret_chip,
                 size_t chip_size, bool *ret_known, HalError *error)
{
  char upper[80];
  size_t i;

  to_upper (version, upper, sizeof upper);
  for (i = 0; i < HAL_N_ELEMENTS (chips); i++) {
    const char *at = strstr (upper, chips[i].token);

    if (at == NULL)
      continue;
    if (!agrees (chips[i].generation, shape))
      return hal_fail (
          error, HAL_BAD_VERSION, "SYS_GetVersion", 0,
          "the libraries are mixed from several SDKs; take all of one",
          "the version '%s' is of generation v%d, but the functions are those "
          "of v%d",
          version, chips[i].generation, newest (shape));
    snprintf (ret_chip, chip_size, "%.*s", (int)strcspn (at, "_ "), at);
    *ret_generation = chips[i].generation;
    *ret_known = true;
    return HAL_OK;
  }
  *ret_generation = newest (shape);
  *ret_known = false;
  ret_chip[0] = '\0';
  return HAL_OK;
}
