/* The headers of ELF files, of either size and byte order.
 *
 * The file is untrusted: every offset is checked by the read that uses it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "halelf.h"

#include <stdio.h>
#include <string.h>

#define MAX_PROGRAM_HEADERS 64
#define MAX_DYNAMIC 256
#define MAX_NAME 64

/* Values of the ELF specification and its ARM and MIPS supplements. */
enum {
  MACHINE_386 = 3,
  MACHINE_MIPS = 8,
  MACHINE_ARM = 40,
  MACHINE_X86_64 = 62,
  MACHINE_AARCH64 = 183,
  MACHINE_RISCV = 243,
  SEGMENT_LOAD = 1,
  SEGMENT_DYNAMIC = 2,
  SEGMENT_INTERP = 3,
  DYNAMIC_END = 0,
  DYNAMIC_NEEDED = 1,
  DYNAMIC_STRTAB = 5,
  ARM_FLOAT_SOFT = 0x200,
  ARM_FLOAT_HARD = 0x400,
  MIPS_NAN2008 = 0x400,
  MIPS_ABI2 = 0x20,
  MIPS_ABI_MASK = 0xf000,
};

typedef struct
{
  FILE *file;
  const HalElf *elf;
} Reader;

typedef struct
{
  uint64_t offset, address, size;
} Segment;

static bool
read_at (const Reader *reader, uint64_t offset, void *data, size_t size)
{
  return offset <= INT32_MAX
         && fseek (reader->file, (long)offset, SEEK_SET) == 0
         && fread (data, 1, size, reader->file) == size;
}

static uint64_t
number (const Reader *reader, const uint8_t *data, unsigned size)
{
  uint64_t value = 0;
  unsigned i;

  for (i = 0; i < size; i++) {
    unsigned at = reader->elf->big_endian ? i : size - 1 - i;

    value = value << 8 | data[at];
  }
  return value;
}

static HalLibc
libc_by_name (const char *name)
{
  static const struct
  {
    const char *prefix;
    HalLibc libc;
  } names[] = {
    { "ld-uClibc", HAL_LIBC_UCLIBC }, { "ld-musl", HAL_LIBC_MUSL },
    { "ld-linux", HAL_LIBC_GLIBC },   { "ld.so.1", HAL_LIBC_GLIBC },
    { "libc.so.0", HAL_LIBC_UCLIBC }, { "libc.so.1", HAL_LIBC_UCLIBC },
    { "libc.so.6", HAL_LIBC_GLIBC },  { "libc.musl", HAL_LIBC_MUSL },
    { "libc.so", HAL_LIBC_MUSL },
  };
  const char *slash = strrchr (name, '/');
  size_t i;

  if (slash != NULL)
    name = slash + 1;
  for (i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strncmp (name, names[i].prefix, strlen (names[i].prefix)) == 0)
      return names[i].libc;
  }
  return HAL_LIBC_UNKNOWN;
}

static void
read_name (const Reader *reader, uint64_t offset, char *ret_name)
{
  size_t n;

  ret_name[0] = '\0';
  if (offset > INT32_MAX || fseek (reader->file, (long)offset, SEEK_SET) != 0)
    return;
  n = fread (ret_name, 1, MAX_NAME - 1, reader->file);
  ret_name[n] = '\0';
}

static bool
to_offset (const Segment *loads, unsigned n_loads, uint64_t address,
           uint64_t *ret_offset)
{
  unsigned i;

  for (i = 0; i < n_loads; i++) {
    if (address >= loads[i].address
        && address - loads[i].address < loads[i].size) {
      *ret_offset = address - loads[i].address + loads[i].offset;
      return true;
    }
  }
  return false;
}

static HalLibc
libc_of_dynamic (const Reader *reader, const Segment *dynamic,
                 const Segment *loads, unsigned n_loads)
{
  unsigned word = reader->elf->is_64 ? 8 : 4;
  uint64_t needed[MAX_DYNAMIC];
  uint64_t strings = 0;
  unsigned n_needed = 0;
  unsigned i;

  for (i = 0; i < MAX_DYNAMIC && (i + 1) * 2 * word <= dynamic->size; i++) {
    uint8_t raw[16];
    uint64_t tag, value;

    if (!read_at (reader, dynamic->offset + i * 2 * word, raw, 2 * word))
      break;
    tag = number (reader, raw, word);
    value = number (reader, raw + word, word);
    if (tag == DYNAMIC_END)
      break;
    if (tag == DYNAMIC_NEEDED)
      needed[n_needed++] = value;
    if (tag == DYNAMIC_STRTAB)
      to_offset (loads, n_loads, value, &strings);
  }
  for (i = 0; i < n_needed && strings != 0; i++) {
    char name[MAX_NAME];
    HalLibc libc;

    read_name (reader, strings + needed[i], name);
    libc = libc_by_name (name);
    if (libc != HAL_LIBC_UNKNOWN)
      return libc;
  }
  return HAL_LIBC_UNKNOWN;
}

static HalLibc
find_libc (const Reader *reader, const uint8_t *header)
{
  bool is_64 = reader->elf->is_64;
  uint64_t table = number (reader, header + (is_64 ? 32 : 28), is_64 ? 8 : 4);
  unsigned n = (unsigned)number (reader, header + (is_64 ? 56 : 44), 2);
  unsigned entry = is_64 ? 56 : 32;
  Segment loads[MAX_PROGRAM_HEADERS], dynamic = { 0, 0, 0 };
  unsigned n_loads = 0;
  unsigned i;

  for (i = 0; i < n && i < MAX_PROGRAM_HEADERS; i++) {
    uint8_t raw[56];
    unsigned word = is_64 ? 8 : 4;
    char name[MAX_NAME];
    Segment segment;
    uint64_t type;

    if (!read_at (reader, table + (uint64_t)i * entry, raw, entry))
      break;
    type = number (reader, raw, 4);
    segment.offset = number (reader, raw + word, word);
    segment.address = number (reader, raw + 2 * word, word);
    segment.size = number (reader, raw + 4 * word, word);
    if (type == SEGMENT_INTERP) {
      read_name (reader, segment.offset, name);
      return libc_by_name (name);
    }
    if (type == SEGMENT_LOAD)
      loads[n_loads++] = segment;
    if (type == SEGMENT_DYNAMIC)
      dynamic = segment;
  }
  return libc_of_dynamic (reader, &dynamic, loads, n_loads);
}

bool
hal_elf_read (const char *path, HalElf *ret_elf)
{
  HalElf elf = { 0 };
  Reader reader = { fopen (path, "re"), &elf };
  uint8_t header[64] = { 0 };
  uint64_t flags;
  bool good;

  if (reader.file == NULL)
    return false;
  good = read_at (&reader, 0, header, 52) && memcmp (header, "\177ELF", 4) == 0
         && (header[4] == 1 || header[4] == 2)
         && (header[5] == 1 || header[5] == 2);
  if (good) {
    elf.is_64 = header[4] == 2;
    elf.big_endian = header[5] == 2;
    good = !elf.is_64 || read_at (&reader, 0, header, 64);
  }
  if (good) {
    elf.machine = (unsigned)number (&reader, header + 18, 2);
    flags = number (&reader, header + (elf.is_64 ? 48 : 36), 4);
    if (elf.machine == MACHINE_ARM && (flags & ARM_FLOAT_HARD) != 0)
      elf.float_abi = HAL_FLOAT_HARD;
    else if (elf.machine == MACHINE_ARM && (flags & ARM_FLOAT_SOFT) != 0)
      elf.float_abi = HAL_FLOAT_SOFT;
    if (elf.machine == MACHINE_MIPS) {
      elf.mips_abi = (unsigned)(flags & (MIPS_ABI_MASK | MIPS_ABI2));
      elf.mips_nan2008 = (flags & MIPS_NAN2008) != 0;
    }
    elf.libc = find_libc (&reader, header);
    *ret_elf = elf;
  }
  fclose (reader.file);
  return good;
}

const char *
hal_elf_libc_name (HalLibc libc)
{
  static const char *const names[]
      = { "an unknown C library", "glibc", "uClibc", "musl" };

  return names[libc];
}

static const char *
machine_name (unsigned machine)
{
  switch (machine) {
    case MACHINE_386:
      return "x86";
    case MACHINE_MIPS:
      return "MIPS";
    case MACHINE_ARM:
      return "ARM";
    case MACHINE_X86_64:
      return "x86-64";
    case MACHINE_AARCH64:
      return "AArch64";
    case MACHINE_RISCV:
      return "RISC-V";
    default:
      return "an unknown processor";
  }
}

void
hal_elf_describe (const HalElf *elf, char *ret_text, size_t size)
{
  snprintf (ret_text, size, "%s, %s-bit %s-endian%s%s",
            machine_name (elf->machine), elf->is_64 ? "64" : "32",
            elf->big_endian ? "big" : "little",
            elf->float_abi == HAL_FLOAT_HARD   ? ", hard-float"
            : elf->float_abi == HAL_FLOAT_SOFT ? ", soft-float"
                                               : "",
            elf->mips_nan2008 ? ", NaN 2008" : "");
}

bool
hal_elf_compatible (const HalElf *program, const HalElf *library,
                    const char **ret_why)
{
  if (program->machine != library->machine) {
    *ret_why = "architecture";
  } else if (program->is_64 != library->is_64) {
    *ret_why = "word size";
  } else if (program->big_endian != library->big_endian) {
    *ret_why = "byte order";
  } else if (program->float_abi != library->float_abi
             && program->float_abi != HAL_FLOAT_UNKNOWN
             && library->float_abi != HAL_FLOAT_UNKNOWN) {
    *ret_why = "float ABI";
  } else if (program->mips_abi != library->mips_abi) {
    *ret_why = "MIPS ABI";
  } else if (program->mips_nan2008 != library->mips_nan2008) {
    *ret_why = "NaN encoding";
  } else {
    *ret_why = NULL;
    return true;
  }
  return false;
}
