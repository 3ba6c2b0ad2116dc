/* A switch that breaks a wait: an eventfd that is readable while it is on.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "halwake.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "halbackend.h"

bool
hal_wake_init (HalWake *wake)
{
  wake->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  return wake->fd >= 0;
}

void
hal_wake_finish (HalWake *wake)
{
  if (wake->fd >= 0)
    close (wake->fd);
  wake->fd = -1;
}

void
hal_wake_set (HalWake *wake, bool on)
{
  uint64_t value = 1;
  ssize_t done;

  do {
    done = on ? write (wake->fd, &value, sizeof value)
              : read (wake->fd, &value, sizeof value);
  } while (done < 0 && errno == EINTR);
}

static int
poll_timeout (uint64_t ns)
{
  uint64_t ms = ns / HAL_MSECOND + (ns % HAL_MSECOND != 0);

  return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

HalStatus
hal_wake_wait (HalWake *wake, int fd, uint64_t timeout)
{
  struct pollfd fds[2] = { { wake->fd, POLLIN, 0 }, { fd, POLLIN, 0 } };
  uint64_t start = hal_monotonic ();
  uint64_t left = timeout;

  for (;;) {
    uint64_t spent;
    int ready = poll (fds, fd >= 0 ? 2 : 1, poll_timeout (left));

    if (ready > 0 && fds[0].revents != 0)
      return HAL_INTERRUPTED;
    if (ready > 0)
      return HAL_OK;
    spent = hal_monotonic () - start;
    if (spent >= timeout)
      return HAL_TIMEOUT;
    left = timeout - spent;
  }
}

uint64_t
hal_monotonic (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * HAL_SECOND + (uint64_t)now.tv_nsec;
}
