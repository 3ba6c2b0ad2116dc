/* How a device and its viewers find each other and exchange short messages
 * until a path of their own stands: lan, tcp, mqtt.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A signaller connects one identity (a device, or a viewer of one device). It
 * offers channels: one channel is one conversation between the device and one
 * viewer. What channels deliver has been authenticated with the credential, is
 * fresh (no replay), in order and bound to its channel; the transports see
 * sealed bytes only. Specified in docs/wire.md, "Signalling".
 *
 * Threads: everything, callbacks included, happens on the thread that iterates
 * the GMainContext given to start(). No call blocks: names are resolved by
 * GResolver, libmosquitto has no thread and is never given a name; only the
 * stretching of the key has a short-lived thread, which nobody waits for.
 * No lock is held across a callback. A callback may call anything here,
 * stop and free included; after stop() returns no callback comes. What was sent
 * last may still be on its way then: the context may be run a little longer
 * (1 s at most), or be dropped at once.
 * Limits: P2P_SIGNAL_MAX_MESSAGE per message; channels per device are capped
 * and new ones rate-limited before state is allocated.
 */
#ifndef P2P_SIGNALLER_H
#define P2P_SIGNALLER_H

#include <gio/gio.h>
#include "p2pcredential.h"

G_BEGIN_DECLS

#define P2P_SIGNAL_MAX_MESSAGE 8192 /* bytes of text, before sealing */
#define P2P_SIGNAL_MAX_CHANNELS 256 /* of a device, at one time */

typedef enum {
  P2P_ROLE_DEVICE, /* accepts viewers */
  P2P_ROLE_VIEWER, /* looks for one device */
} P2pRole;

typedef enum {
  P2P_SIGNALLER_OFFLINE, /* not reachable; it tries again by itself with
                            backoff (1, 2, 4 … 30 s, with jitter) */
  P2P_SIGNALLER_CONNECTING,
  P2P_SIGNALLER_ONLINE, /* lan: sockets ready; tcp device: listening;
                           mqtt: subscribed at the broker */
} P2pSignallerState;

/* Reasons, as in the p2p-step message; static strings. */
#define P2P_REASON_HEARTBEAT                                                   \
  "heartbeat-error" /* server lost or unreachable                              \
                     */
#define P2P_REASON_CHECK_FAILURE "check-failure"
#define P2P_REASON_NO_ANSWER "no-answer"
#define P2P_REASON_EXPIRED "expired"
#define P2P_REASON_TOKEN "token-error"
#define P2P_REASON_PEER_GONE "peer-gone"
#define P2P_REASON_DUPLICATE "duplicate-device"
#define P2P_REASON_LOCAL_NAT "local-nat"
#define P2P_REASON_REMOTE_NAT "remote-nat"
#define P2P_REASON_BUSY "busy"

typedef struct _P2pSignaller P2pSignaller;
typedef struct _P2pChannel P2pChannel;

typedef struct
{
  /* `detail` says for a person what failed and what to do; NULL when ONLINE.
   * OFFLINE: P2P_REASON_HEARTBEAT, P2P_REASON_TOKEN (the broker refuses user,
   * password or topics), P2P_REASON_DUPLICATE (it asks again with backoff, and
   * takes over when the other is gone). */
  void (*state) (P2pSignaller *signaller, P2pSignallerState state,
                 const gchar *reason, const gchar *detail, gpointer user);

  /* Device: a viewer proved the key with its first message, which follows as
   * message(). Viewer: the channel asked for can send; nothing of the device
   * is proved before the first message(). */
  void (*channel_open) (P2pSignaller *signaller, P2pChannel *channel,
                        gpointer user);

  /* `text` is valid UTF-8 JSON in form of one object, NUL-terminated, size and
   * nesting already checked; semantics are the receiver's to check. */
  void (*channel_message) (P2pSignaller *signaller, P2pChannel *channel,
                           const gchar *text, gsize len, gpointer user);

  /* The last word on this channel, which is gone after it. Not called for a
   * channel that p2p_channel_close() closed. Viewer: also when a channel asked
   * for could not be opened: P2P_REASON_CHECK_FAILURE (refused, tcp only),
   * P2P_REASON_NO_ANSWER, P2P_REASON_BUSY, P2P_REASON_HEARTBEAT (the broker).
   * Later: P2P_REASON_PEER_GONE, P2P_REASON_HEARTBEAT (all channels end with
   * the connection to the broker, to be opened again when it is back),
   * P2P_REASON_CHECK_FAILURE (altered on the way, or not JSON). */
  void (*channel_closed) (P2pSignaller *signaller, P2pChannel *channel,
                          const gchar *reason, const gchar *detail,
                          gpointer user);

  /* Device: `count` attempts since the last call did not prove the key (all
   * counted, at most one call a second). `from` is an address or "broker". */
  void (*rejected) (P2pSignaller *signaller, guint count, const gchar *from,
                    gpointer user);
} P2pSignallerCallbacks;

typedef enum {
  P2P_SIGNALLER_ERROR_URI,         /* cannot be parsed; unknown scheme */
  P2P_SIGNALLER_ERROR_UNSUPPORTED, /* scheme known, not built in */
  P2P_SIGNALLER_ERROR_FILE,        /* CA file and the like */
} P2pSignallerError;

#define P2P_SIGNALLER_ERROR (p2p_signaller_error_quark ())
GQuark p2p_signaller_error_quark (void);

/* Only parses and checks: no network, no blocking. URIs:
 *   lan://[INTERFACE-OR-ADDRESS][:PORT]
 *   tcp://HOST:PORT                    (device: where to listen)
 *   mqtt://[USER:PASS@]HOST[:PORT]     (1883)
 *   mqtts://[USER:PASS@]HOST[:PORT][?ca-file=PATH]   (8883, always verified) */
P2pSignaller *p2p_signaller_new (const gchar *uri, P2pRole role,
                                 P2pCredential *credential,
                                 const P2pSignallerCallbacks *callbacks,
                                 gpointer user, GError **error);

/* Checks the URI alone, in any thread. */
gboolean p2p_signaller_check_uri (const gchar *uri, P2pRole role,
                                  GError **error);

/* The same URI without its password, for logs and errors. */
gchar *p2p_signaller_redact_uri (const gchar *uri);

void p2p_signaller_start (P2pSignaller *signaller, GMainContext *context);

/* Closes every channel (without callbacks), says goodbye where the transport
 * has one, and lets go of everything; finishes in the background. */
void p2p_signaller_stop (P2pSignaller *signaller);

/* Stops, if that was not done, and frees. Accepts NULL. */
void p2p_signaller_free (P2pSignaller *signaller);

/* The addresses of this host have changed: connections from one that it has no
 * more would only be found dead much later. They end now (channel_closed(),
 * with P2P_REASON_HEARTBEAT), and the broker is called again at once. */
void p2p_signaller_network_changed (P2pSignaller *signaller);

P2pSignallerState p2p_signaller_get_state (P2pSignaller *signaller);

/* Device on tcp and lan: the port that it listens at (a tcp URI may say 0:
 * any); 0 while it does not. */
guint16 p2p_signaller_get_port (P2pSignaller *signaller);

/* Attempts that did not prove the key, since start. */
guint64 p2p_signaller_get_rejected (P2pSignaller *signaller);

/* Viewer: asks for a channel to the device; channel_open() or
 * channel_closed() follows, never from within this call. */
P2pChannel *p2p_signaller_open_channel (P2pSignaller *signaller);

/* JSON text of at most P2P_SIGNAL_MAX_MESSAGE bytes. FALSE: the channel is not
 * open, or the message too long. */
gboolean p2p_channel_send (P2pChannel *channel, const gchar *text);
void p2p_channel_close (P2pChannel *channel);

void p2p_channel_set_user (P2pChannel *channel, gpointer user);
gpointer p2p_channel_get_user (P2pChannel *channel);

/* Address of the other side as the transport sees it, for logs; never NULL. */
const gchar *p2p_channel_get_remote (P2pChannel *channel);

G_END_DECLS

#endif /* P2P_SIGNALLER_H */
