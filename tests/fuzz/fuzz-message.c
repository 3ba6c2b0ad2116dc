/* Messages of session setup: what is read can be written and read again, the
 * same, within the limit of the signaller.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include <string.h>

#include "p2pmessage.h"
#include "p2psignaller.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static P2pMessage message, again;
  const gchar *why = NULL;
  gchar *text;

  memset (&message, 0x5a, sizeof message);
  memcpy (&again, &message, sizeof again);
  if (!p2p_message_read ((const gchar *)data, size, &message, &why)) {
    FUZZ_CHECK (why != NULL);
    FUZZ_CHECK (!memcmp (&message, &again, sizeof message));
    return 0;
  }
  if (message.type == P2P_MESSAGE_UNKNOWN)
    return 0;
  text = p2p_message_write (&message);
  FUZZ_CHECK (strlen (text) <= P2P_SIGNAL_MAX_MESSAGE);
  FUZZ_CHECK (p2p_message_read (text, strlen (text), &again, &why));
  FUZZ_CHECK (!memcmp (&message, &again, sizeof message));
  g_free (text);
  return 0;
}
