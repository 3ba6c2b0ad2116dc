/* Requests for key units: merged and limited in rate.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything is on the owner's thread.
 */
#include "p2pkeyunits.h"

gboolean
p2p_key_units_want (P2pKeyUnits *units, gboolean all_headers, gint64 now)
{
  units->wanted = TRUE;
  units->headers |= all_headers;
  return units->asked_us == 0
         || now - units->asked_us >= P2P_KEY_UNIT_WINDOW_US;
}

gint64
p2p_key_units_due (const P2pKeyUnits *units, gboolean waiting)
{
  if (units->wanted)
    return units->asked_us + P2P_KEY_UNIT_WINDOW_US;
  if (units->asked_us != 0 && waiting)
    return units->asked_us + P2P_KEY_UNIT_REPEAT_US;
  return G_MAXINT64;
}

gboolean
p2p_key_units_ask (P2pKeyUnits *units, gint64 now)
{
  gboolean headers = units->headers;

  units->wanted = units->headers = FALSE;
  units->asked_us = now;
  return headers;
}

void
p2p_key_units_came (P2pKeyUnits *units)
{
  units->wanted = FALSE;
}
