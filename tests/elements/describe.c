/* The public face of elements as text; see describe.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "describe.h"

#include <stdlib.h>
#include <string.h>
#include <gst/check/gstcheck.h>

static void
print_flags (GString *out, const GParamSpec *spec)
{
  if (spec->flags & G_PARAM_READABLE)
    g_string_append (out, " readable");
  if (spec->flags & G_PARAM_WRITABLE)
    g_string_append (out, " writable");
  if (spec->flags & GST_PARAM_MUTABLE_READY)
    g_string_append (out, " NULL/READY");
  if (spec->flags & GST_PARAM_MUTABLE_PLAYING)
    g_string_append (out, " always");
}

static void
print_range (GString *out, GParamSpec *spec)
{
  if (G_IS_PARAM_SPEC_UINT (spec)) {
    g_string_append_printf (out, " %u..%u", G_PARAM_SPEC_UINT (spec)->minimum,
                            G_PARAM_SPEC_UINT (spec)->maximum);
  } else if (G_IS_PARAM_SPEC_INT (spec)) {
    g_string_append_printf (out, " %d..%d", G_PARAM_SPEC_INT (spec)->minimum,
                            G_PARAM_SPEC_INT (spec)->maximum);
  } else if (G_IS_PARAM_SPEC_ENUM (spec)) {
    GEnumClass *klass = G_PARAM_SPEC_ENUM (spec)->enum_class;
    guint i;

    for (i = 0; i < klass->n_values; i++)
      g_string_append_printf (out, " %s", klass->values[i].value_nick);
  }
}

/* The default as declared, and as a fresh object has it: they must agree. */
static void
print_default (GString *out, GObject *object, GParamSpec *spec)
{
  GValue value = G_VALUE_INIT;
  gchar *text;

  /* How a structure is written is GStreamer's business. */
  if (!(spec->flags & G_PARAM_READABLE)
      || spec->value_type == GST_TYPE_STRUCTURE)
    return;
  g_value_init (&value, spec->value_type);
  g_object_get_property (object, spec->name, &value);
  text = gst_value_serialize (&value);
  g_string_append_printf (out, " = %s", text != NULL ? text : "NULL");
  g_free (text);
  fail_unless (g_param_value_defaults (spec, &value), "%s", spec->name);
  g_value_unset (&value);
}

static gint
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(GParamSpec **)a)->name, (*(GParamSpec **)b)->name);
}

static void
print_properties (GString *out, GObject *object, GType base,
                  const gchar *indent)
{
  GParamSpec **specs;
  guint i, n;

  specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);
  qsort (specs, n, sizeof (*specs), by_name);
  for (i = 0; i < n; i++) {
    /* What GStreamer's own classes have is not ours to pin down. */
    if (g_type_is_a (base, specs[i]->owner_type))
      continue;
    g_string_append_printf (out, "%s%s (%s", indent, specs[i]->name,
                            g_type_name (specs[i]->value_type));
    print_range (out, specs[i]);
    g_string_append_c (out, ')');
    print_default (out, object, specs[i]);
    g_string_append_printf (out, "\n%s  %s\n%s ", indent,
                            g_param_spec_get_blurb (specs[i]), indent);
    print_flags (out, specs[i]);
    g_string_append_c (out, '\n');
  }
  g_free (specs);
}

/* Of the class and of those between it and base. */
static void
print_signals (GString *out, GType type, GType base)
{
  guint *ids, i, k, n;
  GSignalQuery query;

  if (g_type_is_a (base, type) || type == GST_TYPE_BIN)
    return;
  ids = g_signal_list_ids (type, &n);
  for (i = 0; i < n; i++) {
    g_signal_query (ids[i], &query);
    g_string_append_printf (out, "  %s%s (",
                            query.signal_flags & G_SIGNAL_ACTION ? "action "
                                                                 : "",
                            query.signal_name);
    for (k = 0; k < query.n_params; k++)
      g_string_append_printf (out, "%s%s", k > 0 ? ", " : "",
                              g_type_name (query.param_types[k]));
    g_string_append_printf (out, ") -> %s\n", g_type_name (query.return_type));
  }
  g_free (ids);
  print_signals (out, g_type_parent (type), base);
}

static void
print_template (GString *out, GstPadTemplate *templ)
{
  GstCaps *caps = gst_pad_template_get_caps (templ);
  gchar *text = gst_caps_to_string (caps);
  GType type = G_TYPE_NONE;
  GObject *pad;

  g_object_get (templ, "gtype", &type, NULL);
  g_string_append_printf (
      out, "  %s %s %s\n    %s\n", GST_PAD_TEMPLATE_NAME_TEMPLATE (templ),
      GST_PAD_TEMPLATE_DIRECTION (templ) == GST_PAD_SINK ? "sink" : "src",
      GST_PAD_TEMPLATE_PRESENCE (templ) == GST_PAD_REQUEST  ? "request"
      : GST_PAD_TEMPLATE_PRESENCE (templ) == GST_PAD_ALWAYS ? "always"
                                                            : "sometimes",
      text);
  if (type != G_TYPE_NONE) {
    pad = g_object_new (type, "direction", GST_PAD_TEMPLATE_DIRECTION (templ),
                        NULL);
    gst_object_ref_sink (pad);
    print_properties (out, pad, GST_TYPE_PAD, "    ");
    gst_object_unref (pad);
  }
  g_free (text);
  gst_caps_unref (caps);
}

static gchar *
describe (const gchar *name, GType base)
{
  GstElement *element = gst_element_factory_make (name, NULL);
  GString *out = g_string_new (NULL);
  GstElementClass *klass;
  GList *walk;

  fail_unless (element != NULL);
  klass = GST_ELEMENT_GET_CLASS (element);
  g_string_append_printf (
      out, "%s\n  %s\n  %s\n  %s\n  rank %u\n", name,
      gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_LONGNAME),
      gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_KLASS),
      gst_element_class_get_metadata (klass, GST_ELEMENT_METADATA_DESCRIPTION),
      gst_plugin_feature_get_rank (
          GST_PLUGIN_FEATURE (gst_element_get_factory (element))));
  g_string_append (out, "properties\n");
  print_properties (out, G_OBJECT (element), base, "  ");
  g_string_append (out, "signals\n");
  print_signals (out, G_OBJECT_TYPE (element), base);
  g_string_append (out, "pads\n");
  for (walk = gst_element_class_get_pad_template_list (klass); walk != NULL;
       walk = walk->next)
    print_template (out, walk->data);
  gst_object_unref (element);
  return g_string_free (out, FALSE);
}

void
compare_element (const gchar *name, GType base)
{
  gchar *file
      = g_strdup_printf ("%s/%s.txt", g_getenv ("P2P_GOLDEN_DIR"), name);
  gchar *is = describe (name, base), *was = NULL;

  if (g_getenv ("P2P_UPDATE_GOLDEN") != NULL)
    fail_unless (g_file_set_contents (file, is, -1, NULL));
  fail_unless (g_file_get_contents (file, &was, NULL, NULL), "no %s", file);
  if (strcmp (is, was) != 0)
    g_printerr ("%s is now:\n%s", name, is);
  fail_unless (strcmp (is, was) == 0, "%s is not as in %s", name, file);
  g_free (is);
  g_free (was);
  g_free (file);
}
