/* The encoder upstream of a pad, and its bit rate.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * There is no interface for an encoder's bit rate in GStreamer, and the unit of
 * a property called "bitrate" cannot be asked for: hence a table. Elements that
 * are not in it are left alone.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pencoder.h"

/* From a sink to its encoder there are no more elements and bins than this. */
#define MAX_HOPS 64
#define EXTRA_CONTROLS "extra-controls"
#define VIDEO_BITRATE "video_bitrate"
/* A rise by less is not worth a keyframe. */
#define WORTH_PERCENT 50
/* What OpenMAX components call "as I like". */
#define OMX_DEFAULT 0xffffffffu

typedef struct
{
  const gchar *factory; /* with wildcards */
  const gchar *property;
  guint unit; /* bit/s */
  /* It takes changes while running, though the property's flags are silent. */
  gboolean always;
  gboolean restarts; /* at each change, with a keyframe */
} Known;

static const Known known_encoders[] = {
  { "x264enc", "bitrate", 1000, FALSE },
  { "x265enc", "bitrate", 1000, FALSE, TRUE },
  { "openh264enc", "bitrate", 1, FALSE },
  { "vaapih26?enc", "bitrate", 1000, TRUE },
  { "va*h26?enc", "bitrate", 1000, FALSE },
  { "va*h26?lpenc", "bitrate", 1000, FALSE },
  { "nv*h26?enc", "bitrate", 1000, FALSE },
  { "qsvh26?*enc", "bitrate", 1000, TRUE },
  { "msdkh26?enc", "bitrate", 1000, FALSE },
  { "amfh26?*enc", "bitrate", 1000, FALSE },
  { "mpph26?enc", "bps", 1, TRUE },
  { "omxh26?enc", "target-bitrate", 1, FALSE },
  { "v4l2*h26?enc", "bitrate", 1, FALSE },
  { "v4l2*h26?enc", EXTRA_CONTROLS, 1, TRUE },
  { "rpicamsrc", "bitrate", 1, TRUE },
  { "vp8enc", "target-bitrate", 1, TRUE },
  { "vp9enc", "target-bitrate", 1, TRUE },
  { "hisivencsrc", "bitrate", 1, FALSE },
  { "ambavencsrc", "bitrate", 1, FALSE },
  { "ingenicvencsrc", "bitrate", 1, FALSE },
  { "fhvencsrc", "bitrate", 1, FALSE },
  { "x86vencsrc", "bitrate", 1, FALSE },
};

static const gchar *
factory_name (GstElement *element)
{
  GstElementFactory *factory = gst_element_get_factory (element);

  return factory != NULL ? GST_OBJECT_NAME (factory) : "";
}

/* NULL: not a known encoder, or not one that can follow. */
static const Known *
recognise (GstElement *element)
{
  const gchar *name = factory_name (element);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (known_encoders); i++) {
    const Known *known = &known_encoders[i];
    GParamSpec *spec;

    if (!g_pattern_match_simple (known->factory, name))
      continue;
    spec = g_object_class_find_property (G_OBJECT_GET_CLASS (element),
                                         known->property);
    if (spec != NULL
        && (known->always || (spec->flags & GST_PARAM_MUTABLE_PLAYING)))
      return known;
  }
  return NULL;
}

/* -- The way up ------------------------------------------------------------ */

/* The element's pad that feeds `pad`, across the borders of bins. */
static GstPad *
feeding_pad (GstPad *pad, guint *hops)
{
  GstPad *peer = gst_pad_get_peer (pad), *next;
  GstProxyPad *ghost;

  while (peer != NULL && GST_IS_PROXY_PAD (peer) && (*hops)++ < MAX_HOPS) {
    if (GST_IS_GHOST_PAD (peer)) {
      next = gst_ghost_pad_get_target (GST_GHOST_PAD (peer));
    } else {
      ghost = gst_proxy_pad_get_internal (GST_PROXY_PAD (peer));
      next = ghost != NULL ? gst_pad_get_peer (GST_PAD (ghost)) : NULL;
      g_clear_pointer (&ghost, gst_object_unref);
    }
    gst_object_unref (peer);
    peer = next;
  }
  return peer;
}

/* NULL: it has several, none, or several outputs. */
static GstPad *
only_input (GstElement *element)
{
  GstPad *pad = NULL;

  GST_OBJECT_LOCK (element);
  if (element->numsinkpads == 1 && element->numsrcpads == 1)
    pad = gst_object_ref (element->sinkpads->data);
  GST_OBJECT_UNLOCK (element);
  return pad;
}

static GstElement *
find_upstream (GstPad *pad)
{
  GstElement *element = NULL;
  GstPad *from;
  guint hops = 0;

  pad = gst_object_ref (pad);
  while (pad != NULL && hops++ < MAX_HOPS) {
    from = feeding_pad (pad, &hops);
    gst_object_unref (pad);
    pad = NULL;
    if (from == NULL)
      return NULL;
    element = gst_pad_get_parent_element (from);
    gst_object_unref (from);
    if (element == NULL)
      return NULL;
    if (recognise (element) != NULL)
      return element;
    pad = only_input (element);
    gst_object_unref (element);
  }
  g_clear_pointer (&pad, gst_object_unref);
  return NULL;
}

static GstElement *
find_by_name (GstPad *pad, const gchar *name)
{
  GstObject *top = gst_object_ref (pad), *parent;
  GstElement *found = NULL;

  while ((parent = gst_object_get_parent (top)) != NULL) {
    gst_object_unref (top);
    top = parent;
  }
  if (GST_IS_BIN (top))
    found = gst_bin_get_by_name (GST_BIN (top), name);
  gst_object_unref (top);
  if (found == NULL || recognise (found) != NULL)
    return found;
  gst_object_unref (found);
  return NULL;
}

GstElement *
gst_p2p_encoder_find (GstPad *pad, const gchar *name)
{
  return name != NULL ? find_by_name (pad, name) : find_upstream (pad);
}

/* -- Its bit rate ---------------------------------------------------------- */

static guint64
get_number (GstElement *encoder, const gchar *property)
{
  GValue value = G_VALUE_INIT, number = G_VALUE_INIT;
  guint64 result = 0;

  g_object_get_property (G_OBJECT (encoder), property, &value);
  g_value_init (&number, G_TYPE_INT64);
  if (g_value_transform (&value, &number))
    result = (guint64)MAX (g_value_get_int64 (&number), 0);
  g_value_unset (&value);
  return result;
}

/* 0: the default, which is its own choice. */
static void
set_number (GstElement *encoder, const gchar *property, guint64 number)
{
  GParamSpec *spec
      = g_object_class_find_property (G_OBJECT_GET_CLASS (encoder), property);
  GValue value = G_VALUE_INIT, wide = G_VALUE_INIT;

  g_value_init (&wide, G_TYPE_INT64);
  g_value_set_int64 (&wide, (gint64)MIN (number, G_MAXINT32));
  g_value_init (&value, spec->value_type);
  if (number == 0)
    g_param_value_set_default (spec, &value);
  else if (g_value_transform (&wide, &value))
    g_param_value_validate (spec, &value); /* into its range */
  g_object_set_property (G_OBJECT (encoder), property, &value);
  g_value_unset (&value);
}

static guint64
get_control (GstElement *encoder)
{
  GstStructure *controls = NULL;
  guint64 result = 0;
  gint value;
  guint unsigned_value;

  g_object_get (encoder, EXTRA_CONTROLS, &controls, NULL);
  if (controls == NULL)
    return 0;
  if (gst_structure_get_int (controls, VIDEO_BITRATE, &value))
    result = (guint64)MAX (value, 0);
  else if (gst_structure_get_uint (controls, VIDEO_BITRATE, &unsigned_value))
    result = unsigned_value;
  gst_structure_free (controls);
  return result;
}

/* The driver is given all controls again: the others stay what they were. */
static void
set_control (GstElement *encoder, guint64 bitrate)
{
  GstStructure *controls = NULL;

  g_object_get (encoder, EXTRA_CONTROLS, &controls, NULL);
  if (controls == NULL)
    controls = gst_structure_new_empty ("controls");
  if (bitrate == 0)
    gst_structure_remove_field (controls, VIDEO_BITRATE);
  else
    gst_structure_set (controls, VIDEO_BITRATE, G_TYPE_INT,
                       (gint)MIN (bitrate, G_MAXINT32), NULL);
  g_object_set (encoder, EXTRA_CONTROLS, controls, NULL);
  gst_structure_free (controls);
}

guint64
gst_p2p_encoder_get_bitrate (GstElement *encoder)
{
  const Known *known = recognise (encoder);
  guint64 number;

  if (known == NULL)
    return 0;
  if (g_str_equal (known->property, EXTRA_CONTROLS))
    return get_control (encoder);
  number = get_number (encoder, known->property);
  if (number == OMX_DEFAULT)
    return 0;
  return number * known->unit;
}

gboolean
gst_p2p_encoder_is_worth (GstElement *encoder, guint64 has, guint64 wanted)
{
  const Known *known = recognise (encoder);

  return known == NULL || !known->restarts || wanted <= has
         || wanted >= has + has * WORTH_PERCENT / 100;
}

void
gst_p2p_encoder_set_bitrate (GstElement *encoder, guint64 bitrate)
{
  const Known *known = recognise (encoder);

  if (known == NULL)
    return;
  if (g_str_equal (known->property, EXTRA_CONTROLS))
    set_control (encoder, bitrate);
  else
    set_number (encoder, known->property,
                bitrate == 0 ? 0 : MAX (bitrate / known->unit, 1));
}
