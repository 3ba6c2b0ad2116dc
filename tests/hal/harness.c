/* What the conformance cases share; see harness.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const ConformanceTarget *target;

static uint8_t *joined;
static size_t joined_size;

const char *
target_path (void)
{
  static char path[512];
  const char *base = getenv ("HAL_SIM_DIR");

  if (target->directory == NULL)
    return NULL;
  snprintf (path, sizeof path, "%s/%s", base != NULL ? base : ".",
            target->directory);
  return path;
}

SimControl *
target_sim (void)
{
  static SimControl *control;
  char path[640];
  SimControlFunc func;
  void *handle;

  if (target->library == NULL || control != NULL)
    return control;
  snprintf (path, sizeof path, "%s/%s", target_path (), target->library);
  handle = dlopen (path, RTLD_LAZY | RTLD_GLOBAL | RTLD_NODELETE);
  if (handle == NULL) {
    fprintf (stderr, "%s\n", dlerror ());
    exit (1);
  }
  *(void **)&func = dlsym (handle, "sim_control");
  control = func ();
  dlclose (handle);
  return control;
}

void
sim_begin (void)
{
  if (target_sim () != NULL)
    target_sim ()->reset ();
}

HalEnv
target_env (void)
{
  HalEnv env = { .library_path = target_path () };

  return env;
}

HalContext *
open_context (void)
{
  HalEnv env = target_env ();
  HalContextConfig config = { .sensor_config = target->sensor_config };
  HalContext *context = NULL;
  HalError error = { 0 };

  if (hal_context_acquire (target->family, &env, &config, &context, &error)
      != HAL_OK)
    printf ("# open: %s (%s)\n", error.text, error.hint);
  return context;
}

HalStreamConfig
stream_config (HalCodec codec)
{
  HalStreamConfig config;

  hal_stream_config_init (&config);
  config.codec = codec;
  config.width = target->config.width != 0 ? target->config.width : 640;
  config.height = target->config.height != 0 ? target->config.height : 360;
  config.bitrate = 1000000;
  config.gop = 10;
  config.device = target->config.device;
  config.attach = target->config.attach;
  if (codec == HAL_CODEC_H264)
    config.encoder = target->config.encoder;
  return config;
}

HalStream *
open_stream (HalContext *context, const HalStreamConfig *config)
{
  HalStream *stream = NULL;
  HalError error = { 0 };

  if (context == NULL)
    return NULL;
  if (config->attach)
    target_sim ()->run_elsewhere (config->id, config);
  if (hal_stream_create (context, config, &stream, &error) != HAL_OK
      || hal_stream_start (stream, &error) != HAL_OK) {
    printf ("# stream: %s (%s)\n", error.text, error.hint);
    hal_stream_destroy (stream);
    return NULL;
  }
  return stream;
}

/* Contexts are counted, so streams need not know theirs: the cases have one
 * at a time. */
static HalContext *open_one;

HalStream *
open_all (HalCodec codec)
{
  HalStreamConfig config = stream_config (codec);
  HalStream *stream;

  open_one = open_context ();
  stream = open_stream (open_one, &config);
  if (stream == NULL) {
    hal_context_release (open_one);
    open_one = NULL;
  }
  return stream;
}

void
close_all (HalStream *stream)
{
  hal_stream_destroy (stream);
  hal_context_release (open_one);
  open_one = NULL;
}

bool
take (HalStream *stream, Taken *ret_taken)
{
  HalError error = { 0 };
  HalStatus status
      = hal_stream_get_frame (stream, PATIENCE, &ret_taken->frame, &error);
  size_t at = 0;
  unsigned i;

  ret_taken->size = 0;
  if (status != HAL_OK) {
    printf ("# frame: %s: %s\n", hal_status_name (status), error.text);
    return false;
  }
  if (joined_size < ret_taken->frame.size) {
    joined_size = ret_taken->frame.size * 2;
    joined = realloc (joined, joined_size);
    if (joined == NULL)
      abort ();
  }
  for (i = 0; i < ret_taken->frame.n_segments; i++) {
    const HalSegment *segment = &ret_taken->frame.segments[i];

    memcpy (joined + at, segment->data, segment->size);
    at += segment->size;
  }
  ret_taken->data = joined;
  ret_taken->size = at;
  return hal_stream_release_frame (stream, &error) == HAL_OK;
}

void
take_clear (void)
{
  free (joined);
  joined = NULL;
  joined_size = 0;
}

unsigned
count_fds (void)
{
  DIR *dir = opendir ("/proc/self/fd");
  unsigned n = 0;

  while (dir != NULL && readdir (dir) != NULL)
    n++;
  if (dir != NULL)
    closedir (dir);
  return n;
}
