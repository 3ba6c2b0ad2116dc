/* The public face of elements as text, compared with what is written down.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <gst/gst.h>

/* Fails the test if the element is not as in the file of its name in
 * P2P_GOLDEN_DIR; P2P_UPDATE_GOLDEN=1 writes the file. What base and the
 * classes above it have is left out. */
void compare_element (const gchar *name, GType base);

#endif /* DESCRIBE_H */
