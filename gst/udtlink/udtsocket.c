/* A UDP socket that moves many datagrams a call.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Receiving: each message has a buffer of 64 KiB, as the kernel may put as much
 * together. The memory is mapped, not touched: what is resident is what
 * arrives.
 *
 * Threads: one at a time.
 */
#define _GNU_SOURCE /* recvmmsg, in_pktinfo */
#include "udtsocket.h"
#include "p2ptrain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef IP_PMTUDISC_PROBE
#define IP_PMTUDISC_PROBE 3
#endif
#ifndef IPV6_PMTUDISC_PROBE
#define IPV6_PMTUDISC_PROBE 3
#endif

#define RECEIVE_MESSAGES 16
#define RECEIVE_BYTES 65536
/* Asked for; the kernel gives what net.core.*mem_max allows. */
#define BUFFER_BYTES (4 << 20)

struct _UdtSocket
{
  int fd;
  gboolean v6;
  gboolean coalescing;
  gboolean blocked;
  gboolean watching; /* for refusals */
  UdtSocketStats stats;
  P2pTrainStats sent;

  guint8 *receive_memory;
  P2pTrain *train;
};

/* -- Addresses ------------------------------------------------------------- */

static gsize
address_len (const UdtAddress *address)
{
  return address->any.sa_family == AF_INET6 ? sizeof address->v6
                                            : sizeof address->v4;
}

gsize
udt_address_bytes (const UdtAddress *address, guint8 bytes[20])
{
  guint16 port;

  if (address->any.sa_family == AF_INET6) {
    bytes[0] = 6;
    memcpy (bytes + 1, &address->v6.sin6_addr, 16);
    port = address->v6.sin6_port;
    memcpy (bytes + 17, &port, 2);
    return 19;
  }
  bytes[0] = 4;
  memcpy (bytes + 1, &address->v4.sin_addr, 4);
  port = address->v4.sin_port;
  memcpy (bytes + 5, &port, 2);
  return 7;
}

gboolean
udt_address_equal (const UdtAddress *a, const UdtAddress *b)
{
  guint8 bytes_a[20], bytes_b[20];
  gsize len = udt_address_bytes (a, bytes_a);

  return len == udt_address_bytes (b, bytes_b)
         && memcmp (bytes_a, bytes_b, len) == 0;
}

gboolean
udt_address_same_host (const UdtAddress *a, const UdtAddress *b)
{
  guint8 bytes_a[20], bytes_b[20];
  gsize len = udt_address_bytes (a, bytes_a);

  return len == udt_address_bytes (b, bytes_b)
         && memcmp (bytes_a, bytes_b, len - 2) == 0;
}

/* An IPv6 socket speaks IPv4 by mapped addresses. */
static void
unmap (UdtAddress *address)
{
  UdtAddress plain;

  if (address->any.sa_family != AF_INET6
      || !IN6_IS_ADDR_V4MAPPED (&address->v6.sin6_addr))
    return;
  memset (&plain, 0, sizeof plain);
  plain.v4.sin_family = AF_INET;
  plain.v4.sin_port = address->v6.sin6_port;
  memcpy (&plain.v4.sin_addr, address->v6.sin6_addr.s6_addr + 12, 4);
  *address = plain;
}

void
udt_address_text (const UdtAddress *address, gchar *text, gsize size)
{
  gchar host[INET6_ADDRSTRLEN];
  UdtAddress plain = *address;

  unmap (&plain);
  if (plain.any.sa_family == AF_INET6) {
    inet_ntop (AF_INET6, &plain.v6.sin6_addr, host, sizeof host);
    g_snprintf (text, size, "[%s]:%u", host, g_ntohs (plain.v6.sin6_port));
  } else {
    inet_ntop (AF_INET, &plain.v4.sin_addr, host, sizeof host);
    g_snprintf (text, size, "%s:%u", host, g_ntohs (plain.v4.sin_port));
  }
}

gboolean
udt_address_parse (const gchar *host, guint port, UdtAddress *address)
{
  UdtAddress result;

  memset (&result, 0, sizeof result);
  if (host == NULL || *host == '\0') {
    result.v6.sin6_family = AF_INET6;
    result.v6.sin6_addr = in6addr_any;
    result.v6.sin6_port = g_htons (port);
  } else if (inet_pton (AF_INET, host, &result.v4.sin_addr) == 1) {
    result.v4.sin_family = AF_INET;
    result.v4.sin_port = g_htons (port);
  } else if (inet_pton (AF_INET6, host, &result.v6.sin6_addr) == 1) {
    result.v6.sin6_family = AF_INET6;
    result.v6.sin6_port = g_htons (port);
  } else {
    return FALSE;
  }
  *address = result;
  return TRUE;
}

/* -- Birth and death ------------------------------------------------------- */

static void
set_int (int fd, int level, int name, int value)
{
  /* Each of them is an improvement that the socket works without. */
  (void)setsockopt (fd, level, name, &value, sizeof value);
}

static gboolean
open_fd (UdtSocket *self, const UdtAddress *address)
{
  self->v6 = address->any.sa_family == AF_INET6;
  self->fd = socket (address->any.sa_family,
                     SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (self->fd < 0)
    return FALSE;
  if (self->v6 && IN6_IS_ADDR_UNSPECIFIED (&address->v6.sin6_addr))
    set_int (self->fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  return bind (self->fd, &address->any, address_len (address)) == 0;
}

static void
set_options (UdtSocket *self)
{
  int one = 1;

  set_int (self->fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
  set_int (self->fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
  /* The engine finds the path's MTU by itself. */
  set_int (self->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  if (self->v6)
    set_int (self->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  p2p_train_set_segmentation (self->train, p2p_train_can_segment (self->fd));
  self->coalescing
      = setsockopt (self->fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one) == 0;
}

UdtSocket *
udt_socket_new (const UdtAddress *address, GError **error)
{
  UdtSocket *self = g_new0 (UdtSocket, 1);
  UdtAddress plain;
  gchar text[UDT_ADDRESS_TEXT];
  gboolean ok;

  self->fd = -1;
  self->train = p2p_train_new ();
  ok = open_fd (self, address);
  /* A kernel without IPv6. */
  if (!ok && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)
      && address->any.sa_family == AF_INET6
      && IN6_IS_ADDR_UNSPECIFIED (&address->v6.sin6_addr)) {
    udt_address_parse ("0.0.0.0", g_ntohs (address->v6.sin6_port), &plain);
    if (self->fd >= 0)
      close (self->fd);
    ok = open_fd (self, &plain);
  }
  if (!ok) {
    gint code = errno;

    udt_address_text (address, text, sizeof text);
    g_set_error (error, G_IO_ERROR, (gint)g_io_error_from_errno (code),
                 "Cannot use the UDP address %s: %s", text, g_strerror (code));
    udt_socket_free (self);
    return NULL;
  }
  set_options (self);
  self->receive_memory
      = mmap (NULL, RECEIVE_MESSAGES * RECEIVE_BYTES, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (self->receive_memory == MAP_FAILED) {
    self->receive_memory = NULL;
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "Out of memory");
    udt_socket_free (self);
    return NULL;
  }
  return self;
}

void
udt_socket_note_called (UdtSocket *self)
{
  if (self->v6)
    set_int (self->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  else
    set_int (self->fd, IPPROTO_IP, IP_PKTINFO, 1);
}

void
udt_socket_free (UdtSocket *self)
{
  if (self == NULL)
    return;
  if (self->fd >= 0)
    close (self->fd);
  if (self->receive_memory != NULL)
    munmap (self->receive_memory, RECEIVE_MESSAGES * RECEIVE_BYTES);
  p2p_train_free (self->train);
  g_free (self);
}

int
udt_socket_get_fd (UdtSocket *self)
{
  return self->fd;
}

guint
udt_socket_get_port (UdtSocket *self)
{
  UdtAddress address;
  socklen_t len = sizeof address;

  if (getsockname (self->fd, &address.any, &len) != 0)
    return 0;
  return g_ntohs (address.any.sa_family == AF_INET6 ? address.v6.sin6_port
                                                    : address.v4.sin_port);
}

/* -- Receiving ------------------------------------------------------------- */

typedef union
{
  struct cmsghdr header;
  guint8 space[CMSG_SPACE (sizeof (int))
               + CMSG_SPACE (sizeof (struct in6_pktinfo))];
} Control;

/* 0: one datagram. */
static gsize
segment_size (struct msghdr *message)
{
  struct cmsghdr *c;
  int size;

  for (c = CMSG_FIRSTHDR (message); c != NULL; c = CMSG_NXTHDR (message, c)) {
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      memcpy (&size, CMSG_DATA (c), sizeof size);
      return size > 0 ? (gsize)size : 0;
    }
  }
  return 0;
}

static void
note_called (struct msghdr *message, UdtSockaddr *called)
{
  struct in6_pktinfo v6;
  struct in_pktinfo v4;
  struct cmsghdr *c;

  memset (called, 0, sizeof *called);
  for (c = CMSG_FIRSTHDR (message); c != NULL; c = CMSG_NXTHDR (message, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      memcpy (&v4, CMSG_DATA (c), sizeof v4);
      called->v4.sin_family = AF_INET;
      called->v4.sin_addr = v4.ipi_spec_dst;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
      memcpy (&v6, CMSG_DATA (c), sizeof v6);
      called->v6.sin6_family = AF_INET6;
      called->v6.sin6_addr = v6.ipi6_addr;
      if (IN6_IS_ADDR_LINKLOCAL (&v6.ipi6_addr))
        called->v6.sin6_scope_id = v6.ipi6_ifindex;
    }
  }
}

static guint
deliver (guint8 *data, gsize len, gsize segment, const UdtAddress *from,
         UdtSocketFunc func, gpointer user)
{
  guint n = 0;

  if (segment == 0)
    segment = len;
  do {
    gsize size = MIN (segment, len);

    func (data, size, from, user);
    data += size;
    len -= size;
    n++;
  } while (len > 0);
  return n;
}

static gint
receive_some (UdtSocket *self, UdtSocketFunc func, gpointer user)
{
  struct mmsghdr messages[RECEIVE_MESSAGES];
  struct iovec parts[RECEIVE_MESSAGES];
  UdtAddress from[RECEIVE_MESSAGES];
  Control controls[RECEIVE_MESSAGES];
  gint i, n, total = 0;

  memset (messages, 0, sizeof messages);
  for (i = 0; i < RECEIVE_MESSAGES; i++) {
    struct msghdr *header = &messages[i].msg_hdr;

    parts[i].iov_base = self->receive_memory + (gsize)i * RECEIVE_BYTES;
    parts[i].iov_len = RECEIVE_BYTES;
    header->msg_iov = &parts[i];
    header->msg_iovlen = 1;
    header->msg_name = &from[i];
    header->msg_namelen = sizeof (UdtSockaddr);
    header->msg_control = &controls[i];
    header->msg_controllen = sizeof controls[i];
  }
  self->stats.receive_calls++;
  n = recvmmsg (self->fd, messages, RECEIVE_MESSAGES, MSG_DONTWAIT, NULL);
  if (n <= 0) {
    /* An ICMP error of an earlier datagram: there may be more behind it. */
    return n < 0 && errno != EAGAIN && errno != EWOULDBLOCK ? 0 : -1;
  }
  for (i = 0; i < n; i++) {
    if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
      continue;
    note_called (&messages[i].msg_hdr, &from[i].called);
    total += (gint)deliver (parts[i].iov_base, messages[i].msg_len,
                            segment_size (&messages[i].msg_hdr), &from[i], func,
                            user);
  }
  self->stats.datagrams_received += (guint)total;
  return n < RECEIVE_MESSAGES ? -1 - total : total;
}

guint
udt_socket_receive (UdtSocket *self, guint budget, UdtSocketFunc func,
                    gpointer user)
{
  guint n = 0, calls = 0;

  while (n < budget && calls++ < budget) {
    gint some = receive_some (self, func, user);

    if (some < 0)
      return n + (guint)(-1 - some);
    n += (guint)some;
  }
  return n;
}

/* -- Refusals -------------------------------------------------------------- */

void
udt_socket_watch_refusals (UdtSocket *self, gboolean watch)
{
  socklen_t len = sizeof (int);
  int code;

  if (self->watching == watch)
    return;
  self->watching = watch;
  /* Off empties the queue; IPv4 errors come by the first also where IPv6
   * speaks it. */
  set_int (self->fd, IPPROTO_IP, IP_RECVERR, watch);
  if (self->v6)
    set_int (self->fd, IPPROTO_IPV6, IPV6_RECVERR, watch);
  /* The last one would fail a call still. */
  if (!watch)
    (void)getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &code, &len);
}

static gboolean
is_refusal (struct msghdr *message)
{
  struct sock_extended_err error;
  struct cmsghdr *c;

  for (c = CMSG_FIRSTHDR (message); c != NULL; c = CMSG_NXTHDR (message, c)) {
    if ((c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR)
        && (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_RECVERR))
      continue;
    memcpy (&error, CMSG_DATA (c), sizeof error);
    return error.ee_errno == ECONNREFUSED
           && (error.ee_origin == SO_EE_ORIGIN_ICMP
               || error.ee_origin == SO_EE_ORIGIN_ICMP6);
  }
  return FALSE;
}

gboolean
udt_socket_take_refusal (UdtSocket *self, const UdtAddress *to)
{
  guint8 control[256];
  struct msghdr message;
  UdtAddress called;
  gboolean refused = FALSE;
  guint i;

  for (i = 0; i < RECEIVE_MESSAGES && self->watching; i++) {
    memset (&message, 0, sizeof message);
    memset (&called, 0, sizeof called);
    message.msg_name = &called;
    message.msg_namelen = sizeof (UdtSockaddr);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (recvmsg (self->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
      break;
    unmap (&called);
    refused |= is_refusal (&message) && udt_address_equal (&called, to);
  }
  return refused;
}

/* -- Sending --------------------------------------------------------------- */

guint8 *
udt_socket_reserve (UdtSocket *self)
{
  guint8 *room = p2p_train_reserve (self->train);

  if (room == NULL) {
    udt_socket_flush (self);
    room = p2p_train_reserve (self->train);
  }
  return self->blocked ? NULL : room;
}

void
udt_socket_commit (UdtSocket *self, gsize len, const UdtAddress *to)
{
  const UdtSockaddr *from;
  UdtAddress mapped;

  if (len == 0)
    return;
  /* An IPv6 socket speaks IPv4 by mapped addresses. */
  if (self->v6 && to->any.sa_family == AF_INET) {
    memset (&mapped, 0, sizeof mapped);
    mapped.v6.sin6_family = AF_INET6;
    mapped.v6.sin6_port = to->v4.sin_port;
    mapped.v6.sin6_addr.s6_addr[10] = 0xff;
    mapped.v6.sin6_addr.s6_addr[11] = 0xff;
    memcpy (mapped.v6.sin6_addr.s6_addr + 12, &to->v4.sin_addr, 4);
    mapped.called = to->called;
    to = &mapped;
  }
  from = &to->called;
  p2p_train_add_from (self->train, len, &to->any,
                      from->any.sa_family != 0 ? &from->any : NULL);
}

gboolean
udt_socket_flush (UdtSocket *self)
{
  self->blocked = !p2p_train_send (self->train, self->fd, &self->sent);
  return !self->blocked;
}

gboolean
udt_socket_is_blocked (UdtSocket *self)
{
  return self->blocked;
}

void
udt_socket_get_stats (UdtSocket *self, UdtSocketStats *stats)
{
  *stats = self->stats;
  stats->datagrams_sent = self->sent.datagrams;
  stats->send_calls = self->sent.calls;
  stats->send_errors = self->sent.errors;
  stats->segmentation = p2p_train_get_segmentation (self->train);
  stats->coalescing = self->coalescing;
}

void
udt_socket_disable_offload (UdtSocket *self)
{
  p2p_train_set_segmentation (self->train, FALSE);
  set_int (self->fd, IPPROTO_UDP, UDP_GRO, 0);
  self->coalescing = FALSE;
}
