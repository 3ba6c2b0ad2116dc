/* Requests for key units, merged over the peers of a stream and limited in
 * rate.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The first request is passed on at once, those within the next
 * P2P_KEY_UNIT_WINDOW_US are merged into one at its end, unless the keyframe
 * comes before. While peers still wait for one it is asked for again every
 * P2P_KEY_UNIT_REPEAT_US.
 *
 * No lock, no clock: times are given, and the owner's thread is the only one.
 * All zero is the beginning.
 */
#ifndef P2P_KEY_UNITS_H
#define P2P_KEY_UNITS_H

#include <glib.h>

G_BEGIN_DECLS

#define P2P_KEY_UNIT_WINDOW_US (100 * 1000)
#define P2P_KEY_UNIT_REPEAT_US (G_USEC_PER_SEC)

typedef struct
{
  gboolean wanted, headers;
  gint64 asked_us; /* 0: never */
} P2pKeyUnits;

/* TRUE: ask now, see p2p_key_units_ask(). */
gboolean p2p_key_units_want (P2pKeyUnits *units, gboolean all_headers,
                             gint64 now);
/* When to ask: at once if <= now; G_MAXINT64: nothing is due. `waiting`: peers
 * wait for a keyframe. */
gint64 p2p_key_units_due (const P2pKeyUnits *units, gboolean waiting);
/* The source is asked now. Returns whether for all headers. */
gboolean p2p_key_units_ask (P2pKeyUnits *units, gint64 now);
/* A keyframe has come. */
void p2p_key_units_came (P2pKeyUnits *units);

G_END_DECLS

#endif /* P2P_KEY_UNITS_H */
