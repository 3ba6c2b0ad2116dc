/* Between caps and streams.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsoccaps.h"

#include <gst/pbutils/codec-utils.h>
#include <string.h>

#include "halnal.h"

#define RANGES                                                                 \
  "width = (int) [ 16, 16384 ], height = (int) [ 16, 16384 ], "                \
  "framerate = (fraction) [ 0/1, 240/1 ]"
#define H264_CAPS                                                              \
  "video/x-h264, stream-format = (string) byte-stream, "                       \
  "alignment = (string) au, " RANGES
#define H265_CAPS                                                              \
  "video/x-h265, stream-format = (string) byte-stream, "                       \
  "alignment = (string) au, " RANGES
#define JPEG_CAPS "image/jpeg, parsed = (boolean) true, " RANGES

GstCaps *
gst_soc_caps_template (void)
{
  return gst_caps_from_string (H264_CAPS "; " H265_CAPS "; " JPEG_CAPS);
}

GstCaps *
gst_soc_caps_of_codec (HalCodec codec)
{
  return gst_caps_from_string (codec == HAL_CODEC_H264   ? H264_CAPS
                               : codec == HAL_CODEC_H265 ? H265_CAPS
                                                         : JPEG_CAPS);
}

static HalProfile
profile_of (const GstStructure *structure)
{
  const gchar *profile = gst_structure_get_string (structure, "profile");

  if (profile == NULL)
    return HAL_PROFILE_DEFAULT;
  if (g_str_has_suffix (profile, "baseline"))
    return HAL_PROFILE_BASELINE;
  if (g_str_equal (profile, "main"))
    return HAL_PROFILE_MAIN;
  if (g_str_equal (profile, "high"))
    return HAL_PROFILE_HIGH;
  return HAL_PROFILE_DEFAULT;
}

gboolean
gst_soc_caps_to_config (const GstCaps *allowed, HalStreamConfig *config)
{
  GstCaps *mine = gst_soc_caps_of_codec (config->codec);
  GstCaps *common = gst_caps_intersect_full ((GstCaps *)allowed, mine,
                                             GST_CAPS_INTERSECT_FIRST);
  gboolean possible = !gst_caps_is_empty (common);

  if (possible) {
    GstStructure *structure
        = gst_structure_copy (gst_caps_get_structure (common, 0));
    gint width, height, num, den;

    if (config->width != 0)
      gst_structure_fixate_field_nearest_int (structure, "width",
                                              (gint)config->width);
    if (config->height != 0)
      gst_structure_fixate_field_nearest_int (structure, "height",
                                              (gint)config->height);
    gst_structure_fixate_field_nearest_fraction (structure, "framerate",
                                                 (gint)config->fps_num,
                                                 (gint)config->fps_den);
    if (gst_structure_get_int (structure, "width", &width))
      config->width = (guint)width;
    if (gst_structure_get_int (structure, "height", &height))
      config->height = (guint)height;
    if (gst_structure_get_fraction (structure, "framerate", &num, &den)
        && num > 0) {
      config->fps_num = (guint)num;
      config->fps_den = (guint)den;
    }
    config->profile = profile_of (structure);
    gst_structure_free (structure);
  }
  gst_caps_unref (common);
  gst_caps_unref (mine);
  return possible;
}

/* The general profile, tier and level of a parameter set, as codec-utils
 * wants them: from the first byte of profile_tier_level. */
#define H265_TIER_LEVEL_OFFSET 3

static void
set_profile (GstCaps *caps, HalCodec codec, const HalNal *nal)
{
  if (codec == HAL_CODEC_H264) {
    gst_codec_utils_h264_caps_set_level_and_profile (caps, nal->data + 1,
                                                     (guint)nal->size - 1);
  } else if (nal->size > H265_TIER_LEVEL_OFFSET + 12) {
    /* There is no emulation prevention that matters in the first bytes of
     * real streams but for the reserved zeros, which come after what is
     * read, except for the level. */
    guint8 plain[12];
    gsize from = H265_TIER_LEVEL_OFFSET, to = 0;
    guint zeros = 0;

    for (; to < sizeof plain && from < nal->size; from++) {
      if (zeros >= 2 && nal->data[from] == 3) {
        zeros = 0;
        continue;
      }
      zeros = nal->data[from] == 0 ? zeros + 1 : 0;
      plain[to++] = nal->data[from];
    }
    gst_codec_utils_h265_caps_set_level_tier_and_profile (caps, plain,
                                                          (guint)to);
  }
}

static GstCaps *
make_caps (HalCodec codec, guint width, guint height, guint num, guint den)
{
  GstCaps *caps
      = codec == HAL_CODEC_JPEG
            ? gst_caps_new_simple ("image/jpeg", "parsed", G_TYPE_BOOLEAN, TRUE,
                                   NULL)
            : gst_caps_new_simple (codec == HAL_CODEC_H265 ? "video/x-h265"
                                                           : "video/x-h264",
                                   "stream-format", G_TYPE_STRING,
                                   "byte-stream", "alignment", G_TYPE_STRING,
                                   "au", NULL);

  gst_caps_set_simple (caps, "width", G_TYPE_INT, (gint)width, "height",
                       G_TYPE_INT, (gint)height, "framerate", GST_TYPE_FRACTION,
                       (gint)num, (gint)den, NULL);
  return caps;
}

/* The first parameter set that can be read. FALSE: there is none. */
static gboolean
find_sps (HalCodec codec, const guint8 *data, gsize size, HalNal *ret_nal,
          HalSps *ret_sps)
{
  gsize position = 0;

  while (hal_nal_next (codec, data, size, &position, ret_nal)
         && !hal_nal_is_vcl (codec, ret_nal->type)) {
    if (hal_nal_is_sps (codec, ret_nal->type)
        && hal_sps_parse (codec, ret_nal->data, ret_nal->size, ret_sps))
      return TRUE;
  }
  return FALSE;
}

static gboolean
is_known (const GstSocCapsMemo *memo, const HalNal *nal,
          const HalStreamConfig *config)
{
  return memo->valid && memo->size == nal->size
         && (nal->size == 0 || memcmp (memo->sps, nal->data, nal->size) == 0)
         && memo->width == config->width && memo->height == config->height
         && memo->fps_num == config->fps_num
         && memo->fps_den == config->fps_den;
}

static void
remember (GstSocCapsMemo *memo, const HalNal *nal,
          const HalStreamConfig *config)
{
  memo->valid = nal->size <= sizeof memo->sps;
  if (!memo->valid)
    return;
  memo->size = nal->size;
  if (nal->size > 0)
    memcpy (memo->sps, nal->data, nal->size);
  memo->width = config->width;
  memo->height = config->height;
  memo->fps_num = config->fps_num;
  memo->fps_den = config->fps_den;
}

GstCaps *
gst_soc_caps_from_frame (HalCodec codec, const guint8 *data, gsize size,
                         const HalStreamConfig *config, GstSocCapsMemo *memo,
                         gboolean *ret_same)
{
  HalNal nal = { 0 };
  HalSps sps;
  GstCaps *caps;

  *ret_same = FALSE;
  if (codec != HAL_CODEC_JPEG && !find_sps (codec, data, size, &nal, &sps))
    return NULL;
  *ret_same = is_known (memo, &nal, config);
  if (*ret_same)
    return NULL;
  remember (memo, &nal, config);
  if (codec == HAL_CODEC_JPEG)
    return make_caps (codec, config->width, config->height, config->fps_num,
                      config->fps_den);
  /* Encoders that follow a change of the frame rate seldom write it into the
   * parameter set: what is configured is nearer to the truth. */
  caps = make_caps (codec, sps.width, sps.height, config->fps_num,
                    config->fps_den);
  set_profile (caps, codec, &nal);
  return caps;
}
