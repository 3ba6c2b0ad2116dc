/* What a frame costs: copies, allocations, time, and what a start leaves
 * behind. The simulated encoder works in this thread, when its clock is moved;
 * what the others do is the cost of the elements.
 *
 *   hal-costs TARGET [CASE]
 *   hal-costs TARGET --bench SECONDS     at 30 frames/s, the result in JSON
 *
 * Nothing here is measured in time that passes, but in time of the CPU, beside
 * that of a bare loop which does no more than copy.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "costs-hooks.h"
#include "soc-util.h"
#include "unit/check.h"

#include <stdlib.h>
#include <time.h>

#define FPS 30
#define INTERVAL (1000000 / FPS + 1)
#define N_STREAMS 4
#define SINK "fakesink sync=false async=false enable-last-sample=false"
/* Of a core, for four streams at 30 frames/s, beyond the copy. */
#define LOAD_BUDGET 2.0
/* What there may be more of after 900 starts: threads of GLib's pools come and
 * go, with what they hold. What each start leaves would be much more. */
#define HEAP_SLACK 200
#define THREAD_SLACK 4

typedef struct
{
  GMutex lock;
  GCond cond;
  /* Protected by lock. */
  guint frames;
  gsize bytes, last;
  gboolean unreleased; /* a frame came on while the encoder's was held */
  gboolean key, hold, held;
} Watch;

static Watch watch;

/* --- Watching frames ----------------------------------------------------- */

static GstPadProbeReturn
on_frame (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  g_mutex_lock (&watch.lock);
  watch.last = gst_buffer_get_size (buffer);
  watch.key = !GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_DELTA_UNIT);
  watch.bytes += watch.last;
  watch.frames++;
  g_cond_broadcast (&watch.cond);
  if (watch.hold) {
    watch.held = TRUE;
    while (watch.hold)
      g_cond_wait (&watch.cond, &watch.lock);
    watch.held = FALSE;
  } else {
    watch.unreleased |= sim->gets != sim->releases;
  }
  g_mutex_unlock (&watch.lock);
  return GST_PAD_PROBE_OK;
}

static void
watch_source (GstElement *src)
{
  GstPad *pad = gst_element_get_static_pad (src, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, on_frame, NULL, NULL);
  gst_object_unref (pad);
}

static gint64
patience (void)
{
  return g_get_monotonic_time () + PATIENCE / GST_USECOND;
}

static gboolean
wait_frames (guint n)
{
  gint64 until = patience ();
  gboolean good = TRUE;

  g_mutex_lock (&watch.lock);
  while (good && watch.frames < n)
    good = g_cond_wait_until (&watch.cond, &watch.lock, until);
  g_mutex_unlock (&watch.lock);
  return good;
}

/* Counters of the simulation have nothing to wait on. */
static gboolean
wait_counter (atomic_uint *counter, guint n)
{
  gint64 until = patience ();

  while (atomic_load (counter) < n && g_get_monotonic_time () < until)
    g_thread_yield ();
  return atomic_load (counter) >= n;
}

static Camera
start (const gchar *properties)
{
  gchar *all = g_strdup_printf ("framerate=%u/1 input-framerate=%u %s", FPS,
                                FPS, properties);
  Camera camera = make_with_sink (all, SINK);

  g_free (all);
  memset (&watch, 0, sizeof watch);
  sim->mode = SIM_MANUAL;
  watch_source (camera.src);
  CHECK (play (&camera));
  CHECK (wait_counter (&sim->starts, 1));
  return camera;
}

/* One frame after the other, each as far as the sink. */
static gboolean
step (guint n)
{
  guint end = watch.frames + n;

  while (watch.frames < end) {
    guint next = watch.frames + 1;

    sim->advance (INTERVAL);
    if (!CHECK (wait_frames (next)))
      return FALSE;
  }
  return TRUE;
}

/* --- Frames -------------------------------------------------------------- */

/* The encoder has its buffer back before the frame goes on, and a stalled
 * pipeline keeps none. */
static void
test_released_first (void)
{
  Camera camera = start ("");

  step (50);
  CHECK (!watch.unreleased);
  CHECK_EQ (sim->releases, 50);
  g_mutex_lock (&watch.lock);
  watch.hold = TRUE;
  g_mutex_unlock (&watch.lock);
  step (1);
  for (guint i = 0; i < 30; i++) {
    sim->advance (INTERVAL);
    CHECK (wait_counter (&sim->releases, 52 + i));
  }
  CHECK (watch.held);
  CHECK_EQ (sim->overruns, 0);
  g_mutex_lock (&watch.lock);
  watch.hold = FALSE;
  g_cond_broadcast (&watch.cond);
  g_mutex_unlock (&watch.lock);
  drop (&camera);
}

static void
test_copies (void)
{
  Camera camera = start ("bitrate=8000000");
  gsize bytes;

  step (50);
  bytes = watch.bytes;
  hooks_start ();
  step (200);
  hooks_stop ();
  bytes = watch.bytes - bytes;
  printf ("# %zu bytes, %zu copied\n", bytes, hooks_copied ());
  /* Small parts, as parameter sets are, are not counted. */
  CHECK_RANGE ((double)hooks_copied () / bytes, 0.95, 1.001);
  drop (&camera);
}

static void
test_allocations (void)
{
  Camera camera = start ("gop-size=30");

  hooks_start ();
  step (300);
  hooks_stop ();
  /* They are seen. */
  CHECK (hooks_allocations () > 0);
  hooks_start ();
  step (300);
  hooks_stop ();
  CHECK_EQ (hooks_allocations (), 0);
  drop (&camera);
}

/* The first picture of the encoder is the first to arrive, and the time of
 * the encoder's clock until then is that of one picture. */
static void
test_first_frame (void)
{
  Camera camera = start ("");
  GstStructure *stats = NULL;
  guint64 encoded = 0, dropped = 1;

  step (1);
  CHECK (watch.key);
  CHECK_EQ (watch.frames, 1);
  g_object_get (camera.src, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "encoded-frames", &encoded);
  gst_structure_get_uint64 (stats, "dropped-frames", &dropped);
  gst_structure_free (stats);
  CHECK_EQ (encoded, 1);
  CHECK_EQ (dropped, 0);
  drop (&camera);
}

/* The next picture after a change is already one of the new rate. */
static void
test_bitrate_next_frame (void)
{
  Camera camera = start ("gop-size=10000 bitrate=1000000");
  double size;

  step (20);
  size = (double)watch.last;
  g_object_set (camera.src, "bitrate", 4000000, NULL);
  step (1);
  CHECK_RANGE ((double)watch.last / size, 3.5, 4.5);
  g_object_set (camera.src, "bitrate", 1000000, NULL);
  step (1);
  CHECK_RANGE ((double)watch.last / size, 0.8, 1.2);
  drop (&camera);
}

/* --- Load ---------------------------------------------------------------- */

static gint64
cpu (clockid_t clock)
{
  struct timespec now;

  clock_gettime (clock, &now);
  return (gint64)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* CPU time of all threads but this one, in ns. */
static gint64
cpu_of_others (void)
{
  return cpu (CLOCK_PROCESS_CPUTIME_ID) - cpu (CLOCK_THREAD_CPUTIME_ID);
}

/* The copy alone: as many frames of that size, from as many buffers as an
 * encoder has into as many as the elements have. */
static gint64
cpu_of_copies (guint frames, gsize size)
{
  guint8 *from[N_STREAMS * SIM_SLOTS], *to[N_STREAMS * 2];
  gint64 begin;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (from); i++)
    from[i] = memset (g_malloc (size), (int)i, size);
  for (i = 0; i < G_N_ELEMENTS (to); i++)
    to[i] = memset (g_malloc (size), (int)i, size);
  begin = cpu (CLOCK_THREAD_CPUTIME_ID);
  for (i = 0; i < frames; i++)
    memcpy (to[i % G_N_ELEMENTS (to)], from[i % G_N_ELEMENTS (from)], size);
  begin = cpu (CLOCK_THREAD_CPUTIME_ID) - begin;
  for (i = 0; i < G_N_ELEMENTS (from); i++)
    g_free (from[i]);
  for (i = 0; i < G_N_ELEMENTS (to); i++)
    g_free (to[i]);
  return begin;
}

typedef struct
{
  guint frames;
  gsize bytes;
  gint64 cpu, copies; /* ns */
  double percent;     /* of a core, beyond the copies */
} Load;

static GstElement *
four_streams (void)
{
  GString *line = g_string_new (NULL);
  GstElement *pipeline;
  guint i;

  for (i = 0; i < N_STREAMS; i++)
    g_string_append_printf (line,
                            "%s name=src%u library-path=%s stream-id=%u %s "
                            "framerate=%u/1 input-framerate=%u "
                            "bitrate=2000000 ! " SINK " ",
                            soc->source, i, path, i, soc->settings, FPS, FPS);
  pipeline = gst_parse_launch (line->str, NULL);
  g_string_free (line, TRUE);
  for (i = 0; i < N_STREAMS; i++) {
    gchar *name = g_strdup_printf ("src%u", i);
    GstElement *src = gst_bin_get_by_name (GST_BIN (pipeline), name);

    watch_source (src);
    gst_object_unref (src);
    g_free (name);
  }
  return pipeline;
}

/* rounds of one frame each; paced: as they come from a sensor. */
static gboolean
run_rounds (guint rounds, gboolean paced)
{
  gint64 next = g_get_monotonic_time ();

  while (rounds-- > 0) {
    guint frames = watch.frames + N_STREAMS;

    sim->advance (INTERVAL);
    if (!CHECK (wait_frames (frames)))
      return FALSE;
    next += INTERVAL;
    if (paced && next > g_get_monotonic_time ())
      g_usleep ((gulong)(next - g_get_monotonic_time ()));
  }
  return TRUE;
}

static Load
measure (guint rounds, gboolean paced)
{
  GstElement *pipeline;
  Load load = { 0 };

  memset (&watch, 0, sizeof watch);
  sim->mode = SIM_MANUAL;
  pipeline = four_streams ();
  CHECK (gst_element_set_state (pipeline, GST_STATE_PLAYING)
         != GST_STATE_CHANGE_FAILURE);
  CHECK (wait_counter (&sim->starts, N_STREAMS));
  if (run_rounds (100, FALSE)) {
    load.bytes = watch.bytes;
    load.cpu = cpu_of_others ();
    run_rounds (rounds, paced);
    load.cpu = cpu_of_others () - load.cpu;
    load.bytes = watch.bytes - load.bytes;
    load.frames = rounds * N_STREAMS;
    load.copies = cpu_of_copies (load.frames, load.bytes / load.frames);
    load.percent = 100.0 * (load.cpu - load.copies) * FPS * N_STREAMS
                   / load.frames / 1e9;
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  return load;
}

static void
test_load (void)
{
  Load load = measure (300, FALSE);

  printf ("# %u frames of %zu bytes: %.1f us each, %.1f us of them the copy; "
          "4 streams at %u/s: %.2f %% of a core\n",
          load.frames, load.bytes / MAX (load.frames, 1),
          load.cpu / 1e3 / MAX (load.frames, 1),
          load.copies / 1e3 / MAX (load.frames, 1), FPS, load.percent);
  CHECK_RANGE (load.percent, 0, LOAD_BUDGET);
}

static int
bench (guint seconds)
{
  Load load = measure (seconds * FPS, TRUE);

  printf ("{\"target\": \"%s\", \"frames\": %u, \"bytes\": %zu, "
          "\"frame-us\": %.2f, \"copy-us\": %.2f, \"percent\": %.3f}\n",
          soc->name, load.frames, load.bytes, load.cpu / 1e3 / load.frames,
          load.copies / 1e3 / load.frames, load.percent);
  return check_failures > 0;
}

/* --- Starts -------------------------------------------------------------- */

#define N_CYCLES (COSTS_SANITIZED ? 200 : 1000)

static void
test_cycles (void)
{
  Camera camera = make_with_sink ("", SINK);
  guint fds = 0, threads = 0, i;
  glong blocks = 0;

  sim->mode = SIM_AUTO;
  watch_source (camera.src);
  for (i = 0; i < N_CYCLES; i++) {
    watch.frames = 0;
    CHECK (play (&camera));
    /* Some are ended before there is anything. */
    if (i % 4 != 0)
      CHECK (wait_frames (1));
    CHECK_EQ (gst_element_set_state (camera.pipeline, i % 3 == 0
                                                          ? GST_STATE_READY
                                                          : GST_STATE_NULL),
              GST_STATE_CHANGE_SUCCESS);
    if (i == N_CYCLES / 10) {
      gst_element_set_state (camera.pipeline, GST_STATE_NULL);
      fds = count_fds ();
      threads = count_threads ();
      blocks = hooks_blocks ();
    }
  }
  gst_element_set_state (camera.pipeline, GST_STATE_NULL);
  CHECK_RANGE (count_fds (), 0, fds);
  CHECK_RANGE (count_threads (), 0, threads + THREAD_SLACK);
  printf ("# heap: %ld blocks, then %ld\n", blocks, hooks_blocks ());
  CHECK_RANGE (hooks_blocks (), 0, blocks + HEAP_SLACK);
  drop (&camera);
}

static const struct
{
  const char *name;
  void (*run) (void);
  bool exact; /* not with a sanitizer's own functions around */
} cases[] = {
  { "released-first", test_released_first, false },
  { "copies", test_copies, true },
  { "allocations", test_allocations, true },
  { "load", test_load, true },
  { "first-frame", test_first_frame, false },
  { "bitrate-next-frame", test_bitrate_next_frame, false },
  { "cycles", test_cycles, false },
};

int
main (int argc, char **argv)
{
  guint i, n = 0, failed = 0;

  if (!soc_util_init (argc > 1 ? argv[1] : NULL))
    return 2;
  setvbuf (stdout, NULL, _IOLBF, 0);
  if (argc == 4 && strcmp (argv[2], "--bench") == 0)
    return bench ((guint)strtoul (argv[3], NULL, 10));
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    if (argc > 2 && strstr (cases[i].name, argv[2]) == NULL)
      continue;
    if (cases[i].exact && COSTS_SANITIZED) {
      printf ("ok %u - %s # SKIP a sanitizer counts differently\n", ++n,
              cases[i].name);
      continue;
    }
    sim->reset ();
    check_failures = 0;
    cases[i].run ();
    CHECK_EQ (sim->gets, sim->releases);
    CHECK_EQ (sim->creates, sim->destroys);
    CHECK_EQ (sim->order_errors, 0);
    printf ("%sok %u - %s\n", check_failures > 0 ? "not " : "", ++n,
            cases[i].name);
    failed += check_failures > 0;
  }
  printf ("1..%u\n", n);
  soc_util_deinit ();
  return failed > 0 || n == 0;
}
