/* Private structures of the engine and the functions its files share.
 *
 * Everything belongs to the one thread that owns the connection; there are no
 * locks. Which file does what:
 *   udtconnection.c  life, timers, events, close
 *   udtsend.c        flows and messages to send; udtdrop.c  giving them up
 *   udtschedule.c    whose turn it is
 *   udtoutput.c      building packets; udtpace.c  when
 *   udtloss.c        sent packets: acknowledged, lost
 *   udtexpiry.c      sent packets: not heard of
 *   udtack.c         what to acknowledge and to ask for again
 *   udtinput.c       opening and reading packets
 *   udtreceive.c     reassembly and delivery; udtwindow.c  flow control
 *   udtlate.c        giving up what comes too late
 *   udtrepair.c      redundancy: what to send; udtrecover.c  what to make of it
 *   udtfec.c         the erasure code of both
 *   udtcopy.c        copies of what has no other chance
 *   udtpath.c        round trip, delay, MTU
 *   udtstats.c       counters
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_PRIVATE_H
#define UDT_PRIVATE_H

#include "udtcongestion.h"
#include "udtframes.h"
#include "udtpool.h"
#include "udtseen.h"

#define MS UINT64_C (1000)
#define SECOND UINT64_C (1000000)

/* --- Limits --- */
#define UDT_HEADER_SIZE 9 /* first byte, connection ID, packet number */
#define UDT_FIRST_BYTE 0xc0
#define UDT_SENT_INITIAL 32 /* first size of the table of sent packets */
#define UDT_SENT_RESERVE 64  /* of it, for packets without data */
#define UDT_MAX_OUT_MESSAGES 8192
#define UDT_MAX_IN_MESSAGES 8192
#define UDT_MAX_HOLES 16384 /* missing pieces of incoming messages */
#define UDT_RECOVERY_HOLES 184 /* more than one recovery can make */
#define UDT_MAX_PIECES_PER_PACKET 8
#define UDT_ID_WINDOW 4096  /* messages of a flow past the settled ones */
#define UDT_MAX_MISSING 128 /* ranges of packet numbers asked for again */
#define UDT_MAX_EVENTS 320
#define UDT_EPOCH_WINDOW 1024 /* flow openings remembered */
#define UDT_MAX_HELD 64
#define UDT_SETTLED_SIZE (UDT_ID_WINDOW / 8) /* bytes of a flow's ids */
#define UDT_IN_BUCKETS 256
#define UDT_FIRST_FLOWS 4 /* that there is room for at first */
#define UDT_REPAIR_SHARE 18      /* repair bytes per 100 live bytes */
#define UDT_MAX_PROTECTED 512    /* messages sent with repair packets */
#define UDT_MAX_COPIES 64        /* planned at a time */
#define UDT_MAX_TWINS 256
#define UDT_MAX_REPAIRS_HELD 128 /* received and of no use yet */

/* --- Times --- */
#define UDT_INITIAL_RTT (100 * MS)
#define UDT_MAX_ACK_DELAY (10 * MS)
#define UDT_MIN_ACK_DELAY (1 * MS)
#define UDT_ACK_RIDE (2 * MS) /* an ACK may wait for data for so long */
#define UDT_ACK_EVERY 16      /* ack-eliciting packets */
#define UDT_ACK_EVERY_EARLY 2 /* for the first UDT_EARLY_PACKETS */
#define UDT_EARLY_PACKETS 64
#define UDT_MIN_NAK_INTERVAL (20 * MS)
#define UDT_MAX_REORDER_WAIT (50 * MS)
#define UDT_REORDER_PACKETS 3
#define UDT_MIN_EXPIRY (20 * MS)
#define UDT_MAX_EXPIRY (1 * SECOND)
#define UDT_SILENCE (250 * MS)
#define UDT_CLOSE_TRIES 3
#define UDT_MAX_CLOSE_INTERVAL (3 * SECOND)
#define UDT_SEND_RETRY (1 * MS)
#define UDT_MAX_RECEIVER_DEADLINE (500 * MS)
#define UDT_MAX_LATENCY (3600 * SECOND)

typedef struct _UdtOut UdtOut;
typedef struct _UdtItem UdtItem;
typedef struct _UdtFlowOut UdtFlowOut;
typedef struct _UdtFlowIn UdtFlowIn;
typedef struct _UdtIn UdtIn;
typedef struct _UdtHole UdtHole;
typedef struct _UdtProtected UdtProtected;
typedef struct _UdtRepair UdtRepair;
typedef struct _UdtTwins UdtTwins;

/* --- Sending --- */

typedef enum {
  OUT_LIVE,    /* to be sent, or sent and not acknowledged */
  OUT_DROPPED, /* given up; the peer is to be told */
  OUT_TOLD,    /* a DROP for it is in flight */
} UdtOutState;

/* A message to send, or a run of given-up ones. In the list of its flow by id,
 * until the peer has it or knows that it will not come. */
struct _UdtOut
{
  UdtOut *next, *prev;
  uint32_t generation; /* changes when pieces in flight no longer
                          matter */
  uint8_t state;       /* UdtOutState */
  uint8_t flags;
  uint8_t header_len;
  bool started;       /* its first piece was sent */
  uint64_t id, count; /* ids covered */
  uint64_t base;      /* bytes of the flow started before it */
  uint32_t size;      /* header and payload */
  uint32_t unsent_at; /* first byte never sent */
  uint32_t pieces;    /* in flight or to be repeated */
  UdtTime submitted, deadline;
  UdtProtected *protection; /* NULL: no repair packets */
  const uint8_t *payload;
  void *owner;
  void (*release) (void *owner);
  uint8_t header[UDT_MAX_HEADER];
};

typedef enum {
  ITEM_DATA,
  ITEM_DROP,
  ITEM_WINDOW,
  ITEM_RESET,
  ITEM_REPAIR,
} UdtItemKind;

/* Something that a packet carried and that must arrive. */
struct _UdtItem
{
  UdtItem *next, *prev; /* in its packet or in the flow's lost list */
  uint32_t generation;
  uint8_t kind;
  bool queued;          /* in a lost list */
  bool parked;          /* lost; repair packets may make up for it */
  bool copy;            /* of a piece that is in flight already */
  uint8_t slot;         /* of the flow */
  uint32_t offset, len; /* ITEM_DATA; ITEM_REPAIR: index */
  UdtOut *out;          /* ITEM_DATA, ITEM_DROP, ITEM_REPAIR */
  uint32_t out_generation;
  uint64_t epoch; /* ITEM_WINDOW, ITEM_RESET */
  UdtTwins *twins; /* ITEM_DATA that goes several times */
};

/* Redundancy of one block of a message. Pieces are those of its symbols. */
typedef struct
{
  uint16_t pending; /* pieces not known to have arrived, unsent ones too */
  uint16_t parked;  /* of these, lost and waiting for what repairs do */
  uint8_t open;     /* repairs planned or in flight */
  uint8_t arrived;  /* repairs acknowledged */
  bool failed;      /* more was lost than repairs can make up for */
} UdtBlock;

/* A message that is sent with repair packets. The peer keeps every repair that
 * it acknowledges for as long as it can be of use, so from acknowledgements
 * alone follows what it has been able to recover. */
struct _UdtProtected
{
  UdtProtected *next; /* due after this one */
  UdtOut *out;
  uint8_t slot;
  bool queued;
  uint16_t symbol; /* bytes */
  uint16_t symbols, blocks;
  uint16_t repairs, sent;
  UdtTime due;
  UdtItem *parked;
  UdtBlock block[UDT_FEC_MAX_BLOCKS];
};

/* A piece that goes several times, because there is no time for another
 * repeat. */
struct _UdtTwins
{
  void *pool_next; /* while it is free */
  UdtOut *out;
  uint32_t out_generation;
  uint32_t offset, len;
  uint8_t slot;
  uint8_t refs; /* items and planned copies */
  bool arrived;
};

typedef struct
{
  UdtTime due;
  UdtTwins *twins;
} UdtCopy;

/* Of commands and sound, by the second. */
typedef struct
{
  UdtTime start;
  uint64_t bytes, rate;
} UdtRateMeter;

typedef struct
{
  UdtProtected *head, *tail;
} UdtRepairQueue;

/* Loss of the path, halved now and then, so that it is of the last seconds. */
typedef struct
{
  uint32_t packets, lost, bursts;
  uint64_t last_lost; /* packet number */
  UdtTime halved;
  bool warrants; /* redundancy */
} UdtLossMeter;

struct _UdtFlowOut
{
  bool used, closing; /* closing: the peer is being told */
  bool reset_due;
  bool has_epoch;
  bool broken; /* what depends on the past is refused */
  bool uses_sync;
  uint8_t slot;
  uint16_t flow;
  UdtFlowConfig config;
  uint64_t epoch;
  uint64_t next_id;
  UdtOut *head, *tail;            /* by id */
  UdtOut *unsent;                 /* first with bytes never sent */
  UdtItem *lost_head, *lost_tail; /* by id, then offset */
  uint64_t started;               /* bytes of the messages started */
  uint64_t limit;                 /* `started` may grow up to this */
  uint64_t id_limit;
  uint64_t window_floor, window_number; /* of the newest WINDOW */
  uint64_t window_bytes;
  bool window_seen;
  uint64_t served;          /* turn counter */
  uint64_t dropped_pending; /* lists entries in OUT_DROPPED */
  size_t buffered, unsent_bytes;
  UdtTime last_submitted, interval; /* between messages, averaged */
  uint64_t messages_sent, messages_dropped, messages_acked, bytes_acked;
};

typedef enum {
  SENT_NONE,
  SENT_IN_FLIGHT,
  SENT_LOST,
} UdtSentState;

#define SENT_HAS_SETTINGS 0x01
#define SENT_HAS_CLOSE 0x02
#define SENT_HAS_NAK 0x04
#define SENT_HAS_ACK 0x08
#define SENT_PROBE 0x10 /* MTU probe: its loss is no loss */
#define SENT_APP_LIMITED 0x20
#define SENT_HAS_DATA 0x40
#define SENT_PING 0x80

typedef struct
{
  uint64_t number;
  uint64_t prev, next; /* packet numbers; in flight, or lost */
  UdtTime sent;
  uint64_t delivered;         /* conn->delivered when it left */
  UdtTime delivered_sent;     /* send time of the newest delivered then */
  uint32_t delivered_arrival; /* its arrival on the peer's clock */
  uint32_t late_generation;
  UdtItem *items;
  UdtItem *late_item; /* lost: what to cancel if it did arrive */
  uint64_t ack_floor; /* SENT_HAS_ACK: peer knows up to here */
  UdtTime lost_at;    /* SENT_LOST */
  uint16_t size;
  uint8_t state;
  uint8_t flags;
} UdtSent;

typedef struct
{
  uint64_t head, tail; /* UDT_NUMBER_NONE: empty */
} UdtSentList;

/* --- Receiving --- */

struct _UdtHole
{
  UdtHole *next, *prev;
  uint32_t start, end;
};

/* A repair symbol that awaits more. */
struct _UdtRepair
{
  UdtRepair *next;
  uint16_t index;
  uint8_t data[UDT_MAX_PACKET];
};

struct _UdtIn
{
  UdtIn *bucket_next;
  UdtIn *ready_next;
  UdtIn *flow_next, *flow_prev;
  uint64_t id;
  UdtHole *holes, *last_hole;
  uint8_t *data;
  uint32_t size;
  uint8_t slot;
  uint8_t flags;
  bool complete, gap;
  uint16_t n_repairs, symbol;
  UdtRepair *repairs;
  UdtTime expiry; /* UDT_NEVER: none */
  UdtTime first_arrival, age, completed;
  uint64_t order; /* in which it became ready */
};

struct _UdtFlowIn
{
  bool used, held, strict;
  bool reset; /* gone at the peer; delivers what is ready */
  bool window_due;
  bool gap; /* the next delivery tells of a gap */
  uint8_t slot;
  uint16_t flow;
  uint64_t epoch;
  uint64_t floor; /* all ids below are settled */
  uint64_t gap_id;
  uint64_t *settled; /* of the pool; a bit per id of the window */
  UdtIn *messages; /* not ready yet */
  UdtTime expiry;  /* of a strict flow's messages; the first may be earlier */
  UdtIn *ready_head, *ready_tail;
  size_t bytes;                        /* held for it */
  size_t settled_bytes;                /* of these, ready and not yet taken */
  size_t moved;                        /* bytes taken since the last WINDOW */
  uint64_t announced, announced_floor; /* by the last WINDOW */
};

typedef struct
{
  uint64_t first, last;
  UdtTime found, due;
  uint64_t nak_number; /* of the last packet that asked for it */
} UdtMissing;

/* --- Path --- */

typedef struct
{
  UdtTime start;
  int32_t current, previous; /* minima of this and the last window */
  bool has_current, has_previous;
} UdtDelayFloor;

typedef enum {
  LIFE_OPEN,
  LIFE_DRAINING,  /* sends what is left, then closes */
  LIFE_CLOSING,   /* repeats CLOSE */
  LIFE_LINGERING, /* closed by the peer; answers its repeats */
  LIFE_FINISHED,
} UdtLife;

typedef struct
{
  uint8_t type;
  bool need_sync, by_peer;
  uint16_t flow;
  uint32_t count;
  uint64_t value;
} UdtQueuedEvent;

struct _UdtConnection
{
  UdtEnv env;
  UdtConfig config;
  UdtTime now, created;
  UdtTime stood_still; /* the clock went back just before that; 0: never */
  UdtLife life;

  /* Peer */
  bool connected;
  UdtSettingsFrame peer;
  uint64_t peer_settings_number;
  UdtTime last_heard;
  uint32_t pings_unanswered;

  /* Own settings to announce */
  UdtSettingsFrame own;
  bool settings_due, settings_confirmed;

  /* Messages to send */
  UdtPool out_pool, item_pool;
  UdtFlowOut *flows_out;
  uint32_t flows_out_size;
  uint64_t mask_unsent, mask_lost, mask_drop, mask_reset;
  uint64_t class_mask[4];
  uint64_t next_epoch;
  uint64_t turn;
  size_t buffered, unsent_bytes;
  bool full_told;      /* UDT_ERR_FULL given, WRITABLE owed */
  int64_t repeat_debt; /* video repeats ahead of other bytes */

  /* Redundancy */
  UdtPool twins_pool;
  UdtCopy copies[UDT_MAX_COPIES];
  uint32_t n_copies;
  uint32_t copies_queued; /* in lost lists */
  UdtTime copies_time; /* when the first is due */
  UdtPool protected_pool;
  UdtRepairQueue repair_queue[2]; /* of audio, of video */
  uint64_t repair_bytes_due;      /* in the queues */
  int64_t repair_budget;          /* bytes */
  UdtLossMeter loss_meter;
  UdtRateMeter other_live;

  /* Sent packets */
  UdtSent *sent;
  uint32_t sent_size, sent_mask;
  uint64_t next_number;
  UdtSentList in_flight, lost;
  uint64_t bytes_in_flight;
  uint64_t largest_acked;
  uint64_t last_output;      /* number of the last packet handed out */
  UdtTime newest_acked_sent; /* when the newest acknowledged one left */
  UdtTime reorder_window;    /* that much may a packet be overtaken */
  UdtTime reorder_calm;      /* when tolerance shrinks again */
  UdtTime loss_time;         /* when the oldest suspect counts as lost */
  UdtTime last_expiry;
  uint32_t expiries;
  UdtTime silent_since; /* with expiries: when the first of those was sent */
  uint32_t probes_owed; /* packets that may ignore the window */

  /* Delivery rate */
  uint64_t delivered;
  UdtTime delivered_sent, delivered_at;
  UdtTime flight_since; /* something is in flight */
  uint32_t delivered_arrival;
  bool has_delivered_arrival;
  uint64_t app_limited_until; /* samples of numbers below are limited */
  uint64_t round_rate;        /* best sample of the round */
  uint64_t round_end;         /* packet number that ends the round */
  uint64_t resumed_until;     /* packets below say nothing about queues */

  /* Pace */
  void *law;
  const UdtCongestion *congestion;
  int64_t tokens; /* bytes */
  UdtTime tokens_at;
  UdtTime pace_time; /* nothing before this: when, from pace_from on, */
  UdtTime pace_from; /* pace_missing bytes have come at pace_rate */
  uint64_t pace_missing, pace_rate;
  bool pace_waiting;     /* ever since there has been something to send */
  UdtTime blocked_until; /* the network refused a packet */

  /* Arrivals */
  UdtSeen seen;
  uint32_t ack_owed; /* ack-eliciting packets since the last ACK */
  uint32_t ack_news; /* any packets since the last ACK */
  UdtTime ack_time;
  UdtTime ping_time; /* last packet made to elicit an ACK */
  UdtTime largest_arrival;
  UdtTime bulk_arrival; /* of something that is not live */
  UdtMissing *missing;
  uint32_t n_missing, missing_size;
  UdtTime nak_time;
  UdtTime reorder_wait, reorder_wait_at;

  /* Incoming messages */
  UdtPool in_pool, hole_pool, repair_pool, settled_pool;
  UdtFlowIn *flows_in;
  uint32_t flows_in_size;
  uint64_t in_used, in_ready, in_held, in_window_due;
  UdtIn *buckets[UDT_IN_BUCKETS];
  uint64_t epochs_next; /* peer's, highest seen plus one */
  uint64_t epochs_closed[UDT_EPOCH_WINDOW / 64];
  uint16_t held[UDT_MAX_HELD];
  uint32_t n_held;
  size_t in_bytes;
  uint64_t ready_order;
  bool window_tight; /* some window was cut for want of room */

  /* Round trip and delay */
  UdtTime srtt, rttvar, latest_rtt, min_rtt;
  UdtTime min_rtt_now, min_rtt_before, min_rtt_at; /* by half windows */
  bool has_delay_base;
  uint32_t delay_base;
  UdtDelayFloor delay_floor;
  UdtTime queue_delay, queue_empty_at;
  uint64_t path_number; /* older packets tell of another path */

  /* MTU */
  uint16_t mtu, max_mtu;
  uint16_t probe_low, probe_high, probe_size;
  uint8_t probe_tries;
  bool probing, probe_in_flight;
  UdtTime probe_time;
  UdtTime data_time;                      /* last packet with data */
  uint32_t large_lost;                    /* in a row */
  UdtTime large_lost_from, large_lost_to; /* when they left */

  /* Close */
  bool ping_due;
  bool close_due;
  uint32_t close_tries;
  UdtTime close_time;
  UdtTime life_end; /* of draining or lingering */
  uint32_t close_code;
  bool close_by_peer;
  char close_reason[UDT_MAX_CLOSE_REASON + 1];

  UdtQueuedEvent *events; /* a ring */
  uint32_t events_head, n_events, events_size;

  UdtStats stats;
};

/* --- udtpacket.c --- */
typedef struct
{
  uint32_t id;
  uint32_t low_number;
} UdtHeader;
bool udt_header_parse (const uint8_t *data, size_t len, UdtHeader *header);
void udt_header_write (uint8_t *data, const UdtHeader *header);

/* --- udtconnection.c --- */
UdtTime udt_advance (UdtConnection *conn, UdtTime now);
/* Adds to a queued event of the same type and flow if there is one. */
void udt_event_push (UdtConnection *conn, UdtEventType type, uint16_t flow,
                     uint32_t count, bool need_sync, uint64_t value);
/* For what a packet can cause, or the opening of a flow. */
bool udt_events_have_room (UdtConnection *conn);
void udt_finish (UdtConnection *conn, UdtLife life);
void udt_closed_by_peer (UdtConnection *conn, const UdtCloseFrame *frame);
void udt_close_confirmed (UdtConnection *conn);

/* --- udtsend.c --- */
UdtFlowOut *udt_find_flow_out (UdtConnection *conn, uint16_t flow);
bool udt_out_has_unsent (const UdtOut *out);
/* Takes `out` off its flow; its payload must be released. */
void udt_out_remove (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
void udt_out_release (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
void udt_out_skip_sent (UdtConnection *conn, UdtFlowOut *flow);
/* All its pieces are accounted for: is it done? */
void udt_out_check_done (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
void udt_flow_out_clear (UdtConnection *conn, UdtFlowOut *flow);
void udt_flow_out_free_slot (UdtConnection *conn, UdtFlowOut *flow);
void udt_lost_insert (UdtConnection *conn, UdtFlowOut *flow, UdtItem *item);
void udt_lost_remove (UdtConnection *conn, UdtFlowOut *flow, UdtItem *item);
UdtItem *udt_item_take (UdtConnection *conn, UdtItemKind kind, uint8_t slot);
void udt_item_give (UdtConnection *conn, UdtItem *item);
void udt_check_writable (UdtConnection *conn);
void udt_window_received (UdtConnection *conn, const UdtWindowFrame *frame,
                          uint64_t number);
void udt_settings_received (UdtConnection *conn, const UdtSettingsFrame *frame,
                            uint64_t number);

/* --- udtdrop.c --- */
/* First message of the flow that the peer may lack and shall have. */
UdtOut *udt_first_live (const UdtFlowOut *flow);
UdtTime udt_arrival_time (const UdtConnection *conn, UdtTime now);
/* The pieces of `out` to be repeated go; those in flight no longer matter. */
void udt_forget_pieces (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
/* Gives up `out` and what depends on it. */
void udt_drop (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
/* An id that was refused at once: the peer is told of it all the same. */
void udt_drop_refused (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
void udt_drop_late (UdtConnection *conn, UdtTime now);
/* The path is silent: what is out and past its time is given up as well. */
void udt_drop_unheard (UdtConnection *conn, UdtTime now);
UdtTime udt_drop_time (const UdtConnection *conn);
void udt_set_deadlines (UdtConnection *conn, UdtFlowOut *flow);
UdtTime udt_deadline_of (const UdtConnection *conn, const UdtFlowOut *flow,
                         UdtTime submitted);

/* --- udtschedule.c --- */
typedef enum {
  UDT_TURN_NEW,
  UDT_TURN_REPEAT,
  UDT_TURN_REPAIR,
} UdtTurn;
UdtFlowOut *udt_schedule (UdtConnection *conn, UdtTurn *turn);
void udt_schedule_served (UdtConnection *conn, UdtFlowOut *flow, UdtTurn turn,
                          uint32_t bytes);
bool udt_has_data_to_send (const UdtConnection *conn);

/* --- udtrepair.c --- */
void udt_loss_meter_acked (UdtConnection *conn, const UdtSent *sent);
void udt_loss_meter_lost (UdtConnection *conn, const UdtSent *sent);
/* It was not lost after all. */
void udt_loss_meter_late (UdtConnection *conn);
/* Bytes of a message went out. */
void udt_repair_earn (UdtConnection *conn, const UdtFlowOut *flow,
                      uint32_t bytes);
/* `out` is about to start: decide whether it is protected. */
void udt_protect (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
/* All of `out` is out for the first time. */
void udt_protect_sent (UdtConnection *conn, UdtFlowOut *flow, UdtOut *out);
void udt_protect_end (UdtConnection *conn, UdtOut *out);
/* Pieces are cut where symbols begin. */
uint32_t udt_protect_cut (const UdtOut *out, uint32_t offset, uint32_t len);
/* One more or one fewer piece to arrive at `offset`. */
void udt_protect_piece_added (UdtOut *out, uint32_t offset);
void udt_protect_piece_arrived (UdtConnection *conn, UdtItem *item);
/* True: taken; it need not be repeated for now. */
bool udt_protect_piece_lost (UdtConnection *conn, UdtItem *item);
/* A parked piece did arrive. */
void udt_protect_unpark (UdtItem *item);
void udt_repair_resolved (UdtConnection *conn, UdtItem *item, bool arrived);
/* The path is silent: nothing waits for repairs. */
void udt_protect_give_up (UdtConnection *conn);
UdtProtected *udt_repair_due (const UdtConnection *conn, unsigned queue);
UdtTime udt_repair_time (const UdtConnection *conn);
/* Repair symbol to send next, into `to`; returns its index. */
uint32_t udt_repair_make (const UdtProtected *p, uint8_t *to);
void udt_repair_sent (UdtConnection *conn, UdtProtected *p, size_t bytes);
/* Repairs whose messages are due before `arrival` are not sent. */
void udt_repair_drop_late (UdtConnection *conn, UdtTime arrival);
UdtTime udt_repair_deadline (const UdtConnection *conn);
/* The rest of its repairs will not be sent. */
void udt_repair_cancel (UdtConnection *conn, UdtProtected *p);

/* --- udtcopy.c --- */
/* `item` goes now; if that is its last chance, copies follow. */
void udt_copies_plan (UdtConnection *conn, UdtItem *item);
void udt_copies_tick (UdtConnection *conn, UdtTime now);
/* `item` arrived: is it the first of its twins? */
bool udt_copies_first (UdtConnection *conn, UdtItem *item);
/* `item` is lost: are there others, or did one arrive? */
bool udt_copies_left (UdtConnection *conn, UdtItem *item);
void udt_copies_forget (UdtConnection *conn, UdtItem *item);

/* --- udtpace.c --- */
void udt_pace_refill (UdtConnection *conn, UdtTime now);
void udt_pace_spend (UdtConnection *conn, size_t bytes, UdtTime now);
void udt_pace_update (UdtConnection *conn);

/* --- udtoutput.c --- */
UdtTime udt_output_time (const UdtConnection *conn);

/* --- udtloss.c --- */
UdtSent *udt_sent_at (UdtConnection *conn, uint64_t number);
bool udt_sent_have_room (UdtConnection *conn);
uint32_t udt_sent_room (const UdtConnection *conn);
UdtSent *udt_sent_add (UdtConnection *conn, UdtTime now);
void udt_sent_commit (UdtConnection *conn, UdtSent *sent, size_t size,
                      bool eliciting, UdtTime now);
void udt_sent_lose (UdtConnection *conn, UdtSent *sent, bool counts);
bool udt_ack_received (UdtConnection *conn, const UdtAckFrame *frame,
                       UdtTime now);
bool udt_nak_received (UdtConnection *conn, const UdtNakFrame *frame,
                       UdtTime now);
/* How long after a packet one that overtook it shows that it is lost. */
UdtTime udt_reorder_time (const UdtConnection *conn);
void udt_detect_losses (UdtConnection *conn, UdtTime now);
void udt_sent_free_all (UdtConnection *conn);

/* --- udtexpiry.c --- */
UdtTime udt_expiry_interval (const UdtConnection *conn);
UdtTime udt_expiry_time (const UdtConnection *conn);
void udt_loss_tick (UdtConnection *conn, UdtTime now);

/* --- udtack.c --- */
void udt_arrived (UdtConnection *conn, uint64_t number, bool eliciting,
                  bool urgent, UdtTime now);
bool udt_ack_due (const UdtConnection *conn, UdtTime now);
bool udt_write_ack (UdtConnection *conn, UdtWriter *w, UdtSent *sent,
                    UdtTime now);
bool udt_write_nak (UdtConnection *conn, UdtWriter *w, UdtSent *sent,
                    UdtTime now);
void udt_nak_confirmed (UdtConnection *conn, uint64_t number);
void udt_ack_confirmed (UdtConnection *conn, uint64_t floor);
UdtTime udt_ack_delay (const UdtConnection *conn);

/* --- udtstats.c --- */
/* Bytes of a message went out. */
void udt_rate_note (UdtConnection *conn, const UdtFlowOut *flow,
                    uint32_t bytes);

/* --- udtreceive.c --- */
/* False: no room now; the packet must not be acknowledged. `frames` of it need
 * room, this one included. */
bool udt_data_has_room (UdtConnection *conn, const UdtDataFrame *frame,
                        uint32_t frames, bool recovers);
bool udt_drop_has_room (UdtConnection *conn, const UdtDropFrame *frame);
void udt_data_received (UdtConnection *conn, const UdtDataFrame *frame,
                        UdtTime now);
void udt_drop_received (UdtConnection *conn, const UdtDropFrame *frame,
                        UdtTime now);
void udt_reset_received (UdtConnection *conn, const UdtFlowResetFrame *frame);
void udt_in_free_all (UdtConnection *conn);
UdtFlowIn *udt_flow_in_find (UdtConnection *conn, uint64_t epoch);
UdtIn *udt_in_find (UdtConnection *conn, const UdtFlowIn *flow, uint64_t id);
bool udt_in_is_settled (const UdtFlowIn *flow, uint64_t id);
/* Copies the part of [start, end) that is missing. Returns how much. */
uint32_t udt_in_fill (UdtConnection *conn, UdtIn *in, uint32_t start,
                      uint32_t end, const uint8_t *data);
void udt_in_complete (UdtConnection *conn, UdtFlowIn *flow, UdtIn *in,
                      UdtTime now);
/* Messages first <= id < end will not come. Returns how many that were. */
uint32_t udt_in_give_up (UdtConnection *conn, UdtFlowIn *flow, uint64_t first,
                         uint64_t end);

/* --- udtrecover.c --- */
bool udt_repair_has_room (UdtConnection *conn, const UdtRepairFrame *frame,
                          uint32_t frames);
void udt_repair_received (UdtConnection *conn, const UdtRepairFrame *frame,
                          UdtTime now);
/* Uses the repairs that `in` has, if they are enough by now. */
void udt_recover (UdtConnection *conn, UdtIn *in);
void udt_repairs_free (UdtConnection *conn, UdtIn *in);

/* --- udtlate.c --- */
void udt_expire_late (UdtConnection *conn, UdtTime now);
UdtTime udt_expire_time (const UdtConnection *conn);

/* --- udtwindow.c --- */
size_t udt_flow_share (const UdtConnection *conn, const UdtFlowIn *flow);
uint64_t udt_flow_window (const UdtConnection *conn, const UdtFlowIn *flow);
/* Announce again if the window has moved enough. */
void udt_window_update (UdtConnection *conn, UdtFlowIn *flow, bool force);

/* --- udtpath.c --- */
void udt_rtt_sample (UdtConnection *conn, UdtTime rtt, UdtTime ack_delay,
                     UdtTime now);
UdtTime udt_delay_sample (UdtConnection *conn, UdtTime sent, uint32_t arrival,
                          UdtTime now);
void udt_path_init (UdtConnection *conn, UdtTime now);
void udt_mtu_start (UdtConnection *conn, UdtTime at);
bool udt_mtu_probe_due (const UdtConnection *conn, UdtTime now);
UdtTime udt_mtu_time (const UdtConnection *conn);
void udt_mtu_probe_result (UdtConnection *conn, const UdtSent *sent,
                           bool arrived);
void udt_mtu_note (UdtConnection *conn, const UdtSent *sent, bool arrived);

#endif /* UDT_PRIVATE_H */
