/* Candidates as libnice has them, and as they travel (p2pmessage.h).
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any; nothing is shared.
 */
#ifndef P2P_NICE_CANDIDATE_H
#define P2P_NICE_CANDIDATE_H

#include <nice/agent.h>
#include "p2pmessage.h"

G_BEGIN_DECLS

void p2p_nice_candidate_read (P2pCandidate *out, const NiceCandidate *in);
/* NULL: its address is none. Free it with nice_candidate_free(). */
NiceCandidate *p2p_nice_candidate_new (const P2pCandidate *c, guint stream,
                                       guint component);
/* Whether that is its address and port. */
gboolean p2p_nice_candidate_is_at (const P2pCandidate *c,
                                   const NiceAddress *address);

G_END_DECLS

#endif /* P2P_NICE_CANDIDATE_H */
