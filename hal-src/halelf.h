/* What the header of an ELF file says about where it can run.
 *
 * dlopen's own words for a library of the wrong kind are "invalid ELF header"
 * or "cannot open shared object file: No such file or directory" for a file
 * that is there. This tells the reasons apart before it is asked.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_ELF_H
#define HAL_ELF_H

#include "hal.h"

typedef enum {
  HAL_FLOAT_UNKNOWN, /* the header does not say, or it does not matter */
  HAL_FLOAT_SOFT,    /* ARM: arguments in core registers */
  HAL_FLOAT_HARD,    /* ARM: arguments in VFP registers */
} HalFloatAbi;

typedef enum {
  HAL_LIBC_UNKNOWN,
  HAL_LIBC_GLIBC,
  HAL_LIBC_UCLIBC,
  HAL_LIBC_MUSL,
} HalLibc;

typedef struct
{
  bool is_64, big_endian;
  unsigned machine; /* EM_... */
  unsigned mips_abi, mips_nan2008;
  HalFloatAbi float_abi;
  HalLibc libc; /* by the loader, or the C library, that it names */
} HalElf;

/* false: not an ELF file, or cut off. Reads at most the headers and the
 * dynamic section. */
bool hal_elf_read (const char *path, HalElf *ret_elf);
const char *hal_elf_libc_name (HalLibc libc);
/* "ARM, 32-bit little-endian, soft-float" */
void hal_elf_describe (const HalElf *elf, char *ret_text, size_t size);
/* Whether a library can be loaded into a program; ret_why says what differs.
 * The C library is not looked at: shims make some of these work. */
bool hal_elf_compatible (const HalElf *program, const HalElf *library,
                         const char **ret_why);

#endif /* HAL_ELF_H */
