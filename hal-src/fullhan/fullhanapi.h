/* The functions of Fullhan's media libraries, and what differs between the
 * generations in calling them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FULLHAN_API_H
#define FULLHAN_API_H

#include "fullhanlayout.h"
#include "halloader.h"

/* All return 0 or an error code. What differs by generation is passed as
 * untyped memory, or has a member for each, one of which is NULL. */
typedef struct
{
  int32_t (*init) (void);
  int32_t (*exit) (void);
  uint32_t (*chip) (void);
  /* The scaler; B has groups. */
  int32_t (*vpu_attr) (uint32_t channel, const FhSize *size);
  int32_t (*vpu_mode) (uint32_t channel, uint32_t mode);
  int32_t (*vpu_rate) (uint32_t channel, const FhRate *rate);
  int32_t (*vpu_open) (uint32_t channel);
  int32_t (*vpu_close) (uint32_t channel);
  int32_t (*vpu_get_b) (uint32_t group, uint32_t channel, void *attr);
  int32_t (*vpu_rate_b) (uint32_t group, uint32_t channel, const FhRate *rate);
  /* The encoder */
  int32_t (*create) (uint32_t channel, const FhCap *cap);
  int32_t (*destroy) (uint32_t channel); /* B */
  int32_t (*set_config) (uint32_t channel, const void *config);
  int32_t (*start) (uint32_t channel);
  int32_t (*stop) (uint32_t channel);
  int32_t (*bind) (uint32_t vpu, uint32_t channel);
  int32_t (*unbind) (uint32_t channel);
  int32_t (*bind_b) (FhBind from, FhBind to);
  int32_t (*unbind_b) (FhBind to);
  /* A blocks for up to a second. */
  int32_t (*get) (uint32_t types, void *stream);
  int32_t (*get_b) (uint32_t types, void *stream, uint32_t ms);
  int32_t (*release) (uint32_t channel);
  int32_t (*release_b) (void *stream);
  int32_t (*request_idr) (uint32_t channel);
  int32_t (*set_rc) (uint32_t channel, const void *rc);
  int32_t (*change_rc) (uint32_t channel, const void *change);
  int32_t (*set_param) (uint32_t channel, uint32_t what, void *param);
  int32_t (*get_pts) (uint64_t *us);
  /* Sound, in a library of its own that may be missing */
  int32_t (*ac_init) (void);
  int32_t (*ac_exit) (void);
  int32_t (*ac_config) (FhSoundConfig *config);
  int32_t (*ai_enable) (void);
  int32_t (*ai_disable) (void);
  int32_t (*ai_get) (FhSound *frame, uint64_t *us);
  int32_t (*ai_volume) (int32_t volume);
  int32_t (*ao_enable) (void);
  int32_t (*ao_disable) (void);
  int32_t (*ao_send) (FhSound *frame);
  int32_t (*ao_volume) (int32_t volume);
} FhApi;

typedef struct
{
  HalLoader loader;
  FhApi api;
  const FhLayout *layout;
} FhLibrary;

HalStatus fh_library_open (FhLibrary *library, const HalEnv *env,
                           HalError *error);
void fh_library_close (FhLibrary *library);

/* Where the calls differ. group: B alone. There outputs of the scaler are the
 * business of the program that made them: only their rate is set. */
int32_t fh_vpu_open (const FhLibrary *library, uint32_t group, uint32_t channel,
                     const FhSize *size, uint32_t mode, const FhRate *rate,
                     const char **ret_call);
int32_t fh_vpu_rate (const FhLibrary *library, uint32_t group, uint32_t channel,
                     const FhRate *rate);
void fh_vpu_close (const FhLibrary *library, uint32_t group, uint32_t channel);
int32_t fh_bind (const FhLibrary *library, uint32_t group, uint32_t vpu,
                 uint32_t channel, bool jpeg);
void fh_unbind (const FhLibrary *library, uint32_t channel, bool jpeg);
/* Waits for a frame of one of the types, up to a second. */
int32_t fh_get (const FhLibrary *library, uint32_t types, void *stream);
int32_t fh_release (const FhLibrary *library, uint32_t channel, void *stream);

/* Fills in error from a vendor's error code. */
HalStatus fh_fail (HalError *error, const char *call, int32_t code);

#endif /* FULLHAN_API_H */
