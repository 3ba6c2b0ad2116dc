/* Encoders of the test's own. See fakeencoder.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakeencoder.h"
#include "gstp2pfollow.h"

enum { PROP_0, PROP_BITRATE, PROP_BPS, PROP_CONTROLS };

static GstStaticPadTemplate sink_template
    = GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template
    = GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                               GST_STATIC_CAPS_ANY);

G_DEFINE_TYPE (FakeEncoder, fake_encoder, GST_TYPE_BASE_TRANSFORM)

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  FakeEncoder *encoder = (FakeEncoder *)object;

  GST_OBJECT_LOCK (encoder);
  if (id == PROP_BITRATE) {
    encoder->bitrate = g_value_get_uint (value);
  } else if (id == PROP_BPS) {
    encoder->bps = g_value_get_uint (value);
  } else {
    g_clear_pointer (&encoder->controls, gst_structure_free);
    encoder->controls = g_value_dup_boxed (value);
  }
  GST_OBJECT_UNLOCK (encoder);
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  FakeEncoder *encoder = (FakeEncoder *)object;

  GST_OBJECT_LOCK (encoder);
  if (id == PROP_BITRATE)
    g_value_set_uint (value, encoder->bitrate);
  else if (id == PROP_BPS)
    g_value_set_uint (value, encoder->bps);
  else
    g_value_set_boxed (value, encoder->controls);
  GST_OBJECT_UNLOCK (encoder);
}

static gboolean
src_event (GstBaseTransform *base, GstEvent *event)
{
  FakeEncoder *encoder = (FakeEncoder *)base;

  if (encoder->obeys && gst_event_has_name (event, GST_P2P_BITRATE_REQUEST)) {
    GST_OBJECT_LOCK (encoder);
    gst_structure_get_uint (gst_event_get_structure (event), "bitrate",
                            &encoder->asked);
    GST_OBJECT_UNLOCK (encoder);
    gst_event_unref (event);
    return TRUE;
  }
  return GST_BASE_TRANSFORM_CLASS (fake_encoder_parent_class)
      ->src_event (base, event);
}

static void
finalize (GObject *object)
{
  g_clear_pointer (&((FakeEncoder *)object)->controls, gst_structure_free);
  G_OBJECT_CLASS (fake_encoder_parent_class)->finalize (object);
}

static void
fake_encoder_class_init (FakeEncoderClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  object_class->finalize = finalize;
  klass->src_event = src_event;
  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Encoder",
                                         "Codec/Encoder/Video", "Sets nothing",
                                         "the iv-p2p authors");
}

static void
fake_encoder_init (FakeEncoder *encoder)
{
  encoder->bitrate = 2000;
  encoder->bps = 2000000;
  encoder->controls = gst_structure_from_string (
      "c, video_bitrate=(int)2000000, repeat_sequence_header=(int)1", NULL);
  gst_base_transform_set_passthrough (GST_BASE_TRANSFORM (encoder), TRUE);
}

/* They are not inherited. */
static void
set_functions (gpointer klass)
{
  G_OBJECT_CLASS (klass)->set_property = set_property;
  G_OBJECT_CLASS (klass)->get_property = get_property;
}

static void
install_number (gpointer klass, guint id, const gchar *name, GParamFlags flags)
{
  set_functions (klass);
  g_object_class_install_property (klass, id,
                                   g_param_spec_uint (name, name, name, 0,
                                                      50000000, 0,
                                                      G_PARAM_READWRITE
                                                          | flags));
}

void
fake_encoder_live_class (gpointer klass, gpointer data)
{
  install_number (klass, PROP_BITRATE, "bitrate", GST_PARAM_MUTABLE_PLAYING);
}

void
fake_encoder_fixed_class (gpointer klass, gpointer data)
{
  install_number (klass, PROP_BITRATE, "bitrate", 0);
}

void
fake_encoder_bps_class (gpointer klass, gpointer data)
{
  install_number (klass, PROP_BPS, "bps", 0);
}

void
fake_encoder_controls_class (gpointer klass, gpointer data)
{
  set_functions (klass);
  g_object_class_install_property (
      klass, PROP_CONTROLS,
      g_param_spec_boxed ("extra-controls", "extra-controls", "extra-controls",
                          GST_TYPE_STRUCTURE, G_PARAM_READWRITE));
}

void
fake_encoder_register (const gchar *name, GClassInitFunc class_init)
{
  gchar *type_name = g_strconcat ("Fake-", name, NULL);
  GType type
      = g_type_register_static_simple (fake_encoder_get_type (), type_name,
                                       sizeof (FakeEncoderClass), class_init,
                                       sizeof (FakeEncoder), NULL, 0);

  /* No test has begun yet that could fail. */
  if (!gst_element_register (NULL, name, GST_RANK_NONE, type))
    g_error ("%s cannot be registered", name);
  g_free (type_name);
}
