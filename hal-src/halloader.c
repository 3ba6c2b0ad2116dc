/* Finding and loading the vendor's libraries.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "halloader.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "halbackend.h"
#include "halelf.h"

/* Where firmware keeps vendors' libraries. */
#define USUAL_PATH                                                             \
  "/usr/lib:/lib:/usr/local/lib:/system/lib:/mnt/system/lib:/app/lib:"         \
  "/home/lib:/usr/lib/hisilicon:/usr/lib/ingenic:/usr/lib/fullhan"
#define MAX_PATH_SIZE 512

bool
hal_loader_find (const HalEnv *env, const char *name, char *ret_path,
                 size_t size)
{
  bool own = env->library_path != NULL && env->library_path[0] != '\0';
  const char *root = own || env->root == NULL ? "" : env->root;
  const char *at = own ? env->library_path : USUAL_PATH;

  for (;;) {
    size_t length = strcspn (at, ":");
    char path[MAX_PATH_SIZE];
    int n = snprintf (path, sizeof path, "%s%.*s/%s", root, (int)length, at,
                      name);

    if (length > 0 && n > 0 && (size_t)n < sizeof path && (size_t)n < size
        && access (path, F_OK) == 0) {
      memcpy (ret_path, path, (size_t)n + 1);
      return true;
    }
    at += length;
    if (*at++ == '\0')
      return false;
  }
}

/* Says why dlopen is not even tried. */
static HalStatus
check_elf (const HalEnv *env, const char *path, HalElf *ret_self,
           HalElf *ret_library, HalError *error)
{
  const char *self = env->self != NULL ? env->self : "/proc/self/exe";
  char ours[64], theirs[64];
  const char *why;

  memset (ret_self, 0, sizeof *ret_self);
  memset (ret_library, 0, sizeof *ret_library);
  if (access (path, R_OK) != 0)
    return hal_fail (error, HAL_NO_PERMISSION, "dlopen", 0,
                     "check the permissions of the file and its directory",
                     "%s cannot be read", path);
  if (!hal_elf_read (path, ret_library))
    return hal_fail (error, HAL_BAD_LIBRARY, "dlopen", 0,
                     "an empty or cut-off file? copy it again",
                     "%s is not a shared library", path);
  if (!hal_elf_read (self, ret_self)
      || hal_elf_compatible (ret_self, ret_library, &why))
    return HAL_OK;
  hal_elf_describe (ret_self, ours, sizeof ours);
  hal_elf_describe (ret_library, theirs, sizeof theirs);
  return hal_fail (
      error, HAL_BAD_LIBRARY, "dlopen", 0,
      "build GStreamer and this plugin with the vendor's toolchain, or take "
      "the libraries that match it",
      "%s: wrong %s: the library is %s, this program is %s", path, why, theirs,
      ours);
}

static HalStatus
open_failed (const char *name, const char *path, const HalEnv *env,
             const HalElf *self, const HalElf *library, HalError *error)
{
  bool own = env->library_path != NULL && env->library_path[0] != '\0';
  const char *why = dlerror ();
  char hint[192];

  if (path == NULL)
    return hal_fail (
        error, HAL_NOT_FOUND, "dlopen", 0,
        "install the vendor's libraries, or say where they are with "
        "library-path",
        "%s was not found%s%s", name, own ? " in " : "",
        own ? env->library_path : "");
  if (self->libc != library->libc && self->libc != HAL_LIBC_UNKNOWN
      && library->libc != HAL_LIBC_UNKNOWN) {
    snprintf (
        hint, sizeof hint,
        "the library was built for %s, this program for %s: build GStreamer "
        "with the vendor's C library",
        hal_elf_libc_name (library->libc), hal_elf_libc_name (self->libc));
    return hal_fail (error, HAL_BAD_LIBRARY, "dlopen", 0, hint, "%s",
                     why != NULL ? why : name);
  }
  return hal_fail (
      error, HAL_NOT_FOUND, "dlopen", 0,
      "a library that this one needs is missing, or from another SDK", "%s",
      why != NULL ? why : name);
}

static HalStatus
open_one (HalLoader *loader, const HalEnv *env, const char *name,
          HalError *error)
{
  char path[MAX_PATH_SIZE];
  bool found = hal_loader_find (env, name, path, sizeof path);
  bool own = env->library_path != NULL && env->library_path[0] != '\0';
  HalElf self = { 0 }, library = { 0 };
  HalStatus status;
  void *handle;

  if (found) {
    status = check_elf (env, path, &self, &library, error);
    if (status != HAL_OK)
      return status;
  }
  dlerror ();
  handle = found || !own ? dlopen (found ? path : name,
                                   RTLD_LAZY | RTLD_GLOBAL | RTLD_NODELETE)
                         : NULL;
  if (handle == NULL)
    return open_failed (name, found ? path : NULL, env, &self, &library, error);
  loader->handles[loader->n] = handle;
  snprintf (loader->names[loader->n], sizeof loader->names[0], "%s", name);
  loader->n++;
  if (found) {
    *strrchr (path, '/') = '\0';
    snprintf (loader->directory, sizeof loader->directory, "%.191s", path);
  }
  return HAL_OK;
}

HalStatus
hal_loader_open (HalLoader *loader, const HalEnv *env,
                 const HalLibrary *libraries, unsigned n_libraries,
                 HalError *error)
{
  HalStatus status;
  unsigned i;

  for (i = 0; i < n_libraries; i++) {
    if (loader->n == HAL_LOADER_MAX) {
      status = hal_fail (error, HAL_NOT_FOUND, "", 0, NULL,
                         "more than %d libraries", HAL_LOADER_MAX);
      goto failed;
    }
    status = open_one (loader, env, libraries[i].name, error);
    /* One that is there but cannot be loaded is an error, needed or not. */
    if (status != HAL_OK && !(libraries[i].optional && status == HAL_NOT_FOUND))
      goto failed;
  }
  return HAL_OK;

failed:
  hal_loader_close (loader);
  return status;
}

void *
hal_loader_symbol (const HalLoader *loader, const char *symbol)
{
  unsigned i;

  for (i = loader->n; i-- > 0;) {
    void *address = dlsym (loader->handles[i], symbol);

    if (address != NULL)
      return address;
  }
  return NULL;
}

HalStatus
hal_loader_bind (const HalLoader *loader, const HalSymbol *symbols,
                 unsigned n_symbols, void *table, HalError *error)
{
  unsigned i;

  for (i = 0; i < n_symbols; i++) {
    void *address = hal_loader_symbol (loader, symbols[i].symbol);

    if (address == NULL && !symbols[i].optional)
      return hal_fail (
          error, HAL_NOT_FOUND, symbols[i].symbol, 0,
          "the library is of another SDK generation, or not the vendor's",
          "%s%s%s has no %s", loader->directory,
          loader->directory[0] != '\0' ? "/" : "",
          loader->n > 0 ? loader->names[loader->n - 1] : "?",
          symbols[i].symbol);
    /* POSIX lets dlsym return functions this way; C has no cast for it. */
    memcpy ((char *)table + symbols[i].offset, &address, sizeof address);
  }
  return HAL_OK;
}

void
hal_loader_close (HalLoader *loader)
{
  while (loader->n > 0)
    dlclose (loader->handles[--loader->n]);
}
