/* What sessions have in common is made before anybody comes; what they took to
 * begin is given back when they are under way.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A device runs the parts of a session once with itself: a handshake of its own
 * identity with itself, a packet sealed and opened, an ICE agent that gathers
 * on the loopback interface, a message of the signalling. So its first viewer
 * waits for no class, table or algorithm to be made, and what a process takes
 * for all its sessions together is there, and can be measured, from the start.
 * Nothing of this leaves the process, and nothing depends on how it went.
 *
 * A handshake and the checks of a path take half as much again as the session
 * that follows. All that is free by then, but in pieces between what stays,
 * where the allocator keeps it.
 *
 * Threads: on the network thread.
 */
#include "p2pendpoint-private.h"
#include "p2pdirect.h"
#include "p2ptrain.h"

#include <nice/agent.h>
#include <string.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Each side has at most so many flights. */
#define MAX_FLIGHTS 8
#define PACKET_BYTES 64
/* After a session is up: its first messages are through. */
#define SETTLE_US G_USEC_PER_SEC
/* And then now and again: what waited while the network was slow is gone. */
#define SETTLE_AGAIN_US (30 * G_USEC_PER_SEC)
/* Of the network thread, between two packets of somebody else. */
#define MAX_SETTLE_US 2000

/* -- The handshake --------------------------------------------------------- */

static void
on_send (const guint8 *datagram, gsize len, gpointer user)
{
  g_queue_push_tail (user, g_bytes_new (datagram, len));
}

/* Gives all that waits. */
static void
give (GQueue *queue, P2pHandshake *to, gint64 now)
{
  GBytes *bytes;

  while ((bytes = g_queue_pop_head (queue)) != NULL) {
    gsize len;
    const guint8 *data = g_bytes_get_data (bytes, &len);

    p2p_handshake_input (to, data, len, now);
    g_bytes_unref (bytes);
  }
}

static void
warm_record (P2pHandshake *handshake)
{
  guint8 packet[PACKET_BYTES + UDT_TAG_SIZE] = { 0 };
  P2pSessionKeys keys;
  P2pRecord *record;

  if (!p2p_handshake_get_keys (handshake, &keys))
    return;
  record = p2p_record_new (&keys, p2p_aead_preferred ());
  p2p_session_keys_clear (&keys);
  if (record == NULL)
    return;
  p2p_record_seal (record, 1, packet, 0, packet, PACKET_BYTES);
  p2p_record_open (record, 1, packet, 0, packet, sizeof packet);
  p2p_record_free (record);
}

static void
warm_handshake (P2pIdentity *identity)
{
  const guint8 *fingerprint = p2p_identity_get_fingerprint (identity);
  GQueue queues[2] = { G_QUEUE_INIT, G_QUEUE_INIT };
  P2pHandshake *sides[2];
  gint64 now = g_get_monotonic_time ();
  guint i;

  for (i = 0; i < 2; i++)
    sides[i] = p2p_handshake_new (identity, i == 0, fingerprint, on_send,
                                  &queues[i], now, NULL);
  for (i = 0; sides[0] != NULL && sides[1] != NULL && i < MAX_FLIGHTS; i++)
    give (&queues[i % 2], sides[1 - i % 2], now);
  if (sides[1] != NULL)
    warm_record (sides[1]);
  for (i = 0; i < 2; i++) {
    g_queue_clear_full (&queues[i], (GDestroyNotify)g_bytes_unref);
    p2p_handshake_free (sides[i]);
  }
}

/* -- The agent ------------------------------------------------------------- */

static void
on_received (NiceAgent *agent, guint stream, guint component, guint len,
             gchar *data, gpointer user)
{
}

static void
warm_agent (GMainContext *context)
{
  NiceAgent *agent = nice_agent_new_full (context, NICE_COMPATIBILITY_RFC5245,
                                          NICE_AGENT_OPTION_ICE_TRICKLE);
  NiceAddress loopback;
  guint stream;

  g_object_set (agent, "ice-tcp", FALSE, "upnp", FALSE, NULL);
  nice_address_init (&loopback);
  nice_address_set_from_string (&loopback, "127.0.0.1");
  nice_agent_add_local_address (agent, &loopback);
  stream = nice_agent_add_stream (agent, 1);
  nice_agent_attach_recv (agent, stream, 1, context, on_received, NULL);
  nice_agent_gather_candidates (agent, stream);
  nice_agent_remove_stream (agent, stream);
  g_object_unref (agent);
}

/* -- The signalling -------------------------------------------------------- */

static void
warm_message (void)
{
  P2pMessage *message = g_new0 (P2pMessage, 1);
  const gchar *why;
  gchar *text;

  message->type = P2P_MESSAGE_BYE;
  memset (message->session, '0', P2P_SESSION_ID_CHARS);
  text = p2p_message_write (message);
  p2p_message_read (text, strlen (text), message, &why);
  g_free (text);
  g_free (message);
}

/* -- Giving back ----------------------------------------------------------- */

/* This takes a fraction of a millisecond, or many in a large program. */
static void
give_back (void)
{
#ifdef __GLIBC__
  malloc_trim (0);
#endif
}

static gint64
cpu_time_us (void)
{
  struct timespec t;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &t);
  return (gint64)t.tv_sec * G_USEC_PER_SEC + t.tv_nsec / 1000;
}

/* With others watching it must not take long; if it did once, it is left for
 * when nobody watches. */
static void
settle (P2pEndpoint *endpoint)
{
  gint64 before = cpu_time_us ();

  if (endpoint->large_heap)
    return;
  give_back ();
  endpoint->large_heap = cpu_time_us () - before > MAX_SETTLE_US;
}

/* -- Interface ------------------------------------------------------------- */

void
p2p_memory_warm_up (P2pEndpoint *endpoint)
{
  p2p_direct_prepare ();
  warm_handshake (endpoint->identity);
  warm_agent (endpoint->context);
  warm_message ();
  give_back ();
}

void
p2p_memory_settles (P2pEndpoint *endpoint)
{
  gint64 at = g_get_monotonic_time () + SETTLE_US;

  if (endpoint->settled_us == 0 || endpoint->settled_us > at)
    endpoint->settled_us = at;
}

void
p2p_memory_tick (P2pEndpoint *endpoint, gint64 now)
{
  if (endpoint->settled_us == 0 || now < endpoint->settled_us)
    return;
  endpoint->settled_us = now + SETTLE_AGAIN_US;
  settle (endpoint);
}

void
p2p_memory_idle (P2pEndpoint *endpoint)
{
  endpoint->settled_us = 0;
  give_back ();
}
