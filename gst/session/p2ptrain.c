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
#define _GNU_SOURCE /* sendmmsg */
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
  Address to;
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
joins_last (P2pTrain *train, gsize len, const Address *to)
{
  const Message *last;

  if (!train->segmentation || train->n_messages == train->first
      || train->closed_last)
    return FALSE;
  last = &train->messages[train->n_messages - 1];
  return len <= last->segment && last->count < MAX_SEGMENTS
         && last->len + len <= MAX_SEGMENTED_BYTES
         && memcmp (&last->to, to, sizeof *to) == 0;
}

void
p2p_train_add (P2pTrain *train, gsize len, const struct sockaddr *to)
{
  Message *message;
  Address address;

  copy_address (&address, to);
  if (joins_last (train, len, &address)) {
    message = &train->messages[train->n_messages - 1];
    message->len += (guint32)len;
    message->count++;
    train->closed_last = len < message->segment;
  } else {
    message = &train->messages[train->n_messages++];
    message->to = address;
    message->start = train->used;
    message->len = (guint32)len;
    message->segment = (guint16)len;
    message->count = 1;
    train->closed_last = FALSE;
  }
  train->used += (guint32)len;
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
  guint8 space[CMSG_SPACE (sizeof (guint16))];
} Control;

static void
fill_header (P2pTrain *train, Message *message, struct msghdr *header,
             struct iovec *part, Control *control)
{
  guint16 segment = message->segment;
  struct cmsghdr *c;

  part->iov_base = train->arena + message->start;
  part->iov_len = message->len;
  header->msg_iov = part;
  header->msg_iovlen = 1;
  header->msg_name = &message->to;
  header->msg_namelen = address_len (&message->to);
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

/* The kernel does not take the first message. One datagram is lost then, as on
 * the way; of several each gets its chance. FALSE: the network is full. */
static gboolean
send_in_pieces (P2pTrain *train, int fd, gint code, P2pTrainStats *stats)
{
  guint left = train->messages[train->first].count;
  Address to = train->messages[train->first].to;

  if (left == 1) {
    stats->errors++;
    p2p_train_drop_first (train);
    return TRUE;
  }
  /* Not of this message, but of its being one. */
  if (code == EIO || code == EINVAL || code == ENOPROTOOPT
      || code == EOPNOTSUPP)
    train->segmentation = FALSE;
  for (; left > 0; left--) {
    gsize size = 0;
    const guint8 *data = p2p_train_first (train, &size);
    gssize sent
        = sendto (fd, data, size, MSG_DONTWAIT, &to.any, address_len (&to));

    stats->calls++;
    if (sent < 0 && would_block (errno))
      return FALSE;
    if (sent < 0)
      stats->errors++;
    else
      stats->datagrams++;
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
