/* Errors of hal-src as messages of elements.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstsocerror.h"

#include <string.h>

static GQuark
domain_of (HalStatus status, gint *ret_code)
{
  switch (status) {
    case HAL_NOT_FOUND:
    case HAL_NO_DEVICE:
      *ret_code = GST_RESOURCE_ERROR_NOT_FOUND;
      break;
    case HAL_BUSY:
      *ret_code = GST_RESOURCE_ERROR_BUSY;
      break;
    case HAL_NO_PERMISSION:
      *ret_code = GST_RESOURCE_ERROR_NOT_AUTHORIZED;
      break;
    case HAL_NO_MEMORY:
      *ret_code = GST_RESOURCE_ERROR_NO_SPACE_LEFT;
      break;
    case HAL_INVALID:
    case HAL_UNSUPPORTED:
    case HAL_NEEDS_RESTART:
      *ret_code = GST_RESOURCE_ERROR_SETTINGS;
      break;
    case HAL_TIMEOUT:
      *ret_code = GST_RESOURCE_ERROR_READ;
      break;
    case HAL_REFUSED:
      *ret_code = GST_LIBRARY_ERROR_SETTINGS;
      return GST_LIBRARY_ERROR;
    case HAL_BAD_LIBRARY:
    case HAL_BAD_VERSION:
      *ret_code = GST_LIBRARY_ERROR_INIT;
      return GST_LIBRARY_ERROR;
    default:
      *ret_code = GST_LIBRARY_ERROR_ENCODE;
      return GST_LIBRARY_ERROR;
  }
  return GST_RESOURCE_ERROR;
}

static void
post (GstElement *element, const HalError *error, GstMessageType type)
{
  gchar *body, *text, *debug;
  GQuark domain;
  gint code;

  domain = domain_of (error->status, &code);
  /* Some texts come from libraries that end their sentences. */
  body = g_strdup (error->text);
  while (g_str_has_suffix (body, "."))
    body[strlen (body) - 1] = '\0';
  text = error->hint[0] != '\0'
             ? g_strdup_printf ("%s: %s.", body, error->hint)
             : g_strdup_printf ("%s%s", body,
                                g_str_has_suffix (body, "?") ? "" : ".");
  g_free (body);
  debug = g_strdup_printf ("%s; call %s, code %" G_GINT64_FORMAT " (0x%08x)",
                           hal_status_name (error->status),
                           error->call[0] != '\0' ? error->call : "none",
                           error->code, (guint)error->code);
  gst_element_message_full (element, type, domain, code, text, debug, __FILE__,
                            G_STRFUNC, __LINE__);
}

void
gst_soc_post_error (GstElement *element, const HalError *error)
{
  post (element, error, GST_MESSAGE_ERROR);
}

void
gst_soc_post_warning (GstElement *element, const HalError *error)
{
  post (element, error, GST_MESSAGE_WARNING);
}
