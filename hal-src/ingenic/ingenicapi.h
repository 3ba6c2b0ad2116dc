/* The functions of Ingenic's media library, and what an SDK has of them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef INGENIC_API_H
#define INGENIC_API_H

#include "halloader.h"
#include "ingeniclayout.h"

/* Those that return a number return 0, or anything else on failure.
 * Structures that differ by generation are passed as untyped memory. */
typedef struct
{
  /* System */
  int (*system_init) (void);
  int (*system_exit) (void);
  int (*system_version) (IngenicVersion *version);
  const char *(*system_cpu) (void);
  int64_t (*system_time) (void);
  int (*system_bind) (IngenicCell *from, IngenicCell *to);
  int (*system_unbind) (IngenicCell *from, IngenicCell *to);
  /* ISP, with one sensor */
  int (*isp_open) (void);
  int (*isp_close) (void);
  int (*isp_add_sensor) (void *info);
  int (*isp_del_sensor) (void *info);
  int (*isp_enable_sensor) (void);
  int (*isp_disable_sensor) (void);
  int (*isp_enable_tuning) (void);
  int (*isp_disable_tuning) (void);
  int (*isp_set_fps) (uint32_t num, uint32_t den);
  /* The same functions where there are several sensors */
  int (*isp_add_sensor_of) (uint32_t sensor, void *info);
  int (*isp_del_sensor_of) (uint32_t sensor, void *info);
  int (*isp_enable_sensor_of) (uint32_t sensor, void *info);
  int (*isp_disable_sensor_of) (uint32_t sensor);
  int (*isp_set_fps_of) (uint32_t sensor, uint32_t *num, uint32_t *den);
  int (*isp_set_rate_of) (uint32_t sensor, IngenicFrameRate *fps);
  /* FrameSource */
  int (*source_create) (int channel, void *attr);
  int (*source_destroy) (int channel);
  int (*source_set_attr) (int channel, const void *attr);
  int (*source_enable) (int channel);
  int (*source_disable) (int channel);
  /* Encoder */
  int (*create_group) (int group);
  int (*destroy_group) (int group);
  int (*create) (int channel, const void *attr);
  int (*destroy) (int channel);
  int (*add_to_group) (int group, int channel);
  int (*remove_from_group) (int channel);
  int (*start) (int channel);
  int (*stop) (int channel);
  int (*query) (int channel, void *status);
  int (*poll) (int channel, uint32_t ms);
  int (*get_stream) (int channel, void *stream, bool block);
  int (*release_stream) (int channel, void *stream);
  int (*get_fd) (int channel);
  int (*request_idr) (int channel);
  int (*set_fps) (int channel, const IngenicFrameRate *fps);
  int (*set_default) (void *attr, uint32_t profile, uint32_t rc_mode,
                      uint16_t width, uint16_t height, uint32_t fps_num,
                      uint32_t fps_den, uint32_t gop, int max_same_scene,
                      int initial_qp, uint32_t kbits);
  int (*set_bitrate) (int channel, int target, int max);
  int (*set_gop_length) (int channel, int length);
  int (*set_rc_mode) (int channel, const void *rc);
  int (*set_qp_bounds) (int channel, int min, int max);
  int (*set_gop) (int channel, const IngenicGop *gop); /* the old kind */
  /* Audio */
  int (*ai_set_attr) (int device, IngenicAudioAttr *attr);
  int (*ai_enable) (int device);
  int (*ai_disable) (int device);
  int (*ai_set_param) (int device, int channel, void *param);
  int (*ai_enable_chn) (int device, int channel);
  int (*ai_disable_chn) (int device, int channel);
  int (*ai_set_volume) (int device, int channel, int volume);
  int (*ai_poll) (int device, int channel, unsigned ms);
  int (*ai_get_frame) (int device, int channel, void *frame, uint32_t block);
  int (*ai_release_frame) (int device, int channel, void *frame);
  int (*ao_set_attr) (int device, IngenicAudioAttr *attr);
  int (*ao_enable) (int device);
  int (*ao_disable) (int device);
  int (*ao_enable_chn) (int device, int channel);
  int (*ao_disable_chn) (int device, int channel);
  int (*ao_set_volume) (int device, int channel, int volume);
  int (*ao_query) (int device, int channel, void *state);
  int (*ao_send_frame) (int device, int channel, void *frame, uint32_t block);
} IngenicApi;

typedef struct
{
  HalLoader loader;
  IngenicApi api;
  const IngenicLayout *layout;
  char version[80];
  char chip[32];
} IngenicLibrary;

HalStatus ingenic_library_open (IngenicLibrary *library, const HalEnv *env,
                                HalError *error);
void ingenic_library_close (IngenicLibrary *library);

/* The library says no more than that something failed. What it left in errno,
 * which is set to 0 before a call, tells why if anything does. */
HalStatus ingenic_fail (HalError *error, const char *call, int code);
/* The same for a change while the stream runs, which is in range. */
HalStatus ingenic_refused (HalError *error, const char *call, int code);

#endif /* INGENIC_API_H */
