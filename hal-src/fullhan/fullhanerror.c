/* What the error codes of Fullhan's libraries mean: numbers of their own, or
 * those of the kernel.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "fullhanapi.h"
#include "halbackend.h"

#define HINT_MEMORY                                                            \
  "the memory set aside for video (vmm) is used up, or given to other "        \
  "channels in /proc/driver/enc: fewer or smaller streams, or a larger mem= "  \
  "of vmm.ko"
#define HINT_DRIVER                                                            \
  "are the vendor's kernel modules loaded (/dev/media_process, /dev/pae)?"
#define HINT_FRONT                                                             \
  "sensor and ISP must run: start the program that sets them up"
#define HINT_LAYOUT                                                            \
  "the structures of this SDK version differ from the known ones: please "     \
  "report it with the chip's name"
#define HINT_UNKNOWN                                                           \
  "the kernel's log may say more; please report it with the chip's name"
#define HINT_PERMISSION                                                        \
  "run as root, or give this user the vendor's nodes in /dev"
#define HINT_BUSY "another program uses the encoder"

static const struct
{
  int code;
  HalStatus status;
  const char *name, *hint;
} codes[] = {
  { FH_ERROR_OPEN, HAL_NO_DEVICE, "the device cannot be opened", HINT_DRIVER },
  { -1002, HAL_VENDOR, "the device cannot be closed", HINT_DRIVER },
  { -1003, HAL_NO_DEVICE, "no device", HINT_DRIVER },
  { -1004, HAL_VENDOR, "null pointer", HINT_LAYOUT },
  { -1005, HAL_INVALID, "illegal parameter",
    "a size or rate that this chip cannot do" },
  { -1006, HAL_INVALID, "misaligned", "widths are multiples of 16" },
  { -1007, HAL_NO_DEVICE, "the module is not enabled", HINT_FRONT },
  { -1008, HAL_INVALID, "invalid channel", "try another stream-id" },
  { -1009, HAL_NO_MEMORY, "no memory", HINT_MEMORY },
  { FH_ERROR_EMPTY, HAL_AGAIN, "nothing there", HINT_FRONT },
  { FH_ERROR_EXISTS, HAL_BUSY, "it exists already", HINT_BUSY },
  { -1012, HAL_VENDOR, "failure inside the SDK", HINT_UNKNOWN },
  { -1013, HAL_UNSUPPORTED, "not supported by this chip",
    "another codec, rate control or size" },
  { -1014, HAL_REFUSED, "not ready for this now",
    "this cannot change while the stream runs" },
  { -1015, HAL_NO_DEVICE, "not initialised", HINT_FRONT },
  { -EBUSY, HAL_BUSY, "busy", HINT_BUSY },
  { -ENOMEM, HAL_NO_MEMORY, "no memory", HINT_MEMORY },
  { -EACCES, HAL_NO_PERMISSION, "no permission", HINT_PERMISSION },
  { -ENODEV, HAL_NO_DEVICE, "no device", HINT_DRIVER },
};

HalStatus
fh_fail (HalError *error, const char *call, int32_t code)
{
  size_t i;

  if (code == FH_ERROR_OPEN && (errno == EACCES || errno == EPERM))
    return hal_fail (error, HAL_NO_PERMISSION, call, code, HINT_PERMISSION,
                     "%s failed: no permission (%d)", call, (int)code);
  for (i = 0; i < HAL_N_ELEMENTS (codes); i++) {
    if (codes[i].code == code)
      return hal_fail (error, codes[i].status, call, code, codes[i].hint,
                       "%s failed: %s (%d)", call, codes[i].name, (int)code);
  }
  return hal_fail (error, HAL_VENDOR, call, code,
                   code == -1 ? HINT_DRIVER : HINT_UNKNOWN,
                   "%s failed: %d (0x%08x)", call, (int)code, (unsigned)code);
}
