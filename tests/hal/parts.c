/* The parts of hal-src alone: ELF headers and the loader's words, clocks,
 * parameter sets, wrapping counters.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "halbackend.h"
#include "halclock.h"
#include "halelf.h"
#include "halloader.h"
#include "halnal.h"
#include "simbits.h"
#include "unit/check.h"

/* --- ELF ------------------------------------------------------------------ */

enum { ARM = 40, MIPS = 8, X86_64 = 62 };

typedef struct
{
  bool is_64, big;
  unsigned machine;
  uint32_t flags;
  const char *interpreter; /* NULL: a library */
  size_t length;           /* 0: all of it */
} FakeElf;

static char directory[] = "/tmp/hal-parts-XXXXXX";

static void
put (uint8_t *data, const FakeElf *elf, size_t at, unsigned size,
     uint64_t value)
{
  unsigned i;

  for (i = 0; i < size; i++)
    data[at + (elf->big ? size - 1 - i : i)] = (uint8_t)(value >> 8 * i);
}

/* A file with no more than the headers; returns its path. */
static const char *
write_elf (const char *name, const FakeElf *elf)
{
  static char paths[4][64];
  static unsigned next;
  char *path = paths[next++ % 4];
  uint8_t data[256] = { 0x7f, 'E', 'L', 'F' };
  unsigned word = elf->is_64 ? 8 : 4;
  size_t table = elf->is_64 ? 64 : 52;
  FILE *file;

  data[4] = elf->is_64 ? 2 : 1;
  data[5] = elf->big ? 2 : 1;
  put (data, elf, 16, 2, 3);
  put (data, elf, 18, 2, elf->machine);
  put (data, elf, elf->is_64 ? 32 : 28, word, table);
  put (data, elf, elf->is_64 ? 48 : 36, 4, elf->flags);
  put (data, elf, elf->is_64 ? 56 : 44, 2, elf->interpreter != NULL);
  if (elf->interpreter != NULL) {
    put (data, elf, table, 4, 3);
    put (data, elf, table + word, word, 160);
    memcpy (data + 160, elf->interpreter, strlen (elf->interpreter) + 1);
  }
  snprintf (path, sizeof paths[0], "%s/%s", directory, name);
  file = fopen (path, "w");
  fwrite (data, 1, elf->length != 0 ? elf->length : sizeof data, file);
  fclose (file);
  return path;
}

static void
test_elf_read (void)
{
  static const FakeElf arm = { .machine = ARM,
                               .flags = 0x05000200,
                               .interpreter = "/lib/ld-uClibc.so.0" };
  static const FakeElf mips = { .machine = MIPS,
                                .flags = 0x70001007,
                                .interpreter = "/lib/ld-musl-mipsel-sf.so.1" };
  static const FakeElf big = { .is_64 = true, .big = true, .machine = X86_64 };
  FakeElf cut = arm;
  HalElf elf;
  char text[80];
  size_t i;

  CHECK (hal_elf_read (write_elf ("arm", &arm), &elf));
  CHECK_EQ (elf.float_abi, HAL_FLOAT_SOFT);
  CHECK_EQ (elf.libc, HAL_LIBC_UCLIBC);
  hal_elf_describe (&elf, text, sizeof text);
  CHECK_STR (text, "ARM, 32-bit little-endian, soft-float");
  CHECK (hal_elf_read (write_elf ("mips", &mips), &elf));
  CHECK_EQ (elf.mips_abi, 0x1000);
  CHECK_EQ (elf.libc, HAL_LIBC_MUSL);
  CHECK (hal_elf_read (write_elf ("big", &big), &elf));
  CHECK (elf.is_64 && elf.big_endian && elf.machine == X86_64);
  CHECK (hal_elf_read ("/proc/self/exe", &elf));
  CHECK_EQ (elf.is_64, sizeof (void *) == 8);
  CHECK_EQ (elf.libc, HAL_LIBC_GLIBC);
  for (i = 1; i < 52; i++) {
    cut.length = i;
    CHECK (!hal_elf_read (write_elf ("cut", &cut), &elf));
  }
  CHECK (!hal_elf_read ("/nonexistent", &elf));
}

static HalStatus
try_load (const char *self, HalError *error)
{
  static const HalLibrary libraries[] = { { "libvendor.so", false } };
  HalEnv env = { .library_path = directory, .self = self };
  HalLoader loader = { 0 };
  HalStatus status = hal_loader_open (&loader, &env, libraries, 1, error);

  hal_loader_close (&loader);
  return status;
}

/* Each reason has its own words, before dlopen has its. */
static void
test_loader_words (void)
{
  static const FakeElf soft = { .machine = ARM, .flags = 0x05000200 };
  static const FakeElf hard = { .machine = ARM, .flags = 0x05000400 };
  static const FakeElf mips = { .machine = MIPS, .flags = 0x1000 };
  static const FakeElf nan = { .machine = MIPS, .flags = 0x1400 };
  HalError error;
  const char *path, *self;
  FILE *file;

  path = write_elf ("libvendor.so", &soft);
  CHECK_EQ (try_load (NULL, &error), HAL_BAD_LIBRARY);
  CHECK (strstr (error.text, "wrong architecture") != NULL);
  CHECK (strstr (error.text, "ARM, 32-bit little-endian, soft-float") != NULL);
  CHECK (strstr (error.text, path) != NULL);
  CHECK (error.hint[0] != '\0');

  self = write_elf ("program", &hard);
  CHECK_EQ (try_load (self, &error), HAL_BAD_LIBRARY);
  CHECK (strstr (error.text, "wrong float ABI") != NULL);

  self = write_elf ("program", &nan);
  write_elf ("libvendor.so", &mips);
  CHECK_EQ (try_load (self, &error), HAL_BAD_LIBRARY);
  CHECK (strstr (error.text, "wrong NaN encoding") != NULL);

  file = fopen (path, "w");
  fputs ("<html>404</html>", file);
  fclose (file);
  CHECK_EQ (try_load (NULL, &error), HAL_BAD_LIBRARY);
  CHECK (strstr (error.text, "not a shared library") != NULL);

  unlink (path);
  CHECK_EQ (try_load (NULL, &error), HAL_NOT_FOUND);
  CHECK (strstr (error.text, "libvendor.so was not found") != NULL);
}

static void
test_missing_symbol (void)
{
  static const HalLibrary libraries[]
      = { { "libhalpart.so", false }, { "libnothere.so", true } };
  static const HalSymbol symbols[] = { { "sim_part", 0, false },
                                       { "sim_other", sizeof (void *), true },
                                       { "sim_gone", 0, false } };
  HalEnv env = { .library_path = getenv ("HAL_PARTS_DIR") };
  HalLoader loader = { 0 };
  HalError error = { 0 };
  void *table[3] = { &error, &error, &error };

  if (!CHECK_EQ (hal_loader_open (&loader, &env, libraries, 2, &error),
                 HAL_OK)) {
    printf ("# %s\n", error.text);
    return;
  }
  CHECK_EQ (hal_loader_bind (&loader, symbols, 2, table, &error), HAL_OK);
  CHECK (table[0] != NULL && table[0] != &error && table[1] == NULL);
  CHECK_EQ (hal_loader_bind (&loader, symbols, 3, table, &error),
            HAL_NOT_FOUND);
  CHECK (strstr (error.text, "libhalpart.so has no sim_gone") != NULL);
  hal_loader_close (&loader);
}

/* --- Clocks --------------------------------------------------------------- */

/* A generator of noise that repeats. */
static uint32_t
noise (uint32_t *state)
{
  *state = *state * 1664525 + 1013904223;
  return *state >> 8;
}

/* Two clocks 80 ppm apart, readings that take up to 2 ms: after some seconds
 * the mapping is good to 100 us, never goes back, and never steps. */
static void
test_clock_drift (void)
{
  const double rate = 1 + 80e-6;
  uint64_t vendor = UINT64_C (7000) * HAL_SECOND, last = 0;
  const uint64_t vendor_0 = vendor, local_0 = UINT64_C (1) << 40;
  uint32_t random = 1;
  double worst = 0;
  HalClockMap map;
  unsigned i;

  hal_clock_map_init (&map);
  CHECK_EQ (hal_clock_map_apply (&map, vendor), HAL_TIME_NONE);
  for (i = 0; i < 5 * 300; i++) {
    uint64_t truth, cost = noise (&random) % (2 * HAL_MSECOND), mapped;
    uint64_t off = noise (&random) % (cost + 1);

    vendor += 200 * HAL_MSECOND;
    truth = local_0 + (uint64_t)((double)(vendor - vendor_0) * rate);
    CHECK (!hal_clock_map_add (&map, vendor, truth - cost / 2 + off, cost));
    mapped = hal_clock_map_apply (&map, vendor - 30 * HAL_MSECOND);
    if (i > 0)
      CHECK_RANGE (mapped - last, 199 * HAL_MSECOND, 201 * HAL_MSECOND);
    last = mapped;
    if (i > 300)
      worst = fmax (worst, fabs ((double)hal_clock_map_apply (&map, vendor)
                                 - (double)truth));
  }
  CHECK_RANGE (worst, 0, 100 * HAL_USECOND);
  CHECK_RANGE (hal_clock_map_drift (&map), 75, 85);
}

static void
test_clock_jump (void)
{
  uint64_t vendor = HAL_SECOND, local = HAL_SECOND * 50;
  HalClockMap map;
  unsigned i;

  hal_clock_map_init (&map);
  for (i = 0; i < 50; i++) {
    CHECK (!hal_clock_map_add (&map, vendor, local, 1000));
    vendor += 200 * HAL_MSECOND;
    local += 200 * HAL_MSECOND;
  }
  /* The vendor's clock is set back: the mapping is new at once. */
  vendor -= 9 * HAL_SECOND;
  CHECK (hal_clock_map_add (&map, vendor, local, 1000));
  CHECK_EQ (hal_clock_map_apply (&map, vendor), local);
  CHECK_EQ (map.jumps, 1);
  /* Before any base, there is no negative time. */
  CHECK_EQ (hal_clock_map_apply (&map, 0), local - vendor);
}

static void
test_unwrap (void)
{
  HalUnwrap unwrap = { 0 };
  const uint64_t period = UINT64_C (1) << 32;

  CHECK_EQ (hal_unwrap32 (&unwrap, period - 1000), period - 1000);
  CHECK_EQ (hal_unwrap32 (&unwrap, 500), period + 500);
  /* A frame from before the wrap, asked about after it. */
  CHECK_EQ (hal_unwrap32 (&unwrap, period - 10), period - 10);
  CHECK_EQ (hal_unwrap32 (&unwrap, 600), period + 600);
  /* Set back for another reason: not a wrap. */
  unwrap = (HalUnwrap){ 0 };
  CHECK_EQ (hal_unwrap32 (&unwrap, 1000000), 1000000);
  CHECK_EQ (hal_unwrap32 (&unwrap, 10), 10);
  /* 64 bits. */
  CHECK_EQ (hal_unwrap32 (&unwrap, period * 5), period * 5);
  CHECK_EQ (hal_unwrap32 (&unwrap, period * 5 + 1), period * 5 + 1);
}

/* --- Bitstreams ------------------------------------------------------------
 */

static void
encode (SimUnit *unit, HalCodec codec, unsigned width, unsigned height,
        unsigned num, unsigned den, bool key)
{
  SimPicture picture = { .codec = codec,
                         .width = width,
                         .height = height,
                         .fps_num = num,
                         .fps_den = den,
                         .slices = 3,
                         .key = key,
                         .number = !key };

  sim_unit_encode (unit, &picture);
}

static void
test_sps (void)
{
  static const unsigned sizes[][2]
      = { { 1920, 1080 }, { 640, 360 }, { 2592, 1944 },
          { 16, 16 },     { 354, 290 }, { 3840, 2160 } };
  SimUnit unit = { 0 };
  unsigned codec, i;

  for (codec = 0; codec < 2; codec++) {
    for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
      size_t position = 0, k;
      HalNal nal;
      HalSps sps = { 0 };

      encode (&unit, (HalCodec)codec, sizes[i][0], sizes[i][1], 30000, 1001,
              true);
      do {
        if (!CHECK (hal_nal_next ((HalCodec)codec, unit.data, unit.size,
                                  &position, &nal)))
          return;
      } while (!hal_nal_is_sps ((HalCodec)codec, nal.type));
      CHECK (hal_sps_parse ((HalCodec)codec, nal.data, nal.size, &sps));
      CHECK_EQ (sps.width, sizes[i][0]);
      CHECK_EQ (sps.height, sizes[i][1]);
      CHECK_EQ (sps.fps_num * UINT64_C (1001), sps.fps_den * UINT64_C (30000));
      /* Cut off anywhere before the timing it is refused, not misread. */
      for (k = 0; k + 12 < nal.size; k++)
        CHECK (!hal_sps_parse ((HalCodec)codec, nal.data, k, &sps));
    }
  }
  sim_unit_clear (&unit);
}

/* Whatever the bytes, it ends and stays within them (the sanitizers look). */
static void
test_sps_noise (void)
{
  uint32_t random = 7;
  unsigned i, k;

  for (i = 0; i < 20000; i++) {
    uint8_t *data = malloc (64);
    size_t size = noise (&random) % 64;
    HalSps sps;

    for (k = 0; k < 64; k++)
      data[k] = (uint8_t)(i % 3 == 0 ? noise (&random) & noise (&random)
                                     : noise (&random));
    data = realloc (data, size != 0 ? size : 1);
    if (hal_sps_parse (i & 1 ? HAL_CODEC_H265 : HAL_CODEC_H264, data, size,
                       &sps))
      CHECK (sps.width > 0 && sps.width <= 16384 && sps.height > 0);
    free (data);
  }
}

/* Wherever a frame is cut in two, it is recognised. */
static void
test_key_across_segments (void)
{
  SimUnit unit = { 0 };
  unsigned codec, key;

  for (codec = 0; codec < 2; codec++) {
    for (key = 0; key < 2; key++) {
      size_t cut;

      encode (&unit, (HalCodec)codec, 64, 64, 25, 1, key);
      for (cut = 1; cut < unit.size; cut++) {
        HalSegment segments[2] = { { unit.data, cut, 0 },
                                   { unit.data + cut, unit.size - cut, 0 } };

        CHECK_EQ (hal_frame_is_key ((HalCodec)codec, segments, 2), key);
        CHECK (hal_frame_starts_well ((HalCodec)codec, segments, 2));
      }
    }
  }
  sim_unit_clear (&unit);
}

static const CheckCase cases[] = {
  { "elf-read", test_elf_read },
  { "loader-words", test_loader_words },
  { "missing-symbol", test_missing_symbol },
  { "clock-drift", test_clock_drift },
  { "clock-jump", test_clock_jump },
  { "unwrap", test_unwrap },
  { "sps", test_sps },
  { "sps-noise", test_sps_noise },
  { "key-across-segments", test_key_across_segments },
};

int
main (int argc, char **argv)
{
  static const char *const names[]
      = { "arm", "mips", "big", "cut", "program", "libvendor.so" };
  char path[80];
  size_t i;
  int result;

  if (mkdtemp (directory) == NULL)
    return 1;
  result = check_main (argc, argv, cases, sizeof cases / sizeof cases[0]);
  for (i = 0; i < sizeof names / sizeof names[0]; i++) {
    snprintf (path, sizeof path, "%s/%s", directory, names[i]);
    unlink (path);
  }
  rmdir (directory);
  return result;
}
