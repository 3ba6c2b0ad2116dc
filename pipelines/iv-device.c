/* A small device on iv_av.h: sends an FLV file as if it were live, writes what
 * viewers say into a file, answers commands.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * usage: iv-device FILE.flv [TALK-FILE]
 *
 * The device's name, its key and where it is found are in the file that
 * IV_P2P_CONF names, else in /etc/iv-p2p.conf:
 *
 *   [p2p]
 *   device-id=camera-1
 *   key-file=/etc/camera-1.key
 *   signaller=lan://
 *
 * A viewer:
 *
 *   gst-launch-1.0 p2psrc uri='p2p://camera-1?action=live&channel=0' \
 *     key-file=camera-1.key ! flvdemux ! decodebin ! autovideosink
 *
 * Built by hand: cc iv-device.c $(pkg-config --cflags --libs iv-p2p), with
 * -DIV_AV_API=2 in the newer shape.
 *
 * It is written against the documented interface alone. Each viewer has a
 * Viewer, its handle, which only the library's calls for that handle touch.
 * Talk comes from one viewer at a time; `talker` says from which.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iv_av.h"

/* The header, and the size of no tag before the first. */
#define FLV_HEADER 13
#define TAG_HEADER 11
#define TAG_TRAILER 4
#define MAX_FILE (512L << 20)
#define MAX_BATCH (256u << 10)
#define FLV_AUDIO 8
#define FLV_VIDEO 9
#define FRAME_MS 40 /* between the end of the file and its start again */

/* The file, in memory, cut into tags. */
static struct
{
  uint8_t *data;
  size_t size;
  uint32_t duration_ms;
} media;

typedef struct
{
  size_t at;        /* of the next tag */
  uint32_t base_ms; /* of the round through the file */
  struct timespec start;
  int congested; /* between a high watermark and the next low */
  int started;   /* the file's header has gone */
} Viewer;

static pthread_mutex_t talk_lock = PTHREAD_MUTEX_INITIALIZER;
static void *talker; /* [talk_lock] */
static FILE *talk_file;
static volatile sig_atomic_t quit;

/* -- The file -------------------------------------------------------------- */

static uint32_t
read_24 (const uint8_t *p)
{
  return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static uint32_t
tag_time (const uint8_t *tag)
{
  return read_24 (tag + 4) | (uint32_t)tag[7] << 24;
}

static void
set_tag_time (uint8_t *tag, uint32_t ms)
{
  tag[4] = (uint8_t)(ms >> 16);
  tag[5] = (uint8_t)(ms >> 8);
  tag[6] = (uint8_t)ms;
  tag[7] = (uint8_t)(ms >> 24);
}

/* Whole, with its trailer; 0: there is no further one. */
static size_t
tag_size (size_t at)
{
  size_t size;

  if (media.size - at < TAG_HEADER + TAG_TRAILER)
    return 0;
  size = TAG_HEADER + read_24 (media.data + at + 1) + TAG_TRAILER;
  return size <= media.size - at ? size : 0;
}

static int
check_media (void)
{
  size_t at = FLV_HEADER, n;

  if (media.size < FLV_HEADER || memcmp (media.data, "FLV\1", 4) != 0)
    return -1;
  while ((n = tag_size (at)) > 0) {
    uint32_t ms = tag_time (media.data + at);

    if (ms > media.duration_ms)
      media.duration_ms = ms;
    at += n;
  }
  media.size = at;
  return at > FLV_HEADER ? 0 : -1;
}

static int
load_media (const char *name)
{
  FILE *file = fopen (name, "rb");
  long size = -1;
  int ok;

  if (file == NULL)
    return -1;
  if (fseek (file, 0, SEEK_END) == 0)
    size = ftell (file);
  rewind (file);
  media.data = size > 0 && size <= MAX_FILE ? malloc ((size_t)size) : NULL;
  media.size = size > 0 ? (size_t)size : 0;
  ok = media.data != NULL
       && fread (media.data, 1, media.size, file) == media.size;
  fclose (file);
  return ok ? check_media () : -1;
}

/* -- Sending --------------------------------------------------------------- */

static uint32_t
elapsed_ms (const Viewer *viewer)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint32_t)((now.tv_sec - viewer->start.tv_sec) * 1000
                    + (now.tv_nsec - viewer->start.tv_nsec) / 1000000);
}

static void *
on_send_init (const char *params, const char *peer)
{
  Viewer *viewer;

  printf ("%s asks for \"%s\"\n", peer, params);
  /* There are no recordings to play back. */
  if (strstr (params, "action=live") == NULL)
    return NULL;
  viewer = calloc (1, sizeof *viewer);
  if (viewer == NULL)
    return NULL;
  viewer->at = FLV_HEADER;
  clock_gettime (CLOCK_MONOTONIC, &viewer->start);
  return viewer;
}

static void
free_block (uint8_t *buf, size_t size)
{
  (void)size;
  free (buf);
}

/* Takes the next tag if its time has come. After the last one the file begins
 * again, later. */
static size_t
next_tag (Viewer *viewer, uint32_t now, uint8_t *out, size_t room)
{
  size_t size = tag_size (viewer->at);
  uint32_t ms;

  if (size == 0) {
    viewer->at = FLV_HEADER;
    viewer->base_ms += media.duration_ms + FRAME_MS;
    size = tag_size (viewer->at);
  }
  ms = viewer->base_ms + tag_time (media.data + viewer->at);
  if (ms > now || size > room)
    return 0;
  memcpy (out, media.data + viewer->at, size);
  set_tag_time (out, ms);
  viewer->at += size;
  return size;
}

static iv_cm_memory_s
on_send_get (void *handle)
{
  Viewer *viewer = handle;
  iv_cm_memory_s memory = { NULL, 0, NULL };
  uint32_t now = elapsed_ms (viewer);
  size_t size = 0, n;
  uint8_t *buf = malloc (MAX_BATCH);

  if (buf == NULL)
    return memory;
  if (!viewer->started) {
    memcpy (buf, media.data, FLV_HEADER);
    size = FLV_HEADER;
    viewer->started = 1;
  }
  while ((n = next_tag (viewer, now, buf + size, MAX_BATCH - size)) > 0)
    size += n;
  if (size == 0) {
    free (buf);
    return memory;
  }
  memory.buf = buf;
  memory.size = size;
  memory.buf_free_fn = free_block;
  return memory;
}

static int
on_send_stop (void *handle)
{
  iv_p2p_send_stats_s stats = iv_avt_p2p_get_send_status (handle);

  printf ("a viewer has gone; it got %llu bytes\n",
          (unsigned long long)stats.sum_sent_acked);
  free (handle);
  return 0;
}

/* A device with an encoder would set its bitrate here. */
static void
on_event (iv_avt_event_e event, void *handle)
{
  static const char *const names[] = {
    "ready",      "cannot reach the server", "network error", "address changed",
    "buffer low", "buffer filling",          "buffer full",
#if IV_AV_API == 2
    "local network ready", "a viewer has disconnected", "a viewer is silent",
#endif
  };
  Viewer *viewer = handle;

  if (event >= IV_AVT_EVENT_P2P_BUTT)
    return;
  printf ("%s\n", names[event]);
  if (viewer != NULL && event != IV_AVT_EVENT_P2P_WATERMARK_WARN)
    viewer->congested = event == IV_AVT_EVENT_P2P_WATERMARK_HIGH;
}

/* -- Talk ------------------------------------------------------------------ */

static void *
on_recv_init (const char *params, const char *peer)
{
  void *handle = malloc (1);

  printf ("%s talks \"%s\"\n", peer, params);
  pthread_mutex_lock (&talk_lock);
  if (talker == NULL)
    talker = handle;
  pthread_mutex_unlock (&talk_lock);
  return handle;
}

static void
hear (void *handle, const uint8_t *data, size_t len)
{
  pthread_mutex_lock (&talk_lock);
  if (handle == talker && data != NULL && talk_file != NULL) {
    fwrite (data, 1, len, talk_file);
    fflush (talk_file);
  }
  if (data == NULL && handle == talker)
    talker = NULL;
  pthread_mutex_unlock (&talk_lock);
  if (data == NULL) {
    printf ("talk has ended\n");
    free (handle);
  }
}

#if IV_AV_API == 2
/* Whoever else talks meanwhile is told to stop. */
static void
on_recv_voice (void *handle, uint8_t *data, size_t len, uint8_t *stop)
{
  pthread_mutex_lock (&talk_lock);
  *stop = handle != talker;
  pthread_mutex_unlock (&talk_lock);
  hear (handle, data, len);
}
#else
static void
on_recv_voice (void *handle, uint8_t *data, size_t len)
{
  hear (handle, data, len);
}
#endif

/* -- Commands -------------------------------------------------------------- */

typedef struct
{
  const char *command, *reply;
} Answer;

/* What is not in here is not done. */
static const Answer answers[] = {
  { "get_device_st", "[{\"status\":\"0\",\"appConnectNum\":\"1\"}]" },
  { "get_nvr_list", "[]" },
  { "ptz_left", "{\"status\":\"0\"}" },
  { "ptz_right", "{\"status\":\"0\"}" },
  { "ptz_up", "{\"status\":\"0\"}" },
  { "ptz_down", "{\"status\":\"0\"}" },
};

#define UNKNOWN "{\"status\":\"404\"}"

/* The value of "cmd" in "action=…&channel=0&cmd=…". */
static int
has_command (const char *text, const char *command)
{
  size_t len = strlen (command);
  const char *p = text;

  while (p != NULL) {
    if (strncmp (p, "cmd=", 4) == 0)
      return strncmp (p + 4, command, len) == 0
             && (p[4 + len] == '\0' || p[4 + len] == '&');
    p = strchr (p, '&');
    if (p != NULL)
      p++;
  }
  return 0;
}

static iv_cm_memory_s
on_command (const char *command, size_t len, const char *peer)
{
  iv_cm_memory_s memory = { NULL, 0, free_block };
  const char *reply = UNKNOWN;
  size_t i;

  printf ("%s commands \"%.*s\"\n", peer, (int)len, command);
  for (i = 0; i < sizeof answers / sizeof answers[0]; i++)
    if (has_command (command, answers[i].command))
      reply = answers[i].reply;
  memory.buf = (uint8_t *)strdup (reply);
  memory.size = memory.buf != NULL ? strlen (reply) : 0;
  return memory;
}

/* -- The program ----------------------------------------------------------- */

static void
on_signal (int number)
{
  (void)number;
  quit = 1;
}

static int
run (void)
{
  iv_p2p_parm_s parm;
  sigset_t none, quitting;
  int status;

  sigemptyset (&none);
  sigemptyset (&quitting);
  sigaddset (&quitting, SIGINT);
  sigaddset (&quitting, SIGTERM);
  /* Blocked before the library makes its threads, so that they come here. */
  pthread_sigmask (SIG_BLOCK, &quitting, NULL);
  memset (&parm, 0, sizeof parm);
  parm.p2p_handle_send_init_cb = on_send_init;
  parm.p2p_handle_send_get_cb = on_send_get;
  parm.p2p_handle_send_stop_cb = on_send_stop;
  parm.p2p_handle_event_notify_cb = on_event;
  parm.p2p_handle_recv_init_cb = on_recv_init;
  parm.p2p_handle_recv_voice_cb = on_recv_voice;
  parm.p2p_handle_command_cb = on_command;
  parm.p2p_keep_alive.time_inter_s = 10;
  parm.p2p_keep_alive.max_attempt_num = 3;
  iv_avt_p2p_set_buf_watermark (200 * 1024, 400 * 1024, 500 * 1024);
  status = iv_avt_p2p_init (&parm);
  if (status != IV_ERR_NONE) {
    fprintf (stderr, "p2p init failed: %d\n", status);
    return 1;
  }
  while (!quit)
    sigsuspend (&none);
  iv_avt_p2p_exit ();
  return 0;
}

int
main (int argc, char **argv)
{
  struct sigaction action = { 0 };
  int status;

  if (argc < 2 || argc > 3) {
    fprintf (stderr, "usage: %s FILE.flv [TALK-FILE]\n", argv[0]);
    return 2;
  }
  setvbuf (stdout, NULL, _IOLBF, 0);
  if (load_media (argv[1]) != 0) {
    fprintf (stderr, "%s: is not an FLV file that can be read\n", argv[1]);
    return 1;
  }
  if (argc == 3 && (talk_file = fopen (argv[2], "wb")) == NULL) {
    perror (argv[2]);
    return 1;
  }
  action.sa_handler = on_signal;
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  status = run ();
  if (talk_file != NULL)
    fclose (talk_file);
  free (media.data);
  return status;
}
