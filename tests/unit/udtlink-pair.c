/* Two links over loopback: every combination of roles, bytes and times as they
 * were sent, ends, keys that differ, peers that go and come back.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"
#include "udtlink-util.h"

#define CAPS "video/x-h264, stream-format=(string)byte-stream"
#define CAPS_2 "video/x-h264, stream-format=(string)byte-stream, width=(int)8"

typedef struct
{
  gboolean sender_listens;
  gboolean secure;
  gboolean v6;
} Setup;

static void
make_pair (const Setup *setup, End **sender, End **receiver)
{
  const gchar *key = setup->secure ? END_KEY : NULL;
  UdtLinkConfig listener, caller;
  End *listening, *calling;

  end_config (&listener, TRUE, setup->sender_listens, 0);
  if (setup->v6)
    listener.host = "::1";
  listening = end_new (&listener, key);
  end_config (&caller, FALSE, !setup->sender_listens,
              udt_link_get_port (listening->link));
  if (setup->v6)
    caller.host = "::1";
  calling = end_new (&caller, key);
  *sender = setup->sender_listens ? listening : calling;
  *receiver = setup->sender_listens ? calling : listening;
}

static void
set_kind (End *end, P2pWireKind kind, gint deadline_ms)
{
  UdtLinkStream stream = { kind, deadline_ms };

  udt_link_set_stream (end->link, &stream);
}

/* Frames, a change of caps in the middle, an end. */
static void
run_pair (const Setup *setup)
{
  End *sender, *receiver;
  guint i;

  make_pair (setup, &sender, &receiver);
  CHECK (END_WAIT (sender, e_->connected == 1));
  CHECK (END_WAIT (receiver, e_->connected == 1));
  set_kind (sender, P2P_WIRE_VIDEO, 0);
  CHECK (udt_link_set_caps (sender->link, CAPS));
  for (i = 0; i < 50; i++)
    end_push (sender, i, 100 + 997 * i, i % 10 ? P2P_FRAME_DELTA_UNIT : 0);
  CHECK (udt_link_set_caps (sender->link, CAPS_2));
  for (; i < 100; i++)
    end_push (sender, i, 100 + 97 * i,
              i % 10 ? P2P_FRAME_DELTA_UNIT
                     : P2P_FRAME_DISCONT | P2P_FRAME_MARKER);
  udt_link_end (sender->link);
  CHECK (END_WAIT (receiver, e_->ended == 1));

  CHECK_EQ (receiver->frames->len, 100);
  for (i = 0; i < receiver->frames->len; i++) {
    P2pWireFrame *frame = &g_array_index (receiver->headers, P2pWireFrame, i);

    CHECK (end_has (receiver, i, i, i < 50 ? 100 + 997 * i : 100 + 97 * i));
    CHECK_EQ (frame->pts, (gint64)i * 1000000);
    CHECK_EQ (frame->duration, 1000000);
    CHECK_EQ (frame->flags, i % 10   ? P2P_FRAME_DELTA_UNIT
                            : i < 50 ? 0
                                     : P2P_FRAME_DISCONT | P2P_FRAME_MARKER);
    CHECK_EQ (frame->caps_version, i < 50 ? 1 : 2);
  }
  CHECK_EQ (receiver->caps->len, 2);
  if (receiver->caps->len == 2) {
    CHECK_STR (g_ptr_array_index (receiver->caps, 0), CAPS);
    CHECK_STR (g_ptr_array_index (receiver->caps, 1), CAPS_2);
  }
  /* Lossless: the receiver has to take all. */
  CHECK_EQ (receiver->kind, P2P_WIRE_DATA);
  CHECK_EQ (receiver->closed, 0);
  end_free (sender);
  end_free (receiver);
}

static void
caller_receives (void)
{
  run_pair (&(Setup){ TRUE, TRUE, FALSE });
}

static void
caller_sends (void)
{
  run_pair (&(Setup){ FALSE, TRUE, FALSE });
}

static void
insecure (void)
{
  run_pair (&(Setup){ TRUE, FALSE, FALSE });
  run_pair (&(Setup){ FALSE, FALSE, FALSE });
}

static void
ipv6 (void)
{
  run_pair (&(Setup){ TRUE, TRUE, TRUE });
}

static void
dual_stack (void)
{
  UdtLinkConfig config;
  End *sender, *receiver;
  UdtLinkStats *stats;

  end_config (&config, TRUE, TRUE, 0);
  config.host = NULL;
  sender = end_new (&config, END_KEY);
  end_config (&config, FALSE, FALSE, udt_link_get_port (sender->link));
  /* Not the address that the kernel would answer from. */
  config.host = "127.0.0.2";
  receiver = end_new (&config, END_KEY);
  end_push (sender, 1, 5000, 0);
  CHECK (END_WAIT (receiver, e_->connected == 1));
  end_push (sender, 2, 5000, 0);
  CHECK (END_WAIT (receiver, e_->frames->len > 0));
  stats = udt_link_get_stats (receiver->link);
  CHECK_EQ (stats->peers->len, 1);
  CHECK (g_str_has_prefix (
      ((UdtLinkPeerStats *)g_ptr_array_index (stats->peers, 0))->address,
      "127.0.0.2:"));
  udt_link_stats_free (stats);
  udt_link_end (sender->link);
  CHECK (END_WAIT (receiver, e_->ended == 1));
  CHECK (end_has (receiver, receiver->frames->len - 1, 2, 5000));
  end_free (receiver);
  end_free (sender);
}

/* Bytes without caps, more than any buffer on the way holds. */
static void
bulk (void)
{
  End *sender, *receiver;
  guint i;

  make_pair (&(Setup){ FALSE, TRUE, FALSE }, &sender, &receiver);
  CHECK (END_WAIT (sender, e_->connected == 1));
  for (i = 0; i < 600; i++)
    end_push (sender, i, 65536, 0);
  udt_link_end (sender->link);
  CHECK (END_WAIT (receiver, e_->ended == 1));
  CHECK_EQ (receiver->frames->len, 600);
  for (i = 0; i < 600; i += 37)
    CHECK (end_has (receiver, i, i, 65536));
  CHECK_EQ (receiver->caps->len, 0);
  end_free (sender);
  end_free (receiver);
}

/* Goodbye comes at once behind the end, before the application took it. */
static void
slow_application (void)
{
  End *sender, *receiver;
  guint i;

  make_pair (&(Setup){ TRUE, TRUE, FALSE }, &sender, &receiver);
  CHECK (END_WAIT (sender, e_->connected == 1));
  g_mutex_lock (&receiver->lock);
  receiver->full = TRUE;
  g_mutex_unlock (&receiver->lock);
  for (i = 0; i < 20; i++)
    end_push (sender, i, 3000, 0);
  udt_link_end (sender->link);
  CHECK (END_WAIT (receiver, e_->refused > 0));
  while (udt_link_get_backlog (sender->link) > 0)
    g_thread_yield ();
  end_free (sender);
  CHECK_EQ (receiver->ended, 0);
  g_mutex_lock (&receiver->lock);
  receiver->full = FALSE;
  g_mutex_unlock (&receiver->lock);
  udt_link_resume (receiver->link);
  CHECK (END_WAIT (receiver, e_->ended == 1));
  CHECK_EQ (receiver->frames->len, 20);
  CHECK_EQ (receiver->closed, 0);
  end_free (receiver);
}

static void
set_full (End *end, gboolean full)
{
  g_mutex_lock (&end->lock);
  end->full = full;
  g_mutex_unlock (&end->lock);
  udt_link_resume (end->link);
}

static void
push_formats (End *sender, guint first, guint count)
{
  guint i;

  for (i = first; i < first + count; i++) {
    gchar *caps = g_strdup_printf ("text/x-raw, n=(int)%u", i);

    CHECK (udt_link_set_caps (sender->link, caps));
    end_push (sender, i, 100, 0);
    g_free (caps);
  }
}

/* The format changes again and again while the receiver takes nothing: each
 * arrives with its frame. There is an end to what is kept. */
static void
formats_wait (void)
{
  End *sender, *receiver;
  const guint count = 40;
  guint i;

  make_pair (&(Setup){ TRUE, TRUE, FALSE }, &sender, &receiver);
  set_kind (sender, P2P_WIRE_DATA, -1);
  CHECK (END_WAIT (sender, e_->connected == 1));
  set_full (receiver, TRUE);
  push_formats (sender, 0, count);
  CHECK (END_WAIT (receiver, e_->refused > 0));
  while (udt_link_get_backlog (sender->link) > 0)
    g_thread_yield ();
  set_full (receiver, FALSE);
  CHECK (END_WAIT (receiver, e_->frames->len == count));
  CHECK_EQ (receiver->caps->len, count);
  for (i = 0; i < count; i++)
    CHECK (end_has (receiver, i, i, 100));
  CHECK_EQ (receiver->connected, 1);

  set_full (receiver, TRUE);
  push_formats (sender, count, 5 * count);
  CHECK (END_WAIT (receiver, e_->disconnected == 1));
  CHECK_STR (receiver->reason, "protocol-error");
  end_free (sender);
  end_free (receiver);
}

static void
wrong_key (void)
{
  UdtLinkConfig config;
  End *sender, *receiver;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  end_config (&config, FALSE, FALSE, udt_link_get_port (sender->link));
  receiver = end_new (&config, "another key, of enough bytes");
  CHECK (END_WAIT (receiver, e_->failed == 1));
  CHECK_STR (receiver->reason, "wrong-key");
  CHECK (receiver->final);
  CHECK (END_WAIT (sender, e_->rejected == 1));
  end_push (sender, 1, 1000, 0);
  CHECK_EQ (sender->connected, 0);
  CHECK_EQ (receiver->connected, 0);
  CHECK_EQ (receiver->frames->len, 0);
  end_free (receiver);
  end_free (sender);
}

static void
expect_refusal (gboolean listener_sends, const gchar *listener_key,
                gboolean caller_sends_too, const gchar *caller_key,
                const gchar *reason)
{
  UdtLinkConfig config;
  End *listening, *calling;

  end_config (&config, TRUE, listener_sends, 0);
  listening = end_new (&config, listener_key);
  end_config (&config, FALSE, caller_sends_too,
              udt_link_get_port (listening->link));
  calling = end_new (&config, caller_key);
  CHECK (END_WAIT (calling, e_->failed >= 1));
  CHECK_STR (calling->reason, reason);
  CHECK (!calling->final);
  CHECK_EQ (listening->connected, 0);
  end_free (calling);
  end_free (listening);
}

static void
settings_that_disagree (void)
{
  expect_refusal (TRUE, END_KEY, FALSE, NULL, "insecure-mismatch");
  expect_refusal (TRUE, NULL, FALSE, END_KEY, "insecure-mismatch");
  expect_refusal (TRUE, END_KEY, TRUE, END_KEY, "same-role");
  expect_refusal (FALSE, NULL, FALSE, NULL, "same-role");
}

/* The listener goes and another takes its place. */
static void
reconnect (void)
{
  UdtLinkConfig config;
  End *sender, *receiver;
  guint port;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  port = udt_link_get_port (sender->link);
  end_config (&config, FALSE, FALSE, port);
  receiver = end_new (&config, END_KEY);
  CHECK (END_WAIT (sender, e_->connected == 1));
  set_kind (sender, P2P_WIRE_VIDEO, -1);
  end_push (sender, 1, 1000, 0);
  CHECK (END_WAIT (receiver, e_->frames->len == 1));
  end_free (sender);
  CHECK (END_WAIT (receiver, e_->disconnected == 1 && e_->closed == 1));
  CHECK_EQ (receiver->ended, 0);

  end_config (&config, TRUE, TRUE, port);
  sender = end_new (&config, END_KEY);
  CHECK (END_WAIT (sender, e_->connected == 1));
  end_push (sender, 2, 1000, 0);
  CHECK (END_WAIT (receiver, e_->frames->len == 2 && e_->opened == 2));
  CHECK (end_has (receiver, 1, 2, 1000));
  end_free (receiver);
  end_free (sender);
}

/* A caller starts before the listener is there. */
static void
early_caller (void)
{
  UdtLinkConfig config;
  End *sender, *receiver;
  guint port;

  end_config (&config, TRUE, FALSE, 0);
  receiver = end_new (&config, NULL);
  port = udt_link_get_port (receiver->link);
  end_free (receiver);
  end_config (&config, FALSE, TRUE, port);
  sender = end_new (&config, NULL);
  CHECK (END_WAIT (sender, e_->writable == 0));
  end_config (&config, TRUE, FALSE, port);
  receiver = end_new (&config, NULL);
  CHECK (END_WAIT (sender, e_->connected == 1));
  end_push (sender, 3, 100, 0);
  CHECK (END_WAIT (receiver, e_->frames->len == 1));
  end_free (sender);
  end_free (receiver);
}

static guint
callers_with_drops (End *sender)
{
  UdtLinkStats *stats = udt_link_get_stats (sender->link);
  guint i, n = 0;

  CHECK_EQ (stats->peers->len, 3);
  for (i = 0; i < stats->peers->len; i++)
    n += ((UdtLinkPeerStats *)g_ptr_array_index (stats->peers, i))
             ->frames_dropped
         > 0;
  udt_link_stats_free (stats);
  return n;
}

/* One of three callers takes nothing: the others get all, it loses frames. */
static void
several_callers (void)
{
  UdtLinkConfig config;
  End *sender, *receivers[3];
  gint64 until = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;
  guint i, n;

  end_config (&config, TRUE, TRUE, 0);
  config.high_watermark = 200000;
  sender = end_new (&config, END_KEY);
  set_kind (sender, P2P_WIRE_VIDEO, 30000);
  end_config (&config, FALSE, FALSE, udt_link_get_port (sender->link));
  for (n = 0; n < 3; n++)
    receivers[n] = end_new (&config, END_KEY);
  CHECK (END_WAIT (sender, e_->connected == 3));
  g_mutex_lock (&receivers[2]->lock);
  receivers[2]->full = TRUE;
  g_mutex_unlock (&receivers[2]->lock);
  for (i = 0; i < 300; i++) {
    end_push (sender, i, 40000, i % 10 ? P2P_FRAME_DELTA_UNIT : 0);
    for (n = 0; n < 2; n++)
      CHECK (END_WAIT (receivers[n], e_->frames->len == i + 1));
  }
  udt_link_end (sender->link);
  for (n = 0; n < 2; n++) {
    CHECK (END_WAIT (receivers[n], e_->ended == 1));
    CHECK_EQ (receivers[n]->frames->len, 300);
    CHECK (end_has (receivers[n], 299, 299, 40000));
  }
  /* Which asks for a key unit; the numbers may be a moment old. */
  CHECK (END_WAIT (sender, e_->key_units > 0));
  while ((n = callers_with_drops (sender)) == 0
         && g_get_monotonic_time () < until)
    g_thread_yield ();
  CHECK_EQ (n, 1);
  for (n = 0; n < 3; n++)
    end_free (receivers[n]);
  end_free (sender);
}

/* The level is what nobody has got yet, the backlog what somebody has not. */
static void
level_and_backlog (void)
{
  static const guint8 zeros[40000];
  P2pWireFrame frame = { 0 };
  UdtLinkConfig config;
  End *sender, *receivers[2];
  GBytes *payload = g_bytes_new_static (zeros, sizeof zeros);
  guint n, pushed = 0;

  end_config (&config, TRUE, TRUE, 0);
  config.high_watermark = 200000;
  sender = end_new (&config, END_KEY);
  CHECK_EQ (udt_link_get_level (sender->link), 0);
  set_kind (sender, P2P_WIRE_DATA, 0);
  end_config (&config, FALSE, FALSE, udt_link_get_port (sender->link));
  for (n = 0; n < 2; n++)
    receivers[n] = end_new (&config, END_KEY);
  CHECK (END_WAIT (sender, e_->connected == 2));
  g_mutex_lock (&receivers[1]->lock);
  receivers[1]->full = TRUE;
  g_mutex_unlock (&receivers[1]->lock);
  /* Until one has all, and the other takes no more. */
  for (;;) {
    if (udt_link_push (sender->link, payload, &frame, FALSE, FALSE)
        == UDT_LINK_PUSH_OK)
      pushed++;
    else if (udt_link_get_level (sender->link) == 0
             && udt_link_get_backlog (sender->link) >= 200000)
      break;
    else
      g_thread_yield ();
    if (!CHECK (pushed < 10000))
      break;
  }
  CHECK (END_WAIT (receivers[0], e_->frames->len == pushed));
  CHECK_EQ (receivers[1]->frames->len, 0);
  g_bytes_unref (payload);
  for (n = 0; n < 2; n++)
    end_free (receivers[n]);
  end_free (sender);
}

static void
too_many_callers (void)
{
  UdtLinkConfig config;
  End *sender, *first, *second;

  end_config (&config, TRUE, TRUE, 0);
  config.max_callers = 1;
  sender = end_new (&config, END_KEY);
  end_config (&config, FALSE, FALSE, udt_link_get_port (sender->link));
  first = end_new (&config, END_KEY);
  CHECK (END_WAIT (first, e_->connected == 1));
  second = end_new (&config, END_KEY);
  CHECK (END_WAIT (second, e_->failed >= 1));
  CHECK_STR (second->reason, "busy");
  CHECK_EQ (second->connected, 0);
  /* A place that becomes free is found. */
  end_free (first);
  CHECK (END_WAIT (second, e_->connected == 1));
  end_free (second);
  end_free (sender);
}

static void
key_units (void)
{
  End *sender, *receiver;

  make_pair (&(Setup){ TRUE, TRUE, FALSE }, &sender, &receiver);
  set_kind (sender, P2P_WIRE_VIDEO, -1);
  CHECK (udt_link_set_caps (sender->link, CAPS));
  CHECK (END_WAIT (receiver, e_->opened == 1));
  /* The newcomer needs one by itself; and asks for another. */
  CHECK (END_WAIT (sender, e_->key_units == 1));
  end_push (sender, 0, 100, 0);
  CHECK (END_WAIT (receiver, e_->frames->len == 1));
  udt_link_request_key_unit (receiver->link, TRUE, 0);
  CHECK (END_WAIT (sender, e_->key_units == 2));
  end_free (receiver);
  end_free (sender);
}

/* A camera's next frame, 20 ms after the one before; a keyframe if one was asked
 * for. Returns how many have been. */
static guint
film (End *sender, guint number, guint answered)
{
  gint64 until = g_get_monotonic_time () + 20 * 1000;
  guint asked;

  g_mutex_lock (&sender->lock);
  while (g_cond_wait_until (&sender->cond, &sender->lock, until))
    ;
  asked = sender->key_units;
  g_mutex_unlock (&sender->lock);
  end_push (sender, number, 2000, asked > answered ? 0 : P2P_FRAME_DELTA_UNIT);
  return asked;
}

/* A receiver that stands still loses what is sent to it, keyframes as well: the
 * others would only pay for them. It gets one once it is back. */
static void
standstill (void)
{
  guint n, asked = 1;
  End *sender, *receiver;

  make_pair (&(Setup){ TRUE, TRUE, FALSE }, &sender, &receiver);
  set_kind (sender, P2P_WIRE_VIDEO, 100);
  CHECK (udt_link_set_caps (sender->link, CAPS));
  CHECK (END_WAIT (receiver, e_->opened == 1));
  CHECK (END_WAIT (sender, e_->key_units == 1));
  end_push (sender, 0, 100, 0);
  CHECK (END_WAIT (receiver, e_->frames->len == 1));
  /* Its thread cannot hand on the next frame. */
  g_mutex_lock (&receiver->lock);
  for (n = 1; n < 70; n++)
    asked = film (sender, n, asked);
  g_mutex_unlock (&receiver->lock);
  CHECK (asked <= 1 + 2);
  CHECK (END_WAIT (sender, e_->key_units > asked));
  film (sender, n, asked);
  CHECK (END_WAIT (receiver, e_->frames->len > 2));
  end_free (receiver);
  end_free (sender);
}

static void
bad_settings (void)
{
  UdtLinkCallbacks none = { 0 };
  GError *error = NULL;
  UdtLinkConfig config;
  End *taken;

  end_config (&config, FALSE, TRUE, 0);
  CHECK (udt_link_new (&config, &none, NULL, &error) == NULL);
  CHECK (g_error_matches (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS));
  g_clear_error (&error);
  end_config (&config, TRUE, TRUE, 7001);
  config.host = "camera.example";
  CHECK (udt_link_new (&config, &none, NULL, &error) == NULL);
  CHECK (g_error_matches (error, UDT_LINK_ERROR, UDT_LINK_ERROR_SETTINGS));
  g_clear_error (&error);
  end_config (&config, TRUE, TRUE, 0);
  taken = end_new (&config, NULL);
  config.port = udt_link_get_port (taken->link);
  CHECK (udt_link_new (&config, &none, NULL, &error) == NULL);
  CHECK (g_error_matches (error, UDT_LINK_ERROR, UDT_LINK_ERROR_ADDRESS));
  g_clear_error (&error);
  end_free (taken);
}

static const CheckCase cases[] = {
  { "the caller receives", caller_receives },
  { "the caller sends", caller_sends },
  { "insecure, both ways", insecure },
  { "IPv6", ipv6 },
  { "a listener of both families", dual_stack },
  { "bulk, without caps", bulk },
  { "the goodbye does not overtake a slow application", slow_application },
  { "formats that wait for their frames", formats_wait },
  { "keys that differ", wrong_key },
  { "settings that disagree", settings_that_disagree },
  { "the listener comes back", reconnect },
  { "the caller comes first", early_caller },
  { "level and backlog", level_and_backlog },
  { "several callers, one stalled", several_callers },
  { "more callers than there may be", too_many_callers },
  { "key units", key_units },
  { "no key units for who stands still", standstill },
  { "bad settings", bad_settings },
};

CHECK_MAIN (cases)
