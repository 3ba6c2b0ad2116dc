/* What the transports (lan, tcp, mqtt) and the common part of signalling know
 * of each other. Not for users of a signaller.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: all on the thread of the signaller's context; no locks.
 * Ownership: signaller and channels are reference counted inside this folder,
 * since a callback may free either: whoever calls back holds a reference across
 * it, and looks afterwards whether `stopped` or `state` has changed. The user's
 * own reference of a channel ends with channel_closed() or p2p_channel_close().
 */
#ifndef P2P_SIGNAL_PRIV_H
#define P2P_SIGNAL_PRIV_H

#include "p2penvelope.h"
#include "p2psignaller.h"

G_BEGIN_DECLS

typedef enum {
  P2P_SCHEME_LAN,
  P2P_SCHEME_TCP,
  P2P_SCHEME_MQTT,
  P2P_SCHEME_MQTTS,
} P2pScheme;

typedef struct
{
  P2pScheme scheme;
  gchar *user;
  gchar *password;
  gchar *host;  /* without brackets; lan: interface, address or
                   NULL */
  guint16 port; /* 0: tcp device, any; lan: the default */
  gchar *ca_file;
} P2pSignalUri;

P2pSignalUri *p2p_signal_uri_parse (const gchar *uri, P2pRole role,
                                    GError **error);
void p2p_signal_uri_free (P2pSignalUri *uri);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2pSignalUri, p2p_signal_uri_free)

/* Milliseconds. One table for all, so that tests can shorten what they wait
 * for; the defaults are what docs/wire.md says. */
typedef struct
{
  guint refuse;      /* tcp: from the first byte to the refusal */
  guint handshake;   /* tcp: for a connection to prove the key */
  guint connect;     /* to reach a host or broker */
  guint no_answer;   /* viewer: for the device to be found */
  guint stream_ping; /* silence before a ping: tcp and lan */
  guint stream_dead; /* silence before the other side is gone */
  guint broker_ping; /* the same over a broker */
  guint broker_dead;
  guint lan_twin;    /* for a living twin to answer: lan */
  guint broker_twin; /* and over a broker */
  guint lan_rejoin;  /* device: how often it looks for interfaces */
  guint backoff;     /* the first; doubles */
  guint backoff_max;
} P2pSignalTiming;

typedef struct
{
  void (*start) (P2pSignaller *signaller); /* the key is stretched */
  /* Lets go of sockets and sources at once; channels are gone already. */
  void (*stop) (P2pSignaller *signaller);
  /* Viewer. Ends in p2p_channel_ready() or p2p_channel_fail(). */
  void (*open) (P2pSignaller *signaller, P2pChannel *channel);
  gboolean (*send) (P2pChannel *channel, GBytes *envelope);
  /* The channel's transport state goes, what was sent is still delivered if
   * possible. */
  void (*close) (P2pChannel *channel);
  /* What came from an address that is gone is dead; it may end the channels. */
  void (*network_changed) (P2pSignaller *signaller);
  gboolean over_broker;
} P2pTransportOps;

extern const P2pTransportOps p2p_transport_tcp;
extern const P2pTransportOps p2p_transport_lan;
#ifdef HAVE_MQTT
extern const P2pTransportOps p2p_transport_mqtt;
#endif

struct _P2pSignaller
{
  gint ref_count;
  P2pSignalUri *uri;
  gchar *redacted;
  P2pRole role;
  P2pCredential *credential;
  P2pSignallerCallbacks callbacks;
  gpointer user;
  P2pSignalTiming timing;
  const P2pTransportOps *ops;
  gpointer transport; /* the transport's own state */

  GMainContext *context; /* NULL: not started */
  gboolean running;      /* ops->start() was called */
  gboolean stopped;
  P2pSignallerState state;
  guint16 port;    /* where a tcp or lan device listens */
  GList *channels; /* of P2pChannel, a reference each */
  guint n_channels;
  GSource *heartbeat; /* while there are channels */
  guint backoff_step;

  guint64 rejected;
  guint rejected_pending; /* not reported yet */
  gchar *rejected_from;   /* the last of these */
  GSource *rejected_timer;
};

typedef enum {
  P2P_CHANNEL_WAITING, /* viewer: the signaller is not running yet */
  P2P_CHANNEL_OPENING,
  P2P_CHANNEL_OPEN,
  P2P_CHANNEL_CLOSED,
} P2pChannelState;

struct _P2pChannel
{
  gint ref_count;
  P2pSignaller *signaller; /* NULL once closed */
  P2pChannelState state;
  gboolean announced; /* channel_open() was called */
  gpointer user;
  gpointer transport; /* the transport's own state */
  gchar *remote;
  P2pEnvelope *envelope; /* from OPEN on */
  gint64 sent_us;
  gint64 received_us;
};

P2pSignaller *p2p_signaller_ref (P2pSignaller *signaller);
void p2p_signaller_unref (P2pSignaller *signaller);
void p2p_signaller_set_state (P2pSignaller *signaller, P2pSignallerState state,
                              const gchar *reason, const gchar *detail);
/* Counts an attempt that did not prove the key and reports it in time. */
void p2p_signaller_reject (P2pSignaller *signaller, const gchar *from);
/* The next delay, with jitter; p2p_signaller_backoff_reset() after success. */
guint p2p_signaller_backoff (P2pSignaller *signaller);
void p2p_signaller_backoff_reset (P2pSignaller *signaller);
/* For tests, before start. */
P2pSignalTiming *p2p_signaller_get_timing (P2pSignaller *signaller);

P2pChannel *p2p_channel_new (P2pSignaller *signaller);
P2pChannel *p2p_channel_ref (P2pChannel *channel);
void p2p_channel_unref (P2pChannel *channel);
void p2p_channel_set_remote (P2pChannel *channel, const gchar *remote);
/* The keys are known: `envelope` is taken. Viewer: calls channel_open(), and
 * proves the key at once if the user has said nothing yet. */
void p2p_channel_ready (P2pChannel *channel, P2pEnvelope *envelope);
/* What the other side sent. The channel may be gone afterwards. Anything but
 * OK: it was refused, and nothing has happened. */
P2pEnvelopeResult p2p_channel_input (P2pChannel *channel, const guint8 *data,
                                     gsize len);
/* An opened envelope, for who had to open it to know whose it is. */
void p2p_channel_deliver (P2pChannel *channel, P2pEnvelopeKind kind,
                          const guint8 *body, gsize len);
/* Ends the channel and tells its user why; nothing for one that is closed. */
void p2p_channel_fail (P2pChannel *channel, const gchar *reason,
                       const gchar *detail, ...) G_GNUC_PRINTF (3, 4);
/* All of them, e.g. when the broker is lost. */
void p2p_signaller_fail_channels (P2pSignaller *signaller, const gchar *reason,
                                  const gchar *detail);

/* A timer in the signaller's context; destroy and unref with
 * p2p_source_clear(). */
GSource *p2p_signaller_timer (P2pSignaller *signaller, guint ms,
                              GSourceFunc func, gpointer user);
void p2p_source_clear (GSource **source);

G_END_DECLS

#endif /* P2P_SIGNAL_PRIV_H */
