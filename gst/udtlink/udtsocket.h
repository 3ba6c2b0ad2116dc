/* A UDP socket that moves many datagrams a call.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * recvmmsg and sendmmsg; segmentation and coalescing by the kernel
 * (UDP_SEGMENT, UDP_GRO) where it has them, found out at run time, without a
 * word where not. Not blocking. What the network does not take now stays here
 * and goes first the next time.
 *
 * Threads: one at a time, but for udt_address_*().
 */
#ifndef UDT_SOCKET_H
#define UDT_SOCKET_H

#include <glib.h>
#include <netinet/in.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef union
{
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} UdtSockaddr;

typedef struct
{
  union
  {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  };
  /* The address of this host that it has called, from which answers have to
   * leave. Family 0: whatever the route says. */
  UdtSockaddr called;
} UdtAddress;

#define UDT_ADDRESS_TEXT 64

/* `called` does not count. */
gboolean udt_address_equal (const UdtAddress *a, const UdtAddress *b);
/* Same host, any port. */
gboolean udt_address_same_host (const UdtAddress *a, const UdtAddress *b);
/* "192.0.2.1:7001", "[2001:db8::1]:7001" */
void udt_address_text (const UdtAddress *address, gchar *text, gsize size);
/* A numeric address; NULL or "": any. FALSE: a name. */
gboolean udt_address_parse (const gchar *host, guint port, UdtAddress *address);
/* The bytes that make it up, family first; returns how many (at most 20). */
gsize udt_address_bytes (const UdtAddress *address, guint8 bytes[20]);

typedef struct _UdtSocket UdtSocket;

/* `address` any of IPv6: both families. */
UdtSocket *udt_socket_new (const UdtAddress *address, GError **error);
/* From now on datagrams come with the address that was called: for a listener
 * at all addresses of a host that has several. */
void udt_socket_note_called (UdtSocket *socket);
void udt_socket_free (UdtSocket *socket);
int udt_socket_get_fd (UdtSocket *socket);
guint udt_socket_get_port (UdtSocket *socket);

/* One datagram; `data` may be written to. */
typedef void (*UdtSocketFunc) (guint8 *data, gsize len, const UdtAddress *from,
                               gpointer user);

/* Hands over what has arrived, at most about `budget` datagrams; returns how
 * many. */
guint udt_socket_receive (UdtSocket *socket, guint budget, UdtSocketFunc func,
                          gpointer user);

/* Whether ICMP errors are kept for udt_socket_take_refusal(). Anybody can forge
 * them, and each fails one call that sends: only while nothing depends on it.
 */
void udt_socket_watch_refusals (UdtSocket *socket, gboolean watch);
/* TRUE: the host of `to` said that nobody has that port. Asked whenever the
 * socket is readable while they are watched; it stays so until then. */
gboolean udt_socket_take_refusal (UdtSocket *socket, const UdtAddress *to);

/* Room for one datagram of at most UDT_SOCKET_MAX bytes, which
 * udt_socket_commit() sends (`len` 0: not). NULL: the network is full, wait
 * until the socket is writable, then udt_socket_flush(). */
#define UDT_SOCKET_MAX 1472
guint8 *udt_socket_reserve (UdtSocket *socket);
void udt_socket_commit (UdtSocket *socket, gsize len, const UdtAddress *to);
/* TRUE: nothing is left. */
gboolean udt_socket_flush (UdtSocket *socket);
gboolean udt_socket_is_blocked (UdtSocket *socket);

typedef struct
{
  guint64 datagrams_sent, datagrams_received;
  guint64 send_calls, receive_calls;
  guint64 send_errors; /* datagrams that the network refused */
  gboolean segmentation, coalescing;
} UdtSocketStats;

void udt_socket_get_stats (UdtSocket *socket, UdtSocketStats *stats);
/* For tests: as on a kernel that has neither. */
void udt_socket_disable_offload (UdtSocket *socket);

G_END_DECLS

#endif /* UDT_SOCKET_H */
