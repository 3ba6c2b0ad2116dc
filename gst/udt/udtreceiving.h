/* Private structures and functions of receiving: what to acknowledge, incoming
 * messages, flow control.
 *
 * Everything belongs to the one thread that owns the connection. For what the
 * files of the engine do, see udtprivate.h, which includes this.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef UDT_RECEIVING_H
#define UDT_RECEIVING_H

#include "udtframes.h"
#include "udtsending.h"

typedef struct _UdtFlowIn UdtFlowIn;
typedef struct _UdtIn UdtIn;
typedef struct _UdtHole UdtHole;
typedef struct _UdtRepair UdtRepair;

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
  UdtTime found, asked, due;
  uint64_t nak_number; /* of the last packet that asked for it */
  uint8_t backoff;     /* doublings of the time to the next NAK */
} UdtMissing;

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

#endif /* UDT_RECEIVING_H */
