/* A UDP socket that moves many datagrams a call.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sending: datagrams are written one behind the other into an arena. Those in
 * a row that go to one address and have one size (the last may be shorter) make
 * one message, which the kernel cuts up; the messages go in one call. A message
 * that the kernel will not have as a whole is sent in pieces: a probe for the
 * path's MTU may be above that of the interface, or the interface cannot
 * segment.
 *
 * Receiving: each message has a buffer of 64 KiB, as the kernel may put as much
 * together. The memory is mapped, not touched: what is resident is what
 * arrives.
 *
 * Threads: one at a time.
 */
#define _GNU_SOURCE /* sendmmsg, recvmmsg */
#include "udtsocket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gio/gio.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
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
#define SEND_MESSAGES 64
#define SEND_BYTES 65536
/* The kernel's limits for a message that it cuts up. */
#define MAX_SEGMENTS 64
#define MAX_SEGMENTED_BYTES 65000
/* Asked for; the kernel gives what net.core.*mem_max allows. */
#define BUFFER_BYTES (4 << 20)

typedef struct
{
  UdtAddress to;
  guint32 start, len;
  guint16 segment; /* size of each, but for the last */
  guint16 count;
} Message;

struct _UdtSocket
{
  int fd;
  gboolean v6;
  gboolean segmentation, coalescing;
  gboolean blocked;
  UdtSocketStats stats;

  guint8 *receive_memory;

  guint n_messages, first; /* [first, n_messages) are still to be sent */
  guint32 used;
  gboolean closed_last; /* nothing may be added to the last message */
  Message messages[SEND_MESSAGES];
  guint8 *arena;
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

void
udt_address_text (const UdtAddress *address, gchar *text, gsize size)
{
  gchar host[INET6_ADDRSTRLEN];

  if (address->any.sa_family == AF_INET6) {
    const struct in6_addr *in = &address->v6.sin6_addr;
    guint port = g_ntohs (address->v6.sin6_port);

    if (IN6_IS_ADDR_V4MAPPED (in)) {
      inet_ntop (AF_INET, in->s6_addr + 12, host, sizeof host);
      g_snprintf (text, size, "%s:%u", host, port);
    } else {
      inet_ntop (AF_INET6, in, host, sizeof host);
      g_snprintf (text, size, "[%s]:%u", host, port);
    }
    return;
  }
  inet_ntop (AF_INET, &address->v4.sin_addr, host, sizeof host);
  g_snprintf (text, size, "%s:%u", host, g_ntohs (address->v4.sin_port));
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
  int one = 1, zero = 0;

  set_int (self->fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
  set_int (self->fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
  /* The engine finds the path's MTU by itself. */
  set_int (self->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
  if (self->v6)
    set_int (self->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
  self->segmentation
      = setsockopt (self->fd, IPPROTO_UDP, UDP_SEGMENT, &zero, sizeof zero)
        == 0;
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
  self->arena = g_malloc (SEND_BYTES);
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
udt_socket_free (UdtSocket *self)
{
  if (self == NULL)
    return;
  if (self->fd >= 0)
    close (self->fd);
  if (self->receive_memory != NULL)
    munmap (self->receive_memory, RECEIVE_MESSAGES * RECEIVE_BYTES);
  g_free (self->arena);
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
  guint8 space[CMSG_SPACE (sizeof (int))];
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
    header->msg_namelen = sizeof from[i];
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

/* -- Sending --------------------------------------------------------------- */

guint8 *
udt_socket_reserve (UdtSocket *self)
{
  if (self->used + UDT_SOCKET_MAX > SEND_BYTES
      || self->n_messages == SEND_MESSAGES)
    udt_socket_flush (self);
  if (self->blocked || self->used + UDT_SOCKET_MAX > SEND_BYTES
      || self->n_messages == SEND_MESSAGES)
    return NULL;
  return self->arena + self->used;
}

static gboolean
joins_last (UdtSocket *self, gsize len, const UdtAddress *to)
{
  const Message *last;

  if (!self->segmentation || self->n_messages == self->first
      || self->closed_last)
    return FALSE;
  last = &self->messages[self->n_messages - 1];
  return len <= last->segment && last->count < MAX_SEGMENTS
         && last->len + len <= MAX_SEGMENTED_BYTES
         && udt_address_equal (&last->to, to);
}

void
udt_socket_commit (UdtSocket *self, gsize len, const UdtAddress *to)
{
  Message *message;

  if (len == 0)
    return;
  if (joins_last (self, len, to)) {
    message = &self->messages[self->n_messages - 1];
    message->len += (guint32)len;
    message->count++;
    self->closed_last = len < message->segment;
  } else {
    message = &self->messages[self->n_messages++];
    message->to = *to;
    /* An IPv6 socket speaks IPv4 by mapped addresses. */
    if (self->v6 && to->any.sa_family == AF_INET) {
      memset (&message->to, 0, sizeof message->to);
      message->to.v6.sin6_family = AF_INET6;
      message->to.v6.sin6_port = to->v4.sin_port;
      message->to.v6.sin6_addr.s6_addr[10] = 0xff;
      message->to.v6.sin6_addr.s6_addr[11] = 0xff;
      memcpy (message->to.v6.sin6_addr.s6_addr + 12, &to->v4.sin_addr, 4);
    }
    message->start = self->used;
    message->len = (guint32)len;
    message->segment = (guint16)len;
    message->count = 1;
    self->closed_last = FALSE;
  }
  self->used += (guint32)len;
}

static void
fill_header (UdtSocket *self, Message *message, struct msghdr *header,
             struct iovec *part, Control *control)
{
  guint16 segment = message->segment;
  struct cmsghdr *c;

  memset (header, 0, sizeof *header);
  part->iov_base = self->arena + message->start;
  part->iov_len = message->len;
  header->msg_iov = part;
  header->msg_iovlen = 1;
  header->msg_name = &message->to;
  header->msg_namelen = (socklen_t)address_len (&message->to);
  if (message->count == 1)
    return;
  memset (control, 0, sizeof *control);
  header->msg_control = control;
  header->msg_controllen = CMSG_SPACE (sizeof segment);
  c = CMSG_FIRSTHDR (header);
  c->cmsg_level = IPPROTO_UDP;
  c->cmsg_type = UDP_SEGMENT;
  c->cmsg_len = CMSG_LEN (sizeof segment);
  memcpy (CMSG_DATA (c), &segment, sizeof segment);
}

static gboolean
would_block (gint code)
{
  return code == EAGAIN || code == EWOULDBLOCK;
}

/* The kernel does not take this message. One datagram is lost then, as on the
 * way; of several each gets its chance. FALSE: the network is full. */
static gboolean
send_in_pieces (UdtSocket *self, Message *message, gint code)
{
  if (message->count == 1) {
    self->stats.send_errors++;
    message->len = 0;
    return TRUE;
  }
  /* Not of this message, but of its being one. */
  if (code == EIO || code == EINVAL || code == ENOPROTOOPT
      || code == EOPNOTSUPP)
    self->segmentation = FALSE;
  while (message->len > 0) {
    gsize size = MIN (message->segment, message->len);
    gssize sent
        = sendto (self->fd, self->arena + message->start, size, MSG_DONTWAIT,
                  &message->to.any, (socklen_t)address_len (&message->to));

    self->stats.send_calls++;
    if (sent < 0 && would_block (errno))
      return FALSE;
    if (sent < 0)
      self->stats.send_errors++;
    else
      self->stats.datagrams_sent++;
    message->start += (guint32)size;
    message->len -= (guint32)size;
    message->count--;
  }
  return TRUE;
}

static gint
send_some (UdtSocket *self)
{
  struct mmsghdr headers[SEND_MESSAGES];
  struct iovec parts[SEND_MESSAGES];
  Control controls[SEND_MESSAGES];
  guint i, n = self->n_messages - self->first;

  memset (headers, 0, n * sizeof headers[0]);
  for (i = 0; i < n; i++)
    fill_header (self, &self->messages[self->first + i], &headers[i].msg_hdr,
                 &parts[i], &controls[i]);
  self->stats.send_calls++;
  return sendmmsg (self->fd, headers, n, MSG_DONTWAIT);
}

gboolean
udt_socket_flush (UdtSocket *self)
{
  self->blocked = FALSE;
  while (self->first < self->n_messages) {
    gint i, sent = send_some (self), code = errno;

    for (i = 0; i < sent; i++)
      self->stats.datagrams_sent += self->messages[self->first++].count;
    if (sent > 0)
      continue;
    if (sent < 0 && code == EINTR)
      continue;
    if (would_block (code)
        || !send_in_pieces (self, &self->messages[self->first], code)) {
      self->blocked = TRUE;
      self->closed_last = TRUE;
      return FALSE;
    }
    self->first++;
  }
  self->first = self->n_messages = 0;
  self->used = 0;
  return TRUE;
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
  stats->segmentation = self->segmentation;
  stats->coalescing = self->coalescing;
}

void
udt_socket_disable_offload (UdtSocket *self)
{
  self->segmentation = FALSE;
  set_int (self->fd, IPPROTO_UDP, UDP_GRO, 0);
  self->coalescing = FALSE;
}
