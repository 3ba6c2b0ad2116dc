/* The way to the driver: a table of the few calls that the back end makes of
 * the kernel, so that something else can stand in for it.
 *
 * Without a library-path these are the kernel's own. With one, they are the
 * functions iav_open, iav_close, iav_ioctl, iav_mmap, iav_munmap and iav_pread
 * of a libiav.so there: a simulation, or something that traces.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef AMBARELLA_OPS_H
#define AMBARELLA_OPS_H

#include <sys/types.h>

#include "halloader.h"

#define AMB_LIBRARY "libiav.so"

/* All fail as the kernel's do: -1, or NULL, and errno. */
typedef struct
{
  int (*open) (const char *path, int flags);
  int (*close) (int fd);
  int (*ioctl) (int fd, unsigned long request, unsigned long argument);
  void *(*map) (int fd, uint64_t offset, size_t size); /* to read */
  int (*unmap) (void *memory, size_t size);
  ssize_t (*pread) (int fd, void *memory, size_t size);
} AmbOps;

HalStatus amb_ops_open (AmbOps *ops, HalLoader *loader, const HalEnv *env,
                        HalError *error);

#endif /* AMBARELLA_OPS_H */
