/* lan://: no server and no address; the device is found by its credential.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the signaller's context. Lan (P2pSignaller.transport)
 * belongs to the signaller from start to stop; a Search belongs to its channel,
 * in the list here, until the device has answered: then TCP takes over.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2plan.h"
#include "p2ptcp.h"

#include <string.h>

typedef struct
{
  P2pLanDevice *device;
  GList *searches;
} Lan;

typedef struct
{
  P2pChannel *channel;
  P2pLanProber *prober;
  GSource *next;
  GSource *deadline;
  guint interval;
  gboolean sent; /* a probe left this host */
} Search;

static void
search_free (Search *search)
{
  p2p_lan_prober_free (search->prober);
  p2p_source_clear (&search->next);
  p2p_source_clear (&search->deadline);
  g_free (search);
}

static Search *
find_search (P2pChannel *channel)
{
  Lan *lan = channel->signaller->transport;
  GList *l;

  for (l = lan ? lan->searches : NULL; l; l = l->next) {
    if (((Search *)l->data)->channel == channel)
      return l->data;
  }
  return NULL;
}

static void
end_search (P2pChannel *channel)
{
  Lan *lan = channel->signaller->transport;
  Search *search = find_search (channel);

  if (!search)
    return;
  lan->searches = g_list_remove (lan->searches, search);
  search_free (search);
}

static gboolean
send_probes (gpointer user)
{
  Search *search = user;

  search->sent |= p2p_lan_prober_send (search->prober) > 0;
  p2p_source_clear (&search->next);
  search->next = p2p_signaller_timer (search->channel->signaller,
                                      search->interval, send_probes, search);
  search->interval = MIN (search->interval * 2, P2P_LAN_LAST_MS);
  return G_SOURCE_REMOVE;
}

static gboolean
no_answer (gpointer user)
{
  Search *search = user;
  P2pChannel *channel = search->channel;
  P2pSignaller *signaller = channel->signaller;

  if (search->sent)
    p2p_channel_fail (
        channel, P2P_REASON_NO_ANSWER,
        "device %s does not answer on the local network: offline, unknown or "
        "wrong key",
        p2p_credential_get_device_id (signaller->credential));
  else
    p2p_channel_fail (channel, P2P_REASON_NO_ANSWER,
                      "no network interface to look for the device on (%s)",
                      signaller->redacted);
  return G_SOURCE_REMOVE;
}

static void
on_answer (const P2pLanBody *body, const guint8 *salt, GInetAddress *from,
           gpointer user)
{
  Search *search = user;
  P2pChannel *channel = search->channel;
  g_autofree gchar *host = NULL;
  guint8 id[P2P_CHANNEL_ID_BYTES];

  if (body->purpose != P2P_LAN_FOR_VIEWER || body->port == 0)
    return;
  host = g_inet_address_to_string (from);
  memcpy (id, salt, sizeof id); /* the prober's own goes with the search */
  end_search (channel);
  p2p_tcp_channel_connect (channel, host, body->port, body->challenge, id);
}

static void
lan_open (P2pSignaller *signaller, P2pChannel *channel)
{
  Lan *lan = signaller->transport;
  P2pLanBody probe = { .purpose = P2P_LAN_FOR_VIEWER };
  g_autoptr (GError) error = NULL;
  Search *search = g_new0 (Search, 1);

  search->channel = channel;
  search->interval = P2P_LAN_FIRST_MS;
  lan->searches = g_list_prepend (lan->searches, search);
  search->prober
      = p2p_lan_prober_new (signaller, &probe, on_answer, search, &error);
  if (!search->prober) {
    p2p_channel_fail (channel, P2P_REASON_NO_ANSWER,
                      "cannot open a socket for the local network: %s",
                      error->message);
    return;
  }
  search->deadline
      = p2p_signaller_timer (signaller, signaller->timing.no_answer, no_answer,
                             search);
  send_probes (search);
}

static void
lan_close (P2pChannel *channel)
{
  end_search (channel);
  p2p_tcp_channel_close (channel);
}

static void
lan_start (P2pSignaller *signaller)
{
  Lan *lan = g_new0 (Lan, 1);

  signaller->transport = lan;
  if (signaller->role == P2P_ROLE_VIEWER) {
    p2p_signaller_set_state (signaller, P2P_SIGNALLER_ONLINE, NULL, NULL);
    return;
  }
  lan->device = p2p_lan_device_new (signaller);
  p2p_lan_device_start (lan->device);
}

static void
lan_stop (P2pSignaller *signaller)
{
  Lan *lan = g_steal_pointer (&signaller->transport);

  p2p_lan_device_free (lan->device);
  g_free (lan);
}

const P2pTransportOps p2p_transport_lan = {
  .start = lan_start,
  .stop = lan_stop,
  .open = lan_open,
  .send = p2p_tcp_channel_send,
  .close = lan_close,
  .network_changed = p2p_tcp_network_changed,
};
