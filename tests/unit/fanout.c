/* What a stream's fan-out is made of, on a wire that the test holds: the queue
 * in front of the network thread, merged key unit requests, the flow of one
 * peer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pflow.h"
#include "p2pkeyunits.h"
#include "udt-pair.h"

#define FLOW 16
#define KEY 0
#define DELTA P2P_FRAME_DELTA_UNIT

static GBytes *
make_payload (gsize size)
{
  return g_bytes_new_take (g_malloc0 (size), size);
}

/* -- The queue ------------------------------------------------------------- */

static gboolean
add (P2pItems *items, guint16 flags, gsize size)
{
  P2pWireFrame frame = { .flags = flags };
  GBytes *payload = make_payload (size);
  gboolean was_empty = p2p_items_add_frame (items, payload, &frame, 7, FALSE);

  g_bytes_unref (payload);
  return was_empty;
}

static void
test_items (void)
{
  P2pItems items;
  GQueue taken;
  P2pItem *item;

  p2p_items_init (&items);
  CHECK (p2p_items_add_caps (&items, "video/x-h264", 3));
  CHECK (!add (&items, KEY, 1000));
  CHECK (!p2p_items_add_end (&items));
  CHECK_EQ (p2p_items_take (&items, &taken), 1001);
  /* They count until they are counted elsewhere. */
  CHECK_EQ (items.bytes, 1001);
  CHECK (add (&items, DELTA, 10));
  items.bytes -= 1001;
  CHECK_EQ (items.bytes, 10);

  item = g_queue_pop_head (&taken);
  CHECK_EQ (item->type, P2P_ITEM_CAPS);
  CHECK_STR (item->caps, "video/x-h264");
  CHECK_EQ (item->version, 3);
  p2p_item_free (item);
  item = g_queue_pop_head (&taken);
  CHECK_EQ (item->type, P2P_ITEM_FRAME);
  CHECK_EQ (item->frame.caps_version, 7);
  p2p_item_free (item);
  item = g_queue_pop_head (&taken);
  CHECK_EQ (item->type, P2P_ITEM_END);
  p2p_item_free (item);
  CHECK (g_queue_is_empty (&taken));
  p2p_items_clear (&items);
}

static void
test_items_late_thread (void)
{
  const P2pWireFrame key = { .flags = KEY }, delta = { .flags = DELTA };
  P2pItems items;
  GQueue taken;

  p2p_items_init (&items);
  add (&items, KEY, 4000);
  CHECK (p2p_items_skip (&items, &delta, 1000));
  CHECK (p2p_items_skip (&items, &key, 1000));
  items.bytes -= p2p_items_take (&items, &taken);
  /* Room again, but what comes depends on what was left out. */
  CHECK (p2p_items_skip (&items, &delta, 1000));
  CHECK (!p2p_items_skip (&items, &key, 1000));
  CHECK (!p2p_items_skip (&items, &delta, 1000));
  CHECK_EQ (items.skipped, 3);
  g_queue_clear_full (&taken, p2p_item_free);
  p2p_items_clear (&items);
}

/* -- Key units ------------------------------------------------------------- */

static void
test_key_units (void)
{
  const gint64 window = P2P_KEY_UNIT_WINDOW_US, t = 1000000;
  P2pKeyUnits units = { 0 };

  CHECK_EQ (p2p_key_units_due (&units, TRUE), G_MAXINT64);
  CHECK (p2p_key_units_want (&units, FALSE, t));
  CHECK (!p2p_key_units_ask (&units, t));
  /* Those that follow are one, which has the headers if any wants them. */
  CHECK (!p2p_key_units_want (&units, TRUE, t + 1));
  CHECK (!p2p_key_units_want (&units, FALSE, t + window - 1));
  CHECK_EQ (p2p_key_units_due (&units, FALSE), t + window);
  CHECK (p2p_key_units_ask (&units, t + window));
  CHECK_EQ (p2p_key_units_due (&units, FALSE), G_MAXINT64);
  /* Those who wait are not forgotten. */
  CHECK_EQ (p2p_key_units_due (&units, TRUE),
            t + window + P2P_KEY_UNIT_REPEAT_US);
  /* A keyframe in time makes the next request needless. */
  CHECK (!p2p_key_units_want (&units, FALSE, t + window + 1));
  p2p_key_units_came (&units);
  CHECK_EQ (p2p_key_units_due (&units, FALSE), G_MAXINT64);
  CHECK (p2p_key_units_want (&units, FALSE, t + 2 * window));
}

/* -- A flow ---------------------------------------------------------------- */

typedef struct
{
  Pair pair;
  P2pFlow flow;
} Bed;

static void
open_bed (Bed *bed, gint deadline_ms)
{
  UdtFlowConfig config = { .order = UDT_ORDER_STRICT };
  UdtConfig c;

  memset (bed, 0, sizeof *bed);
  udt_config_init (&c);
  c.send_limit = 200000;
  CHECK (pair_init (&bed->pair, &c, 0));
  pair_run (&bed->pair, 100 * PAIR_MS);
  config.service = deadline_ms == 0 ? UDT_CLASS_BULK : UDT_CLASS_VIDEO;
  config.deadline = p2p_flow_deadline (P2P_WIRE_VIDEO, deadline_ms);
  CHECK_EQ (p2p_flow_open (&bed->flow, bed->pair.conn[0], FLOW, &config,
                           (gint64)bed->pair.now),
            UDT_OK);
}

static void
close_bed (Bed *bed)
{
  p2p_flow_clear (&bed->flow);
  pair_clear (&bed->pair);
}

/* -1: left out, since a keyframe has to come first. */
static int
send (Bed *bed, guint16 flags, gsize size)
{
  P2pItem item = { .type = P2P_ITEM_FRAME,
                   .payload = make_payload (size),
                   .frame = { .flags = flags,
                              .pts = P2P_WIRE_TIME_NONE,
                              .dts = P2P_WIRE_TIME_NONE,
                              .duration = P2P_WIRE_TIME_NONE } };
  P2pOutFrame frame;
  int result = -1;

  CHECK (p2p_flow_make_frame (&item, &frame));
  if (p2p_flow_enter (&bed->flow, &frame))
    result = p2p_flow_send (&bed->flow, &frame, (gint64)bed->pair.now);
  if (result == P2P_FLOW_LOST)
    CHECK (p2p_flow_drop (&bed->flow, &frame)
           == !(flags & P2P_FRAME_DROPPABLE));
  g_bytes_unref (item.payload);
  return result;
}

static unsigned
count_received (Bed *bed)
{
  UdtReceived message;
  unsigned n = 0;

  while (pair_receive (&bed->pair, 1, &message))
    n++;
  return n;
}

static void
test_flow_live (void)
{
  Bed bed;

  open_bed (&bed, 500);
  CHECK (bed.flow.live);
  /* A stream begins with a keyframe; what came before it is no loss. */
  CHECK_EQ (send (&bed, DELTA, 1000), -1);
  CHECK_EQ (bed.flow.dropped, 0);
  CHECK_EQ (send (&bed, KEY, 150000), P2P_FLOW_SENT);
  CHECK (p2p_flow_backlog (&bed.flow, FALSE, (gint64)bed.pair.now) >= 150000);
  /* No room: nothing was said of the engine's limit, and nothing waits here. */
  CHECK_EQ (send (&bed, DELTA | P2P_FRAME_DROPPABLE, 90000), P2P_FLOW_LOST);
  CHECK_EQ (send (&bed, DELTA, 1000), P2P_FLOW_SENT);
  CHECK_EQ (send (&bed, DELTA, 90000), P2P_FLOW_LOST);
  CHECK_EQ (send (&bed, DELTA, 1000), -1);
  CHECK_EQ (send (&bed, KEY, 1000), P2P_FLOW_SENT);
  CHECK_EQ (bed.flow.frames, 3);
  CHECK_EQ (bed.flow.dropped, 3);
  CHECK_EQ (bed.flow.pending_bytes, 0);
  close_bed (&bed);
}

static void
test_flow_lossless (void)
{
  const unsigned count = 10;
  Bed bed;
  unsigned i, received = 0;

  open_bed (&bed, 0);
  CHECK (!bed.flow.live);
  for (i = 0; i < count; i++)
    CHECK_EQ (send (&bed, i > 0 ? DELTA : KEY, 50000), P2P_FLOW_SENT);
  CHECK (bed.flow.pending_bytes > 0);
  CHECK (bed.flow.frames < count);
  CHECK_RANGE (p2p_flow_backlog (&bed.flow, TRUE, (gint64)bed.pair.now),
               50000 * count, 50000 * count + 1000);
  for (i = 0; i < 100 && received < count; i++) {
    pair_run (&bed.pair, 100 * PAIR_MS);
    p2p_flow_flush (&bed.flow, (gint64)bed.pair.now);
    received += count_received (&bed);
  }
  CHECK_EQ (received, count);
  CHECK_EQ (bed.flow.frames, count);
  CHECK_EQ (bed.flow.dropped, 0);
  CHECK (p2p_flow_flush (&bed.flow, (gint64)bed.pair.now));
  pair_run (&bed.pair, 100 * PAIR_MS);
  CHECK_EQ (p2p_flow_backlog (&bed.flow, TRUE, (gint64)bed.pair.now), 0);
  CHECK_EQ (send (&bed, KEY, UDT_MAX_MESSAGE + 1), P2P_FLOW_TOO_BIG);
  close_bed (&bed);
}

/* The engine is short of memory: what is never dropped waits here, too. */
static void
test_flow_no_memory (void)
{
  unsigned i, count, received = 0;
  Bed bed;

  open_bed (&bed, 0);
  bed.pair.memory.fail_at = (bed.pair.memory.calls + 1) | PAIR_FAIL_FOR_EVER;
  for (count = 0; bed.flow.pending_bytes == 0 && count < 10000; count++)
    CHECK_EQ (send (&bed, KEY, 10), P2P_FLOW_SENT);
  /* Not for want of room. */
  CHECK (p2p_flow_backlog (&bed.flow, TRUE, (gint64)bed.pair.now) < 100000);
  CHECK_EQ (bed.flow.frames, count - 1);
  bed.pair.memory.fail_at = 0;
  CHECK (p2p_flow_flush (&bed.flow, (gint64)bed.pair.now));
  for (i = 0; i < 10; i++) {
    pair_run (&bed.pair, 100 * PAIR_MS);
    received += count_received (&bed);
  }
  CHECK_EQ (received, count);
  close_bed (&bed);
}

static void
test_kinds (void)
{
  CHECK (p2p_flow_is_lossless (P2P_WIRE_VIDEO, 0));
  CHECK (p2p_flow_is_lossless (P2P_WIRE_DATA, -1));
  CHECK (!p2p_flow_is_lossless (P2P_WIRE_DATA, 1));
  CHECK (!p2p_flow_is_lossless (P2P_WIRE_AUDIO, -1));
  CHECK_EQ (p2p_flow_deadline (P2P_WIRE_VIDEO, 0), UDT_DEADLINE_NONE);
  CHECK_EQ (p2p_flow_deadline (P2P_WIRE_VIDEO, -1), UDT_DEADLINE_RECEIVER);
  CHECK_EQ (p2p_flow_deadline (P2P_WIRE_DATA, 20), 20 * PAIR_MS);
}

static const CheckCase cases[] = {
  { "queue: order, bytes, who wakes", test_items },
  { "queue: a late thread costs whole groups", test_items_late_thread },
  { "key units: merged, limited, repeated", test_key_units },
  { "flow: kinds and deadlines", test_kinds },
  { "flow: live, drops to the next keyframe", test_flow_live },
  { "flow: lossless, waits", test_flow_lossless },
  { "flow: lossless, without memory", test_flow_no_memory },
};

CHECK_MAIN (cases)
