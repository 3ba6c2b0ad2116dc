/* Runs a fuzz target over a corpus where there is no libFuzzer.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   fuzz-NAME [--alterations N] PATH…
 *
 * Each file of each PATH is fed as it is, then altered N times (1000) by a
 * generator that always starts the same, so that a failure shows again. Every
 * input lies in a block of exactly its size: reading past it is an error that
 * memory checkers see. The input at hand when a target aborts is written to
 * fuzz-crash.bin.
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_LIMIT (64 << 10)
#define DEFAULT_ALTERATIONS 1000
#define CRASH_FILE "fuzz-crash.bin"

static const uint8_t *current;
static size_t current_size;

static void
save (int signal_number)
{
  FILE *file = fopen (CRASH_FILE, "wb");

  if (file) {
    fwrite (current, 1, current_size, file);
    fclose (file);
    fprintf (stderr, "input saved in %s\n", CRASH_FILE);
  }
  signal (signal_number, SIG_DFL);
  raise (signal_number);
}

static void
feed (const uint8_t *data, size_t size)
{
  uint8_t *copy = malloc (size ? size : 1);

  if (!copy)
    exit (2);
  if (size)
    memcpy (copy, data, size);
  current = copy;
  current_size = size;
  LLVMFuzzerTestOneInput (copy, size);
  free (copy);
}

static uint64_t
draw (uint64_t *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* One small change; returns the new size. */
static size_t
alter (uint8_t *data, size_t size, uint64_t *state)
{
  static const uint8_t odd[]
      = { 0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xbf, 0xc0, 0xff };
  size_t at = size ? draw (state) % size : 0, n;

  switch (draw (state) % 6) {
    case 0:
      if (size)
        data[at] ^= (uint8_t)(1u << draw (state) % 8);
      break;
    case 1:
      if (size)
        data[at] = odd[draw (state) % sizeof odd];
      break;
    case 2:
      if (size)
        data[at] = (uint8_t)draw (state);
      break;
    case 3: /* repeat a piece */
      n = draw (state) % 32 + 1;
      if (at + n <= size && size + n <= INPUT_LIMIT) {
        memmove (data + at + n, data + at, size - at);
        size += n;
      }
      break;
    case 4: /* cut a piece out */
      n = draw (state) % 32 + 1;
      if (at + n <= size) {
        memmove (data + at, data + at + n, size - at - n);
        size -= n;
      }
      break;
    default: /* cut the end */
      if (draw (state) % 4 == 0)
        size = at;
      break;
  }
  return size;
}

static unsigned long inputs;

static void
run_file (const char *path, unsigned long alterations)
{
  static uint8_t original[INPUT_LIMIT], altered[INPUT_LIMIT];
  FILE *file = fopen (path, "rb");
  size_t size;
  uint64_t state = 0x9e3779b97f4a7c15u;

  if (!file) {
    perror (path);
    exit (2);
  }
  size = fread (original, 1, sizeof original, file);
  fclose (file);
  feed (original, size);
  inputs++;
  for (unsigned long i = 0; i < alterations; i++) {
    size_t n = size;

    memcpy (altered, original, size);
    for (unsigned j = 0; j <= i % 8; j++)
      n = alter (altered, n, &state);
    feed (altered, n);
  }
}

static void
run_path (const char *path, unsigned long alterations)
{
  struct dirent **entries;
  struct stat info;
  int n;

  if (stat (path, &info)) {
    perror (path);
    exit (2);
  }
  if (!S_ISDIR (info.st_mode)) {
    run_file (path, alterations);
    return;
  }
  n = scandir (path, &entries, NULL, alphasort);
  for (int i = 0; i < n; i++) {
    char name[4096];

    if (entries[i]->d_name[0] != '.') {
      snprintf (name, sizeof name, "%s/%s", path, entries[i]->d_name);
      run_file (name, alterations);
    }
    free (entries[i]);
  }
  if (n >= 0)
    free (entries);
}

int
main (int argc, char **argv)
{
  unsigned long alterations = DEFAULT_ALTERATIONS;

  signal (SIGABRT, save);
  signal (SIGSEGV, save);
  for (int i = 1; i < argc; i++) {
    if (!strcmp (argv[i], "--alterations") && i + 1 < argc)
      alterations = strtoul (argv[++i], NULL, 0);
    else
      run_path (argv[i], alterations);
  }
  if (!inputs) {
    fprintf (stderr, "%s: no input\n", argv[0]);
    return 2;
  }
  printf ("%lu inputs, %lu alterations of each\n", inputs, alterations);
  return 0;
}
