/* Caps and buffers between pads and the wire.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Caps travel as text. GStreamer's parser is recursive and makes objects of any
 * registered type, so text from the network passes p2p_wire_check_caps() first
 * (length, depth), and what was parsed is taken only if it is one fixed
 * structure of plain values that the pad's template allows.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include <string.h>
#include "gstp2pcaps.h"

/* Fields of a caps structure: real formats have about twenty. */
#define MAX_FIELDS 64
/* Values of one array: streamheaders have two or three. */
#define MAX_ARRAY 16

const gchar *
gst_p2p_kind_name (P2pWireKind kind)
{
  switch (kind) {
    case P2P_WIRE_VIDEO:
      return "video";
    case P2P_WIRE_AUDIO:
      return "audio";
    case P2P_WIRE_DATA:
      return "data";
  }
  return "unknown";
}

gboolean
gst_p2p_pad_name_parse (const gchar *name, P2pWireKind *kind, guint *number)
{
  P2pWireKind found;

  for (found = P2P_WIRE_VIDEO; found <= P2P_WIRE_DATA; found++) {
    const gchar *prefix = gst_p2p_kind_name (found);
    gsize len = strlen (prefix);
    guint64 value;

    if (strncmp (name, prefix, len) != 0 || name[len] != '_')
      continue;
    /* One name a pad: no "video_007". */
    if (name[len + 1] == '0' && name[len + 2] != '\0')
      return FALSE;
    if (!g_ascii_string_to_unsigned (name + len + 1, 10, 0, G_MAXUINT32, &value,
                                     NULL))
      return FALSE;
    *kind = found;
    *number = value;
    return TRUE;
  }
  return FALSE;
}

/* -- Caps ------------------------------------------------------------------ */

static gboolean
is_plain_type (GType type)
{
  return type == G_TYPE_INT || type == G_TYPE_UINT || type == G_TYPE_INT64
         || type == G_TYPE_UINT64 || type == G_TYPE_BOOLEAN
         || type == G_TYPE_DOUBLE || type == G_TYPE_FLOAT
         || type == G_TYPE_STRING || type == GST_TYPE_FRACTION
         || type == GST_TYPE_BITMASK || type == GST_TYPE_BUFFER
         || g_type_is_a (type, GST_TYPE_FLAG_SET);
}

static gboolean
is_plain_value (const GValue *value)
{
  guint i, n;

  if (!GST_VALUE_HOLDS_ARRAY (value))
    return is_plain_type (G_VALUE_TYPE (value));
  n = gst_value_array_get_size (value);
  if (n > MAX_ARRAY)
    return FALSE;
  for (i = 0; i < n; i++) {
    if (!is_plain_type (G_VALUE_TYPE (gst_value_array_get_value (value, i))))
      return FALSE;
  }
  return TRUE;
}

/* NULL: every field is plain. */
static const gchar *
find_bad_field (const GstStructure *structure)
{
  gint i, n = gst_structure_n_fields (structure);

  for (i = 0; i < n; i++) {
    const gchar *name = gst_structure_nth_field_name (structure, i);

    if (!is_plain_value (gst_structure_get_value (structure, name)))
      return name;
  }
  return NULL;
}

gchar *
gst_p2p_caps_to_wire (GstCaps *caps, GError **error)
{
  const GstStructure *structure;
  const gchar *field;
  GstCaps *plain;
  gchar *text;

  if (!gst_caps_is_fixed (caps)) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                 "The format is not fixed");
    return NULL;
  }
  structure = gst_caps_get_structure (caps, 0);
  field = find_bad_field (structure);
  if (field != NULL || gst_structure_n_fields (structure) > MAX_FIELDS) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                 "The format %s cannot be sent: %s%s",
                 gst_structure_get_name (structure),
                 field != NULL ? "the type of its field "
                               : "it has too many fields",
                 field != NULL ? field : "");
    return NULL;
  }

  /* The bytes cross, wherever the memory was. */
  plain = gst_caps_copy (caps);
  gst_caps_set_features_simple (plain, NULL);
  text = gst_caps_to_string (plain);
  gst_caps_unref (plain);
  if (!p2p_wire_check_caps (text, strlen (text))) {
    g_set_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT,
                 "The format %s cannot be sent: described in %" G_GSIZE_FORMAT
                 " bytes, "
                 "of which %d can cross, as plain text",
                 gst_structure_get_name (structure), strlen (text),
                 P2P_WIRE_MAX_CAPS);
    g_clear_pointer (&text, g_free);
  }
  return text;
}

GstCaps *
gst_p2p_caps_from_wire (const gchar *text, GstCaps *allowed)
{
  const GstStructure *structure;
  GstCapsFeatures *features;
  GstCaps *caps;

  if (!p2p_wire_check_caps (text, strlen (text)))
    return NULL;
  caps = gst_caps_from_string (text);
  if (caps == NULL)
    return NULL;
  if (gst_caps_is_any (caps) || gst_caps_get_size (caps) != 1
      || !gst_caps_is_fixed (caps))
    goto refused;
  features = gst_caps_get_features (caps, 0);
  if (features != NULL
      && !gst_caps_features_is_equal (features,
                                      GST_CAPS_FEATURES_MEMORY_SYSTEM_MEMORY))
    goto refused;
  structure = gst_caps_get_structure (caps, 0);
  if (gst_structure_n_fields (structure) > MAX_FIELDS
      || find_bad_field (structure) != NULL)
    goto refused;
  if (!gst_caps_is_subset (caps, allowed))
    goto refused;
  return caps;

refused:
  gst_caps_unref (caps);
  return NULL;
}

GList *
gst_p2p_caps_get_headers (GstCaps *caps)
{
  const GValue *value;
  GList *headers = NULL;
  guint i;

  value = gst_structure_get_value (gst_caps_get_structure (caps, 0),
                                   "streamheader");
  if (value == NULL || !GST_VALUE_HOLDS_ARRAY (value))
    return NULL;
  for (i = gst_value_array_get_size (value); i > 0; i--) {
    const GValue *item = gst_value_array_get_value (value, i - 1);

    if (GST_VALUE_HOLDS_BUFFER (item) && gst_value_get_buffer (item) != NULL)
      headers = g_list_prepend (headers,
                                gst_buffer_ref (gst_value_get_buffer (item)));
  }
  return headers;
}

/* -- Buffers --------------------------------------------------------------- */

static const struct
{
  guint16 wire;
  GstBufferFlags gst;
} flag_table[] = {
  { P2P_FRAME_DELTA_UNIT, GST_BUFFER_FLAG_DELTA_UNIT },
  { P2P_FRAME_DISCONT, GST_BUFFER_FLAG_DISCONT },
  { P2P_FRAME_HEADER, GST_BUFFER_FLAG_HEADER },
  { P2P_FRAME_MARKER, GST_BUFFER_FLAG_MARKER },
  { P2P_FRAME_DROPPABLE, GST_BUFFER_FLAG_DROPPABLE },
  { P2P_FRAME_GAP, GST_BUFFER_FLAG_GAP },
  { P2P_FRAME_DECODE_ONLY, GST_BUFFER_FLAG_DECODE_ONLY },
  { P2P_FRAME_CORRUPTED, GST_BUFFER_FLAG_CORRUPTED },
};

guint16
gst_p2p_flags_to_wire (GstBuffer *buffer)
{
  guint16 flags = 0;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (flag_table); i++) {
    if (GST_BUFFER_FLAG_IS_SET (buffer, flag_table[i].gst))
      flags |= flag_table[i].wire;
  }
  return flags;
}

void
gst_p2p_flags_from_wire (guint16 flags, GstBuffer *buffer)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (flag_table); i++) {
    if (flags & flag_table[i].wire)
      GST_BUFFER_FLAG_SET (buffer, flag_table[i].gst);
  }
}

typedef struct
{
  GstBuffer *buffer;
  GstMapInfo map;
} MappedBuffer;

static void
mapped_buffer_free (gpointer data)
{
  MappedBuffer *mapped = data;

  gst_buffer_unmap (mapped->buffer, &mapped->map);
  gst_buffer_unref (mapped->buffer);
  g_free (mapped);
}

/* Whether someone waits to have this memory back: a pool of a few buffers, a
 * device's own memory. */
static gboolean
is_scarce (GstBuffer *buffer)
{
  guint i, n;

  if (buffer->pool != NULL
      || gst_buffer_get_parent_buffer_meta (buffer) != NULL)
    return TRUE;
  n = gst_buffer_n_memory (buffer);
  for (i = 0; i < n; i++) {
    if (!gst_memory_is_type (gst_buffer_peek_memory (buffer, i),
                             GST_ALLOCATOR_SYSMEM))
      return TRUE;
  }
  return FALSE;
}

GBytes *
gst_p2p_buffer_to_bytes (GstBuffer *buffer)
{
  MappedBuffer *mapped = g_new (MappedBuffer, 1);
  GBytes *bytes;

  if (!gst_buffer_map (buffer, &mapped->map, GST_MAP_READ)) {
    g_free (mapped);
    return NULL;
  }
  if (is_scarce (buffer)) {
    bytes = g_bytes_new (mapped->map.data, mapped->map.size);
    gst_buffer_unmap (buffer, &mapped->map);
    g_free (mapped);
    return bytes;
  }
  mapped->buffer = gst_buffer_ref (buffer);
  return g_bytes_new_with_free_func (mapped->map.data, mapped->map.size,
                                     mapped_buffer_free, mapped);
}
