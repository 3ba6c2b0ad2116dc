/* What the parts of an endpoint know of each other.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Members are marked with who may touch them: [net] the network thread only;
 * [const] set before the thread starts; [lock] under the lock named there;
 * [atomic]. docs/threads.md has the whole picture.
 */
#ifndef P2P_ENDPOINT_PRIVATE_H
#define P2P_ENDPOINT_PRIVATE_H

#include "ivwatermark.h"
#include "p2pendpoint.h"
#include "p2pflow.h"
#include "p2pguard.h"
#include "p2piceservers.h"
#include "p2pkeyunits.h"
#include "p2pmessage.h"
#include "p2pnotify.h"
#include "p2ppath.h"
#include "p2prelayprobe.h"
#include "p2pconnection.h"

G_BEGIN_DECLS

/* Requests have one number space per session: those of the device have the top
 * bit set, so that either side can close either's. Offers, which only viewers
 * make, count as requests of theirs. */
#define P2P_DEVICE_REQUEST 0x80000000u

/* Limits of what one peer can make us keep. */
#define P2P_MAX_REQUESTS_PER_PEER 16
#define P2P_MAX_STREAMS_PER_REQUEST 16
#define P2P_MAX_OUT_STREAMS 48          /* of the engine's UDT_MAX_FLOWS */
#define P2P_MAX_IN_STREAMS 48
#define P2P_MAX_UNANNOUNCED 16          /* flows whose STREAM_OPEN is to come */
#define P2P_MAX_PENDING_CAPS 32
#define P2P_MAX_CONTROL_QUEUE 512

#define P2P_TICK_MS 100
#define P2P_ATTEMPT_TIMEOUT_US (10 * G_USEC_PER_SEC)
#define P2P_CLOSE_MS 250                /* for goodbyes */

/* More reasons, besides those of p2psignaller.h. */
#define P2P_REASON_CLOSED "closed"      /* by this side, or politely */
#define P2P_REASON_KICKED "kicked"
#define P2P_REASON_REFUSED "refused"    /* by the application */
#define P2P_REASON_REPLACED "replaced"  /* by a later session of the viewer */
#define P2P_REASON_OVERFLOW "overflow"
#define P2P_REASON_PROTOCOL "protocol-error"
#define P2P_REASON_UNKNOWN "unknown-session"

typedef struct _P2pPeer P2pPeer;
typedef struct _P2pOutStream P2pOutStream;
typedef struct _P2pCommands P2pCommands;

/* What a peer wants of us, or takes of what we offered. */
typedef struct
{
  guint32 id;
  gchar *params;
  P2pOffer *offer;              /* that it takes; a reference, or NULL */
} P2pRemoteRequest;

/* What a peer has to send. */
typedef struct
{
  guint32 id;
  gchar *params;
  P2pRequest *taker;            /* a reference, or NULL */
} P2pRemoteOffer;

/* -- Endpoint -------------------------------------------------------------- */

struct _P2pEndpoint
{
  gint refs;                    /* [atomic] memory */
  guint users;                  /* [lock: registry] */
  gboolean started;             /* [lock: registry] */

  P2pEndpointConfig config;     /* strings const; numbers [lock] */
  P2pCredential *credential;    /* [const] */
  P2pNotify *notify;            /* [const] */
  GMainContext *context;        /* [const] */
  GThread *thread;              /* [lock: registry] */

  GMutex lock;                  /* inbox, numbers of config, snapshot, end */
  GCond ended;                  /* the network thread is through with `lock` */
  gboolean finished;            /* [lock] */
  gboolean streams_pending;     /* [lock] a stream has something queued */
  GQueue inbox;                 /* [lock] of Command */
  P2pEndpointStats *snapshot;   /* [lock] */
  GSource *wake;                /* [const] ready time from any thread */

  /* [net] from here. */
  P2pIdentity *identity;
  P2pSignaller *signaller;
  P2pIceServers *servers;
  GSource *tick;
  gint64 ticked_us;
  guint64 wake_ups;
  GPtrArray *peers;             /* alive and closing; owned */
  GPtrArray *streams;           /* P2pStream, one reference each */
  GPtrArray *requests;          /* P2pRequest, one reference each */
  GPtrArray *offers;            /* P2pOffer, one reference each */
  guint next_request;           /* and offer */
  guint closing_agents;
  gboolean stopping;
  gint64 stop_deadline;
  gint64 settled_us;            /* when memory is given back next; 0: never */
  gboolean large_heap;          /* giving memory back takes long */
  gint64 started_us;
  gboolean online;
  guint64 reconnects;
  guint64 refused_of_gone;      /* refused packets of peers that went */
  guint64 refused_messages;     /* of peers who broke the rules */
  gboolean relay_missing;       /* it gave us nothing */
  gboolean relay_told;          /* that has been told */
  P2pRelayProbe *relay_probe;   /* why, is being asked */
  gint64 next_rejected_us;
  guint rejected_count;
  gint network_fd;
  GSource *network_source;
  GSource *network_settle;      /* addresses changed a moment ago */

  /* Viewer. */
  P2pPeer *session;             /* in `peers` too; NULL: none */
  GSource *redial;
  guint attempt;                /* without success so far */
  gchar previous[P2P_SESSION_ID_CHARS + 1];
};

/* Runs `func` on the network thread, in order; `destroy` in any case. */
typedef void (*P2pCommandFunc) (P2pEndpoint * endpoint, gpointer data);
void p2p_endpoint_post (P2pEndpoint * endpoint, P2pCommandFunc func,
    gpointer data, GDestroyNotify destroy);
/* A stream's queue has become non-empty. */
void p2p_endpoint_post_streams (P2pEndpoint * endpoint);

void p2p_endpoint_step (P2pEndpoint * endpoint, const P2pStep * step);

/* Keeps the tick running while there is a peer. [net] */
void p2p_endpoint_peers_changed (P2pEndpoint * endpoint);

/* p2pendpointnet.c: the network thread. */
gpointer p2p_endpoint_thread (gpointer endpoint);

/* -- p2pmemory.c [net] ----------------------------------------------------- */

void p2p_memory_warm_up (P2pEndpoint * endpoint);
/* A session is up. */
void p2p_memory_settles (P2pEndpoint * endpoint);
void p2p_memory_tick (P2pEndpoint * endpoint, gint64 now);
/* Nobody watches any more. */
void p2p_memory_idle (P2pEndpoint * endpoint);

/* p2pregistry.c and p2pendpointconfig.c */
gboolean p2p_config_check (const P2pEndpointConfig * config, GError ** error);
void p2p_config_copy (P2pEndpointConfig * to, const P2pEndpointConfig * from);
void p2p_config_clear (P2pEndpointConfig * config);
/* Joins the settings of a second user to those of the first. */
gboolean p2p_config_merge (P2pEndpointConfig * config,
    const P2pEndpointConfig * other, GError ** error);

/* p2pstats.c [net] */
void p2p_endpoint_take_snapshot (P2pEndpoint * endpoint);

/* p2pnetwork.c: changes of interfaces and addresses [net] */
void p2p_network_watch (P2pEndpoint * endpoint);
void p2p_network_unwatch (P2pEndpoint * endpoint);

/* p2pdevice.c, p2pviewer.c [net] */
extern const P2pSignallerCallbacks p2p_device_callbacks;
extern const P2pSignallerCallbacks p2p_viewer_callbacks;
void p2p_viewer_dial (P2pEndpoint * endpoint);
void p2p_viewer_stop (P2pEndpoint * endpoint);
/* The session ended, or its attempt failed; `reason` decides how soon to try
 * again. */
void p2p_viewer_session_over (P2pEndpoint * endpoint, P2pPeer * peer,
    const gchar * reason);
/* A channel for a session that lost its own. */
void p2p_viewer_reopen_channel (P2pEndpoint * endpoint, P2pPeer * peer);

/* -- Streams that go out --------------------------------------------------- */

struct _P2pStream
{
  gint refs;                    /* [atomic] */
  P2pEndpoint *endpoint;        /* [const] a reference */
  P2pGuard guard;
  P2pStreamCallbacks callbacks; /* [const] */
  gpointer user;

  GMutex lock;
  P2pStreamConfig config;       /* [lock] */
  P2pItems items;               /* [lock] */
  guint8 caps_version;          /* [lock] of the caps set last */
  gboolean have_caps;           /* [lock] */
  gboolean full;                /* [lock] writable() is owed */
  IvWatermark watermark;        /* [lock] of a source that waits */
  gboolean closed;              /* [lock] */
  guint64 least, most;          /* [lock] */
  guint viewers;                /* [lock] */
  P2pStreamStats stats;         /* [lock] without queued_bytes and skipped */

  /* [net] */
  GPtrArray *outs;              /* P2pOutStream, owned by their peers */
  gchar *caps;
  guint8 version;               /* of `caps` */
  gboolean ended;
  P2pKeyUnits key_units;
  guint64 frames_of_gone, dropped_of_gone;
  guint64 nominal;              /* bit/s, as targets() said */
};

P2pStream *p2p_stream_ref (P2pStream * stream);
void p2p_stream_unref (P2pStream * stream);
/* [net] */
void p2p_stream_drain (P2pStream * stream);
void p2p_stream_tick (P2pStream * stream, gint64 now);
void p2p_stream_want_key_unit (P2pStream * stream, gboolean all_headers);
void p2p_stream_update_backlog (P2pStream * stream);
gboolean p2p_stream_matches (P2pStream * stream, P2pPeer * peer,
    const P2pRemoteRequest * request);
void p2p_stream_attach_all (P2pStream * stream);
void p2p_stream_outs_changed (P2pStream * stream);
/* p2ptarget.c */
void p2p_stream_tell_targets (P2pStream * stream, gint64 now);

struct _P2pOffer
{
  gint refs;                    /* [atomic] */
  P2pEndpoint *endpoint;        /* [const] a reference */
  gchar *params;                /* [const] */
  guint32 id;                   /* [net] */
};

P2pOffer *p2p_offer_ref (P2pOffer * offer);
void p2p_offer_unref (P2pOffer * offer);

/* p2pwatermark.c */
void p2p_endpoint_take_marks (P2pEndpoint * endpoint,
    IvWatermarkMarks * marks);
/* The bound of what waits for a viewer, also where there are no marks. */
guint p2p_endpoint_high_watermark (P2pEndpoint * endpoint);
/* Measures, tells, and lets streams go on. [net] */
void p2p_peer_update_level (P2pPeer * peer);
/* The same, if that can have a consequence while nothing new comes. [net] */
void p2p_peer_watch_level (P2pPeer * peer);
/* Since HIGH, until LOW. [net] */
gboolean p2p_peer_is_paused (const P2pPeer * peer);
gboolean p2p_peer_is_silent (const P2pPeer * peer);

/* One stream on its way to one peer, for one request. [net] */
struct _P2pOutStream
{
  P2pPeer *peer;
  P2pStream *stream;            /* NULL: only what is in the engine is left */
  guint32 request;
  P2pFlow flow;
  gboolean forced;              /* its source does not wait */
  gboolean caps_sent;
  guint8 caps_version;
  gboolean end_owed;            /* END goes behind what waits in `flow` */
  gint64 empty_since;           /* orphan: nothing left since; 0: not yet */
  gboolean left_out;            /* mark of targets() */
  guint64 metered_bytes;        /* p2ptarget.c: acknowledged at that time, */
  gint64 metered_us;
  guint64 metered_rate;         /* and bit/s until then */
};

/* p2pout.c */
P2pOutStream *p2p_out_open (P2pPeer * peer, P2pStream * stream,
    guint32 request);
/* Leaves the stream. `why` NULL: politely, what is under way still goes. */
void p2p_out_detach (P2pOutStream * out, const gchar * why);
void p2p_out_free (P2pOutStream * out);
void p2p_out_send_frame (P2pOutStream * out, const P2pOutFrame * frame);
void p2p_out_send_caps (P2pOutStream * out);
void p2p_out_end (P2pOutStream * out);
void p2p_out_writable (P2pOutStream * out);
/* TRUE: nothing is left of an orphan. */
gboolean p2p_out_tick (P2pOutStream * out, gint64 now);
guint64 p2p_out_get_backlog (P2pOutStream * out);
void p2p_out_get_stats (P2pOutStream * out, P2pStreamStats * stats);
void p2p_out_reconfigure (P2pOutStream * out);
/* It needs a keyframe to go on. */
void p2p_out_lost_sync (P2pOutStream * out);
/* Whether it is part of its viewer's level. */
gboolean p2p_out_is_counted (const P2pOutStream * out);

/* -- Streams that come in -------------------------------------------------- */

struct _P2pRequest
{
  gint refs;                    /* [atomic] */
  P2pEndpoint *endpoint;        /* [const] a reference */
  P2pGuard guard;
  P2pRequestCallbacks callbacks;        /* [const] */
  gpointer user;
  gchar *params;                /* [const] */
  gboolean accepts;             /* [const] takes offers; `params` say which */
  guint32 id;                   /* [net] */
  GHashTable *epochs;           /* [net] peer and name to count */
  GPtrArray *leftovers;         /* [net] P2pInStream whose session has ended
                                   before the application took all */
};

P2pRequest *p2p_request_ref (P2pRequest * request);
void p2p_request_unref (P2pRequest * request);

typedef struct
{
  guint8 version;
  gchar *caps;
} P2pPendingCaps;

struct _P2pInStream
{
  gint refs;                    /* [atomic] */
  P2pEndpoint *endpoint;        /* [const] a reference */

  /* [net] */
  P2pPeer *peer;                /* NULL: closed */
  P2pRequest *request;          /* NULL: not announced yet; a reference */
  guint32 offer;                /* 0, or that of the peer which it belongs to */
  guint16 flow;
  P2pWireKind kind;
  gchar *name;
  gchar *peer_id;
  gpointer handle;              /* of the callbacks' owner */
  GQueue caps;                  /* P2pPendingCaps, oldest first */
  gboolean have_caps;
  guint8 caps_version;          /* of the caps told last */
  gboolean held;
  gboolean stashed;             /* `stash` is a frame not taken yet */
  UdtReceived stash;
  gboolean keep;                /* the session closes: no holding, `rest` */
  GQueue rest;                  /* UdtReceived behind `stash` */
  guint64 delivered, missed;    /* messages */
  guint64 next_id;
  gboolean end_known, ended, close_owed;
  guint64 end_frames;
  gint64 end_since;
};

/* p2pin.c [net] */
P2pInStream *p2p_in_unannounced (P2pPeer * peer, guint16 flow);
/* `offer` NULL: one of what `request` asked for. */
void p2p_in_announce (P2pInStream * in, P2pRequest * request,
    const P2pRemoteOffer * offer, P2pWireKind kind, const gchar * name);
gboolean p2p_in_caps (P2pInStream * in, guint8 version, const gchar * caps);
void p2p_in_message (P2pInStream * in, UdtReceived * message);
void p2p_in_gap (P2pInStream * in, guint32 count);
void p2p_in_end (P2pInStream * in, guint64 frames);
void p2p_in_retry (P2pInStream * in);
/* The session closes behind all that was sent: take it in, held or not. */
void p2p_in_keep (P2pInStream * in);
void p2p_request_drop_leftovers (P2pRequest * request);
void p2p_in_tick (P2pInStream * in, gint64 now);
/* Tells the owner, and lets go. */
void p2p_in_close (P2pInStream * in, gboolean lost);

/* -- Peers ----------------------------------------------------------------- */

typedef enum
{
  P2P_PEER_SETUP,
  P2P_PEER_UP,
  P2P_PEER_CLOSING,             /* goodbyes under way */
  P2P_PEER_GONE,                /* to be freed at the next tick */
} P2pPeerState;

/* One session with one peer. [net], all of it. */
struct _P2pPeer
{
  P2pEndpoint *endpoint;        /* owns us */
  P2pRole role;                 /* ours */
  P2pPeerState state;
  gchar *id;
  gchar session[P2P_SESSION_ID_CHARS + 1];
  gint64 started_us;
  gboolean loopback;

  P2pChannel *channel;          /* NULL: none now */
  gboolean channel_open;
  gboolean channel_lost;        /* by the other side, while up */
  gboolean waiting_servers;

  /* Paths. */
  P2pPath *path;                /* in use, or being made first */
  P2pPath *next_path;           /* being made to take its place */
  P2pPath *old_path;            /* still listened to */
  gint64 old_until;
  guint generation, next_generation;
  gboolean next_follow;         /* the peer sends on next_path */
  gint64 next_started;
  gint64 next_usable_since;
  gint64 retry_at;              /* a direct path while relayed; 0: never */
  guint retries;
  gint64 restart_at;            /* not before */
  gboolean relayed;             /* as told last */
  GArray *local_candidates;     /* of the newest path, for repeats */
  gboolean local_complete;
  gboolean described;           /* our offer or answer for it has gone out */

  /* Description of the peer. */
  gboolean have_remote;
  guint8 fingerprint[P2P_FINGERPRINT_BYTES];
  P2pAead aead;

  P2pConnection *connection;
  UdtConnection *engine;        /* of the connection, from ready() on */
  gboolean connected;
  gint64 connected_us;
  gint64 probe_us;              /* a probe for life went out; 0: none */
  gint64 last_media_us;

  /* Device: the application's word. */
  gboolean asked, authorized;
  GPtrArray *held_steps;        /* steps that wait for it */
  gboolean added;               /* listeners know the peer */
  gboolean saw_auth, saw_punch, saw_transport, saw_media;

  /* Requests and streams. */
  GQueue control;               /* of GBytes; engine was full */
  gboolean hello_received;
  P2pCommands *commands;
  GPtrArray *remote_requests;   /* P2pRemoteRequest */
  GPtrArray *offers;            /* P2pRemoteOffer */
  GPtrArray *outs;              /* P2pOutStream */
  GHashTable *ins;              /* flow to P2pInStream, a reference each */
  guint unannounced;
  guint16 next_flow;
  guint16 highest_in;
  gboolean any_in;
  guint64 frames_sent, frames_received, frames_dropped, frames_missed;
  gboolean overflow_pending;
  gboolean unheard;             /* it needs a keyframe once it is heard again */
  IvWatermark watermark;
  guint64 level_bytes, level_us;        /* measured last */
  guint64 mark_counts[3];       /* LOW, WARN, HIGH: told so often */

  gint64 bye_at;                /* the signaller said bye: at the latest */
  gchar bye_reason[P2P_MESSAGE_MAX_REASON + 1];
  gint64 closing_until;
};

/* p2ppeer.c: life */
P2pPeer *p2p_peer_new (P2pEndpoint * endpoint, P2pRole role,
    const gchar * id, const gchar * session, gint64 started_us);
void p2p_peer_free (P2pPeer * peer);
/* Ends the session: goodbye where it can be said, callbacks to whom it may
 * concern; the memory follows later. `told`: the peer knows already. */
void p2p_peer_close (P2pPeer * peer, const gchar * reason, gboolean told);
void p2p_peer_violation (P2pPeer * peer, const gchar * what);
void p2p_peer_tick (P2pPeer * peer, gint64 now);
void p2p_peer_step (P2pPeer * peer, P2pStepKind step, const gchar * reason,
    const gchar * detail);
void p2p_peer_authorized (P2pPeer * peer, gboolean accepted);
void p2p_peer_fill_info (P2pPeer * peer, P2pPeerInfo * info);
gboolean p2p_peer_start_connection (P2pPeer * peer);
void p2p_peer_media (P2pPeer * peer);

/* p2ppeersetup.c: signalling and paths */
void p2p_peer_begin (P2pPeer * peer);   /* viewer: the channel is open */
void p2p_peer_channel_lost (P2pPeer * peer);
void p2p_peer_signal (P2pPeer * peer, const P2pMessage * message);
void p2p_peer_send_bye (P2pPeer * peer, const gchar * reason);
/* Viewer: a new path. Device: asks the viewer for one. */
void p2p_peer_restart (P2pPeer * peer);
void p2p_peer_ask_restart (P2pPeer * peer);
void p2p_peer_paths_tick (P2pPeer * peer, gint64 now);
void p2p_peer_drop_paths (P2pPeer * peer);
void p2p_peer_follow (P2pPeer * peer);
void p2p_peer_tell_engine_path (P2pPeer * peer);
gboolean p2p_remote_is_loopback (const gchar * remote);

/* p2ppeercontrol.c: control messages, requests */
void p2p_peer_control_start (P2pPeer * peer);
gboolean p2p_peer_send_control (P2pPeer * peer,
    const P2pWireControl * message);
void p2p_peer_flush_control (P2pPeer * peer);
void p2p_peer_message (P2pPeer * peer, UdtReceived * message);
void p2p_peer_event (P2pPeer * peer, const UdtEvent * event);
void p2p_peer_open_request (P2pPeer * peer, P2pRequest * request);
void p2p_peer_close_request (P2pPeer * peer, P2pRequest * request);
void p2p_peer_drop_streams (P2pPeer * peer, gboolean lost);
P2pWireString p2p_wire_text (const gchar * text);
P2pRemoteRequest *p2p_peer_find_remote_request (P2pPeer * peer, guint32 id,
    guint * index);
void p2p_peer_add_remote_request (P2pPeer * peer, guint32 id,
    const gchar * params, P2pOffer * offer);
void p2p_peer_close_offer (P2pPeer * peer, P2pOffer * offer);

/* p2pcommand.c [net] */
P2pCommands *p2p_commands_new (P2pPeer * peer);
void p2p_commands_unref (P2pCommands * commands);
/* Listeners are being told of the peer; those of commands after that. */
void p2p_commands_open (P2pCommands * commands);
void p2p_commands_message (P2pCommands * commands, UdtReceived * message);
void p2p_commands_flush (P2pCommands * commands);
void p2p_commands_tick (P2pCommands * commands, gint64 now);
/* The session ends: nothing goes to or comes from the peer any more. */
void p2p_commands_close (P2pCommands * commands);

/* p2poffer.c */
void p2p_peer_open_offer (P2pPeer * peer, P2pOffer * offer);
void p2p_peer_on_offer_open (P2pPeer * peer, const P2pWireControl * message);
void p2p_peer_on_offer_accept (P2pPeer * peer, const P2pWireControl * message);
P2pRemoteOffer *p2p_peer_find_offer (P2pPeer * peer, guint32 id);
/* Someone new takes offers; someone no longer does. */
void p2p_peer_accept_offers (P2pPeer * peer);
void p2p_peer_leave_offers (P2pPeer * peer, P2pRequest * taker);
void p2p_peer_drop_offer (P2pPeer * peer, P2pRemoteOffer * offer);

G_END_DECLS

#endif /* P2P_ENDPOINT_PRIVATE_H */
