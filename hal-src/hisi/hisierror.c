/* What the error codes of HiSilicon's and Goke's libraries mean.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <errno.h>

#include "hisiapi.h"

#include "halbackend.h"

typedef struct
{
  uint16_t code, v5_code; /* up to v4; v5 */
  HalStatus status;
  const char *name, *hint;
} Code;

#define HINT_MEMORY                                                            \
  "the memory set aside for video (mmz) is used up: fewer or smaller "         \
  "streams, or a larger mmz= on the kernel's command line"
#define HINT_DRIVER "are the vendor's kernel modules loaded (/proc/umap)?"
#define HINT_FRONT                                                             \
  "sensor, ISP and scaler must run: start the program that sets them up"
#define HINT_LAYOUT                                                            \
  "the structures of this SDK version differ from the known ones: please "     \
  "report it with the version string"
#define HINT_SLOW "too slow a reader, or too many streams for this chip"
#define HINT_UNKNOWN                                                           \
  "the kernel's log may say more; please report it with the version string"

#define NOT_READY 16
#define V5_NOT_READY 0x18

static const Code codes[] = {
  { 1, 1, HAL_INVALID, "invalid device", HINT_FRONT },
  { 2, 3, HAL_INVALID, "invalid channel", "try another stream-id" },
  { 3, 7, HAL_INVALID, "illegal parameter",
    "a size or rate that this chip cannot do" },
  { 4, 8, HAL_BUSY, "it exists already", "another program encodes here" },
  { 5, 9, HAL_NO_DEVICE, "it does not exist", HINT_FRONT },
  { 6, 0xa, HAL_VENDOR, "null pointer", HINT_LAYOUT },
  { 7, 0xb, HAL_NO_DEVICE, "not configured", HINT_FRONT },
  { 8, 0xc, HAL_UNSUPPORTED, "not supported by this chip",
    "another codec, rate control or size" },
  { 9, 0xd, HAL_REFUSED, "not permitted now",
    "this cannot change while the stream runs" },
  { 12, 0x14, HAL_NO_MEMORY, "no memory", HINT_MEMORY },
  { 13, 0x15, HAL_VENDOR, "no buffer", HINT_MEMORY },
  { 14, 0x16, HAL_AGAIN, "buffer empty", HINT_SLOW },
  { 15, 0x17, HAL_VENDOR, "buffer full", HINT_SLOW },
  { NOT_READY, V5_NOT_READY, HAL_NO_DEVICE, "not ready", HINT_DRIVER },
  { 17, 0x21, HAL_VENDOR, "bad address", HINT_LAYOUT },
  { 18, 0x22, HAL_BUSY, "busy", "another program uses it" },
};

HalStatus
hisi_fail (HalError *error, const HisiLayout *layout, const char *call,
           int32_t code)
{
  bool v5 = layout->generation == HISI_V5;
  unsigned low = HISI_ERROR_CODE (code);
  size_t i;

  if (((uint32_t)code & 0xff000000u) != 0xa0000000u)
    return hal_fail (error, HAL_VENDOR, call, code,
                     code == -1 ? HINT_DRIVER : HINT_UNKNOWN,
                     "%s failed: %d (0x%08x)", call, (int)code, (unsigned)code);
  for (i = 0; i < HAL_N_ELEMENTS (codes); i++) {
    if ((v5 ? codes[i].v5_code : codes[i].code) == low)
      return hal_fail (error, codes[i].status, call, code, codes[i].hint,
                       "%s failed: %s (0x%08x)", call, codes[i].name,
                       (unsigned)code);
  }
  return hal_fail (error, HAL_VENDOR, call, code, HINT_UNKNOWN,
                   "%s failed: 0x%08x (code %u of module %u)", call,
                   (unsigned)code, low, HISI_ERROR_MODULE (code));
}

HalStatus
hisi_fail_open (HalError *error, const HisiLayout *layout, const char *call,
                int32_t code)
{
  bool v5 = layout->generation == HISI_V5;
  bool refused = errno == EACCES || errno == EPERM;

  if (refused
      && (code == -1
          || HISI_ERROR_CODE (code) == (v5 ? V5_NOT_READY : NOT_READY)))
    return hal_fail (error, HAL_NO_PERMISSION, call, code,
                     "run as root, or give this user the vendor's nodes in "
                     "/dev",
                     "%s failed: no permission (0x%08x)", call, (unsigned)code);
  return hisi_fail (error, layout, call, code);
}
