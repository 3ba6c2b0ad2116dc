/* Writes what the code says on the wire, and what it means by it, one JSON
 * object a line: {"kind": …, "name": …, "hex": …, other inputs, "want": {…}}.
 * check.py decodes "hex" by docs/wire.md alone and compares with "want".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One thread; lines go to stdout.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A line, and objects and lists in it. A key of NULL: an element of a list. */
void vector_begin (const char *kind, const char *name);
void vector_end (void);
void vector_open (const char *key, char bracket);
void vector_close (char bracket);
void vector_number (const char *key, uint64_t value);
void vector_signed (const char *key, int64_t value);
void vector_bool (const char *key, bool value);
void vector_hex (const char *key, const void *data, size_t len);
void vector_text (const char *key, const char *text, size_t len);

/* Bytes first, first + 1 … */
void vector_count (uint8_t *out, size_t len, uint8_t first);

void vectors_frames (void);
void vectors_connection (void);
void vectors_session (void);
void vectors_signalling (void);
void vectors_boxes (void);
void vectors_udt (void);

#endif /* VECTORS_H */
