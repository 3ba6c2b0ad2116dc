/* A link with a record of all that it said, for tests.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtlink-util.h"

static void
on_event (UdtLink *link, const UdtLinkEvent *event, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  switch (event->type) {
    case UDT_LINK_CONNECTED:
      end->connected++;
      break;
    case UDT_LINK_DISCONNECTED:
      end->disconnected++;
      break;
    case UDT_LINK_FAILED:
      end->failed++;
      end->final = event->final;
      break;
    case UDT_LINK_REJECTED:
      end->rejected++;
      break;
    case UDT_LINK_REFUSED:
      end->unheard++;
      break;
  }
  if (event->reason != NULL) {
    g_free (end->reason);
    end->reason = g_strdup (event->reason);
  }
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static void
on_key_unit (UdtLink *link, gboolean all_headers, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  end->key_units++;
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static void
on_writable (UdtLink *link, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  end->writable++;
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static void
on_opened (UdtLink *link, P2pWireKind kind, const gchar *peer, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  end->opened++;
  end->kind = kind;
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static void
on_caps (UdtLink *link, const gchar *caps, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  g_ptr_array_add (end->caps, g_strdup (caps));
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static gboolean
on_frame (UdtLink *link, GBytes *payload, const P2pWireFrame *frame,
          gint64 arrival_us, gint64 age_us, gboolean gap, gpointer user)
{
  End *end = user;
  gboolean taken;

  g_mutex_lock (&end->lock);
  taken = !end->full;
  if (taken) {
    g_ptr_array_add (end->frames, g_bytes_ref (payload));
    g_array_append_val (end->headers, *frame);
    end->bytes += g_bytes_get_size (payload);
    end->gaps += gap;
  } else {
    end->refused++;
  }
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
  return taken;
}

static void
on_end (UdtLink *link, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  end->ended++;
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static void
on_closed (UdtLink *link, gpointer user)
{
  End *end = user;

  g_mutex_lock (&end->lock);
  end->closed++;
  g_cond_broadcast (&end->cond);
  g_mutex_unlock (&end->lock);
}

static const UdtLinkCallbacks callbacks
    = { on_event, on_key_unit, on_writable, on_opened,
        on_caps,  on_frame,    on_end,      on_closed };

void
end_config (UdtLinkConfig *config, gboolean listener, gboolean sender,
            guint port)
{
  UdtLinkConfig plain = {
    .listener = listener,
    .sender = sender,
    .host = "127.0.0.1",
    .port = port,
    .latency_ms = 200,
    .max_callers = 16,
    .keep_alive_interval_s = 1,
    .keep_alive_attempts = 2,
    .high_watermark = 512000,
  };

  *config = plain;
}

static void
bytes_unref (gpointer bytes)
{
  g_bytes_unref (bytes);
}

End *
end_new (const UdtLinkConfig *config, const gchar *key)
{
  End *end = g_new0 (End, 1);
  UdtLinkConfig copy = *config;
  GError *error = NULL;

  g_mutex_init (&end->lock);
  g_cond_init (&end->cond);
  end->caps = g_ptr_array_new_with_free_func (g_free);
  end->frames = g_ptr_array_new_with_free_func (bytes_unref);
  end->headers = g_array_new (FALSE, FALSE, sizeof (P2pWireFrame));
  if (key != NULL)
    copy.credential = p2p_credential_new ("udt", key, NULL, &error);
  g_assert_no_error (error);
  end->link = udt_link_new (&copy, &callbacks, end, &error);
  g_assert_no_error (error);
  if (copy.credential != NULL)
    p2p_credential_unref (copy.credential);
  g_assert_true (udt_link_start (end->link, &error));
  return end;
}

void
end_free (End *end)
{
  udt_link_stop (end->link);
  g_ptr_array_unref (end->caps);
  g_ptr_array_unref (end->frames);
  g_array_unref (end->headers);
  g_free (end->reason);
  g_mutex_clear (&end->lock);
  g_cond_clear (&end->cond);
  g_free (end);
}

static GBytes *
make_payload (guint number, gsize size)
{
  guint8 *data = g_malloc (size);
  guint32 state = number * 2654435761u + 1;
  gsize i;

  for (i = 0; i < size; i++) {
    state = state * 1664525u + 1013904223u;
    data[i] = (guint8)(state >> 24);
  }
  return g_bytes_new_take (data, size);
}

void
end_push (End *end, guint number, gsize size, guint16 flags)
{
  GBytes *payload = make_payload (number, size);
  P2pWireFrame frame = { .flags = flags };
  guint seen;

  frame.pts = frame.dts = (gint64)number * 1000000;
  frame.duration = 1000000;
  frame.sent = frame.pts;
  do {
    g_mutex_lock (&end->lock);
    seen = end->writable;
    g_mutex_unlock (&end->lock);
    if (udt_link_push (end->link, payload, &frame, FALSE, FALSE)
        == UDT_LINK_PUSH_OK)
      break;
  } while (END_WAIT (end, end->writable != seen));
  g_bytes_unref (payload);
}

gboolean
end_has (End *end, guint index, guint number, gsize size)
{
  GBytes *expected = make_payload (number, size);
  gboolean same;

  g_mutex_lock (&end->lock);
  same = index < end->frames->len
         && g_bytes_equal (g_ptr_array_index (end->frames, index), expected);
  g_mutex_unlock (&end->lock);
  g_bytes_unref (expected);
  return same;
}
