/* Strangers at the socket of a listener, and of a caller: garbage, pieces of
 * the protocol, floods, copies of packets; and a peer whose address changes.
 * Between the two ends stands a relay that the test holds.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "udthello.h"
#include "udtlink-private.h"
#include "udtlink-util.h"

/* Of the host 127.0.0.1 + `host`. */
static int
open_socket_of (guint host, guint16 *port)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t len = sizeof address;
  int fd = socket (AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK + host);
  g_assert_cmpint (bind (fd, (struct sockaddr *)&address, sizeof address), ==,
                   0);
  getsockname (fd, (struct sockaddr *)&address, &len);
  if (port != NULL)
    *port = ntohs (address.sin_port);
  return fd;
}

static int
open_socket (guint16 *port)
{
  return open_socket_of (0, port);
}

static void
send_to (int fd, guint port, const guint8 *data, gsize len)
{
  struct sockaddr_in address = { .sin_family = AF_INET };

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  address.sin_port = htons ((guint16)port);
  sendto (fd, data, len, 0, (struct sockaddr *)&address, sizeof address);
}

static gssize
receive (int fd, guint8 *data, gsize capacity, int timeout_ms)
{
  struct pollfd poller = { fd, POLLIN, 0 };

  if (poll (&poller, 1, timeout_ms) != 1)
    return -1;
  return recv (fd, data, capacity, 0);
}

/* -- A relay between a caller and a listener ------------------------------- */

typedef struct
{
  guint16 port; /* for the caller */
  guint to;     /* the listener's */
  int inner, outer, wake[2];
  gint move;   /* atomic: use another outer socket */
  gint copies; /* atomic: send every packet from a stranger's
                  address too, before the real one */
  int stranger;
  GThread *thread;
} Relay;

static void
relay_out (Relay *relay, const guint8 *data, gsize len)
{
  if (g_atomic_int_compare_and_exchange (&relay->move, 1, 0)) {
    close (relay->outer);
    relay->outer = open_socket (NULL);
  }
  if (g_atomic_int_get (&relay->copies))
    send_to (relay->stranger, relay->to, data, len);
  send_to (relay->outer, relay->to, data, len);
}

static gpointer
relay_thread (gpointer user)
{
  Relay *relay = user;
  struct sockaddr_in caller = { 0 };
  guint8 data[2048];

  while (TRUE) {
    struct pollfd fds[3] = { { relay->inner, POLLIN, 0 },
                             { relay->outer, POLLIN, 0 },
                             { relay->wake[0], POLLIN, 0 } };
    socklen_t len = sizeof caller;
    gssize n;

    poll (fds, 3, -1);
    if (fds[2].revents)
      return NULL;
    if (fds[0].revents) {
      n = recvfrom (relay->inner, data, sizeof data, 0,
                    (struct sockaddr *)&caller, &len);
      if (n > 0)
        relay_out (relay, data, (gsize)n);
    }
    if (fds[1].revents) {
      n = recv (relay->outer, data, sizeof data, 0);
      if (n > 0)
        sendto (relay->inner, data, (gsize)n, 0, (struct sockaddr *)&caller,
                sizeof caller);
    }
  }
}

static void
relay_start (Relay *relay, guint to)
{
  memset (relay, 0, sizeof *relay);
  relay->to = to;
  relay->inner = open_socket (&relay->port);
  relay->outer = open_socket (NULL);
  relay->stranger = open_socket (NULL);
  g_assert_cmpint (pipe (relay->wake), ==, 0);
  relay->thread = g_thread_new ("relay", relay_thread, relay);
}

static void
relay_stop (Relay *relay)
{
  g_assert_cmpint (write (relay->wake[1], "", 1), ==, 1);
  g_thread_join (relay->thread);
  close (relay->inner);
  close (relay->outer);
  close (relay->stranger);
  close (relay->wake[0]);
  close (relay->wake[1]);
}

static void
relayed_pair (Relay *relay, const gchar *key, End **sender, End **receiver)
{
  UdtLinkConfig config;

  end_config (&config, TRUE, FALSE, 0);
  *receiver = end_new (&config, key);
  relay_start (relay, udt_link_get_port ((*receiver)->link));
  end_config (&config, FALSE, TRUE, relay->port);
  *sender = end_new (&config, key);
  CHECK (END_WAIT (*sender, e_->connected == 1));
}

static gchar *
address_of_peer (End *end)
{
  UdtLinkStats *stats = udt_link_get_stats (end->link);
  gchar *address
      = stats->peers->len == 0
            ? NULL
            : g_strdup (
                ((UdtLinkPeerStats *)g_ptr_array_index (stats->peers, 0))
                    ->address);

  udt_link_stats_free (stats);
  return address;
}

/* A NAT forgets the caller and gives it another port. */
static void
address_changes (void)
{
  const gchar *keys[] = { END_KEY, NULL };
  End *sender, *receiver;
  guint i, k;
  Relay relay;

  for (k = 0; k < 2; k++) {
    relayed_pair (&relay, keys[k], &sender, &receiver);
    for (i = 0; i < 30; i++) {
      end_push (sender, i, 20000, 0);
      CHECK (END_WAIT (receiver, e_->frames->len == i + 1));
      if (i % 10 == 5)
        g_atomic_int_set (&relay.move, 1);
    }
    udt_link_end (sender->link);
    CHECK (END_WAIT (receiver, e_->ended == 1));
    CHECK_EQ (receiver->frames->len, 30);
    CHECK_EQ (receiver->connected, 1);
    CHECK_EQ (receiver->disconnected, 0);
    end_free (sender);
    end_free (receiver);
    relay_stop (&relay);
  }
}

/* Somebody on the way sends copies of authentic packets from elsewhere, faster
 * than the originals: nothing is ever sent there but probes. */
static void
copies_move_nothing (void)
{
  End *sender, *receiver;
  gchar *before, *after;
  guint8 data[2048];
  guint i, others = 0, probes = 0;
  gssize len;
  Relay relay;

  relayed_pair (&relay, END_KEY, &sender, &receiver);
  end_push (sender, 0, 20000, 0);
  CHECK (END_WAIT (receiver, e_->frames->len == 1));
  before = address_of_peer (receiver);
  g_atomic_int_set (&relay.copies, 1);
  for (i = 1; i < 30; i++) {
    end_push (sender, i, 20000, 0);
    CHECK (END_WAIT (receiver, e_->frames->len == i + 1));
  }
  g_atomic_int_set (&relay.copies, 0);
  udt_link_end (sender->link);
  CHECK (END_WAIT (receiver, e_->ended == 1));
  after = address_of_peer (receiver);
  CHECK (before != NULL && after != NULL && g_str_equal (before, after));
  while ((len = receive (relay.stranger, data, sizeof data, 0)) > 0) {
    if (udt_hello_is_datagram (data, (gsize)len) && data[1] == UDT_HELLO_PROBE)
      probes++;
    else
      others++;
  }
  CHECK (probes > 0);
  CHECK_EQ (others, 0);
  g_free (before);
  g_free (after);
  end_free (sender);
  end_free (receiver);
  relay_stop (&relay);
}

/* -- Ports that nobody has ------------------------------------------------- */

/* A socket that takes only what comes from elsewhere leaves its port to nobody,
 * and keeps it; one that takes everything again has to ask for it again. */
static void
set_open (int fd, guint port, gboolean open)
{
  struct sockaddr_in address = { .sin_family = AF_INET };
  struct sockaddr none = { .sa_family = AF_UNSPEC };

  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  address.sin_port = htons (open ? (guint16)port : 1);
  if (open) {
    g_assert_cmpint (connect (fd, &none, sizeof none), ==, 0);
    g_assert_true (bind (fd, (struct sockaddr *)&address, sizeof address) == 0
                   || errno == EINVAL /* it has it */);
  } else {
    g_assert_cmpint (connect (fd, (struct sockaddr *)&address, sizeof address),
                     ==, 0);
  }
}

static void
wait_until_sent (End *end, guint64 more)
{
  UdtLinkStats *stats = udt_link_get_stats (end->link);
  guint64 wanted = stats->datagrams_sent + more;
  gint64 until = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;

  while (stats->datagrams_sent < wanted && g_get_monotonic_time () < until) {
    udt_link_stats_free (stats);
    g_thread_yield ();
    stats = udt_link_get_stats (end->link);
  }
  CHECK (stats->datagrams_sent >= wanted);
  udt_link_stats_free (stats);
}

/* That nobody listens is said when the host says so, once, long before the
 * attempt ends; who listens a moment later is found by the same attempt. */
static void
nobody_listens (void)
{
  const gchar *hosts[] = { "127.0.0.1", "::1", "127.0.0.1" };
  End *caller, *listener;
  UdtLinkConfig config;
  guint16 port;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (hosts); i++) {
    int fd = open_socket (&port);

    set_open (fd, port, FALSE);
    end_config (&config, FALSE, TRUE, port);
    config.host = hosts[i];
    /* IPv4 through a socket of IPv6. */
    config.local_host = i == 2 ? "::" : NULL;
    caller = end_new (&config, NULL);
    CHECK (END_WAIT (caller, e_->unheard == 1));
    CHECK (g_strcmp0 (caller->reason, "refused") == 0);
    CHECK_EQ (caller->failed, 0);
    /* The next refusals are the same news. */
    if (i == 0)
      wait_until_sent (caller, 2);
    CHECK_EQ (caller->unheard, 1);
    close (fd);
    end_config (&config, TRUE, FALSE, port);
    config.host = hosts[i];
    listener = end_new (&config, NULL);
    CHECK (END_WAIT (caller, e_->connected == 1));
    CHECK_EQ (caller->failed, 0);
    end_free (caller);
    end_free (listener);
  }
}

/* Anybody can send ICMP: it ends nothing that runs, and is not even heard. */
static void
refusals_end_nothing (void)
{
  UdtLinkStream stream = { .kind = P2P_WIRE_DATA, .deadline_ms = 0 };
  End *sender, *receiver;
  UdtLinkConfig config;
  Relay relay;
  guint i;

  end_config (&config, TRUE, FALSE, 0);
  config.keep_alive_interval_s = 10;
  receiver = end_new (&config, END_KEY);
  relay_start (&relay, udt_link_get_port (receiver->link));
  config.listener = FALSE;
  config.sender = TRUE;
  config.port = relay.port;
  sender = end_new (&config, END_KEY);
  udt_link_set_stream (sender->link, &stream);
  CHECK (END_WAIT (sender, e_->connected == 1));
  for (i = 0; i < 20; i++) {
    if (i % 5 == 1) {
      set_open (relay.inner, relay.port, FALSE);
      end_push (sender, i, 20000, 0);
      wait_until_sent (sender, 3);
      set_open (relay.inner, relay.port, TRUE);
    } else {
      end_push (sender, i, 20000, 0);
    }
    CHECK (END_WAIT (receiver, e_->frames->len == i + 1));
    CHECK (end_has (receiver, i, i, 20000));
  }
  CHECK_EQ (sender->connected, 1);
  CHECK_EQ (sender->disconnected, 0);
  CHECK_EQ (sender->unheard, 0);
  end_free (sender);
  end_free (receiver);
  relay_stop (&relay);
}

/* -- At a listener --------------------------------------------------------- */

static void
make_garbage (GRand *rand, guint8 *data, gsize len, guint i)
{
  static const guint8 firsts[]
      = { UDT_HELLO_FIRST_BYTE, 22, 20, 0xc0, 0xff, 0 };
  gsize k;

  for (k = 0; k < len; k++)
    data[k] = (guint8)g_rand_int (rand);
  if (len > 0)
    data[0] = firsts[i % G_N_ELEMENTS (firsts)];
  if (len > 2 && data[0] == UDT_HELLO_FIRST_BYTE) {
    data[1] = (guint8)(i % 9);
    data[2] = 1;
  }
}

/* A flood of garbage while a stream runs: it arrives whole, and nothing is
 * kept of the strangers. */
static void
garbage (void)
{
  GRand *rand = g_rand_new_with_seed (5);
  End *sender, *receiver;
  UdtLinkStats *stats;
  UdtLinkConfig config;
  guint8 data[1500];
  guint i, k, port;
  int fd = open_socket (NULL);
  gint64 until = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  port = udt_link_get_port (sender->link);
  end_config (&config, FALSE, FALSE, port);
  receiver = end_new (&config, END_KEY);
  CHECK (END_WAIT (sender, e_->connected == 1));
  for (i = 0; i < 50; i++) {
    for (k = 0; k < 100; k++) {
      gsize len = (gsize)g_rand_int_range (rand, 0, sizeof data);

      if (k % 4 == 0)
        len = (gsize)(4 + k % 120);
      make_garbage (rand, data, len, k);
      send_to (fd, port, data, len);
      send_to (fd, udt_link_get_port (receiver->link), data, len);
    }
    end_push (sender, i, 5000, 0);
    CHECK (END_WAIT (receiver, e_->frames->len == i + 1));
  }
  udt_link_end (sender->link);
  CHECK (END_WAIT (receiver, e_->ended == 1));
  for (i = 0; i < 50; i++)
    CHECK (end_has (receiver, i, i, 5000));
  CHECK_EQ (sender->connected, 1);
  CHECK_EQ (receiver->disconnected, 0);
  stats = udt_link_get_stats (sender->link);
  while (stats->refused_datagrams <= 100 && g_get_monotonic_time () < until) {
    udt_link_stats_free (stats);
    g_thread_yield ();
    stats = udt_link_get_stats (sender->link);
  }
  CHECK (stats->refused_datagrams > 100);
  CHECK_EQ (stats->calls, 1);
  udt_link_stats_free (stats);
  end_free (receiver);
  end_free (sender);
  close (fd);
  g_rand_free (rand);
}

/* Calls without a token get one, shorter than they were, and leave nothing; one
 * with the token of somebody else gets another. */
static void
tokens_first (void)
{
  UdtHello call = { .type = UDT_HELLO_CALL, .version = UDT_HELLO_VERSION }, in;
  int fd = open_socket (NULL), other = open_socket (NULL);
  guint8 out[UDT_HELLO_MAX], data[2048];
  UdtLinkConfig config;
  UdtLinkStats *stats;
  End *sender;
  guint i, port;
  gsize len;
  gssize n;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  port = udt_link_get_port (sender->link);
  for (i = 0; i < 100; i++) {
    call.nonce[0] = (guint8)i;
    memset (call.token, 0, sizeof call.token);
    len = udt_hello_write (&call, out, sizeof out);
    send_to (fd, port, out, len);
    n = receive (fd, data, sizeof data, 10000);
    CHECK (n > 0 && (gsize)n < len);
    CHECK (udt_hello_read (data, (gsize)n, &in));
    CHECK_EQ (in.type, UDT_HELLO_RETRY);
    CHECK_MEM (in.nonce, call.nonce, sizeof in.nonce);
    /* From another port it is worth nothing. */
    memcpy (call.token, in.token, sizeof in.token);
    len = udt_hello_write (&call, out, sizeof out);
    send_to (other, port, out, len);
    n = receive (other, data, sizeof data, 10000);
    CHECK (n > 0 && udt_hello_read (data, (gsize)n, &in));
    CHECK_EQ (in.type, UDT_HELLO_RETRY);
  }
  stats = udt_link_get_stats (sender->link);
  CHECK_EQ (stats->calls, 0);
  udt_link_stats_free (stats);
  end_free (sender);
  close (fd);
  close (other);
}

/* Strangers with tokens, who do not go on, do not keep the rightful caller
 * out, beyond what one host may have. */
static void
half_open_calls (void)
{
  UdtHello call = { .type = UDT_HELLO_CALL, .version = UDT_HELLO_VERSION }, in;
  guint8 out[UDT_HELLO_MAX], data[2048];
  UdtLinkConfig config;
  End *sender, *receiver;
  int fds[6];
  guint i, port;
  gssize n;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  port = udt_link_get_port (sender->link);
  for (i = 0; i < G_N_ELEMENTS (fds); i++) {
    fds[i] = open_socket (NULL);
    call.nonce[0] = (guint8)i;
    memset (call.token, 0, sizeof call.token);
    send_to (fds[i], port, out, udt_hello_write (&call, out, sizeof out));
    n = receive (fds[i], data, sizeof data, 10000);
    CHECK (n > 0 && udt_hello_read (data, (gsize)n, &in));
    memcpy (call.token, in.token, sizeof in.token);
    send_to (fds[i], port, out, udt_hello_write (&call, out, sizeof out));
  }
  end_config (&config, FALSE, FALSE, port);
  receiver = end_new (&config, END_KEY);
  CHECK (END_WAIT (receiver, e_->connected == 1));
  end_free (receiver);
  end_free (sender);
  for (i = 0; i < G_N_ELEMENTS (fds); i++)
    close (fds[i]);
}

/* Calls as whoever is at that socket would, with a token of its own. */
static void
call_with_token (int fd, guint port, UdtHello *call)
{
  guint8 out[UDT_HELLO_MAX], data[2048];
  UdtHello in;
  gssize n;

  memset (call->token, 0, sizeof call->token);
  send_to (fd, port, out, udt_hello_write (call, out, sizeof out));
  n = receive (fd, data, sizeof data, 10000);
  CHECK (n > 0 && udt_hello_read (data, (gsize)n, &in));
  CHECK_EQ (in.type, UDT_HELLO_RETRY);
  memcpy (call->token, in.token, sizeof in.token);
  send_to (fd, port, out, udt_hello_write (call, out, sizeof out));
}

/* How many calls were taken up, once `sent` datagrams have been read. */
static guint64
calls_of (End *end, guint64 sent)
{
  gint64 until = g_get_monotonic_time () + 30 * G_USEC_PER_SEC;
  UdtLinkStats *stats = udt_link_get_stats (end->link);
  guint64 calls;

  while (stats->datagrams_received < sent && g_get_monotonic_time () < until) {
    udt_link_stats_free (stats);
    g_thread_yield ();
    stats = udt_link_get_stats (end->link);
  }
  CHECK (stats->datagrams_received >= sent);
  calls = stats->calls;
  udt_link_stats_free (stats);
  return calls;
}

/* What is kept of strangers who have a token and do not go on: so many of a
 * host, so many in all. */
static void
strangers_are_limited (void)
{
  UdtHello call = { .type = UDT_HELLO_CALL, .version = UDT_HELLO_VERSION };
  UdtLinkConfig config;
  guint i, host, port;
  guint64 sent = 0;
  int fds[5][10];
  End *sender;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  port = udt_link_get_port (sender->link);
  for (host = 0; host < 5; host++) {
    for (i = 0; i < 10; i++, sent += 2) {
      fds[host][i] = open_socket_of (host, NULL);
      call.nonce[0] = (guint8)(10 * host + i);
      call_with_token (fds[host][i], port, &call);
    }
    CHECK_EQ (calls_of (sender, sent),
              MIN (UDT_LINK_MAX_PENDING_OF_HOST * (host + 1),
                   UDT_LINK_MAX_PENDING));
  }
  end_free (sender);
  for (host = 0; host < 5; host++)
    for (i = 0; i < 10; i++)
      close (fds[host][i]);
}

/* One that calls again and again, each time as somebody new, costs no more than
 * so many handshakes a second. */
static void
calls_are_rationed (void)
{
  UdtHello call = { .type = UDT_HELLO_CALL, .version = UDT_HELLO_VERSION };
  const guint count = 5 * UDT_LINK_CALLS_PER_SECOND;
  gint64 start = g_get_monotonic_time ();
  int fd = open_socket (NULL);
  UdtLinkConfig config;
  guint64 calls;
  End *sender;
  guint i, port;

  end_config (&config, TRUE, TRUE, 0);
  sender = end_new (&config, END_KEY);
  port = udt_link_get_port (sender->link);
  for (i = 0; i < count; i++) {
    call.nonce[0] = (guint8)i;
    call.nonce[1] = (guint8)(i >> 8);
    call_with_token (fd, port, &call);
  }
  calls = calls_of (sender, 2 * count);
  CHECK (calls >= UDT_LINK_CALLS_PER_SECOND);
  CHECK (calls <= UDT_LINK_CALLS_PER_SECOND
                      * (2
                         + (guint64)(g_get_monotonic_time () - start)
                               / G_USEC_PER_SEC));
  end_free (sender);
  close (fd);
}

static const CheckCase cases[] = {
  { "a peer's address changes", address_changes },
  { "copies from elsewhere move nothing", copies_move_nothing },
  { "nobody listens", nobody_listens },
  { "refusals end nothing", refusals_end_nothing },
  { "garbage beside a stream", garbage },
  { "tokens come first", tokens_first },
  { "half-open calls", half_open_calls },
  { "strangers are limited", strangers_are_limited },
  { "calls are rationed", calls_are_rationed },
};

CHECK_MAIN (cases)
