/* Contexts: the vendor's libraries as a singleton of the process.
 *
 * The vendors' libraries keep their state in globals and must be initialised
 * once, so there is one context per family, shared by reference. The lock
 * protects the list and is held through open and close, so that a second
 * element waits for the first one's initialisation rather than racing it.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>
#include <string.h>

#include "halbackend.h"

#define MAX_FAMILIES 16

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static HalContext *contexts[MAX_FAMILIES]; /* protected by lock */

static bool
same_text (const char *a, const char *b)
{
  return strcmp (a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static char *
copy_text (const char *text)
{
  size_t size = text != NULL ? strlen (text) + 1 : 1;
  char *copy = malloc (size);

  if (copy != NULL)
    memcpy (copy, text != NULL ? text : "", size);
  return copy;
}

const char *
hal_family_name (const HalFamily *family)
{
  return family->name;
}

const char *
hal_family_long_name (const HalFamily *family)
{
  return family->long_name;
}

/* What a family says of itself; of its limits, where it has not said otherwise
 * of this chip. */
static void
set_family (HalInfo *info, const HalFamily *family)
{
  info->family = family->name;
  if (info->max_streams == 0)
    info->max_streams = family->max_streams;
  if (info->max_width == 0)
    info->max_width = family->max_width;
  if (info->max_height == 0)
    info->max_height = family->max_height;
}

HalStatus
hal_probe (const HalFamily *family, const HalEnv *env, HalInfo *ret_info,
           HalError *error)
{
  static const HalEnv no_env;
  HalInfo info = { 0 };
  HalStatus status;

  set_family (&info, family);
  status = family->probe (env != NULL ? env : &no_env, &info, error);
  if (status == HAL_OK)
    *ret_info = info;
  return status;
}

/* Called with the lock. */
static HalStatus
share (HalContext *context, const HalEnv *env, const HalContextConfig *config,
       HalError *error)
{
  if (!same_text (context->library_path, env->library_path))
    return hal_fail (
        error, HAL_BUSY, "", 0,
        "give all elements of one process the same library-path",
        "the libraries of %s are already in use, from library-path '%s'",
        context->family->long_name, context->library_path);
  if (config->sensor_config != NULL && context->sensor_config[0] == '\0'
      && context->family->add_sensor != NULL) {
    char *sensor_config = copy_text (config->sensor_config);
    HalStatus status;

    if (sensor_config == NULL)
      return hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
    status = context->family->add_sensor (context, config, error);
    if (status != HAL_OK) {
      free (sensor_config);
      return status;
    }
    free (context->sensor_config);
    context->sensor_config = sensor_config;
  }
  if (config->sensor_config != NULL
      && !same_text (context->sensor_config, config->sensor_config))
    return hal_fail (
        error, HAL_BUSY, "", 0,
        "give all elements of one process the same sensor-config, or only the "
        "first one",
        "%s already runs with sensor-config '%s'", context->family->long_name,
        context->sensor_config);
  context->refs++;
  return HAL_OK;
}

/* Called with the lock. */
static HalStatus
open_new (const HalFamily *family, const HalEnv *env,
          const HalContextConfig *config, HalContext **slot, HalError *error)
{
  HalContext *context = NULL;
  char *library_path = copy_text (env->library_path);
  char *sensor_config = copy_text (config->sensor_config);
  HalStatus status;

  if (library_path == NULL || sensor_config == NULL)
    status = hal_fail (error, HAL_NO_MEMORY, "", 0, NULL, "out of memory");
  else
    status = family->open (env, config, &context, error);
  if (status != HAL_OK) {
    free (library_path);
    free (sensor_config);
    return status;
  }
  context->family = family;
  set_family (&context->info, family);
  context->refs = 1;
  context->library_path = library_path;
  context->sensor_config = sensor_config;
  *slot = context;
  return HAL_OK;
}

HalStatus
hal_context_acquire (const HalFamily *family, const HalEnv *env,
                     const HalContextConfig *config, HalContext **ret_context,
                     HalError *error)
{
  static const HalEnv no_env;
  static const HalContextConfig no_config;
  HalContext **slot = NULL;
  HalStatus status;
  unsigned i;

  if (env == NULL)
    env = &no_env;
  if (config == NULL)
    config = &no_config;
  pthread_mutex_lock (&lock);
  for (i = 0; i < MAX_FAMILIES; i++) {
    if (contexts[i] != NULL && contexts[i]->family == family)
      break;
    if (contexts[i] == NULL && slot == NULL)
      slot = &contexts[i];
  }
  if (i < MAX_FAMILIES) {
    slot = &contexts[i];
    status = share (*slot, env, config, error);
  } else if (slot != NULL) {
    status = open_new (family, env, config, slot, error);
  } else {
    status = hal_fail (error, HAL_BUSY, "", 0, NULL, "too many families");
  }
  if (status == HAL_OK)
    *ret_context = *slot;
  pthread_mutex_unlock (&lock);
  return status;
}

void
hal_context_release (HalContext *context)
{
  unsigned i;

  if (context == NULL)
    return;
  pthread_mutex_lock (&lock);
  if (--context->refs == 0) {
    char *library_path = context->library_path;
    char *sensor_config = context->sensor_config;

    for (i = 0; i < MAX_FAMILIES; i++) {
      if (contexts[i] == context)
        contexts[i] = NULL;
    }
    context->family->close (context);
    free (library_path);
    free (sensor_config);
  }
  pthread_mutex_unlock (&lock);
}

const HalInfo *
hal_context_info (const HalContext *context)
{
  return &context->info;
}

HalStatus
hal_context_clock (HalContext *context, uint64_t *ret_ns, HalError *error)
{
  if (context->family->clock == NULL
      || (context->info.caps & HAL_CAP_CLOCK) == 0)
    return hal_fail (error, HAL_UNSUPPORTED, "", 0, NULL,
                     "%s has no clock that can be read",
                     context->family->long_name);
  return context->family->clock (context, ret_ns, error);
}
