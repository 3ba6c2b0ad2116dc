/* Finding and loading the vendor's libraries, and the functions in them.
 *
 * No vendor library names the others that it needs, so the order is ours:
 * dependencies first, all symbols global, bound lazily. They are never
 * unloaded: some leave threads behind.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef HAL_LOADER_H
#define HAL_LOADER_H

#include "hal.h"

#define HAL_LOADER_MAX 32

typedef struct
{
  const char *name; /* "libmpi.so" */
  bool optional;
} HalLibrary;

typedef struct
{
  const char *symbol;
  size_t offset; /* of the function pointer in the table */
  bool optional;
} HalSymbol;

/* table: a struct with a member named as the last part of the symbol. */
#define HAL_SYMBOL(table, member, symbol)                                      \
  {                                                                            \
    symbol, offsetof (table, member), false                                    \
  }
#define HAL_SYMBOL_OPTIONAL(table, member, symbol)                             \
  {                                                                            \
    symbol, offsetof (table, member), true                                     \
  }

typedef struct
{
  void *handles[HAL_LOADER_MAX];
  char names[HAL_LOADER_MAX][40];
  unsigned n;
  char directory[192]; /* of the last library found in a directory */
} HalLoader;

/* A path where name is, in library_path, or else in the usual directories
 * below root; false: in none, which leaves the system's own search. */
bool hal_loader_find (const HalEnv *env, const char *name, char *ret_path,
                      size_t size);

/* Opens the libraries in this order. On failure nothing stays open, and error
 * names the library and why. */
HalStatus hal_loader_open (HalLoader *loader, const HalEnv *env,
                           const HalLibrary *libraries, unsigned n_libraries,
                           HalError *error);
/* Fills in the function pointers of table; optional ones become NULL. */
HalStatus hal_loader_bind (const HalLoader *loader, const HalSymbol *symbols,
                           unsigned n_symbols, void *table, HalError *error);
/* NULL: in no library. */
void *hal_loader_symbol (const HalLoader *loader, const char *symbol);
void hal_loader_close (HalLoader *loader);

#endif /* HAL_LOADER_H */
