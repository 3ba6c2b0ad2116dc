/* An encoder that follows.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads and lock: see gstp2pfollow.h. There is at most one job of a
 * GstP2pFollow with GStreamer's workers (`busy`), which goes on until nothing
 * is left to do: so what it does needs no lock and stays in order.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstp2pencoder.h"
#include "gstp2pfollow.h"
#include "gstp2pproperties.h"

GST_DEBUG_CATEGORY_STATIC (gst_p2p_follow_debug);
#define GST_CAT_DEFAULT gst_p2p_follow_debug

#define DEFAULT_MIN_BITRATE 128000
#define LEAST_MIN_BITRATE 1000
#define NEVER_TOLD G_MAXUINT64

struct _GstP2pFollow
{
  gint refs;                            /* atomic */
  const GstP2pFollowSettings *settings; /* of the element; its OBJECT_LOCK */

  GMutex lock;
  BitratePolicy policy; /* [lock] */
  gboolean running;     /* [lock] */
  gboolean named;       /* [lock] the setting "encoder" is for us */
  gboolean look;        /* [lock] for the encoder, and at the settings */
  gboolean looked;      /* [lock] the policy knows its limits */
  gboolean busy;        /* [lock] a job is with the workers */

  /* The job's. */
  guint64 told;
  gboolean adapt;
  GWeakRef encoder;
  guint64 configured; /* what the encoder had without us; 0: its own choice */
  guint64 applied;    /* what it has of us, as it reads back */
  gboolean max_is_configured;
};

typedef struct
{
  GstP2pFollow *follow;
  GstPad *pad;
} Job;

/* -- Properties ------------------------------------------------------------ */

void
gst_p2p_follow_settings_init (GstP2pFollowSettings *settings)
{
  settings->adapt = TRUE;
  settings->encoder = NULL;
  settings->min_bitrate = DEFAULT_MIN_BITRATE;
  settings->max_bitrate = settings->start_bitrate = 0;
}

void
gst_p2p_follow_settings_clear (GstP2pFollowSettings *settings)
{
  g_clear_pointer (&settings->encoder, g_free);
}

static void
install_bitrate (GObjectClass *klass, guint id, const gchar *name,
                 const gchar *nick, const gchar *blurb, guint min, guint value,
                 GParamFlags flags)
{
  g_object_class_install_property (klass, id,
                                   g_param_spec_uint (name, nick, blurb, min,
                                                      G_MAXUINT, value, flags));
}

void
gst_p2p_follow_install (GObjectClass *klass, guint first_id)
{
  const GParamFlags flags
      = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  GST_DEBUG_CATEGORY_INIT (gst_p2p_follow_debug, "p2pfollow", 0,
                           "encoders that follow");
  g_object_class_install_property (
      klass, first_id + GST_P2P_FOLLOW_ADAPT,
      g_param_spec_boolean (
          "adapt", "Adapt",
          "Set the bit rate of the encoder upstream to what can be sent", TRUE,
          flags));
  gst_p2p_install_string (
      klass, first_id + GST_P2P_FOLLOW_ENCODER, "encoder", "Encoder",
      "Name of the encoder in the pipeline; unset: the one on the unbranched "
      "way up",
      flags);
  install_bitrate (klass, first_id + GST_P2P_FOLLOW_MIN_BITRATE, "min-bitrate",
                   "Minimum Bit Rate",
                   "Bit/s that the encoder is never set below",
                   LEAST_MIN_BITRATE, DEFAULT_MIN_BITRATE, flags);
  install_bitrate (
      klass, first_id + GST_P2P_FOLLOW_MAX_BITRATE, "max-bitrate",
      "Maximum Bit Rate",
      "Bit/s that the encoder is never set above; 0: what it had at "
      "the start",
      0, 0, flags);
  install_bitrate (klass, first_id + GST_P2P_FOLLOW_START_BITRATE,
                   "start-bitrate", "Start Bit Rate",
                   "Bit/s that the encoder begins with; 0: what it has", 0, 0,
                   flags);
  install_bitrate (klass, first_id + GST_P2P_FOLLOW_TARGET_BITRATE,
                   "target-bitrate", "Target Bit Rate",
                   "Bit/s that video shall have now; 0: not known", 0, 0,
                   GST_P2P_READABLE);
}

void
gst_p2p_follow_set_property (GstP2pFollowSettings *settings,
                             GstElement *element, guint which,
                             const GValue *value)
{
  GST_OBJECT_LOCK (element);
  switch (which) {
    case GST_P2P_FOLLOW_ADAPT:
      settings->adapt = g_value_get_boolean (value);
      break;
    case GST_P2P_FOLLOW_ENCODER:
      gst_p2p_take_string (&settings->encoder, value);
      break;
    case GST_P2P_FOLLOW_MIN_BITRATE:
      settings->min_bitrate = g_value_get_uint (value);
      break;
    case GST_P2P_FOLLOW_MAX_BITRATE:
      settings->max_bitrate = g_value_get_uint (value);
      break;
    default:
      settings->start_bitrate = g_value_get_uint (value);
      break;
  }
  GST_OBJECT_UNLOCK (element);
}

void
gst_p2p_follow_get_property (GstP2pFollowSettings *settings,
                             GstElement *element, guint which, GValue *value)
{
  GST_OBJECT_LOCK (element);
  switch (which) {
    case GST_P2P_FOLLOW_ADAPT:
      g_value_set_boolean (value, settings->adapt);
      break;
    case GST_P2P_FOLLOW_ENCODER:
      g_value_set_string (value, settings->encoder);
      break;
    case GST_P2P_FOLLOW_MIN_BITRATE:
      g_value_set_uint (value, settings->min_bitrate);
      break;
    case GST_P2P_FOLLOW_MAX_BITRATE:
      g_value_set_uint (value, settings->max_bitrate);
      break;
    default:
      g_value_set_uint (value, settings->start_bitrate);
      break;
  }
  GST_OBJECT_UNLOCK (element);
}

/* -- The encoder (the job) ------------------------------------------------- */

/* Somebody else has set it since: that is what it is to have now. */
static gboolean
was_changed (GstP2pFollow *follow, GstElement *encoder)
{
  guint64 has = gst_p2p_encoder_get_bitrate (encoder);

  if (has == follow->applied)
    return FALSE;
  follow->configured = follow->applied = has;
  return TRUE;
}

static void
give_back (GstP2pFollow *follow, GstElement *encoder)
{
  if (was_changed (follow, encoder) || follow->applied == follow->configured)
    return;
  GST_DEBUG_OBJECT (encoder, "gets back its %" G_GUINT64_FORMAT " bit/s",
                    follow->configured);
  gst_p2p_encoder_set_bitrate (encoder, follow->configured);
  follow->applied = follow->configured;
}

static void
take_encoder (GstP2pFollow *follow, GstElement *encoder)
{
  GstElement *old = g_weak_ref_get (&follow->encoder);

  if (encoder != NULL && encoder == old) {
    was_changed (follow, encoder);
  } else {
    if (old != NULL)
      give_back (follow, old);
    g_weak_ref_set (&follow->encoder, encoder);
    follow->configured = follow->applied
        = encoder != NULL ? gst_p2p_encoder_get_bitrate (encoder) : 0;
  }
  g_clear_object (&old);
}

static guint
configured_bitrate (GstP2pFollow *follow)
{
  return follow->configured != 0 ? (guint)MIN (follow->configured, G_MAXUINT)
                                 : GST_P2P_ENCODER_DEFAULT_BITRATE;
}

/* For the encoder, and at the settings. */
static void
look (GstP2pFollow *follow, GstElement *element, GstPad *pad)
{
  GstP2pFollowSettings settings;
  GstElement *encoder = NULL;
  gboolean named;

  g_mutex_lock (&follow->lock);
  named = follow->named;
  g_mutex_unlock (&follow->lock);
  GST_OBJECT_LOCK (element);
  settings = *follow->settings;
  settings.encoder = named ? g_strdup (settings.encoder) : NULL;
  GST_OBJECT_UNLOCK (element);

  follow->adapt = settings.adapt;
  if (settings.adapt) {
    encoder = gst_p2p_encoder_find (pad, settings.encoder);
    if (encoder == NULL && settings.encoder != NULL)
      GST_WARNING_OBJECT (element,
                          "\"%s\" is not an encoder that can follow: there is "
                          "none of that name, its unit is not known, or it "
                          "takes no changes while it runs",
                          settings.encoder);
  }
  take_encoder (follow, encoder);
  follow->max_is_configured = settings.max_bitrate == 0 && encoder != NULL;
  if (follow->max_is_configured)
    settings.max_bitrate = configured_bitrate (follow);
  /* Once more, to whoever it is now. */
  follow->told = NEVER_TOLD;
  GST_DEBUG_OBJECT (pad, "encoder %" GST_PTR_FORMAT ", %u to %u bit/s", encoder,
                    settings.min_bitrate, settings.max_bitrate);
  g_clear_object (&encoder);
  g_free (settings.encoder);

  g_mutex_lock (&follow->lock);
  follow->policy.min = settings.min_bitrate;
  follow->policy.max = settings.max_bitrate;
  follow->policy.start = settings.start_bitrate;
  bitrate_policy_limit (&follow->policy);
  follow->looked = follow->running;
  g_mutex_unlock (&follow->lock);
}

static gboolean
ask (GstPad *pad, guint64 target)
{
  GstStructure *structure
      = gst_structure_new (GST_P2P_BITRATE_REQUEST, "bitrate", G_TYPE_UINT,
                           (guint)MIN (target, G_MAXUINT), NULL);

  return gst_pad_push_event (pad,
                             gst_event_new_custom (GST_EVENT_CUSTOM_UPSTREAM,
                                                   structure));
}

/* As `was_changed`, and the maximum with it. */
static void
notice_change (GstP2pFollow *follow, GstElement *encoder)
{
  if (!was_changed (follow, encoder) || !follow->max_is_configured)
    return;
  g_mutex_lock (&follow->lock);
  follow->policy.max = configured_bitrate (follow);
  g_mutex_unlock (&follow->lock);
}

static gboolean
is_worth (GstP2pFollow *follow, GstElement *encoder, guint64 target)
{
  guint64 max;

  g_mutex_lock (&follow->lock);
  max = follow->policy.max;
  g_mutex_unlock (&follow->lock);
  return target != follow->applied
         && (target == max
             || gst_p2p_encoder_is_worth (encoder, follow->applied, target));
}

static void
apply (GstP2pFollow *follow, GstPad *pad, GstElement *encoder, guint64 target)
{
  gboolean handled;

  if (encoder != NULL)
    notice_change (follow, encoder);
  handled = ask (pad, target);
  GST_DEBUG_OBJECT (pad, "%" G_GUINT64_FORMAT " bit/s: %s", target,
                    handled           ? "upstream obeys"
                    : encoder != NULL ? "the encoder is set"
                                      : "nobody upstream can follow");
  if (encoder == NULL)
    return;
  if (!handled && is_worth (follow, encoder, target))
    gst_p2p_encoder_set_bitrate (encoder, target);
  follow->applied = gst_p2p_encoder_get_bitrate (encoder);
}

static void
tell (GstP2pFollow *follow, GstElement *element, GstPad *pad, guint64 target)
{
  GstElement *encoder = g_weak_ref_get (&follow->encoder);

  g_object_notify (G_OBJECT (element), "target-bitrate");
  if (target != 0 && follow->adapt)
    apply (follow, pad, encoder, target);
  else if (encoder != NULL)
    give_back (follow, encoder);
  g_clear_object (&encoder);
}

/* FALSE: there is nothing more to do. `*target` 0 and not `*look_first`: what
 * was done is to be undone. */
static gboolean
next_task (GstP2pFollow *follow, gboolean *look_first, guint64 *target)
{
  gboolean more;

  g_mutex_lock (&follow->lock);
  *look_first = follow->look && follow->running;
  *target = follow->running ? follow->policy.current : 0;
  follow->look = FALSE;
  more = *look_first || *target != follow->told;
  if (!*look_first)
    follow->told = *target;
  follow->busy = more;
  g_mutex_unlock (&follow->lock);
  return more;
}

static void
work (GstElement *element, gpointer data)
{
  Job *job = data;
  gboolean look_first;
  guint64 target;

  while (next_task (job->follow, &look_first, &target)) {
    if (look_first)
      look (job->follow, element, job->pad);
    else
      tell (job->follow, element, job->pad, target);
  }
}

/* -- Any thread ------------------------------------------------------------ */

static void
job_free (gpointer data)
{
  Job *job = data;

  gst_p2p_follow_unref (job->follow);
  gst_object_unref (job->pad);
  g_free (job);
}

/* Lock held, which it releases. */
static void
unlock_and_work (GstP2pFollow *follow, GstElement *element, GstPad *pad)
{
  gboolean begin = !follow->busy;
  Job *job;

  follow->busy = TRUE;
  g_mutex_unlock (&follow->lock);
  if (!begin)
    return;
  job = g_new (Job, 1);
  job->follow = follow;
  g_atomic_int_inc (&follow->refs);
  job->pad = gst_object_ref (pad);
  gst_element_call_async (element, work, job, job_free);
}

GstP2pFollow *
gst_p2p_follow_new (GstP2pFollowSettings *settings)
{
  GstP2pFollow *follow = g_new0 (GstP2pFollow, 1);

  follow->refs = 1;
  follow->settings = settings;
  g_mutex_init (&follow->lock);
  g_weak_ref_init (&follow->encoder, NULL);
  bitrate_policy_init (&follow->policy);
  return follow;
}

void
gst_p2p_follow_unref (GstP2pFollow *follow)
{
  if (!g_atomic_int_dec_and_test (&follow->refs))
    return;
  g_weak_ref_clear (&follow->encoder);
  g_mutex_clear (&follow->lock);
  g_free (follow);
}

void
gst_p2p_follow_start (GstP2pFollow *follow, GstElement *element, GstPad *pad,
                      gboolean encoder)
{
  g_mutex_lock (&follow->lock);
  if (!follow->running)
    bitrate_policy_init (&follow->policy);
  follow->running = follow->look = TRUE;
  follow->named = encoder;
  unlock_and_work (follow, element, pad);
}

void
gst_p2p_follow_look (GstP2pFollow *follow, GstElement *element, GstPad *pad)
{
  g_mutex_lock (&follow->lock);
  if (!follow->running) {
    g_mutex_unlock (&follow->lock);
    return;
  }
  follow->look = TRUE;
  unlock_and_work (follow, element, pad);
}

void
gst_p2p_follow_stop (GstP2pFollow *follow, GstElement *element, GstPad *pad)
{
  g_mutex_lock (&follow->lock);
  if (!follow->running) {
    g_mutex_unlock (&follow->lock);
    return;
  }
  follow->running = follow->looked = FALSE;
  unlock_and_work (follow, element, pad);
}

guint64
gst_p2p_follow_update (GstP2pFollow *follow, GstElement *element, GstPad *pad,
                       BitrateViewer *viewers, gsize n)
{
  guint64 nominal;

  g_mutex_lock (&follow->lock);
  if (!follow->looked) {
    g_mutex_unlock (&follow->lock);
    return 0;
  }
  nominal = follow->policy.max;
  if (bitrate_policy_update (&follow->policy, viewers, n,
                             (guint64)g_get_monotonic_time ()))
    unlock_and_work (follow, element, pad);
  else
    g_mutex_unlock (&follow->lock);
  return nominal;
}

guint64
gst_p2p_follow_get_target (GstP2pFollow *follow)
{
  guint64 target;

  g_mutex_lock (&follow->lock);
  target = follow->looked ? follow->policy.current : 0;
  g_mutex_unlock (&follow->lock);
  return target;
}
