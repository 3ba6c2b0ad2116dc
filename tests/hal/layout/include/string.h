/* For targets that have a compiler here but no C library.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stddef.h>

void *memcpy (void *to, const void *from, size_t size);
