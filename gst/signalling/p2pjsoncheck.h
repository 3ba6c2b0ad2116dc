/* Whether a text from the network may be given to a JSON parser.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * json-glib recurses with the nesting and takes more than JSON. This check does
 * neither: it accepts what RFC 8259 calls JSON text, narrowed to one object,
 * P2P_JSON_MAX_DEPTH levels, valid UTF-8, no NUL (not as an escape either) and
 * no half surrogate pairs. Pure: allocates nothing, in constant stack.
 */
#ifndef P2P_JSON_CHECK_H
#define P2P_JSON_CHECK_H

#include <glib.h>

G_BEGIN_DECLS

#define P2P_JSON_MAX_DEPTH 8 /* the outermost object counts as one */

/* `text` need not be NUL-terminated; more than `max_len` bytes are refused. */
gboolean p2p_json_check (const gchar *text, gsize len, gsize max_len);

G_END_DECLS

#endif /* P2P_JSON_CHECK_H */
