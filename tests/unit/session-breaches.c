/* What a peer that has the key can say against the rules. See
 * session-breaches.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "session-breaches.h"

#include "session-util.h"

#define FLOW P2P_WIRE_FIRST_STREAM_FLOW
#define OFFER BREACH_OFFER

/* -- Saying things --------------------------------------------------------- */

static void
release (void *owner)
{
  g_bytes_unref (owner);
}

void
say (P2pPeer *peer, guint16 flow, gconstpointer data, gsize len)
{
  GBytes *bytes = g_bytes_new (data, len);
  UdtMessage message = { .payload = g_bytes_get_data (bytes, NULL),
                         .payload_len = len,
                         .owner = bytes,
                         .release = release,
                         .flags = UDT_MESSAGE_SYNC };
  UdtFlowConfig config = { .order = UDT_ORDER_STRICT,
                           .service = UDT_CLASS_COMMAND,
                           .deadline = UDT_DEADLINE_NONE };
  UdtTime now = (UdtTime)g_get_monotonic_time ();

  /* Those that are open already stay as they are. */
  udt_connection_open_flow (peer->engine, flow, &config, now);
  if (udt_connection_send (peer->engine, flow, &message, now) != UDT_OK)
    g_error ("the engine does not take it");
  p2p_connection_wake (peer->connection);
}

void
say_control (P2pPeer *peer, P2pWireControl m)
{
  guint8 data[P2P_WIRE_MAX_CONTROL];
  gsize len = p2p_wire_write_control (&m, data, sizeof data);

  g_assert_cmpuint (len, >, 0);
  say (peer, P2P_WIRE_CONTROL_FLOW, data, len);
}

void
say_command (P2pPeer *peer, guint16 flow, P2pWireCommand wire, gsize size)
{
  guint8 *data = g_malloc0 (P2P_WIRE_MAX_COMMAND_HEADER + size);
  gsize len = p2p_wire_write_command (&wire, data, P2P_WIRE_MAX_COMMAND_HEADER);

  g_assert_cmpuint (len, >, 0);
  say (peer, flow, data, len + size);
  g_free (data);
}

void
say_frame (P2pPeer *peer, guint16 flow)
{
  P2pWireFrame f = { .pts = 0, .dts = 0, .duration = 0 };
  guint8 data[P2P_WIRE_MAX_FRAME_HEADER + 100] = { 0 };
  gsize len = p2p_wire_write_frame (&f, data, P2P_WIRE_MAX_FRAME_HEADER);

  say (peer, flow, data, len + 100);
}

void
say_offer (P2pPeer *peer, guint32 id)
{
  say_control (peer,
               (P2pWireControl){ .type = P2P_WIRE_OFFER_OPEN,
                                 .request = id,
                                 .text = p2p_wire_text ("action=voice") });
}

void
say_stream (P2pPeer *peer, guint16 flow, guint32 request)
{
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_OPEN,
                                       .stream = flow,
                                       .request = request,
                                       .kind = P2P_WIRE_DATA,
                                       .text = p2p_wire_text ("data_0") });
}

void
say_caps (P2pPeer *peer, guint16 flow, guint8 version, const gchar *text)
{
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_STREAM_CAPS,
                                       .stream = flow,
                                       .caps_version = version,
                                       .text = p2p_wire_text (text) });
}

/* -- What a viewer can do to a device -------------------------------------- */

static void
nothing_at_all (P2pPeer *peer)
{
  say (peer, P2P_WIRE_CONTROL_FLOW, "", 0);
}

static void
cut_short (P2pPeer *peer)
{
  const guint8 data[] = { P2P_WIRE_STREAM_OPEN, FLOW };

  say (peer, P2P_WIRE_CONTROL_FLOW, data, sizeof data);
}

static void
with_a_tail (P2pPeer *peer)
{
  const guint8 data[] = { P2P_WIRE_REQUEST_READY, 1, 0 };

  say (peer, P2P_WIRE_CONTROL_FLOW, data, sizeof data);
}

static void
too_long (P2pPeer *peer)
{
  guint8 *data = g_malloc0 (1 << 20);

  data[0] = P2P_WIRE_HELLO;
  say (peer, P2P_WIRE_CONTROL_FLOW, data, 1 << 20);
  g_free (data);
}

static void
long_command (P2pPeer *peer)
{
  say_command (peer, P2P_WIRE_COMMAND_FLOW,
               (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 1 },
               P2P_WIRE_MAX_COMMAND + 1);
}

static void
command_out_of_order (P2pPeer *peer)
{
  say_command (peer, P2P_WIRE_COMMAND_FLOW,
               (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 2 }, 1);
}

static void
command_again (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 2; i++)
    say_command (peer, P2P_WIRE_COMMAND_FLOW,
                 (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 1 }, 1);
}

static void
command_as_reply (P2pPeer *peer)
{
  say_command (peer, P2P_WIRE_REPLY_FLOW,
               (P2pWireCommand){ .type = P2P_WIRE_COMMAND, .id = 1 }, 1);
}

void
breach_reply_to_nothing (P2pPeer *peer)
{
  say_command (peer, P2P_WIRE_REPLY_FLOW,
               (P2pWireCommand){ .type = P2P_WIRE_REPLY, .id = 1 }, 1);
}

static void
request_of_the_other_side (P2pPeer *peer)
{
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN,
                                       .request = P2P_DEVICE_REQUEST | 1 });
}

static void
request_twice (P2pPeer *peer)
{
  guint i;

  for (i = 0; i < 2; i++)
    say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN,
                                         .request = 9 });
}

static void
flood_of_requests (P2pPeer *peer)
{
  guint i;

  for (i = 0; i <= P2P_MAX_REQUESTS_PER_PEER; i++)
    say_control (peer, (P2pWireControl){ .type = P2P_WIRE_REQUEST_OPEN,
                                         .request = 100 + i });
}

static void
offer_twice (P2pPeer *peer)
{
  say_offer (peer, OFFER);
  say_offer (peer, OFFER);
}

static void
offer_of_the_other_side (P2pPeer *peer)
{
  say_offer (peer, P2P_DEVICE_REQUEST | OFFER);
}

static void
flood_of_offers (P2pPeer *peer)
{
  guint i;

  for (i = 0; i <= P2P_MAX_REQUESTS_PER_PEER; i++)
    say_offer (peer, OFFER + i);
}

static void
takes_no_offer (P2pPeer *peer)
{
  say_control (peer, (P2pWireControl){ .type = P2P_WIRE_OFFER_ACCEPT,
                                       .request = OFFER });
}

static void
flood_of_streams (P2pPeer *peer)
{
  guint i;

  say_offer (peer, OFFER);
  for (i = 0; i <= P2P_MAX_STREAMS_PER_REQUEST; i++)
    say_stream (peer, (guint16)(FLOW + i), OFFER);
}

static void
flow_number_twice (P2pPeer *peer)
{
  say_offer (peer, OFFER);
  say_stream (peer, FLOW + 5, OFFER);
  say_stream (peer, FLOW + 5, OFFER);
}

static void
flow_number_going_down (P2pPeer *peer)
{
  say_offer (peer, OFFER);
  say_stream (peer, FLOW + 5, OFFER);
  say_stream (peer, FLOW + 4, OFFER);
}

void
breach_flood_of_unknown_flows (P2pPeer *peer)
{
  guint i;

  for (i = 0; i <= P2P_MAX_UNANNOUNCED; i++)
    say_frame (peer, (guint16)(FLOW + i));
}

static void
oversized_caps (P2pPeer *peer)
{
  gchar *text = g_strnfill (P2P_WIRE_MAX_CAPS + 1, 'a');
  P2pWireControl m
      = { .type = P2P_WIRE_REQUEST_READY, .request = P2P_WIRE_MAX_CAPS + 1 };
  guint8 number[16];
  GByteArray *data = g_byte_array_new ();
  gsize len = p2p_wire_write_control (&m, number, sizeof number);
  const guint8 head[] = { P2P_WIRE_STREAM_CAPS, FLOW, 1 };

  say_offer (peer, OFFER);
  say_stream (peer, FLOW, OFFER);
  g_byte_array_append (data, head, sizeof head);
  /* A length is written as a request's number is. */
  g_byte_array_append (data, number + 1, (guint)len - 1);
  g_byte_array_append (data, (const guint8 *)text, P2P_WIRE_MAX_CAPS + 1);
  say (peer, P2P_WIRE_CONTROL_FLOW, data->data, data->len);
  g_byte_array_unref (data);
  g_free (text);
}

static void
nested_caps (P2pPeer *peer)
{
  say_offer (peer, OFFER);
  say_stream (peer, FLOW, OFFER);
  say_caps (peer, FLOW, 1, "video/x-h264, a=(int){ { { { { { 1 } } } } } }");
}

static void
any_caps (P2pPeer *peer)
{
  say_offer (peer, OFFER);
  say_stream (peer, FLOW, OFFER);
  say_caps (peer, FLOW, 1, "ANY");
}

static void
flood_of_caps (P2pPeer *peer)
{
  guint i;

  say_offer (peer, OFFER);
  say_stream (peer, FLOW, OFFER);
  for (i = 0; i <= P2P_MAX_PENDING_CAPS + 1; i++)
    say_caps (peer, FLOW, (guint8)i, BREACH_CAPS);
}

static void
frame_without_header (P2pPeer *peer)
{
  const guint8 data[] = { 0xff, 0xff, 0xff };

  say_offer (peer, OFFER);
  say_stream (peer, FLOW, OFFER);
  say (peer, FLOW, data, sizeof data);
}

const Breach breaches[BREACHES] = {
  { "an empty message", nothing_at_all },
  { "a message cut short", cut_short },
  { "a message with a tail", with_a_tail },
  { "a message of a megabyte", too_long },
  { "a command that is too long", long_command },
  { "commands out of order", command_out_of_order },
  { "a command twice", command_again },
  { "a command where replies go", command_as_reply },
  { "a reply to no question", breach_reply_to_nothing },
  { "a request of the other side", request_of_the_other_side },
  { "a request twice", request_twice },
  { "a flood of requests", flood_of_requests },
  { "an offer twice", offer_twice },
  { "an offer of the other side", offer_of_the_other_side },
  { "a flood of offers", flood_of_offers },
  { "takes what was not offered", takes_no_offer },
  { "a flood of streams", flood_of_streams },
  { "a flow number twice", flow_number_twice },
  { "flow numbers that go down", flow_number_going_down },
  { "a flood of unknown flows", breach_flood_of_unknown_flows },
  { "oversized caps", oversized_caps },
  { "nested caps", nested_caps },
  { "caps that say anything", any_caps },
  { "a flood of caps", flood_of_caps },
  { "a frame without a header", frame_without_header },
};
