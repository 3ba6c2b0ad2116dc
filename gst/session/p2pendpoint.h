/* An endpoint: one identity on one signaller, and the sessions it has. What the
 * elements, and later iv_av.h, are built on.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A device endpoint accepts viewers; a viewer endpoint keeps one session with
 * one device. Elements of one process that name the same identity share the
 * endpoint. Everything reconnects by itself, with backoff, until closed.
 *
 * Threads. Each endpoint has a network thread (its own GMainContext: signalling,
 * ICE, DTLS, engine) and a notify thread (listener callbacks, which may take
 * their time). Functions here may be called from any thread, never block on the
 * network, and hold no lock across a callback. Which thread calls a callback is
 * said at each.
 * Ownership: objects are reference counted; after p2p_…_close() or …_unpublish()
 * returns, no callback of that object begins any more, and one that runs in
 * another thread has been waited for (frame callbacks: short by contract), unless
 * called from within it.
 * Time: `guint64` microseconds of g_get_monotonic_time() where named _us;
 * nanoseconds of the sender's running time in P2pWireFrame.
 */
#ifndef P2P_ENDPOINT_H
#define P2P_ENDPOINT_H

#include <glib.h>
#include "ivbitrate.h"
#include "ivwatermark.h"
#include "p2pcredential.h"
#include "p2psignaller.h"
#include "p2pwire.h"

G_BEGIN_DECLS

/* -- Errors of configuration (posted as RESOURCE SETTINGS) --------------- */

typedef enum
{
  P2P_ENDPOINT_ERROR_SETTINGS,  /* a value is wrong; text names property, value
                                   and remedy */
  P2P_ENDPOINT_ERROR_CONFLICT,  /* another element shares this endpoint with a
                                   different setting; text names it */
  P2P_ENDPOINT_ERROR_SYSTEM,    /* threads, randomness, certificate */
} P2pEndpointError;

#define P2P_ENDPOINT_ERROR (p2p_endpoint_error_quark ())
GQuark p2p_endpoint_error_quark (void);

/* -- Endpoint ------------------------------------------------------------ */

typedef struct
{
  P2pRole role;
  const gchar *device_id;
  const gchar *key;             /* exactly one of key and key_file */
  const gchar *key_file;
  const gchar *signaller;       /* NULL: lan:// */
  const gchar *stun_server;     /* NULL: none. stun://host:port */
  const gchar *turn_server;     /* NULL: none. turn://user:pass@host:port?… */
  gboolean relay_only;
  guint latency_ms;             /* viewer: announced to the sender */
  guint max_viewers;            /* device */
  guint keep_alive_interval_s;  /* 0: off */
  guint keep_alive_attempts;
  /* Bytes per viewer; all 0: no events, and no pause. */
  guint low_watermark, warn_watermark, high_watermark;
} P2pEndpointConfig;

void p2p_endpoint_config_init (P2pEndpointConfig * config);

typedef struct _P2pEndpoint P2pEndpoint;

/* Checks everything that can be wrong without the network, finds or makes the
 * shared endpoint for (role, signaller, device id, key). Cheap: no stretching
 * of keys, no network. */
P2pEndpoint *p2p_endpoint_acquire (const P2pEndpointConfig * config,
    GError ** error);
/* The first start goes to the network; later ones do nothing. */
void p2p_endpoint_start (P2pEndpoint * endpoint);
/* The last release says goodbye to every peer and tears everything down in the
 * background; it waits for that, but no longer than 500 ms. */
void p2p_endpoint_release (P2pEndpoint * endpoint);
/* A reference keeps its memory and nothing more: after the last release
 * everything may still be called, and does nothing. */
P2pEndpoint *p2p_endpoint_ref (P2pEndpoint * endpoint);
void p2p_endpoint_unref (P2pEndpoint * endpoint);
/* For tests: endpoints (threads) alive in this process, those in teardown
 * included. */
guint p2p_endpoint_count_alive (void);

const gchar *p2p_endpoint_get_device_id (P2pEndpoint * endpoint);

/* -- Listeners: steps, peers, requests (notify thread) ------------------- */

typedef enum
{
  P2P_STEP_SERVER,
  P2P_STEP_AUTH,
  P2P_STEP_PUNCH,
  P2P_STEP_TRANSPORT,
  P2P_STEP_MEDIA,
} P2pStepKind;

typedef struct
{
  P2pStepKind step;
  gboolean ok;
  const gchar *peer;            /* NULL for the endpoint's own (server) */
  const gchar *reason;          /* P2P_REASON_*, NULL when ok */
  const gchar *detail;          /* for a person; NULL when ok */
  const gchar *path;            /* "direct" or "relay" from punch on, or NULL */
  guint elapsed_ms;             /* since the attempt began */
} P2pStep;

const gchar *p2p_step_kind_name (P2pStepKind step);     /* "server" … */

typedef struct
{
  const gchar *id;              /* of the peer; stable for its session */
  const gchar *path;            /* "direct", "relay" or NULL */
  const gchar *local_address;   /* of the chosen pair, or NULL */
  const gchar *remote_address;
  guint latency_ms;             /* what it announced, or 0 */
} P2pPeerInfo;

typedef struct
{
  void (*step) (P2pEndpoint * endpoint, const P2pStep * step, gpointer user);
  /* Device: FALSE refuses the viewer. Without any listener: accepted. */
  gboolean (*authorize) (P2pEndpoint * endpoint, const P2pPeerInfo * peer,
      gpointer user);
  void (*peer_added) (P2pEndpoint * endpoint, const P2pPeerInfo * peer,
      gpointer user);
  void (*peer_removed) (P2pEndpoint * endpoint, const gchar * peer,
      const gchar * reason, gpointer user);
  void (*request_added) (P2pEndpoint * endpoint, const gchar * peer,
      guint request, const gchar * params, gpointer user);
  void (*request_removed) (P2pEndpoint * endpoint, const gchar * peer,
      guint request, gpointer user);

  /* The peer has streams to send (talk), with these params. They come to who
   * accepts them, see p2p_endpoint_accept(). Numbers are those of the peer's
   * requests: no offer and request of a peer share one. */
  void (*offer_added) (P2pEndpoint * endpoint, const gchar * peer,
      guint offer, const gchar * params, gpointer user);
  void (*offer_removed) (P2pEndpoint * endpoint, const gchar * peer,
      guint offer, gpointer user);

  /* A command of a peer. The reply, of at most P2P_COMMAND_MAX bytes, which the
   * caller unrefs; NULL: none, and the peer is told that it was refused. On a
   * thread of its own, which may take its time: one at a time for each peer, in
   * the order sent, after peer_added() for that peer; other peers go on. If
   * several listeners take commands they are asked in the order added until one
   * replies. Not begun once the session has ended; the reply of one that was
   * under way then goes nowhere. */
  GBytes *(*command) (P2pEndpoint * endpoint, const gchar * peer,
      GBytes * command, gpointer user);
  /* What waits for a viewer has crossed a mark (`event`: one of IV_WATERMARK_…).
   * From HIGH to LOW no frames of live streams are taken for it; then they go
   * on with a keyframe. Counted is what has not left, of the streams whose
   * source does not wait (deadline, or pushed with `force`); `level_us`: how
   * long the oldest of it has been here. */
  void (*watermark) (P2pEndpoint * endpoint, const gchar * peer,
      unsigned event, guint64 level_bytes, guint64 level_us, gpointer user);
  /* The relay at `server` (HOST:PORT) gave no address, so that there is none to
   * fall back on; `answer` is what it said, for a person. Told once for the
   * endpoint, and again after it has worked; to one listener alone. */
  void (*relay_missing) (P2pEndpoint * endpoint, const gchar * server,
      const gchar * answer, gpointer user);
  /* NULL: removing the listener waits for a command() under way in another
   * thread, as it does for the others. Otherwise it does not, and this is
   * called, on any thread, when the last callback has returned: `user` must
   * live until then. */
  GDestroyNotify destroy;
} P2pListener;

/* Every member may be NULL. Returns an id for remove. */
guint p2p_endpoint_add_listener (P2pEndpoint * endpoint,
    const P2pListener * listener, gpointer user);
void p2p_endpoint_remove_listener (P2pEndpoint * endpoint, guint id);

/* Device: says goodbye to a viewer. FALSE: no such peer. */
gboolean p2p_endpoint_kick (P2pEndpoint * endpoint, const gchar * peer);

/* -- Commands: a message to the peer's application, and its reply ---------- */

#define P2P_COMMAND_MAX 65536           /* bytes, of a command and of a reply */
#define P2P_MAX_COMMANDS 16             /* of a peer and to one, without a reply
                                           yet */
#define P2P_COMMAND_TIMEOUT_MS 30000

/* Why there is no reply. */
#define P2P_COMMAND_NOT_CONNECTED "not-connected"       /* no such session now */
#define P2P_COMMAND_PEER_GONE "peer-gone"       /* it ended before the reply;
                                                   the command may have been
                                                   carried out */
#define P2P_COMMAND_NO_ANSWER "no-answer"       /* in time; the same */
#define P2P_COMMAND_REFUSED "refused"   /* nobody there takes it */
#define P2P_COMMAND_BUSY "busy"         /* P2P_MAX_COMMANDS have no reply yet */
#define P2P_COMMAND_TOO_BIG "too-big"
#define P2P_COMMAND_CLOSED "closed"     /* this endpoint ended, or was never
                                           started */

/* One of `reply` (borrowed) and `error` (P2P_COMMAND_…) is NULL. */
typedef void (*P2pReplyFunc) (GBytes * reply, const gchar * error,
    gpointer user);

/* `peer` NULL: the device (on a viewer), or the only viewer (on a device).
 * `timeout_ms` 0: P2P_COMMAND_TIMEOUT_MS. `func` (may be NULL) is called
 * exactly once, then `destroy`: on the notify thread, or, when the endpoint has
 * ended or never started, on the one that finds that out, at the latest that
 * of the last release. */
void p2p_endpoint_send_command (P2pEndpoint * endpoint, const gchar * peer,
    GBytes * command, guint timeout_ms, P2pReplyFunc func, gpointer user,
    GDestroyNotify destroy);

/* -- Sending: a stream is published once and goes to every request that its
 * match takes, encoded once ---------------------------------------------- */

typedef struct _P2pStream P2pStream;
typedef struct _P2pOffer P2pOffer;

/* Viewer: it has streams to send to the device, which takes them or not; stands
 * again by itself after each reconnect. `params` tell the device what they are
 * ("action=voice&channel=0"). */
P2pOffer *p2p_endpoint_offer (P2pEndpoint * endpoint, const gchar * params);
/* Frees it. Its streams are unpublished before. */
void p2p_offer_close (P2pOffer * offer);

typedef struct
{
  P2pWireKind kind;
  const gchar *name;            /* of the pad: "video_0" */
  const gchar *match;           /* NULL or "": every live request */
  gint priority;                /* -1: by kind; 0 is the highest */
  gint deadline_ms;             /* -1: by the receiver's latency, data 0;
                                   0: never dropped */
  P2pOffer *offer;              /* NULL, or the offer that it belongs to: then
                                   it goes to who takes that, and `match` does
                                   not count. Fixed once published */
  const gchar *only_peer;       /* NULL, or the only peer it goes to, */
  guint only_request;           /* and 0, or the only request: it is for this
                                   one alone, as request_added() told it */
} P2pStreamConfig;

typedef struct
{
  /* A viewer needs a key unit (it is new, lost one, or asked). Network thread;
   * already rate-limited and merged over viewers. */
  void (*key_unit) (P2pStream * stream, gboolean all_headers, gpointer user);
  /* There is room again after P2P_PUSH_FULL. Network thread. */
  void (*writable) (P2pStream * stream, gpointer user);
  /* Video: bit/s of this stream that each viewer's path carries, every 100 ms
   * while there are peers, and when the last viewer has gone. Their marks are
   * kept. What the stream would have on a good path comes back: where a viewer
   * takes several, the path is shared out in proportion to it; 0: the stream is
   * as it is, and the others get what it leaves. Network thread. */
  guint64 (*targets) (P2pStream * stream, BitrateViewer * viewers, gsize n,
      gpointer user);
} P2pStreamCallbacks;

P2pStream *p2p_endpoint_publish (P2pEndpoint * endpoint,
    const P2pStreamConfig * config, const P2pStreamCallbacks * callbacks,
    gpointer user);
void p2p_stream_unpublish (P2pStream * stream); /* frees it */
void p2p_stream_set_config (P2pStream * stream,
    const P2pStreamConfig * config);

/* Goes to present viewers and to each one to come. `caps`: as
 * gst_caps_to_string() makes it, and checked by p2p_wire_check_caps(); FALSE:
 * refused, unchanged. */
gboolean p2p_stream_set_caps (P2pStream * stream, const gchar * caps);

typedef enum
{
  P2P_PUSH_OK,                  /* taken (also with no viewer at all) */
  P2P_PUSH_FULL,                /* deadline-less stream, and a viewer's buffer was
                                   above high_watermark and is not yet below
                                   low_watermark: not taken; writable()
                                   follows. Push with `force` to take it anyway;
                                   viewers above the mark are then removed from the
                                   stream with reason "overflow" */
  P2P_PUSH_CLOSED,
  P2P_PUSH_TOO_BIG              /* more than P2P_STREAM_MAX_PAYLOAD: never taken */
} P2pPushResult;

/* Of one frame: what every receiver takes as one message. */
#define P2P_STREAM_MAX_PAYLOAD ((2u << 20) - 48)

/* `payload` is referenced, never copied, once for every viewer. Never blocks.
 * frame->caps_version is filled in here. */
P2pPushResult p2p_stream_push (P2pStream * stream, GBytes * payload,
    const P2pWireFrame * frame, gboolean force);

/* EOS: crosses to every viewer behind the frames before it. New caps or frames
 * begin the stream again. */
void p2p_stream_end (P2pStream * stream);

/* Whether any viewer takes this stream now. */
guint p2p_stream_count_viewers (P2pStream * stream);

/* Bytes that have not left for the least and the most backlogged viewer (0, 0
 * with none). After p2p_stream_end(): those, the end among them, that have not
 * been acknowledged, so that 0 means that it is safe to close. */
void p2p_stream_get_backlog (P2pStream * stream, guint64 * least,
    guint64 * most);

/* The engine's own numbers, at most 100 ms old; of the most backlogged viewer,
 * if there are several. All 0 without any, but frames_sent and frames_dropped,
 * which count all viewers, those that went included. */
typedef struct
{
  guint viewers;
  guint64 queued_bytes;         /* not yet with the engine */
  guint64 unsent_bytes;         /* with the engine, have not left */
  guint64 unacknowledged_bytes; /* these, and those that left */
  guint64 sent_bytes;           /* payload given to the engine */
  guint64 acknowledged_bytes;   /* of these, of whole frames */
  guint64 frames_sent, frames_dropped;
  guint64 rtt_us, min_rtt_us, queue_delay_us;   /* of the viewer's path */
  guint64 pacing_rate, delivery_rate;   /* bit/s, of its whole session */
} P2pStreamStats;

void p2p_stream_get_stats (P2pStream * stream, P2pStreamStats * stats);

/* -- Receiving: a request is opened once and stands again by itself after each
 * reconnect -------------------------------------------------------------- */

typedef struct _P2pRequest P2pRequest;
typedef struct _P2pInStream P2pInStream;

typedef struct
{
  P2pWireKind kind;
  const gchar *name;            /* as the sender's pad: "video_0" */
  const gchar *peer;
  guint request;                /* ours, or the number of the peer's offer */
  const gchar *params;          /* of the request, or of the offer */
} P2pInStreamInfo;

typedef struct
{
  /* All on the network thread; short; none may block. */

  /* A stream opens. The same name comes again after a reconnect, with
   * `epoch` one higher; the one before got stream_closed() first. The returned
   * pointer is given to the other callbacks. */
  gpointer (*stream_opened) (P2pRequest * request, P2pInStream * stream,
      const P2pInStreamInfo * info, guint epoch, gpointer user);
  /* `caps` passed p2p_wire_check_caps(). Comes before the first frame with it. */
  void (*stream_caps) (P2pRequest * request, gpointer stream,
      const gchar * caps, gpointer user);
  /* FALSE: no room; `payload` was not taken and comes again after
   * p2p_in_stream_resume(). `arrival_us`: of its first packet; `age_us`: time it
   * had waited at the sender. `gap`: frames before it were lost. Streams start
   * with, and after a gap go on with, a frame that is not a delta unit. */
  gboolean (*stream_frame) (P2pRequest * request, gpointer stream,
      GBytes * payload, const P2pWireFrame * frame, gint64 arrival_us,
      gint64 age_us, gboolean gap, gpointer user);
  /* EOS of this stream alone, behind all its frames. */
  void (*stream_end) (P2pRequest * request, gpointer stream, gpointer user);
  /* The stream is gone (sender's pad went, or the connection: `lost`, it will
   * come again). Nothing follows for it. */
  void (*stream_closed) (P2pRequest * request, gpointer stream,
      gboolean lost, gpointer user);
  /* Every stream the sender has for this request has been opened. */
  void (*streams_complete) (P2pRequest * request, gpointer user);
} P2pRequestCallbacks;

P2pRequest *p2p_endpoint_request (P2pEndpoint * endpoint,
    const gchar * params, const P2pRequestCallbacks * callbacks,
    gpointer user);
void p2p_request_close (P2pRequest * request);  /* frees it */

/* Device: takes what viewers offer, every one whose params `match` takes (as in
 * P2pStreamConfig; NULL or "": all). An offer goes to the first that takes it.
 * The streams of each come as those of a request do, and are closed when the
 * viewer goes (`lost`) or takes them back; they say whose they are in
 * P2pInStreamInfo. Ends with p2p_request_close(). */
P2pRequest *p2p_endpoint_accept (P2pEndpoint * endpoint, const gchar * match,
    const P2pRequestCallbacks * callbacks, gpointer user);

/* `stream` must not have been closed; both may be called from any thread. */
void p2p_in_stream_request_key_unit (P2pInStream * stream,
    gboolean all_headers, guint count);
void p2p_in_stream_resume (P2pInStream * stream);
P2pInStream *p2p_in_stream_ref (P2pInStream * stream);
void p2p_in_stream_unref (P2pInStream * stream);

/* -- Statistics ----------------------------------------------------------- */

typedef struct
{
  gchar *id, *path, *local_address, *remote_address;
  guint requests;
  gint64 connected_us;          /* since media could flow; 0: not yet */
  guint64 rtt_us, min_rtt_us, queue_delay_us;
  guint64 pacing_rate, delivery_rate;   /* bit/s */
  guint64 target_bitrate;       /* what all video to it should have, bit/s */
  guint64 bytes_sent, bytes_received, payload_bytes_sent,
      payload_bytes_received;
  guint64 packets_sent, packets_received, packets_lost,
      packets_retransmitted, packets_repaired;
  guint64 frames_sent, frames_received, frames_dropped, frames_missed;
  guint64 send_buffer_bytes, receive_buffer_bytes;
  guint64 level_bytes, level_us;        /* as watermark() tells them */
  guint64 low_count, warn_count, high_count;
  gboolean paused;              /* since HIGH, until LOW */
  guint mtu;
} P2pPeerStats;

typedef struct
{
  gboolean online;              /* at the signaller */
  guint64 rejected_attempts;    /* did not prove the key */
  guint64 refused_packets;      /* forged, replayed, malformed: all peers */
  guint64 refused_messages;     /* authentic, but against the rules */
  guint64 reconnects;
  guint64 wake_ups;             /* of the network thread, from poll() */
  GPtrArray *peers;             /* of P2pPeerStats */
} P2pEndpointStats;

/* Free with p2p_endpoint_stats_free(). A snapshot at most 100 ms old; never
 * waits for the network thread. */
P2pEndpointStats *p2p_endpoint_get_stats (P2pEndpoint * endpoint);
void p2p_endpoint_stats_free (P2pEndpointStats * stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2pEndpointStats, p2p_endpoint_stats_free)

G_END_DECLS

#endif /* P2P_ENDPOINT_H */
