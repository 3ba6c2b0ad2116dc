/* One stream over plain UDP: the reliability engine on a socket of its own, for
 * known addresses. What udtsink and udtsrc are built on.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A link calls a listener, or listens; it sends the stream, or receives it: all
 * four combinations. A listener that sends serves several callers, each with a
 * backlog of its own; one that receives has one sender at a time. A caller
 * calls again, with backoff, until stopped.
 *
 * Threads: each link has one network thread, which does everything and calls
 * every callback: short, never blocking, and never udt_link_stop() from within.
 * All functions may be called from any thread and hold no lock across a
 * callback.
 * Time: microseconds of g_get_monotonic_time() where named _us; nanoseconds of
 * the sender's running time in P2pWireFrame.
 */
#ifndef UDT_LINK_H
#define UDT_LINK_H

#include <glib.h>
#include "ivbitrate.h"
#include "p2pcredential.h"
#include "p2pwire.h"
#include "udt.h"

G_BEGIN_DECLS

/* Most callers that a listener can be told to take. */
#define UDT_LINK_MAX_CALLERS 1024

typedef enum {
  UDT_LINK_ERROR_SETTINGS, /* a value is wrong */
  UDT_LINK_ERROR_ADDRESS,  /* the local address cannot be used */
  UDT_LINK_ERROR_SYSTEM,   /* threads, descriptors, cryptography */
} UdtLinkError;

#define UDT_LINK_ERROR (udt_link_error_quark ())
GQuark udt_link_error_quark (void);

typedef struct
{
  gboolean listener;
  gboolean sender;
  const gchar *host;           /* caller: whom; listener: numeric, or NULL */
  guint port;                  /* listener: 0 for any */
  const gchar *local_host;     /* caller: numeric, or NULL */
  guint local_port;            /* caller: 0 for any */
  P2pCredential *credential;   /* NULL: insecure */
  guint latency_ms;            /* announced by a receiver */
  guint max_callers;           /* of a listener that sends */
  guint keep_alive_interval_s; /* 0: off */
  guint keep_alive_attempts;
  guint high_watermark; /* sender: bytes of backlog, for each peer */
} UdtLinkConfig;

typedef enum {
  UDT_LINK_CONNECTED,
  UDT_LINK_DISCONNECTED,
  UDT_LINK_FAILED,   /* caller: an attempt that led to nothing */
  UDT_LINK_REJECTED, /* listener: a stranger; at most one a second */
  UDT_LINK_REFUSED,  /* caller: the host called says that nobody listens, which
                        anybody can claim; the attempt goes on */
} UdtLinkEventType;

typedef struct
{
  UdtLinkEventType type;
  const gchar *peer;   /* its address, or the name that was called */
  const gchar *reason; /* "wrong-key", "closed", "no-answer" …; NULL */
  const gchar *detail; /* for a person, or NULL */
  gboolean final;      /* FAILED: proven to be hopeless, not retried */
} UdtLinkEvent;

typedef struct _UdtLink UdtLink;

typedef struct
{
  void (*event) (UdtLink *link, const UdtLinkEvent *event, gpointer user);

  /* Sender: a key unit is needed (rate-limited, merged over peers). */
  void (*key_unit) (UdtLink *link, gboolean all_headers, gpointer user);
  /* Sender: udt_link_push() may take now what it refused. */
  void (*writable) (UdtLink *link, gpointer user);

  /* Receiver: a stream begins; comes again after each reconnect. */
  void (*opened) (UdtLink *link, P2pWireKind kind, const gchar *peer,
                  gpointer user);
  /* Passed p2p_wire_check_caps(). Comes before the first frame with it. */
  void (*caps) (UdtLink *link, const gchar *caps, gpointer user);
  /* FALSE: no room; comes again after udt_link_resume(). */
  gboolean (*frame) (UdtLink *link, GBytes *payload, const P2pWireFrame *frame,
                     gint64 arrival_us, gint64 age_us, gboolean gap,
                     gpointer user);
  /* EOS, behind all frames. */
  void (*end) (UdtLink *link, gpointer user);
  /* Went without an end; a new one may come. */
  void (*closed) (UdtLink *link, gpointer user);

  /* Sender: bit/s that the path to each peer carries, every 100 ms while data
   * flows, and once when the last peer has gone. Their marks are kept. */
  void (*targets) (UdtLink *link, BitrateViewer *viewers, gsize n,
                   gpointer user);
} UdtLinkCallbacks;

/* Checks everything that can be wrong without the network; a listener has its
 * socket when this returns. `callbacks` is copied, members may be NULL. */
UdtLink *udt_link_new (const UdtLinkConfig *config,
                       const UdtLinkCallbacks *callbacks, gpointer user,
                       GError **error);
/* Starts the thread. */
gboolean udt_link_start (UdtLink *link, GError **error);
/* Says goodbye and frees. At most UDT_LINK_STOP_MS. */
#define UDT_LINK_STOP_MS 300
void udt_link_stop (UdtLink *link);

/* The local UDP port; 0: a caller that has none yet. */
guint udt_link_get_port (UdtLink *link);

/* -- Sender ---------------------------------------------------------------- */

typedef struct
{
  P2pWireKind kind;
  gint deadline_ms; /* -1: by kind; 0: never dropped */
} UdtLinkStream;

/* Before the first frame, and whenever something of it changes. */
void udt_link_set_stream (UdtLink *link, const UdtLinkStream *stream);
/* FALSE: cannot cross. */
gboolean udt_link_set_caps (UdtLink *link, const gchar *caps);

/* Of one frame: a picture of 1920x1080 in any format. */
#define UDT_LINK_MAX_PAYLOAD (UDT_MAX_MESSAGE - P2P_WIRE_MAX_FRAME_HEADER)

typedef enum {
  UDT_LINK_PUSH_OK,
  UDT_LINK_PUSH_FULL,    /* not taken; writable() follows */
  UDT_LINK_PUSH_NOBODY,  /* `wait` and no peer: the same */
  UDT_LINK_PUSH_TOO_BIG, /* more than UDT_LINK_MAX_PAYLOAD: never taken */
} UdtLinkPush;

/* `payload` is referenced, never copied, once for all peers. `force`: a peer
 * that is full loses the stream instead, if that must not lose a frame.
 * frame->caps_version is filled in here. */
UdtLinkPush udt_link_push (UdtLink *link, GBytes *payload,
                           const P2pWireFrame *frame, gboolean force,
                           gboolean wait);
void udt_link_end (UdtLink *link);
/* Bytes not yet sent to the most backlogged peer; after udt_link_end(), not yet
 * acknowledged. 0: all is gone, or there is nobody. */
guint64 udt_link_get_backlog (UdtLink *link);
/* The same for the least backlogged peer: what nobody has got yet. */
guint64 udt_link_get_level (UdtLink *link);

/* -- Receiver -------------------------------------------------------------- */

void udt_link_resume (UdtLink *link);
void udt_link_request_key_unit (UdtLink *link, gboolean all_headers,
                                guint count);

/* -- Statistics ------------------------------------------------------------ */

typedef struct
{
  gchar *address;
  gint64 connected_us;
  UdtStats engine;
  guint64 frames_sent, frames_received, frames_dropped, frames_missed;
  guint64 backlog;
} UdtLinkPeerStats;

typedef struct
{
  guint64 datagrams_sent, datagrams_received, send_calls, receive_calls;
  guint64 send_errors;
  guint64 wake_ups;          /* of the network thread, from poll() */
  guint64 refused_datagrams; /* neither of a peer nor a valid call */
  guint64 rejected_callers;  /* did not prove the key */
  guint64 calls;             /* that showed a valid token */
  guint64 reconnects;
  gboolean segmentation, coalescing;
  GPtrArray *peers; /* UdtLinkPeerStats */
} UdtLinkStats;

/* A snapshot, some 100 ms old while data flows. */
UdtLinkStats *udt_link_get_stats (UdtLink *link);
void udt_link_stats_free (UdtLinkStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (UdtLinkStats, udt_link_stats_free)

G_END_DECLS

#endif /* UDT_LINK_H */
