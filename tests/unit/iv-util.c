/* A device on iv_av.h for tests.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "iv-util.h"

#include <string.h>

Device device;

static void
lock (void)
{
  g_mutex_lock (&world);
}

static void
unlock (void)
{
  g_cond_broadcast (&changed);
  g_mutex_unlock (&world);
}

/* -- Sending --------------------------------------------------------------- */

static void *
on_send_init (const char *params, const char *peer)
{
  Handle *h = NULL;

  lock ();
  if (!device.refuse) {
    g_assert_cmpuint (device.n_handles, <, MAX_HANDLES);
    h = &device.handles[device.n_handles++];
    *h = device.model;
    h->params = g_strdup (params);
    h->peer = g_strdup (peer);
    h->inits = 1;
  }
  unlock ();
  return h;
}

static void
enter (Handle *h)
{
  h->inside++;
  h->most_inside = MAX (h->most_inside, h->inside);
}

static uint8_t kept[1 << 20];

static void
on_free (uint8_t *buf, size_t size)
{
  Handle *h;

  memcpy (&h, buf + size, sizeof h);
  lock ();
  h->frees++;
  unlock ();
  g_free (buf);
}

/* Each byte follows from its place in the stream. */
static iv_cm_memory_s
make_block (Handle *h, gsize level)
{
  gboolean small = h->small_above > 0 && level >= h->small_above;
  guint size = small ? SMALL_BLOCK : h->block_size;
  iv_cm_memory_s m = { NULL, size, NULL };
  guint i;

  if (h->keep_memory) {
    m.buf = kept;
  } else {
    m.buf = g_malloc (size + sizeof h);
    memcpy (m.buf + size, &h, sizeof h);
    m.buf_free_fn = on_free;
  }
  for (i = 0; i < size; i++)
    m.buf[i] = (uint8_t)((h->given + i) * 2654435761u >> 13);
  h->given += size;
  h->blocks--;
  return m;
}

/* Counted by the gets of the others. */
static gint64
intervals (const Handle *h)
{
  gint64 n = 0;
  guint i;

  for (i = 0; i < device.n_handles; i++)
    n += &device.handles[i] == h ? 0 : device.handles[i].gets;
  return n;
}

static iv_cm_memory_s
on_send_get (void *handle)
{
  Handle *h = handle;
  iv_cm_memory_s m = { NULL, 0, NULL };
  size_t level = iv_avt_p2p_get_send_buf (h);
  gboolean leave;

  lock ();
  enter (h);
  h->gets++;
  if (h->low_at >= 0) {
    h->slowest = MAX (h->slowest, (guint)(intervals (h) - h->low_at));
    h->low_at = -1;
  }
  while (h->hold) {
    h->holding = TRUE;
    g_cond_broadcast (&changed);
    g_cond_wait (&changed, &world);
  }
  h->holding = FALSE;
  g_assert_cmpuint (h->stops, ==, 0);
  if (h->blocks > 0)
    m = make_block (h, level);
  else if (h->end)
    m.size = (size_t)-1;
  leave = h->exit_in_get;
  unlock ();
  if (leave)
    h->exit_status = iv_avt_p2p_exit ();
  lock ();
  h->exit_in_get = FALSE;
  h->inside--;
  unlock ();
  return m;
}

static int
on_send_stop (void *handle)
{
  Handle *h = handle;

  lock ();
  enter (h);
  h->stops++;
  h->inside--;
  unlock ();
  return -1; /* which says nothing */
}

static void
exit_inside (void)
{
  int status = iv_avt_p2p_exit ();

  lock ();
  device.exit_status = status;
  unlock ();
}

static void
on_event (iv_avt_event_e event, void *handle)
{
  Handle *h = handle;
  size_t level = h != NULL ? iv_avt_p2p_get_send_buf (h) : 0;

  lock ();
  g_assert_cmpint (event, <, IV_AVT_EVENT_P2P_BUTT);
  g_assert_true ((event >= IV_AVT_EVENT_P2P_WATERMARK_LOW) == (h != NULL));
  if (h == NULL) {
    device.events[event]++;
  } else {
    enter (h);
    h->events[event]++;
    h->gets_at[event] = h->gets;
    h->levels_at[event] = level;
    if (event == IV_AVT_EVENT_P2P_WATERMARK_LOW)
      h->low_at = intervals (h);
    h->inside--;
  }
  unlock ();
  if (h == NULL && device.exit_in_event)
    exit_inside ();
}

/* -- Talk and commands ----------------------------------------------------- */

static void *
on_recv_init (const char *params, const char *peer)
{
  lock ();
  device.talks++;
  g_free (device.talk_params);
  device.talk_params = g_strdup (params);
  unlock ();
  return &device.talk;
}

static void
on_recv_voice (void *handle, uint8_t *data, size_t len)
{
  lock ();
  g_assert_true (handle == &device.talk);
  g_assert_true ((data == NULL) == (len == 0));
  if (data == NULL) {
    device.talk_ends++;
  } else {
    device.talk_frames++;
    g_byte_array_append (device.talk, data, (guint)len);
    memset (data, 0, len); /* it is ours */
  }
  unlock ();
}

static void
on_reply_free (uint8_t *buf, size_t size)
{
  lock ();
  device.reply_frees++;
  unlock ();
  g_free (buf);
}

static iv_cm_memory_s
on_command (const char *command, size_t len, const char *peer)
{
  iv_cm_memory_s m = { NULL, 0, on_reply_free };

  g_assert_cmpint (command[len], ==, 0);
  lock ();
  device.commands++;
  g_byte_array_set_size (device.command, 0);
  g_byte_array_append (device.command, (const guint8 *)command, (guint)len);
  if (device.reply_size > 0) {
    m.buf = g_malloc (device.reply_size);
    memset (m.buf, 'r', device.reply_size);
    m.size = device.reply_size;
  }
  unlock ();
  if (device.exit_in_command)
    exit_inside ();
  return m;
}

const iv_p2p_parm_s device_parm = {
  .p2p_handle_send_init_cb = on_send_init,
  .p2p_handle_send_get_cb = on_send_get,
  .p2p_handle_send_stop_cb = on_send_stop,
  .p2p_handle_event_notify_cb = on_event,
  .p2p_handle_recv_init_cb = on_recv_init,
  .p2p_handle_recv_voice_cb = on_recv_voice,
  .p2p_handle_command_cb = on_command,
  .p2p_keep_alive = { 5, 3 },
};

/* -- Life ------------------------------------------------------------------ */

void
device_reset (void)
{
  guint i;

  for (i = 0; i < device.n_handles; i++) {
    g_free (device.handles[i].params);
    g_free (device.handles[i].peer);
  }
  g_free (device.talk_params);
  if (device.talk != NULL) {
    g_byte_array_unref (device.talk);
    g_byte_array_unref (device.command);
  }
  memset (&device, 0, sizeof device);
  device.talk = g_byte_array_new ();
  device.command = g_byte_array_new ();
  device.model.block_size = 1000;
  device.model.low_at = -1;
}

guint
device_open (void)
{
  guint port = config_write (NULL);

  device_reset ();
  g_assert_cmpint (iv_avt_p2p_set_buf_watermark (200 * 1024, 400 * 1024,
                                                 500 * 1024),
                   ==, IV_ERR_NONE);
  g_assert_cmpint (iv_avt_p2p_init (&device_parm), ==, IV_ERR_NONE);
  WAIT_FOR (device.events[IV_AVT_EVENT_P2P_PEER_READY] == 1);
  return port;
}

void
device_close (void)
{
  config_remove ();
  device_reset ();
  g_byte_array_unref (device.talk);
  g_byte_array_unref (device.command);
  memset (&device, 0, sizeof device);
}
