/* The connection, and what its files share beside sending (udtsending.h) and
 * receiving (udtreceiving.h).
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
 *   udttrain.c       what a few packets tell about the rate
 *   udtcongestion-*.c  the laws
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
#include "udtreceiving.h"
#include "udtseen.h"
#include "udtsending.h"
#include "udttrain.h"

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
#define UDT_REPAIR_SHARE 16      /* repair bytes per 100 live bytes */
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
  UdtTrains trains;
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

/* --- udtpath.c --- */
void udt_rtt_sample (UdtConnection *conn, UdtTime rtt, UdtTime ack_delay,
                     UdtTime now);
/* Returns the queueing delay; *measured is as the clocks have it, whatever the
 * round trip says. */
UdtTime udt_delay_sample (UdtConnection *conn, UdtTime sent, uint32_t arrival,
                          UdtTime now, UdtTime *measured);
void udt_path_init (UdtConnection *conn, UdtTime now);
void udt_mtu_start (UdtConnection *conn, UdtTime at);
bool udt_mtu_probe_due (const UdtConnection *conn, UdtTime now);
UdtTime udt_mtu_time (const UdtConnection *conn);
void udt_mtu_probe_result (UdtConnection *conn, const UdtSent *sent,
                           bool arrived);
void udt_mtu_note (UdtConnection *conn, const UdtSent *sent, bool arrived);

#endif /* UDT_PRIVATE_H */
