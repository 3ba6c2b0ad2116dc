/* A device on iv_av.h for tests: what its callbacks saw, and how they shall
 * behave. Everything lies under `world`, see session-util.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef IV_UTIL_H
#define IV_UTIL_H

#include "iv-config.h"
#include "iv_av.h"
#include "session-util.h"

#define MAX_HANDLES 32
#define SMALL_BLOCK 4000

/* What a handle of the device is: it gives `blocks` blocks of `block_size`
 * bytes, then `end` or nothing. */
typedef struct
{
  gchar *params, *peer;
  guint inits, gets, stops, inside, most_inside;
  guint blocks, block_size; /* still to give */
  gboolean end;
  guint small_above;    /* with such a level blocks are SMALL_BLOCK; 0: never */
  gboolean keep_memory; /* gives no free function */
  guint64 given;
  guint frees;
  gboolean hold;    /* get waits while this is set */
  gboolean holding; /* it does */
  gboolean exit_in_get;
  int exit_status;
  guint events[7];
  guint gets_at[7];    /* number of gets at the last event of a kind */
  size_t levels_at[7]; /* the level then */
  /* Of a low that no get has followed, or -1; and the most intervals that have
   * passed between the two, as the other handle has seen them. */
  gint64 low_at;
  guint slowest;
} Handle;

typedef struct
{
  Handle handles[MAX_HANDLES];
  guint n_handles;
  guint events[7]; /* without a handle */
  /* A new handle begins like this. */
  Handle model;
  gboolean refuse;

  guint talks, talk_ends, talk_frames;
  gchar *talk_params;
  GByteArray *talk;

  guint commands;
  GByteArray *command;
  gsize reply_size; /* 0: NULL */
  guint reply_frees;
  gboolean exit_in_command, exit_in_event;
  int exit_status; /* 1: not called yet */
} Device;

extern Device device;
extern const iv_p2p_parm_s device_parm;

void device_reset (void);
/* The settings file, reset, and init. */
guint device_open (void);
void device_close (void);

#endif /* IV_UTIL_H */
