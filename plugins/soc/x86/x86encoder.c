/* The encoders that GStreamer may have, the best first, with their names and
 * units for what all of them can.
 *
 * Keyframes are asked for by events, one a GOP: an encoder's own distance is
 * set beyond reach, because hardly one can change it while it runs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "x86.h"

#define KBIT 1000
#define VA_MODES                                                               \
  {                                                                            \
    "cbr", "vbr", NULL, "qvbr", "cqp"                                          \
  }

static const X86Encoder encoders[] = {
  { "vah264enc", HAL_CODEC_H264, "key-int-max=1024 b-frames=0", "bitrate", KBIT,
    NULL, "min-qp", "max-qp", "rate-control", VA_MODES, NULL },
  { "vah264lpenc", HAL_CODEC_H264, "key-int-max=1024 b-frames=0", "bitrate",
    KBIT, NULL, "min-qp", "max-qp", "rate-control", VA_MODES, NULL },
  { "x264enc",
    HAL_CODEC_H264,
    "speed-preset=superfast tune=zerolatency byte-stream=true bframes=0 "
    "key-int-max=100000 vbv-buf-capacity=400 option-string=scenecut=0",
    "bitrate",
    KBIT,
    NULL,
    "qp-min",
    "qp-max",
    "pass",
    { "cbr", "cbr", "cbr", "cbr", "quant" },
    NULL },
  { "openh264enc",
    HAL_CODEC_H264,
    "gop-size=0 scene-change-detection=false",
    "bitrate",
    1,
    "max-bitrate",
    "qp-min",
    "qp-max",
    "rate-control",
    { "bitrate", "bitrate", "bitrate", "quality", "off" },
    NULL },
  { "vah265enc", HAL_CODEC_H265, "key-int-max=1024 b-frames=0", "bitrate", KBIT,
    NULL, "min-qp", "max-qp", "rate-control", VA_MODES, NULL },
  { "x265enc",
    HAL_CODEC_H265,
    "speed-preset=ultrafast tune=zerolatency key-int-max=100000 "
    "option-string=scenecut=0:bframes=0:repeat-headers=1:log-level=1",
    "bitrate",
    KBIT,
    NULL,
    NULL,
    NULL,
    NULL,
    { "", "", "", "", NULL },
    NULL },
  { "jpegenc",
    HAL_CODEC_JPEG,
    "",
    NULL,
    1,
    NULL,
    NULL,
    NULL,
    NULL,
    { "", "", "", "", "" },
    "quality" },
};

const X86Encoder *
x86_encoder_find (HalCodec codec, const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (encoders); i++) {
    GstElementFactory *factory;

    if (encoders[i].codec != codec
        || (name != NULL && !g_str_equal (name, encoders[i].factory)))
      continue;
    factory = gst_element_factory_find (encoders[i].factory);
    if (factory != NULL) {
      gst_object_unref (factory);
      return &encoders[i];
    }
  }
  return NULL;
}

static void
set_by_text (GstElement *element, const gchar *name, const gchar *value)
{
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), name) != NULL)
    gst_util_set_object_arg (G_OBJECT (element), name, value);
}

static void
set_number (GstElement *element, const gchar *name, gint64 value)
{
  gchar text[32];

  if (name == NULL)
    return;
  g_snprintf (text, sizeof text, "%" G_GINT64_FORMAT, value);
  set_by_text (element, name, text);
}

void
x86_encoder_set_bitrate (const X86Encoder *encoder, GstElement *element,
                         const HalStreamConfig *config)
{
  guint32 peak
      = config->max_bitrate != 0 ? config->max_bitrate : config->bitrate;

  /* Refused where it is below the mean, so in the right order. */
  set_number (element, encoder->max_bitrate, 0);
  set_number (element, encoder->bitrate,
              config->bitrate / encoder->bitrate_unit);
  set_number (element, encoder->max_bitrate, peak);
}

GstElement *
x86_encoder_make (const X86Encoder *encoder, const HalStreamConfig *config,
                  HalError *error)
{
  const gchar *mode = encoder->modes[config->rate_control];
  gchar **settings;
  GstElement *element;
  guint i;

  if (mode == NULL) {
    hal_fail (error, HAL_UNSUPPORTED, encoder->factory, 0, "try cbr or vbr",
              "%s has no such rate-control", encoder->factory);
    return NULL;
  }
  element = gst_element_factory_make (encoder->factory, NULL);
  if (element == NULL) {
    hal_fail (error, HAL_NOT_FOUND, encoder->factory, 0, NULL,
              "%s cannot be made", encoder->factory);
    return NULL;
  }
  settings = g_strsplit (encoder->settings, " ", -1);
  for (i = 0; settings[i] != NULL; i++) {
    gchar *equals = strchr (settings[i], '=');

    if (equals == NULL)
      continue;
    *equals = '\0';
    set_by_text (element, settings[i], equals + 1);
  }
  g_strfreev (settings);
  if (encoder->rate_control != NULL)
    set_by_text (element, encoder->rate_control, mode);
  x86_encoder_set_bitrate (encoder, element, config);
  if (config->qp_min >= 0)
    set_number (element, encoder->qp_min, config->qp_min);
  if (config->qp_max >= 0)
    set_number (element, encoder->qp_max, config->qp_max);
  set_number (element, encoder->quality, config->jpeg_quality);
  return element;
}
