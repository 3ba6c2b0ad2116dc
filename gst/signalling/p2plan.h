/* Discovery on the local network: interfaces, sockets and packets that device
 * and viewer share. Specified in docs/wire.md, "Signalling".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: that of the signaller's context.
 */
#ifndef P2P_LAN_H
#define P2P_LAN_H

#include <gio/gio.h>
#include <net/if.h>
#include "p2psignalpriv.h"

G_BEGIN_DECLS

/* Administratively scoped (RFC 2365): it stays on the site. */
#define P2P_LAN_GROUP "239.255.73.86"
#define P2P_LAN_PORT 17386
#define P2P_LAN_MAX_INTERFACES 16
/* Both packets have the same body length, so that answers do not amplify. */
#define P2P_LAN_BODY 52
#define P2P_LAN_PROBE (P2P_LAN_BODY + P2P_BOX_OVERHEAD)
/* An answer starts with the salt of the probe it answers. */
#define P2P_LAN_ANSWER (P2P_BOX_SALT + P2P_LAN_BODY + P2P_BOX_OVERHEAD)
#define P2P_LAN_INSTANCE 16
/* The first interval between two probes; doubles up to the last. */
#define P2P_LAN_FIRST_MS 100
#define P2P_LAN_LAST_MS 2000

typedef struct
{
  gint index;
  gchar name[IF_NAMESIZE];
} P2pInterface;

/* Those that are up, have an IPv4 address and can multicast (or are loopback);
 * `only`: name or address of the one wanted, or NULL. Their number. */
guint p2p_lan_interfaces (const gchar *only,
                          P2pInterface *out /* P2P_LAN_MAX_INTERFACES */);

/* Receives what is sent to the group, from interfaces joined. */
GSocket *p2p_lan_open_receiver (guint16 port, GError **error);
void p2p_lan_join (GSocket *receiver, const P2pInterface *interface);

/* What a probe asks for: the first byte of its body and of the answer's. */
typedef enum {
  P2P_LAN_FOR_VIEWER = 1,
  P2P_LAN_FOR_TWIN = 2, /* is there another such device? */
} P2pLanPurpose;

typedef struct
{
  P2pLanPurpose purpose;
  guint16 port; /* answers only, as is the challenge */
  guint8 challenge[P2P_CHALLENGE_BYTES];
  guint8 instance[P2P_LAN_INSTANCE];
} P2pLanBody;

void p2p_lan_write_body (const P2pLanBody *body, guint8 *out);
gboolean p2p_lan_read_body (const guint8 *in, P2pLanBody *body);

/* Sends probes, each different, and finds the answers that are genuine. */
typedef struct _P2pLanProber P2pLanProber;

typedef void (*P2pLanAnswered) (const P2pLanBody *answer,
                                const guint8 *probe_salt, GInetAddress *from,
                                gpointer user);

P2pLanProber *p2p_lan_prober_new (P2pSignaller *signaller,
                                  const P2pLanBody *probe,
                                  P2pLanAnswered answered, gpointer user,
                                  GError **error);
void p2p_lan_prober_free (P2pLanProber *prober);
/* One on each interface; how many got away. */
guint p2p_lan_prober_send (P2pLanProber *prober);

/* -- The device's part ---------------------------------------------------- */

typedef struct _P2pLanDevice P2pLanDevice;

P2pLanDevice *p2p_lan_device_new (P2pSignaller *signaller);
/* May call back, and so free the device. */
void p2p_lan_device_start (P2pLanDevice *device);
void p2p_lan_device_free (P2pLanDevice *device);

G_END_DECLS

#endif /* P2P_LAN_H */
