/* The reliability engine: one encrypted connection that carries many
 * independent message flows in both directions over an unreliable datagram
 * path.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A state machine and nothing else. Packets, messages and the time go in;
 * packets, messages, events and the next time to be called come out. It has no
 * clock, socket, thread, global or GLib type of its own, and the same inputs
 * give the same bytes.
 *
 * Time: microseconds (UdtTime) of one monotonic clock, any epoch. A `now` that
 * lies before an earlier one is taken as the earlier one.
 * Threads: a connection belongs to one thread at a time; it has no locks.
 * Memory: everything is allocated through UdtEnv.alloc, within the limits of
 * UdtConfig: small tables when the connection is made, which double, up to
 * their limits, when they are first needed in that size, and one block per
 * received message. Nothing is allocated per packet. At UDT_ERR_NO_MEMORY the
 * message was not taken.
 * Errors: functions that can fail return UdtStatus and leave their outputs
 * untouched on failure.
 */
#ifndef UDT_H
#define UDT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t UdtTime;
#define UDT_NEVER UINT64_MAX

/* Named limits. */
#define UDT_MAX_PACKET 1472           /* UDP payload of Ethernet over IPv4 */
#define UDT_MIN_MTU 1200              /* the size every path must carry */
#define UDT_TAG_SIZE 16               /* what sealing adds to a packet */
#define UDT_MAX_FLOWS 64              /* per direction */
#define UDT_MAX_HEADER 64             /* UdtMessage.header, copied */
#define UDT_MAX_MESSAGE (8u << 20)    /* header and payload together */
#define UDT_MAX_CLOSE_REASON 64

typedef enum {
  UDT_OK = 0,
  UDT_ERR_ARGUMENT = -1,   /* a parameter is out of its documented range */
  UDT_ERR_NO_MEMORY = -2,
  UDT_ERR_FULL = -3,       /* send buffer at its limit; UDT_EVENT_WRITABLE
                              follows */
  UDT_ERR_NO_FLOW = -4,    /* flow not open */
  UDT_ERR_TOO_BIG = -5,    /* message above UDT_MAX_MESSAGE, send_limit or the
                              limit that the peer announced */
  UDT_ERR_CLOSED = -6,     /* closing, closed or dead */
  UDT_ERR_TOO_LATE = -7,   /* deadline already passed; the message was not
                              taken. Counted as dropped */
  UDT_ERR_DEPENDS = -8,    /* depends on a dropped message; not taken. Wait for
                              the next sync point. Counted as dropped */
  UDT_ERR_PACKET = -9,     /* input: not a packet of this connection, altered,
                              truncated or replayed. Counted; nothing changed */
  UDT_ERR_EMPTY = -10,     /* nothing to hand out now */
} UdtStatus;

/* What the connection borrows from its owner. */
typedef struct
{
  void *user;

  /* NULL return: out of memory; the connection stays usable. */
  void *(*alloc) (void *user, size_t size);
  void (*free) (void *user, void *block);

  /* 64 unpredictable bits. */
  uint64_t (*random) (void *user);

  /* Seals `len` bytes at `data` in place and writes UDT_TAG_SIZE more bytes
   * behind them. `packet_number` is unique for ever in this direction and is
   * the nonce; `aad` is authenticated too. False: failed, nothing is sent. */
  bool (*seal) (void *user, uint64_t packet_number, const uint8_t * aad,
      size_t aad_len, uint8_t * data, size_t len);

  /* The reverse: `len` counts the tag. False: not authentic. */
  bool (*open) (void *user, uint64_t packet_number, const uint8_t * aad,
      size_t aad_len, uint8_t * data, size_t len);

  /* May be NULL: a block that will hold one received message of `size` bytes
   * (header and payload). The block is handed out by udt_connection_receive()
   * or given back through free. NULL: `alloc` is used. */
  void *(*message_alloc) (void *user, uint16_t flow, size_t size);
} UdtEnv;

typedef struct _UdtCongestion UdtCongestion;    /* see udtcongestion.h */

typedef struct
{
  /* 32-bit connection IDs; packets to us carry local_id in clear. */
  uint32_t local_id;
  uint32_t remote_id;

  /* Latency that this side, as a receiver, announces to the peer. */
  UdtTime latency;

  size_t send_limit;            /* bytes of messages queued or unacknowledged;
                                   flows of UDT_CLASS_BULK get UDT_ERR_FULL at
                                   seven eighths of it */
  size_t receive_limit;         /* bytes of messages not yet handed out */
  uint32_t max_message;         /* that we accept; at most UDT_MAX_MESSAGE, cut
                                   to half of receive_limit */
  uint32_t packets_in_flight;   /* size of the table of sent packets */

  uint16_t mtu;                 /* first packet size, UDT_MIN_MTU or less only
                                   in tests */
  uint16_t max_mtu;             /* probed up to this; at most UDT_MAX_PACKET */

  UdtTime keep_alive_interval;  /* 0: no keep-alives */
  uint32_t keep_alive_attempts; /* unanswered ones until the peer is dead */

  const UdtCongestion *congestion;      /* NULL: the default law */
} UdtConfig;

/* Sane defaults for everything but the IDs. */
void udt_config_init (UdtConfig * config);

typedef enum {
  UDT_ORDER_NONE,               /* each message when it is complete */
  UDT_ORDER_STRICT,             /* in the order sent; a message waits for those
                                   before it or for their being given up */
} UdtOrder;

#define UDT_DEADLINE_NONE 0                     /* never dropped */
#define UDT_DEADLINE_RECEIVER (UINT64_MAX - 1)  /* the latency that the peer
                                                   announced, at most 500 ms */

typedef enum {
  UDT_CLASS_COMMAND,            /* the classes in strict order of service */
  UDT_CLASS_AUDIO,
  UDT_CLASS_VIDEO,              /* retransmissions first, by deadline, capped */
  UDT_CLASS_BULK,               /* what is left */
} UdtClass;

typedef struct
{
  UdtClass service;
  uint8_t priority;             /* within the class; 0 is the highest */
  UdtOrder order;
  UdtTime deadline;             /* from submission; UDT_DEADLINE_* */
} UdtFlowConfig;

typedef enum {
  UDT_MESSAGE_SYNC = 1 << 0,    /* a keyframe: depends on nothing before it */
  UDT_MESSAGE_DELTA = 1 << 1,   /* depends on the messages before it in its
                                   flow, back to the last SYNC */
  UDT_MESSAGE_DISPOSABLE = 1 << 2,      /* nothing depends on it */
} UdtMessageFlags;

/* One message to send. The payload is borrowed, not copied: `release` is
 * called exactly once with `owner` when the connection no longer needs it, for
 * an accepted message only. */
typedef struct
{
  const uint8_t *header;        /* copied; at most UDT_MAX_HEADER bytes */
  size_t header_len;
  const uint8_t *payload;
  size_t payload_len;
  void *owner;
  void (*release) (void *owner);
  unsigned flags;               /* UdtMessageFlags */
} UdtMessage;

/* One message received; `data` is the receiver's to free (UdtEnv.free). */
typedef struct
{
  uint16_t flow;
  uint8_t *data;                /* header and payload, back to back */
  size_t size;
  UdtTime first_arrival;        /* of the first of its packets to arrive */
  UdtTime age;                  /* how long it had been with the sender when
                                   that packet left (queueing, retransmission) */
  UdtTime completed;            /* when the last missing byte arrived */
  uint64_t id;                  /* of the message within its flow, from 0 */
  bool gap;                     /* messages before it were given up */
  unsigned flags;               /* UdtMessageFlags */
} UdtReceived;

typedef enum {
  UDT_EVENT_CONNECTED,          /* first authentic packet with the peer's
                                   settings: latency and limits are known */
  UDT_EVENT_WRITABLE,           /* room again after UDT_ERR_FULL */
  UDT_EVENT_FLOW_OPENED,        /* peer's first message on `flow` */
  UDT_EVENT_DROPPED,            /* sender: `count` messages of `flow` were given
                                   up; `need_sync`: a keyframe is needed */
  UDT_EVENT_GAP,                /* receiver: the peer gave up `count` messages
                                   of `flow` */
  UDT_EVENT_FLOW_RESET,         /* peer closed `flow`; what was delivered before
                                   stays valid */
  UDT_EVENT_PATH_MTU,           /* `value`: new packet size */
  UDT_EVENT_CLOSED,             /* by either side; `code`, `reason` */
  UDT_EVENT_DEAD,               /* peer no longer answers */
} UdtEventType;

typedef struct
{
  UdtEventType type;
  uint16_t flow;
  uint32_t count;
  bool need_sync;
  uint64_t value;
  uint32_t code;
  bool by_peer;
  char reason[UDT_MAX_CLOSE_REASON + 1];
} UdtEvent;

typedef struct
{
  /* Path. Times in microseconds, rates in bit/s. */
  UdtTime rtt, rtt_variation, min_rtt, queue_delay;
  uint64_t pacing_rate, delivery_rate;
  uint64_t target_bitrate;      /* what encoders of video should send in all */
  uint32_t mtu;
  /* Send. */
  uint64_t packets_sent, bytes_sent, messages_sent, payload_bytes_sent;
  uint64_t packets_retransmitted, bytes_retransmitted, packets_lost;
  uint64_t messages_dropped, probes_sent, acks_sent, naks_sent;
  size_t send_buffered;         /* bytes of messages not yet acknowledged */
  size_t send_unsent;           /* of these, not even sent once */
  uint64_t bytes_in_flight, window;
  /* Receive. */
  uint64_t packets_received, bytes_received, messages_received;
  uint64_t payload_bytes_received, messages_missed, packets_repaired;
  uint64_t acks_received, naks_received;
  size_t receive_buffered;
  /* Refused input, by reason. */
  uint64_t refused_truncated, refused_other_id, refused_forged,
      refused_replayed, refused_malformed, refused_limit;
  /* Redundancy: repair packets sent and their bytes, headers included; those
   * received, and lost packets that they brought back. */
  uint64_t repairs_sent, repair_bytes_sent;
  uint64_t repairs_received, packets_recovered;
  uint64_t messages_expired;    /* of messages_missed: given up here, because
                                   their deadline had passed */
  uint32_t loss_per_mille;      /* of sent packets, lately */
} UdtStats;

typedef struct
{
  size_t buffered, unsent;      /* bytes */
  uint64_t messages_sent, messages_dropped, messages_acknowledged;
  UdtTime oldest_age;           /* of the oldest message not acknowledged */
  uint64_t bytes_acknowledged;  /* of whole messages */
} UdtFlowStats;

typedef struct _UdtConnection UdtConnection;

/* NULL: bad configuration or out of memory. `env` and `config` are copied. */
UdtConnection *udt_connection_new (const UdtConfig * config,
    const UdtEnv * env, UdtTime now);
/* Releases every message still held. Accepts NULL. */
void udt_connection_free (UdtConnection * conn);

/* Sending side of a flow; ids are chosen by the sender, 0 to 65535, each
 * direction has its own. A closed id may be opened again. */
UdtStatus udt_connection_open_flow (UdtConnection * conn, uint16_t flow,
    const UdtFlowConfig * config, UdtTime now);
/* Changes deadline and priority of an open flow. */
UdtStatus udt_connection_configure_flow (UdtConnection * conn, uint16_t flow,
    const UdtFlowConfig * config, UdtTime now);
/* Gives up what is not yet acknowledged. The peer sees UDT_EVENT_FLOW_RESET.
 * To finish cleanly first wait until UdtFlowStats.buffered is 0. */
UdtStatus udt_connection_close_flow (UdtConnection * conn, uint16_t flow,
    UdtTime now);
UdtStatus udt_connection_send (UdtConnection * conn, uint16_t flow,
    const UdtMessage * message, UdtTime now);
/* Drops the unacknowledged messages of `flow` with a deadline, as if each had
 * passed; what follows needs a SYNC. Returns how many. */
uint32_t udt_connection_drop_pending (UdtConnection * conn, uint16_t flow,
    UdtTime now);

/* A datagram arrived. It is opened in place. */
UdtStatus udt_connection_input (UdtConnection * conn, uint8_t * packet,
    size_t len, UdtTime now);
/* Writes at most one datagram to send now into `packet` (at least
 * UDT_MAX_PACKET bytes); 0: nothing to send before udt_connection_next_time().
 * Call until 0. */
size_t udt_connection_output (UdtConnection * conn, uint8_t * packet,
    size_t capacity, UdtTime now);
/* When to call udt_connection_tick() and output() next, if no packet or
 * message comes before; at once if <= now. UDT_NEVER: nothing is due. */
UdtTime udt_connection_next_time (const UdtConnection * conn);
void udt_connection_tick (UdtConnection * conn, UdtTime now);

/* Next message of any flow that is not held; UDT_ERR_EMPTY if none. */
UdtStatus udt_connection_receive (UdtConnection * conn, UdtReceived * message,
    UdtTime now);
/* While held, messages of the peer's `flow` stay inside, and a flow without
 * deadline stops its sender when the receive limit is reached. */
void udt_connection_hold_flow (UdtConnection * conn, uint16_t flow, bool hold);
/* UDT_ERR_EMPTY if none. */
UdtStatus udt_connection_event (UdtConnection * conn, UdtEvent * event);

/* The path changed (another candidate pair, a relay): estimates of the old one
 * are forgotten, nothing else. `max_mtu` 0: as before. */
void udt_connection_path_changed (UdtConnection * conn, uint16_t max_mtu,
    UdtTime now);
/* The last packet that output() gave could not be handed to the network. */
void udt_connection_send_failed (UdtConnection * conn, UdtTime now);

/* For some while nothing was heard of what was sent: what is sent now does not
 * arrive either, most likely. */
bool udt_connection_is_silent (const UdtConnection * conn, UdtTime now);

/* Latency that the peer announced; 0 before UDT_EVENT_CONNECTED. */
UdtTime udt_connection_peer_latency (const UdtConnection * conn);
void udt_connection_set_latency (UdtConnection * conn, UdtTime latency,
    UdtTime now);

void udt_connection_get_stats (const UdtConnection * conn, UdtTime now,
    UdtStats * stats);
UdtStatus udt_connection_get_flow_stats (const UdtConnection * conn,
    uint16_t flow, UdtTime now, UdtFlowStats * stats);

/* Tells the peer, repeats that until it is acknowledged or three expiries have
 * passed, then UDT_EVENT_CLOSED. `reason` may be NULL; of more than
 * UDT_MAX_CLOSE_REASON bytes the rest is left out. Messages still in the send
 * buffer are given up, with `drain` 0 at once, else when that many microseconds
 * have not been enough for all to arrive. No more is taken meanwhile. */
void udt_connection_close (UdtConnection * conn, uint32_t code,
    const char *reason, UdtTime drain, UdtTime now);
bool udt_connection_is_finished (const UdtConnection * conn);

/* Connection ID in a packet that looks like one of ours; false otherwise. */
bool udt_packet_peek_id (const uint8_t * packet, size_t len, uint32_t * id);

#endif /* UDT_H */
