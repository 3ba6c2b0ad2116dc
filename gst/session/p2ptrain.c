/* A train of datagrams; see p2ptrain.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Datagrams are written one behind the other into an arena, which a message of
 * several is sent from as it stands.
 *
 * Threads: one at a time.
 */
#define _GNU_SOURCE /* sendmmsg, in_pktinfo */
#include "p2ptrain.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define MESSAGES 64
#define ARENA_BYTES 65536
/* The kernel's limits for a message that it cuts up. */
#define MAX_SEGMENTS 64
#define MAX_SEGMENTED_BYTES 65000

typedef union
{
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} Address;

typedef struct
{
  Address to, from; /* family 0: from anywhere */
  guint32 start, len;
  guint16 segment; /* size of each, but for the last */
  guint16 count;
} Message;

struct _P2pTrain
{
  gboolean segmentation;
  guint n_messages, first; /* [first, n_messages) are still to be sent */
  guint32 used;
  gboolean closed_last; /* nothing may be added to the last message */
  Message messages[MESSAGES];
  guint8 arena[ARENA_BYTES];
};

static void
spare_free (gpointer data)
{
  p2p_train_free (data);
}

static GPrivate spare = G_PRIVATE_INIT (spare_free);

P2pTrain *
p2p_train_new (void)
{
  /* Not cleared: what is touched is what is used. */
  P2pTrain *train = g_malloc (sizeof *train);

  train->segmentation = FALSE;
  train->n_messages = train->first = 0;
  train->used = 0;
  train->closed_last = FALSE;
  return train;
}

void
p2p_train_free (P2pTrain *train)
{
  g_free (train);
}

static void
empty (P2pTrain *train)
{
  train->first = train->n_messages = 0;
  train->used = 0;
}

P2pTrain *
p2p_train_take (void)
{
  P2pTrain *train = g_private_get (&spare);

  if (train == NULL)
    return p2p_train_new ();
  g_private_set (&spare, NULL);
  return train;
}

void
p2p_train_give (P2pTrain *train)
{
  empty (train);
  if (g_private_get (&spare) == NULL)
    g_private_set (&spare, train);
  else
    p2p_train_free (train);
}

gboolean
p2p_train_can_segment (int fd)
{
  int zero = 0;

  return setsockopt (fd, IPPROTO_UDP, UDP_SEGMENT, &zero, sizeof zero) == 0;
}

void
p2p_train_set_segmentation (P2pTrain *train, gboolean on)
{
  train->segmentation = on;
}

gboolean
p2p_train_get_segmentation (P2pTrain *train)
{
  return train->segmentation;
}

/* -- Filling --------------------------------------------------------------- */

static socklen_t
address_len (const Address *address)
{
  return address->any.sa_family == AF_INET6 ? sizeof address->v6
                                            : sizeof address->v4;
}

static void
copy_address (Address *to, const struct sockaddr *from)
{
  memset (to, 0, sizeof *to);
  if (from == NULL)
    return;
  memcpy (to, from,
          from->sa_family == AF_INET6 ? sizeof to->v6 : sizeof to->v4);
}

guint8 *
p2p_train_reserve (P2pTrain *train)
{
  if (train->used + P2P_TRAIN_DATAGRAM > ARENA_BYTES
      || train->n_messages == MESSAGES)
    return NULL;
  return train->arena + train->used;
}

static gboolean
joins_last (P2pTrain *train, gsize len, const Address *to, const Address *from)
{
  const Message *last;

  if (!train->segmentation || train->n_messages == train->first
      || train->closed_last)
    return FALSE;
  last = &train->messages[train->n_messages - 1];
  return len <= last->segment && last->count < MAX_SEGMENTS
         && last->len + len <= MAX_SEGMENTED_BYTES
         && memcmp (&last->to, to, sizeof *to) == 0
         && memcmp (&last->from, from, sizeof *from) == 0;
}

void
p2p_train_add_from (P2pTrain *train, gsize len, const struct sockaddr *to,
                    const struct sockaddr *from)
{
  Message *message;
  Address address, source;

  copy_address (&address, to);
  memset (&source, 0, sizeof source);
  if (from != NULL)
    copy_address (&source, from);
  if (joins_last (train, len, &address, &source)) {
    message = &train->messages[train->n_messages - 1];
    message->len += (guint32)len;
    message->count++;
    train->closed_last = len < message->segment;
  } else {
    message = &train->messages[train->n_messages++];
    message->to = address;
    message->from = source;
    message->start = train->used;
    message->len = (guint32)len;
    message->segment = (guint16)len;
    message->count = 1;
    train->closed_last = FALSE;
  }
  train->used += (guint32)len;
}

void
p2p_train_add (P2pTrain *train, gsize len, const struct sockaddr *to)
{
  p2p_train_add_from (train, len, to, NULL);
}

gboolean
p2p_train_is_empty (P2pTrain *train)
{
  return train->first == train->n_messages;
}

const guint8 *
p2p_train_first (P2pTrain *train, gsize *len)
{
  const Message *message = &train->messages[train->first];

  if (p2p_train_is_empty (train))
    return NULL;
  *len = MIN (message->segment, message->len);
  return train->arena + message->start;
}

void
p2p_train_drop_first (P2pTrain *train)
{
  Message *message = &train->messages[train->first];
  guint32 size = MIN (message->segment, message->len);

  message->start += size;
  message->len -= size;
  if (--message->count == 0)
    train->first++;
  if (p2p_train_is_empty (train))
    empty (train);
}

/* -- Sending --------------------------------------------------------------- */

typedef union
{
  struct cmsghdr header;
  guint8 space[CMSG_SPACE (sizeof (guint16))
               + CMSG_SPACE (sizeof (struct in6_pktinfo))];
} Control;

static void
add_control (struct msghdr *header, Control *control, int level, int type,
             gconstpointer data, gsize size)
{
  struct cmsghdr *c;

  if (header->msg_controllen == 0)
    memset (control, 0, sizeof *control);
  c = (struct cmsghdr *)(control->space + header->msg_controllen);
  c->cmsg_level = level;
  c->cmsg_type = type;
  c->cmsg_len = CMSG_LEN (size);
  memcpy (CMSG_DATA (c), data, size);
  header->msg_control = control;
  header->msg_controllen += CMSG_SPACE (size);
}

static void
add_source (struct msghdr *header, Control *control, const Address *from)
{
  struct in_pktinfo v4 = { 0 };
  struct in6_pktinfo v6 = { 0 };

  if (from->any.sa_family == AF_INET) {
    v4.ipi_spec_dst = from->v4.sin_addr;
    add_control (header, control, IPPROTO_IP, IP_PKTINFO, &v4, sizeof v4);
  } else if (from->any.sa_family == AF_INET6) {
    v6.ipi6_addr = from->v6.sin6_addr;
    v6.ipi6_ifindex = from->v6.sin6_scope_id;
    add_control (header, control, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof v6);
  }
}

static void
fill_header (P2pTrain *train, Message *message, struct msghdr *header,
             struct iovec *part, Control *control)
{
  guint16 segment = message->segment;

  part->iov_base = train->arena + message->start;
  part->iov_len = message->len;
  header->msg_iov = part;
  header->msg_iovlen = 1;
  header->msg_name = &message->to;
  header->msg_namelen = address_len (&message->to);
  if (message->count > 1)
    add_control (header, control, IPPROTO_UDP, UDP_SEGMENT, &segment,
                 sizeof segment);
  add_source (header, control, &message->from);
}

static gboolean
would_block (gint code)
{
  return code == EAGAIN || code == EWOULDBLOCK;
}

static gssize
send_one (int fd, const guint8 *data, gsize size, Address *to,
          const Address *from)
{
  struct iovec part = { (gpointer)data, size };
  struct msghdr header = { .msg_name = to,
                           .msg_namelen = address_len (to),
                           .msg_iov = &part,
                           .msg_iovlen = 1 };
  Control control;

  add_source (&header, &control, from);
  return sendmsg (fd, &header, MSG_DONTWAIT);
}

/* The kernel does not take the first message. One datagram is lost then, as on
 * the way; of several each gets its chance. FALSE: the network is full. */
static gboolean
send_in_pieces (P2pTrain *train, int fd, gint code, P2pTrainStats *stats)
{
  guint left = train->messages[train->first].count;
  Address to = train->messages[train->first].to;
  Address from = train->messages[train->first].from;
  gboolean suspect = code == EIO || code == EINVAL || code == ENOPROTOOPT
                     || code == EOPNOTSUPP;

  if (left == 1) {
    stats->errors++;
    p2p_train_drop_first (train);
    return TRUE;
  }
  for (; left > 0; left--) {
    gsize size = 0;
    const guint8 *data = p2p_train_first (train, &size);
    gssize sent = send_one (fd, data, size, &to, &from);

    stats->calls++;
    if (sent < 0 && would_block (errno))
      return FALSE;
    if (sent < 0) {
      stats->errors++;
    } else {
      stats->datagrams++;
      /* Not these were wrong, but their being one message. */
      if (suspect)
        train->segmentation = FALSE;
    }
    p2p_train_drop_first (train);
  }
  return TRUE;
}

static gint
send_some (P2pTrain *train, int fd)
{
  struct mmsghdr headers[MESSAGES];
  struct iovec parts[MESSAGES];
  Control controls[MESSAGES];
  guint i, n = train->n_messages - train->first;

  memset (headers, 0, n * sizeof headers[0]);
  for (i = 0; i < n; i++)
    fill_header (train, &train->messages[train->first + i], &headers[i].msg_hdr,
                 &parts[i], &controls[i]);
  /* Which is somewhat cheaper. */
  if (n == 1)
    return sendmsg (fd, &headers[0].msg_hdr, MSG_DONTWAIT) < 0 ? -1 : 1;
  return sendmmsg (fd, headers, n, MSG_DONTWAIT);
}

gboolean
p2p_train_send (P2pTrain *train, int fd, P2pTrainStats *stats)
{
  P2pTrainStats unused = { 0 };

  if (stats == NULL)
    stats = &unused;
  while (!p2p_train_is_empty (train)) {
    gint i, sent = send_some (train, fd), code = errno;

    stats->calls++;
    for (i = 0; i < sent; i++)
      stats->datagrams += train->messages[train->first++].count;
    if (sent > 0 || (sent < 0 && code == EINTR))
      continue;
    if (would_block (code) || !send_in_pieces (train, fd, code, stats)) {
      train->closed_last = TRUE;
      return FALSE;
    }
  }
  empty (train);
  return TRUE;
}
