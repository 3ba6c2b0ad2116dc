/* Tells when this host's addresses are others than before.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: one of its own, which sleeps until the kernel says that an address
 * came or went, lets the burst settle, and then compares: a lease that is
 * renewed is no change. Without netlink there is no thread and no event; the
 * session, which makes the new paths, watches for itself.
 */
#include "ivmodule.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_MS 300

struct _IvNetwork
{
  IvModule *module; /* outlives this */
  int netlink, quit;
  GThread *thread;
  gchar *addresses; /* the thread's */
};

static gint
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *)a, *(const gchar *const *)b);
}

static gchar *
describe (const struct ifaddrs *ifa)
{
  gchar text[INET6_ADDRSTRLEN] = "";

  if (ifa->ifa_addr == NULL || (ifa->ifa_flags & IFF_LOOPBACK)
      || !(ifa->ifa_flags & IFF_UP))
    return NULL;
  if (ifa->ifa_addr->sa_family == AF_INET) {
    const struct sockaddr_in *in = (const void *)ifa->ifa_addr;

    inet_ntop (AF_INET, &in->sin_addr, text, sizeof text);
  } else if (ifa->ifa_addr->sa_family == AF_INET6) {
    const struct sockaddr_in6 *in6 = (const void *)ifa->ifa_addr;

    if (IN6_IS_ADDR_LINKLOCAL (&in6->sin6_addr))
      return NULL;
    inet_ntop (AF_INET6, &in6->sin6_addr, text, sizeof text);
  } else {
    return NULL;
  }
  return g_strdup_printf ("%s %s", ifa->ifa_name, text);
}

static gchar *
list_addresses (void)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (g_free);
  struct ifaddrs *all = NULL, *ifa;
  gchar *text;

  if (getifaddrs (&all) != 0)
    all = NULL;
  for (ifa = all; ifa != NULL; ifa = ifa->ifa_next) {
    gchar *one = describe (ifa);

    if (one != NULL)
      g_ptr_array_add (list, one);
  }
  if (all != NULL)
    freeifaddrs (all);
  g_ptr_array_sort (list, compare);
  g_ptr_array_add (list, NULL);
  text = g_strjoinv ("\n", (gchar **)list->pdata);
  g_ptr_array_unref (list);
  return text;
}

static void
look (IvNetwork *network)
{
  gchar *now = list_addresses ();

  if (g_str_equal (now, network->addresses)) {
    g_free (now);
    return;
  }
  g_free (network->addresses);
  network->addresses = now;
  iv_events_post (network->module, IV_EVENT_ADDR_CHANGED);
}

static gpointer
network_thread (gpointer data)
{
  IvNetwork *network = data;
  struct pollfd fds[2]
      = { { network->quit, POLLIN, 0 }, { network->netlink, POLLIN, 0 } };
  gboolean dirty = FALSE;
  gchar buffer[8192];

  for (;;) {
    int n = poll (fds, 2, dirty ? SETTLE_MS : -1);

    if (n > 0 && fds[0].revents != 0)
      return NULL;
    if (n > 0 && (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL)))
      /* Messages were lost, which says as much as they did. */
      fds[1].revents |= POLLIN;
    if (n > 0 && (fds[1].revents & POLLIN)) {
      while (recv (network->netlink, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
        ;
      dirty = TRUE;
    } else if (n == 0) {
      dirty = FALSE;
      look (network);
    }
  }
}

static int
open_netlink (void)
{
  struct sockaddr_nl address;
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                   NETLINK_ROUTE);

  memset (&address, 0, sizeof address);
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (fd >= 0 && bind (fd, (struct sockaddr *)&address, sizeof address) < 0) {
    close (fd);
    fd = -1;
  }
  return fd;
}

IvNetwork *
iv_network_new (IvModule *module)
{
  IvNetwork *network = g_new0 (IvNetwork, 1);

  network->module = module;
  network->addresses = list_addresses ();
  network->netlink = open_netlink ();
  network->quit = eventfd (0, EFD_CLOEXEC);
  if (network->netlink >= 0 && network->quit >= 0)
    network->thread
        = g_thread_try_new ("iv-network", network_thread, network, NULL);
  return network;
}

void
iv_network_free (IvNetwork *network)
{
  if (network->thread != NULL) {
    eventfd_write (network->quit, 1);
    g_thread_join (network->thread);
  }
  if (network->netlink >= 0)
    close (network->netlink);
  if (network->quit >= 0)
    close (network->quit);
  g_free (network->addresses);
  g_free (network);
}
