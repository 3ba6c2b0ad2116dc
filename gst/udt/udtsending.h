/* Private structures and functions of sending: messages, packets that are out,
 * redundancy.
 *
 * Everything belongs to the one thread that owns the connection. For what the
 * files of the engine do, see udtprivate.h, which includes this.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_SENDING_H
#define UDT_SENDING_H

#include "udtframes.h"

typedef struct _UdtOut UdtOut;
typedef struct _UdtItem UdtItem;
typedef struct _UdtFlowOut UdtFlowOut;
typedef struct _UdtProtected UdtProtected;
typedef struct _UdtTwins UdtTwins;

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

/* --- udtstats.c --- */
/* Bytes of a message went out. */
void udt_rate_note (UdtConnection *conn, const UdtFlowOut *flow,
                    uint32_t bytes);

#endif /* UDT_SENDING_H */
