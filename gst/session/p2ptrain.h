/* A train of datagrams: many that leave in one system call.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Those in a row that go to one address and have one size (the last may be
 * shorter) make one message, which the kernel cuts up (UDP_SEGMENT) where it
 * can, found out at run time; the messages go by sendmmsg(). A message that the
 * kernel will not have as a whole is sent in pieces: a probe for the path's MTU
 * may be above that of the interface, or the interface cannot segment. What the
 * network does not take now stays and goes first the next time.
 *
 * Threads: one at a time. The spare train of p2p_train_take() is the calling
 * thread's.
 */
#ifndef P2P_TRAIN_H
#define P2P_TRAIN_H

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

/* The largest datagram: what is left of 1500 bytes. */
#define P2P_TRAIN_DATAGRAM 1472

typedef struct _P2pTrain P2pTrain;

typedef struct
{
  guint64 datagrams, calls;
  guint64 errors; /* datagrams that the network refused */
} P2pTrainStats;

P2pTrain *p2p_train_new (void);
void p2p_train_free (P2pTrain *train);
/* An empty one that this thread may have had before; p2p_train_give() empties
 * it. */
P2pTrain *p2p_train_take (void);
void p2p_train_give (P2pTrain *train);

/* Whether that socket's kernel can cut messages up. */
gboolean p2p_train_can_segment (int fd);
/* Found out again to be FALSE by p2p_train_send(). */
void p2p_train_set_segmentation (P2pTrain *train, gboolean on);
gboolean p2p_train_get_segmentation (P2pTrain *train);

/* Room for one datagram of at most P2P_TRAIN_DATAGRAM bytes, which
 * p2p_train_add() appends. NULL: the train is full. */
guint8 *p2p_train_reserve (P2pTrain *train);
/* `to`: of IPv4 or IPv6; NULL: not for p2p_train_send(). */
void p2p_train_add (P2pTrain *train, gsize len, const struct sockaddr *to);
/* The same, with that address of this host as its source (of the same family as
 * `to`; the port does not count). NULL: the kernel chooses. */
void p2p_train_add_from (P2pTrain *train, gsize len, const struct sockaddr *to,
                         const struct sockaddr *from);
gboolean p2p_train_is_empty (P2pTrain *train);
/* The first datagram; NULL: none is left. For who sends them another way. */
const guint8 *p2p_train_first (P2pTrain *train, gsize *len);
/* It is done with. */
void p2p_train_drop_first (P2pTrain *train);
/* FALSE: the network is full, something is left. `stats` may be NULL. */
gboolean p2p_train_send (P2pTrain *train, int fd, P2pTrainStats *stats);

G_END_DECLS

#endif /* P2P_TRAIN_H */
