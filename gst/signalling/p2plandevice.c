/* The device on the local network: answers who proves the key, and makes sure
 * that it is the only one of its name.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An answer gives away a challenge and the TCP port; the probe's salt becomes
 * the channel id, so the viewer's first envelope can follow in its first
 * segment, and whoever connects without having been answered meets silence.
 *
 * Twins: before it is ONLINE a device asks for others with its credential. An
 * established one answers, and the newcomer gives way; between two newcomers,
 * and two that a network has brought together later, the lower instance stays.
 *
 * Threads: that of the signaller's context.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2plan.h"
#include "p2ptcp.h"

#include <string.h>

/* Challenges given out and not used yet; each is good for a few seconds. */
#define MAX_PENDING 64
#define PENDING_US (10 * G_USEC_PER_SEC)
/* Probes answered, which must not be answered again. */
#define MAX_SEEN 1024
/* Probes opened a second: 20 us of CPU each on a PC. */
#define PROBE_RATE 500
#define PROBE_BURST 1000
#define MAX_READS 32
#define TWIN_PROBES 3

typedef struct
{
  guint8 channel_id[P2P_CHANNEL_ID_BYTES];
  guint8 challenge[P2P_CHALLENGE_BYTES];
  gint64 until_us; /* 0: used or free */
} Pending;

struct _P2pLanDevice
{
  P2pSignaller *signaller;
  guint8 instance[P2P_LAN_INSTANCE];
  gboolean established;
  P2pTcpServer *server;
  GSocket *receiver;
  GSource *readable;
  GSource *timer; /* newcomer: next probe; established: rejoin;
                     otherwise: next attempt */
  P2pLanProber *prober;
  guint probes;
  gint joined[P2P_LAN_MAX_INTERFACES];
  guint n_joined;
  P2pBucket bucket;
  P2pSeen seen;
  Pending pending[MAX_PENDING];
  guint next_pending;
};

static void begin (P2pLanDevice *device);

static void
shut (P2pLanDevice *device)
{
  p2p_source_clear (&device->readable);
  p2p_source_clear (&device->timer);
  g_clear_pointer (&device->prober, p2p_lan_prober_free);
  g_clear_pointer (&device->server, p2p_tcp_server_free);
  if (device->receiver)
    g_socket_close (device->receiver, NULL);
  g_clear_object (&device->receiver);
  memset (device->pending, 0, sizeof device->pending);
  device->n_joined = 0;
  device->established = FALSE;
  device->signaller->port = 0;
}

static gboolean
on_retry (gpointer user)
{
  P2pLanDevice *device = user;

  p2p_source_clear (&device->timer);
  begin (device);
  return G_SOURCE_REMOVE;
}

static void
go_offline (P2pLanDevice *device, const gchar *reason, const gchar *detail)
{
  P2pSignaller *signaller = device->signaller;

  p2p_signaller_ref (signaller);
  shut (device);
  device->timer
      = p2p_signaller_timer (signaller, p2p_signaller_backoff (signaller),
                             on_retry, device);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_OFFLINE, reason, detail);
  p2p_signaller_unref (signaller);
}

/* -- Answering ------------------------------------------------------------ */

static gboolean
find_challenge (gpointer user, const guint8 *channel_id, guint8 *challenge)
{
  P2pLanDevice *device = user;
  gint64 now = g_get_monotonic_time ();
  guint i;

  for (i = 0; i < MAX_PENDING; i++) {
    Pending *pending = &device->pending[i];

    if (pending->until_us > now
        && memcmp (pending->channel_id, channel_id, P2P_CHANNEL_ID_BYTES)
               == 0) {
      memcpy (challenge, pending->challenge, P2P_CHALLENGE_BYTES);
      pending->until_us = 0;
      return TRUE;
    }
  }
  return FALSE;
}

static void
answer (P2pLanDevice *device, P2pLanPurpose purpose, const guint8 *salt,
        GSocketAddress *to)
{
  P2pLanBody body = { .purpose = purpose, .port = device->signaller->port };
  guint8 plain[P2P_LAN_BODY];
  guint8 packet[P2P_LAN_ANSWER];
  GBytes *box;

  memcpy (body.instance, device->instance, sizeof body.instance);
  if (purpose == P2P_LAN_FOR_VIEWER) {
    Pending *pending = &device->pending[device->next_pending++ % MAX_PENDING];

    p2p_random (body.challenge, sizeof body.challenge);
    memcpy (pending->challenge, body.challenge, P2P_CHALLENGE_BYTES);
    memcpy (pending->channel_id, salt, P2P_CHANNEL_ID_BYTES);
    pending->until_us = g_get_monotonic_time () + PENDING_US;
  }
  p2p_lan_write_body (&body, plain);
  box = p2p_box_seal (device->signaller->credential, P2P_BOX_LAN_ANSWER, salt,
                      plain, sizeof plain, NULL);
  memcpy (packet, salt, P2P_BOX_SALT);
  memcpy (packet + P2P_BOX_SALT, g_bytes_get_data (box, NULL),
          g_bytes_get_size (box));
  g_bytes_unref (box);
  /* Lost ones are asked for again. */
  g_socket_send_to (device->receiver, to, (const gchar *)packet, sizeof packet,
                    NULL, NULL);
}

static void
handle_probe (P2pLanDevice *device, const guint8 *data, gsize len,
              GSocketAddress *from)
{
  P2pSignaller *signaller = device->signaller;
  const guint8 *salt
      = p2p_box_peek (P2P_BOX_LAN_PROBE, data, len, P2P_LAN_BODY);
  guint8 plain[P2P_LAN_BODY];
  P2pLanBody body;

  if (!salt || !p2p_bucket_take (&device->bucket, g_get_monotonic_time ()))
    return;
  if (!p2p_box_open (signaller->credential, P2P_BOX_LAN_PROBE, NULL, data, len,
                     plain, sizeof plain)) {
    g_autofree gchar *text = g_inet_address_to_string (
        g_inet_socket_address_get_address (G_INET_SOCKET_ADDRESS (from)));

    p2p_signaller_reject (signaller, text);
    return;
  }
  p2p_bucket_give_back (&device->bucket);
  if (!p2p_lan_read_body (plain, &body)
      || memcmp (body.instance, device->instance, sizeof body.instance) == 0
      || !p2p_seen_add (&device->seen, salt))
    return;
  if (body.purpose == P2P_LAN_FOR_VIEWER
          ? device->established
          : device->established
                || memcmp (device->instance, body.instance,
                           sizeof body.instance)
                       < 0)
    answer (device, body.purpose, salt, from);
}

static gboolean
on_readable (GSocket *socket, GIOCondition condition, gpointer user)
{
  P2pLanDevice *device = user;
  P2pSignaller *signaller = p2p_signaller_ref (device->signaller);
  guint8 data[P2P_LAN_PROBE + 1];
  guint i;

  g_object_ref (socket);
  for (i = 0;
       i < MAX_READS && !signaller->stopped && !g_socket_is_closed (socket);
       i++) {
    g_autoptr (GSocketAddress) from = NULL;
    gssize n = g_socket_receive_from (socket, &from, (gchar *)data, sizeof data,
                                      NULL, NULL);

    if (n < 0)
      break;
    handle_probe (device, data, n, from);
  }
  g_object_unref (socket);
  p2p_signaller_unref (signaller);
  return G_SOURCE_CONTINUE;
}

/* -- Interfaces and twins ------------------------------------------------- */

/* TRUE: there is one that was not there before. */
static gboolean
join_all (P2pLanDevice *device)
{
  P2pInterface now[P2P_LAN_MAX_INTERFACES];
  guint n = p2p_lan_interfaces (device->signaller->uri->host, now);
  gboolean news = FALSE;
  guint i, j;

  for (i = 0; i < n; i++) {
    for (j = 0; j < device->n_joined && device->joined[j] != now[i].index; j++)
      ;
    news |= j == device->n_joined;
    /* The kernel drops memberships with addresses: renewed each time. */
    p2p_lan_join (device->receiver, &now[i]);
  }
  for (i = 0; i < n; i++)
    device->joined[i] = now[i].index;
  device->n_joined = n;
  return news;
}

static gboolean
rejoin (gpointer user)
{
  P2pLanDevice *device = user;

  if (join_all (device))
    p2p_lan_prober_send (device->prober);
  return G_SOURCE_CONTINUE;
}

static void
on_twin (const P2pLanBody *body, const guint8 *salt, GInetAddress *from,
         gpointer user)
{
  P2pLanDevice *device = user;
  g_autofree gchar *address = NULL, *detail = NULL;

  if (body->purpose != P2P_LAN_FOR_TWIN
      || memcmp (body->instance, device->instance, sizeof body->instance) == 0)
    return;
  if (device->established
      && memcmp (device->instance, body->instance, sizeof body->instance) < 0)
    return;
  address = g_inet_address_to_string (from);
  detail = g_strdup_printf ("another device with this id and key is running "
                            "at %s",
                            address);
  go_offline (device, P2P_REASON_DUPLICATE, detail);
}

static gboolean
newcomer_step (gpointer user)
{
  P2pLanDevice *device = user;
  P2pSignaller *signaller = device->signaller;

  p2p_source_clear (&device->timer);
  if (device->probes < TWIN_PROBES) {
    device->probes++;
    p2p_lan_prober_send (device->prober);
    device->timer
        = p2p_signaller_timer (signaller,
                               signaller->timing.lan_twin / TWIN_PROBES,
                               newcomer_step, device);
    return G_SOURCE_REMOVE;
  }
  device->established = TRUE;
  device->timer = p2p_signaller_timer (signaller, signaller->timing.lan_rejoin,
                                       rejoin, device);
  p2p_signaller_backoff_reset (signaller);
  p2p_signaller_set_state (signaller, P2P_SIGNALLER_ONLINE, NULL, NULL);
  return G_SOURCE_REMOVE;
}

/* -- Life cycle ----------------------------------------------------------- */

static gboolean
open_sockets (P2pLanDevice *device, GError **error)
{
  P2pSignaller *signaller = device->signaller;
  guint16 port = signaller->uri->port;
  P2pLanBody probe = { .purpose = P2P_LAN_FOR_TWIN };
  g_autoptr (GInetAddress) any = g_inet_address_new_any (G_SOCKET_FAMILY_IPV4);
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new (any, 0);

  memcpy (probe.instance, device->instance, sizeof probe.instance);
  device->server = p2p_tcp_server_new (signaller, find_challenge, device);
  if (!p2p_tcp_server_listen (device->server, address, error))
    return FALSE;
  device->receiver = p2p_lan_open_receiver (port ? port : P2P_LAN_PORT, error);
  if (!device->receiver)
    return FALSE;
  device->prober
      = p2p_lan_prober_new (signaller, &probe, on_twin, device, error);
  return device->prober != NULL;
}

static void
begin (P2pLanDevice *device)
{
  P2pSignaller *signaller = device->signaller;
  g_autoptr (GError) error = NULL;

  if (!open_sockets (device, &error)) {
    g_autofree gchar *detail
        = g_strdup_printf ("cannot open sockets for the local network: %s",
                           error->message);

    go_offline (device, P2P_REASON_HEARTBEAT, detail);
    return;
  }
  signaller->port = p2p_tcp_server_get_port (device->server);
  device->readable = g_socket_create_source (device->receiver, G_IO_IN, NULL);
  g_source_set_callback (device->readable,
                         (GSourceFunc)(void (*) (void))on_readable, device,
                         NULL);
  g_source_attach (device->readable, signaller->context);
  join_all (device);
  device->probes = 0;
  newcomer_step (device);
}

P2pLanDevice *
p2p_lan_device_new (P2pSignaller *signaller)
{
  P2pLanDevice *device = g_new0 (P2pLanDevice, 1);

  device->signaller = signaller;
  p2p_random (device->instance, sizeof device->instance);
  p2p_bucket_init (&device->bucket, PROBE_RATE, PROBE_BURST,
                   g_get_monotonic_time ());
  p2p_seen_init (&device->seen, MAX_SEEN);
  return device;
}

void
p2p_lan_device_start (P2pLanDevice *device)
{
  begin (device);
}

void
p2p_lan_device_free (P2pLanDevice *device)
{
  if (!device)
    return;
  shut (device);
  p2p_seen_clear (&device->seen);
  g_free (device);
}
