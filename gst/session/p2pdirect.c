/* The socket of a direct path, past libnice; see p2pdirect.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What comes in: a second socket is bound to the address of libnice's, which
 * the kernel allows for sockets of one user that say so (SO_REUSEPORT). Which
 * of such a group gets a datagram is said by a small program
 * (SO_ATTACH_REUSEPORT_CBPF): the one that was there first is number 0, ours
 * number 1. A number that is not there any more means any of them, so that
 * nothing is lost when ours is closed.
 *
 * Threads: all on the thread that owns the context. The buffers are the
 * thread's, for all its paths, and so is when to look at their sockets again:
 * the answers of many viewers to one frame are worth one wake-up.
 */
#define _GNU_SOURCE /* recvmmsg */
#include "p2pdirect.h"
#include "p2phold.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_ATTACH_REUSEPORT_CBPF
#define SO_ATTACH_REUSEPORT_CBPF 51
#endif

#define DATAGRAMS 32
#define DATAGRAM_BYTES 1536
/* Calls of one dispatch, so that sessions take turns. */
#define MAX_CALLS 4

struct _P2pDirect
{
  GSocket *shared; /* libnice's */
  gboolean segmentation;
  union
  {
    struct sockaddr any;
    struct sockaddr_in6 largest;
  } destination;

  GSource *source; /* NULL: all comes in at `shared` */
  int fd;
  P2pDirectFunc func;
  gpointer user;
};

typedef struct
{
  GSource source;
  P2pDirect *direct;
  GPollFD poll;
} IntakeSource;

/* Of a thread. */
typedef struct
{
  guint intakes;
  P2pHold hold;
  gboolean looked; /* in this turn of the loop */
  guint taken;     /* datagrams, by that */
  struct mmsghdr headers[DATAGRAMS];
  struct iovec parts[DATAGRAMS];
  guint8 data[DATAGRAMS][DATAGRAM_BYTES];
} Intakes;

static GPrivate intakes = G_PRIVATE_INIT (g_free);

static Intakes *
get_intakes (void)
{
  Intakes *own = g_private_get (&intakes);
  guint i;

  if (own != NULL)
    return own;
  /* Not cleared: what is touched is what is used. */
  own = g_malloc (sizeof *own);
  own->intakes = own->taken = 0;
  own->looked = FALSE;
  own->hold = (P2pHold)P2P_HOLD_INIT;
  memset (own->headers, 0, sizeof own->headers);
  for (i = 0; i < DATAGRAMS; i++) {
    own->parts[i].iov_base = own->data[i];
    own->parts[i].iov_len = DATAGRAM_BYTES;
    own->headers[i].msg_hdr.msg_iov = &own->parts[i];
    own->headers[i].msg_hdr.msg_iovlen = 1;
  }
  g_private_set (&intakes, own);
  return own;
}

/* A single socket is read when its hold is over; of several poll() tells which.
 */
static gboolean
is_due (const Intakes *own, gint64 now)
{
  return own->intakes == 1 && own->hold.until != 0
         && !p2p_hold_is_on (&own->hold, now);
}

/* While it is held a descriptor is not looked at, but for errors. */
static gboolean
intake_prepare (GSource *source, gint *timeout_ms)
{
  IntakeSource *intake = (IntakeSource *)source;
  gint64 now = g_source_get_time (source);
  Intakes *own = get_intakes ();
  gboolean held;

  if (own->looked)
    p2p_hold_looked (&own->hold, own->taken, now);
  own->looked = FALSE;
  own->taken = 0;
  held = p2p_hold_is_on (&own->hold, now);
  intake->poll.events = held ? 0 : G_IO_IN;
  *timeout_ms = held ? (gint)((own->hold.until - now + 999) / 1000) : -1;
  return is_due (own, now);
}

static gboolean
intake_check (GSource *source)
{
  return ((IntakeSource *)source)->poll.revents != 0
         || is_due (get_intakes (), g_source_get_time (source));
}

static gboolean
intake_dispatch (GSource *source, GSourceFunc callback, gpointer user)
{
  P2pDirect *direct = ((IntakeSource *)source)->direct;
  Intakes *own = get_intakes ();
  guint calls = 0;
  gint i, n;

  do {
    n = recvmmsg (direct->fd, own->headers, DATAGRAMS, MSG_DONTWAIT, NULL);
    for (i = 0; i < n; i++)
      if (!(own->headers[i].msg_hdr.msg_flags & MSG_TRUNC))
        direct->func (own->data[i], own->headers[i].msg_len, direct->user);
    own->taken += (guint)MAX (n, 0);
  } while (n == DATAGRAMS && ++calls < MAX_CALLS);
  own->looked = TRUE;
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs intake_funcs = {
  .prepare = intake_prepare,
  .check = intake_check,
  .dispatch = intake_dispatch,
};

static gboolean
set_int (int fd, int level, int name, int value)
{
  return setsockopt (fd, level, name, &value, sizeof value) == 0;
}

/* Number 1 for the engine's packets, 0 for all others and empty ones. */
static gboolean
divide (int fd)
{
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_B | BPF_ABS, 0),
    BPF_JUMP (BPF_JMP | BPF_JGE | BPF_K, P2P_FIRST_ENGINE_BYTE, 0, 1),
    BPF_STMT (BPF_RET | BPF_K, 1),
    BPF_STMT (BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = { G_N_ELEMENTS (code), code };

  return setsockopt (fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                     sizeof program)
         == 0;
}

static gboolean
share (int fd, int other, const struct sockaddr *address, socklen_t len)
{
  int only = 0;
  socklen_t size = sizeof only;

  if (address->sa_family == AF_INET6
      && (getsockopt (other, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) != 0
          || !set_int (fd, IPPROTO_IPV6, IPV6_V6ONLY, only)))
    return FALSE;
  return set_int (other, SOL_SOCKET, SO_REUSEPORT, 1)
         && set_int (fd, SOL_SOCKET, SO_REUSEPORT, 1)
         && bind (fd, address, len) == 0 && divide (fd);
}

static int
open_beside (int other)
{
  struct sockaddr_storage address;
  socklen_t len = sizeof address;
  int fd;

  if (getsockname (other, (struct sockaddr *)&address, &len) != 0)
    return -1;
  fd = socket (address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && !share (fd, other, (struct sockaddr *)&address, len)) {
    close (fd);
    set_int (other, SOL_SOCKET, SO_REUSEPORT, 0);
    fd = -1;
  }
  return fd;
}

/* FALSE: not on this kernel or socket. */
static gboolean
take_in (P2pDirect *direct, gint buffer, GMainContext *context)
{
  IntakeSource *intake;

  direct->fd = open_beside (g_socket_get_fd (direct->shared));
  if (direct->fd < 0)
    return FALSE;
  set_int (direct->fd, SOL_SOCKET, SO_RCVBUF, buffer);
  direct->source = g_source_new (&intake_funcs, sizeof (IntakeSource));
  intake = (IntakeSource *)direct->source;
  intake->direct = direct;
  intake->poll.fd = direct->fd;
  intake->poll.events = G_IO_IN;
  get_intakes ()->intakes++;
  g_source_add_poll (direct->source, &intake->poll);
  /* It does not; but GLib would take the descriptor out of the context and put
   * it back around each dispatch, and wake the context both times. */
  g_source_set_can_recurse (direct->source, TRUE);
  g_source_attach (direct->source, context);
  return TRUE;
}

/* -- Interface ------------------------------------------------------------- */

void
p2p_direct_prepare (void)
{
  get_intakes ();
  p2p_train_give (p2p_train_take ());
}

P2pDirect *
p2p_direct_new (GSocket *shared, gint buffer, GMainContext *context,
                P2pDirectFunc func, gpointer user)
{
  P2pDirect *direct = g_new0 (P2pDirect, 1);

  direct->shared = g_object_ref (shared);
  direct->segmentation = p2p_train_can_segment (g_socket_get_fd (shared));
  direct->func = func;
  direct->user = user;
  if (!take_in (direct, buffer, context))
    g_debug ("all packets of a path come in by libnice");
  return direct;
}

void
p2p_direct_free (P2pDirect *direct)
{
  if (direct == NULL)
    return;
  if (direct->source != NULL) {
    g_source_destroy (direct->source);
    g_source_unref (direct->source);
    close (direct->fd);
    get_intakes ()->intakes--;
  }
  g_object_unref (direct->shared);
  g_free (direct);
}

gboolean
p2p_direct_is_of (P2pDirect *direct, GSocket *shared)
{
  return direct->shared == shared;
}

gboolean
p2p_direct_is_open (P2pDirect *direct)
{
  return !g_socket_is_closed (direct->shared);
}

void
p2p_direct_set_destination (P2pDirect *direct, const struct sockaddr *to)
{
  memcpy (&direct->destination, to,
          to->sa_family == AF_INET6 ? sizeof (struct sockaddr_in6)
                                    : sizeof (struct sockaddr_in));
}

const struct sockaddr *
p2p_direct_get_destination (P2pDirect *direct)
{
  return &direct->destination.any;
}

P2pTrain *
p2p_direct_take_train (P2pDirect *direct)
{
  P2pTrain *train = p2p_train_take ();

  p2p_train_set_segmentation (train, direct->segmentation);
  return train;
}

gboolean
p2p_direct_send (P2pDirect *direct, P2pTrain *train)
{
  gboolean all = p2p_train_send (train, g_socket_get_fd (direct->shared), NULL);

  direct->segmentation = p2p_train_get_segmentation (train);
  return all;
}
