/* What the parts of a link know of each other.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything belongs to the network thread, but for what is marked [const] (set
 * before the thread starts), [lock] (under UdtLink.lock, a leaf) or [atomic].
 */
#ifndef UDT_LINK_PRIVATE_H
#define UDT_LINK_PRIVATE_H

#include "p2pflow.h"
#include "p2pkeyunits.h"
#include "udtauth.h"
#include "udtchecksum.h"
#include "udtlink.h"
#include "udtresolve.h"

G_BEGIN_DECLS

/* What strangers can make a listener keep. */
#define UDT_LINK_MAX_PENDING 32
#define UDT_LINK_MAX_PENDING_OF_HOST 8
/* Calls with a token that are taken up in a second. */
#define UDT_LINK_CALLS_PER_SECOND 100

#define UDT_LINK_ATTEMPT_US (10 * G_USEC_PER_SEC)
#define UDT_LINK_STREAM 16   /* the first and only flow of the stream */
#define UDT_LINK_MAX_CAPS 64 /* that wait for their frames */
#define UDT_LINK_MAX_EARLY 8 /* packets that overtook the last proof */
#define UDT_LINK_MAX_CONTROL 64
/* A sender of another name may take over after so long a silence. */
#define UDT_LINK_SILENCE_US (3 * G_USEC_PER_SEC)

typedef struct _UdtLinkPeer UdtLinkPeer;

typedef enum {
  UDT_PEER_CALLING, /* caller: no token yet, or no answer to it */
  UDT_PEER_HANDSHAKE,
  UDT_PEER_PROVING, /* keys stand, the proof is awaited */
  UDT_PEER_UP,
  UDT_PEER_CLOSING, /* goodbye under way */
  UDT_PEER_GONE,
} UdtPeerState;

typedef struct
{
  guint8 version;
  gchar *caps;
} UdtPendingCaps;

struct _UdtLinkPeer
{
  UdtLink *link;
  gboolean caller; /* this end calls */
  UdtPeerState state;
  UdtAddress address;
  gchar name[UDT_ADDRESS_TEXT];
  gint64 since_us, connected_us;
  gint64 due; /* when to work on it next */
  gint64 last_received;

  /* Before the connection. */
  UdtHello call; /* as the caller sent it */
  gboolean refusal_told;
  guint8 peer_fingerprint[UDT_HELLO_FINGERPRINT];
  P2pHandshake *handshake;
  guint8 binding[UDT_BINDING_BYTES];
  P2pSessionKeys keys; /* until the engine has them */
  UdtHello repeat;     /* sent again until answered; type 0: none */
  gint64 repeat_at, repeat_interval;
  GBytes *early[UDT_LINK_MAX_EARLY];
  guint n_early;
  const gchar *reason; /* why it goes; static */
  gchar *detail;
  gboolean final;

  /* The connection. */
  P2pRecord *record;
  UdtChecksum *sums; /* [0] send, [1] receive; instead of a record */
  UdtConnection *conn;
  guint32 local_id, remote_id;
  GQueue control; /* GBytes that the engine had no room for */
  gboolean hello_received;

  /* Another address that packets come from. */
  UdtAddress other;
  guint8 probe_nonce[UDT_HELLO_NONCE];
  gint64 probe_us; /* 0: none under way */

  /* Sender. */
  gboolean open;       /* the flow is */
  gboolean left_out;   /* mark of targets() */
  gboolean overflowed; /* it lost the stream */
  gboolean unheard;    /* it needs a keyframe once it is heard again */
  P2pFlow out;
  guint8 caps_sent;
  gboolean end_owed, ended;

  /* Receiver. */
  gboolean announced, held, end_known, told_end;
  gboolean closing; /* all that is left has been taken over */
  guint16 flow;
  GQueue caps; /* UdtPendingCaps */
  guint8 caps_version;
  GQueue stash; /* UdtReceived not taken yet */
  guint64 delivered, missed, next_id, end_frames;
  gint64 end_since;
};

struct _UdtLink
{
  UdtLinkConfig config;       /* [const] */
  UdtLinkCallbacks callbacks; /* [const] */
  gpointer user;
  GThread *thread;
  int wake_fd; /* [const] */
  gint woken;  /* [atomic] */
  gint quit;   /* [atomic] */
  gint resume; /* [atomic] */

  GMutex lock;
  P2pItems items;               /* [lock] */
  UdtLinkStream stream;         /* [lock] */
  gboolean stream_changed;      /* [lock] */
  guint8 caps_version;          /* [lock] of the caps pushed last; 0: none */
  gboolean full;                /* [lock] writable() is owed */
  gboolean nobody;              /* [lock] the same, for want of a peer */
  gboolean end_pushed;          /* [lock] */
  guint n_up;                   /* [lock] peers that take the stream */
  guint64 least, most;          /* [lock] backlog */
  guint key_units, key_headers; /* [lock] to ask the sender for */
  guint key_count;              /* [lock] */
  UdtLinkStats *snapshot;       /* [lock] */
  guint port;                   /* [lock] */

  /* The network thread's. */
  UdtSocket *socket;
  P2pIdentity *identity;
  UdtTokens tokens;
  GPtrArray *peers;
  GHashTable *by_id; /* local id to peer */
  gint64 now;
  guint turn;
  gint64 snapshot_us;
  gboolean snapshot_old; /* something happened since */
  UdtLinkStats counters;
  gboolean stopping;

  /* Caller. */
  UdtResolve *resolve;
  guint8 instance[UDT_HELLO_INSTANCE];
  gint64 dial_at; /* 0: not waiting */
  guint attempts;
  gboolean hopeless;

  /* Listener. */
  gint64 rate_us;
  guint rate_count;
  gint64 rejected_us;

  /* Sender. */
  UdtLinkStream current;
  gboolean begun; /* frames or caps came */
  gchar *caps;
  guint8 version;
  gboolean ended;
  P2pKeyUnits asked_for; /* of the source */

  /* Receiver: the peer whose stream it is. */
  UdtLinkPeer *source;
};

/* udtlink.c */
void udt_link_wake (UdtLink *link);
void udt_link_tell (UdtLink *link, UdtLinkEventType type, UdtLinkPeer *peer);
void udt_link_send_hello (UdtLink *link, const UdtHello *hello,
                          const UdtAddress *to);

/* udtlinkcall.c: until a connection stands */
void udt_call_dial (UdtLink *link);
void udt_call_input (UdtLink *link, const guint8 *data, gsize len,
                     const UdtAddress *from);
void udt_call_handshake_input (UdtLink *link, const guint8 *data, gsize len,
                               const UdtAddress *from);
/* A packet that may have overtaken the last proof. */
void udt_call_early (UdtLink *link, const guint8 *data, gsize len, guint32 id);
void udt_call_work (UdtLinkPeer *peer);
gint64 udt_call_next_time (UdtLinkPeer *peer);
/* The socket was readable: perhaps for what ICMP says of the call. */
void udt_call_check_refusal (UdtLink *link);

/* udtlinkpeer.c: the connection */
UdtLinkPeer *udt_peer_new (UdtLink *link, gboolean caller,
                           const UdtAddress *address);
void udt_peer_free (UdtLinkPeer *peer);
/* Keys stand: FALSE if the engine could not be made. */
gboolean udt_peer_start (UdtLinkPeer *peer);
void udt_peer_fail (UdtLinkPeer *peer, const gchar *reason,
                    const gchar *detail);
void udt_peer_close (UdtLinkPeer *peer, const gchar *reason, guint drain_ms);
void udt_peer_input (UdtLinkPeer *peer, guint8 *data, gsize len,
                     const UdtAddress *from);
void udt_peer_path (UdtLinkPeer *peer, const UdtHello *hello,
                    const UdtAddress *from);
void udt_peer_work (UdtLinkPeer *peer);
void udt_peer_send_control (UdtLinkPeer *peer, const P2pWireControl *message);
void udt_peer_set_address (UdtLinkPeer *peer, const UdtAddress *address);
P2pWireString udt_wire_text (const gchar *text);

/* udtlinkout.c: the stream on its way to the peers */
void udt_out_drain (UdtLink *link);
void udt_out_open (UdtLinkPeer *peer);
void udt_out_writable (UdtLinkPeer *peer);
void udt_out_want_key_unit (UdtLink *link, gboolean all_headers);
/* A frame that others depend on was lost. */
void udt_out_lost_sync (UdtLinkPeer *peer);
/* Asks for the keyframe of who could not be heard and now is. */
void udt_out_listen (UdtLinkPeer *peer);
gint64 udt_out_tick (UdtLink *link);
void udt_out_publish (UdtLink *link, guint64 taken);
void udt_out_clear (UdtLinkPeer *peer);
guint64 udt_out_backlog (UdtLinkPeer *peer);

/* udtlinkin.c: the stream that comes from a peer */
void udt_in_control (UdtLinkPeer *peer, const P2pWireControl *message);
void udt_in_message (UdtLinkPeer *peer, UdtReceived *message);
void udt_in_gap (UdtLinkPeer *peer, guint16 flow, guint32 count);
/* When to look again. */
gint64 udt_in_tick (UdtLinkPeer *peer);
void udt_in_retry (UdtLinkPeer *peer);
/* The connection ends behind all that was sent. */
void udt_in_keep (UdtLinkPeer *peer);
/* Whether something of it has still to be taken. */
gboolean udt_in_is_pending (UdtLinkPeer *peer);
void udt_in_close (UdtLinkPeer *peer);
void udt_in_send_key_units (UdtLink *link);

G_END_DECLS

#endif /* UDT_LINK_PRIVATE_H */
