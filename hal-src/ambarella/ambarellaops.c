/* The way to the driver; see ambarellaops.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "ambarellaops.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "halbackend.h"

static int
kernel_open (const char *path, int flags)
{
  return open (path, flags | O_CLOEXEC);
}

static int
kernel_ioctl (int fd, unsigned long request, unsigned long argument)
{
  return ioctl (fd, request, argument);
}

static void *
kernel_map (int fd, uint64_t offset, size_t size)
{
  void *memory = mmap (NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);

  return memory != MAP_FAILED ? memory : NULL;
}

static ssize_t
kernel_pread (int fd, void *memory, size_t size)
{
  return pread (fd, memory, size, 0);
}

static const AmbOps kernel = {
  .open = kernel_open,
  .close = close,
  .ioctl = kernel_ioctl,
  .map = kernel_map,
  .unmap = munmap,
  .pread = kernel_pread,
};

static const HalLibrary libraries[] = {
  { AMB_LIBRARY, false },
};

static const HalSymbol symbols[] = {
  HAL_SYMBOL (AmbOps, open, "iav_open"),
  HAL_SYMBOL (AmbOps, close, "iav_close"),
  HAL_SYMBOL (AmbOps, ioctl, "iav_ioctl"),
  HAL_SYMBOL (AmbOps, map, "iav_mmap"),
  HAL_SYMBOL (AmbOps, unmap, "iav_munmap"),
  HAL_SYMBOL (AmbOps, pread, "iav_pread"),
};

HalStatus
amb_ops_open (AmbOps *ops, HalLoader *loader, const HalEnv *env,
              HalError *error)
{
  HalStatus status;

  memset (loader, 0, sizeof *loader);
  *ops = kernel;
  if (env->library_path == NULL || env->library_path[0] == '\0')
    return HAL_OK;
  status = hal_loader_open (loader, env, libraries, HAL_N_ELEMENTS (libraries),
                            error);
  if (status != HAL_OK)
    return status;
  status
      = hal_loader_bind (loader, symbols, HAL_N_ELEMENTS (symbols), ops, error);
  if (status != HAL_OK)
    hal_loader_close (loader);
  return status;
}
