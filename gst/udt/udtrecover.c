/* Redundancy, the receiver's side: repair symbols and what they bring back.
 *
 * Repairs of an incomplete message wait with it, in records of a pool, until
 * there are as many for a block as symbols of it are missing. A packet with a
 * repair for which there is no room is refused, because the sender reckons with
 * each that was acknowledged.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "udtprivate.h"

static void
as_data (const UdtRepairFrame *repair, UdtDataFrame *data)
{
  memset (data, 0, sizeof *data);
  data->flags = repair->flags;
  data->flow = repair->flow;
  data->epoch = repair->epoch;
  data->id = repair->id;
  data->total = repair->total;
  data->age = repair->age;
  data->deadline = repair->deadline;
}

bool
udt_repair_has_room (UdtConnection *conn, const UdtRepairFrame *frame,
                     uint32_t frames)
{
  UdtDataFrame data;

  as_data (frame, &data);
  return udt_pool_reserve (&conn->repair_pool, frames)
         && udt_data_has_room (conn, &data, frames, true);
}

void
udt_repairs_free (UdtConnection *conn, UdtIn *in)
{
  while (in->repairs != NULL) {
    UdtRepair *repair = in->repairs;

    in->repairs = repair->next;
    udt_pool_give (&conn->repair_pool, repair);
  }
  in->n_repairs = 0;
}

static bool
has_repair (const UdtIn *in, uint32_t index)
{
  const UdtRepair *repair = in->repairs;

  while (repair != NULL && repair->index != index)
    repair = repair->next;
  return repair != NULL;
}

void
udt_repair_received (UdtConnection *conn, const UdtRepairFrame *frame,
                     UdtTime now)
{
  UdtFlowIn *flow = udt_flow_in_find (conn, frame->epoch);
  UdtRepair *repair;
  UdtIn *in;

  conn->stats.repairs_received++;
  if (flow == NULL || udt_in_is_settled (flow, frame->id))
    return;
  in = udt_in_find (conn, flow, frame->id);
  if (in == NULL || in->complete || in->size != frame->total
      || (in->repairs != NULL && in->symbol != frame->symbol)
      || has_repair (in, frame->index))
    return;
  repair = udt_pool_take (&conn->repair_pool);
  if (repair == NULL)
    return;
  in->symbol = (uint16_t)frame->symbol;
  repair->index = (uint16_t)frame->index;
  memcpy (repair->data, frame->data, frame->symbol);
  repair->next = in->repairs;
  in->repairs = repair;
  in->n_repairs++;
  udt_recover (conn, in);
  if (in->holes == NULL)
    udt_in_complete (conn, flow, in, now);
}

/* Symbols with a byte missing, ascending. 0: more than there are repairs. */
static unsigned
find_missing (const UdtIn *in, uint16_t *missing)
{
  const UdtHole *hole = in->holes;
  unsigned n = 0;

  for (; hole != NULL; hole = hole->next) {
    uint32_t symbol = hole->start / in->symbol;

    for (; symbol <= (hole->end - 1) / in->symbol; symbol++) {
      if (n > 0 && missing[n - 1] == symbol)
        continue;
      if (n == in->n_repairs)
        return 0;
      missing[n++] = (uint16_t)symbol;
    }
  }
  return n;
}

typedef struct
{
  uint8_t *rows[UDT_FEC_MAX_REPAIRS];
  uint8_t repairs[UDT_FEC_MAX_REPAIRS];
  uint8_t columns[UDT_FEC_MAX_REPAIRS]; /* missing ones */
  unsigned n_repairs, n_missing;
} Equations;

static void
collect (const UdtIn *in, uint32_t blocks, uint32_t block,
         const uint16_t *missing, unsigned n, Equations *e)
{
  UdtRepair *repair;
  unsigned i;

  e->n_repairs = e->n_missing = 0;
  for (i = 0; i < n && e->n_missing < UDT_FEC_MAX_REPAIRS; i++) {
    if (missing[i] % blocks == block)
      e->columns[e->n_missing++] = (uint8_t)(missing[i] / blocks);
  }
  for (repair = in->repairs; repair != NULL && e->n_repairs < e->n_missing;
       repair = repair->next) {
    if (repair->index % blocks != block)
      continue;
    e->rows[e->n_repairs] = repair->data;
    e->repairs[e->n_repairs++] = (uint8_t)(repair->index / blocks);
  }
}

static uint32_t
end_of (const UdtIn *in, uint32_t symbol)
{
  uint32_t end = (symbol + 1) * in->symbol;

  return end < in->size ? end : in->size;
}

/* Takes what has arrived out of the equations. */
static void
subtract_known (const UdtIn *in, uint32_t blocks, uint32_t block,
                const Equations *e)
{
  uint32_t symbols = udt_symbols (in->size, in->symbol), symbol = block;
  unsigned column = 0, next = 0, row;

  for (; symbol < symbols; symbol += blocks, column++) {
    uint32_t offset = symbol * in->symbol;

    if (next < e->n_missing && e->columns[next] == column) {
      next++;
      continue;
    }
    for (row = 0; row < e->n_repairs; row++)
      udt_fec_add (e->rows[row], in->data + offset,
                   end_of (in, symbol) - offset,
                   udt_fec_coefficient (e->repairs[row], column));
  }
}

static void
free_block (UdtConnection *conn, UdtIn *in, uint32_t blocks, uint32_t block)
{
  UdtRepair **at = &in->repairs;

  while (*at != NULL) {
    UdtRepair *repair = *at;

    if (repair->index % blocks != block) {
      at = &repair->next;
      continue;
    }
    *at = repair->next;
    udt_pool_give (&conn->repair_pool, repair);
    in->n_repairs--;
  }
}

static void
recover_block (UdtConnection *conn, UdtIn *in, uint32_t blocks, uint32_t block,
               const uint16_t *missing, unsigned n)
{
  Equations e;
  unsigned i;

  collect (in, blocks, block, missing, n, &e);
  if (e.n_missing == 0 || e.n_repairs < e.n_missing)
    return;
  subtract_known (in, blocks, block, &e);
  if (udt_fec_solve (e.rows, e.repairs, e.columns, e.n_missing, in->symbol)) {
    for (i = 0; i < e.n_missing; i++) {
      uint32_t symbol = e.columns[i] * blocks + block;
      uint32_t offset = symbol * in->symbol;

      conn->stats.payload_bytes_received
          += udt_in_fill (conn, in, offset, end_of (in, symbol), e.rows[i]);
      conn->stats.packets_recovered++;
    }
  }
  free_block (conn, in, blocks, block);
}

void
udt_recover (UdtConnection *conn, UdtIn *in)
{
  uint16_t missing[UDT_MAX_REPAIRS_HELD];
  uint32_t blocks, block;
  unsigned n;

  if (in->repairs == NULL || in->holes == NULL)
    return;
  n = find_missing (in, missing);
  if (n == 0)
    return;
  blocks = udt_blocks (udt_symbols (in->size, in->symbol));
  for (block = 0; block < blocks; block++)
    recover_block (conn, in, blocks, block, missing, n);
}
