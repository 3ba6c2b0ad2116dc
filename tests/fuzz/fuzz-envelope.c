/* Sealed signalling packets from a stranger: envelopes, boxes, discovery
 * bodies.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing but what was sealed with the key opens; and what was sealed opens
 * only as it was. The first byte of the input chooses: 0, the rest comes as it
 * is; otherwise the rest is xored over a genuine packet, so that the parser is
 * met behind its first checks too.
 */
#include "fuzz.h"

#include "p2penvelope.h"
#include "p2plan.h"

#include <stdbool.h>
#include <string.h>

#define TEXT "{\"type\":\"offer\"}"

static P2pCredential *credential;

static void
fuzz_as_envelope (const uint8_t *data, size_t size, bool genuine)
{
  static const guint8 challenge[P2P_CHALLENGE_BYTES];
  static const guint8 id[P2P_CHANNEL_ID_BYTES] = { 7 };
  P2pEnvelope *device
      = p2p_envelope_new (credential, P2P_ROLE_DEVICE, challenge, id);
  guint8 body[P2P_SIGNAL_MAX_MESSAGE];
  const guint8 *channel_id;
  P2pEnvelopeKind kind = 0;
  gsize len = 4242;
  guint64 number;
  P2pEnvelopeResult result;

  p2p_envelope_peek (data, size, P2P_ROLE_VIEWER, &channel_id, &number);
  p2p_envelope_peek (data, size, P2P_ROLE_DEVICE, &channel_id, &number);
  result = p2p_envelope_open (device, data, size, &kind, body, &len);
  FUZZ_CHECK ((result == P2P_ENVELOPE_OK) == genuine);
  if (!genuine)
    FUZZ_CHECK (len == 4242 && kind == 0);
  p2p_envelope_free (device);
}

static void
fuzz_as_box (const uint8_t *data, size_t size, bool genuine)
{
  guint8 plain[P2P_LAN_BODY];
  P2pLanBody body;

  FUZZ_CHECK (p2p_box_open (credential, P2P_BOX_LAN_PROBE, NULL, data, size,
                            plain, sizeof plain)
              == genuine);
  FUZZ_CHECK (!p2p_box_open (credential, P2P_BOX_MQTT_QUERY, NULL, data, size,
                             plain, 16));
  if (size >= P2P_LAN_BODY && p2p_lan_read_body (data, &body)) {
    p2p_lan_write_body (&body, plain);
    FUZZ_CHECK (memcmp (plain + 2, data + 2, sizeof plain - 2) == 0);
  }
}

static void
fuzz_over (GBytes *sealed, const uint8_t *data, size_t size,
           void (*func) (const uint8_t *, size_t, bool))
{
  gsize len;
  guint8 *copy = g_bytes_unref_to_data (sealed, &len);
  bool altered = false;
  size_t i;

  for (i = 0; i < size && i < len; i++) {
    copy[i] ^= data[i];
    altered |= data[i] != 0;
  }
  func (copy, len, !altered);
  g_free (copy);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const guint8 challenge[P2P_CHALLENGE_BYTES];
  static const guint8 id[P2P_CHANNEL_ID_BYTES] = { 7 };
  static const guint8 plain[P2P_LAN_BODY] = { P2P_LAN_FOR_VIEWER };
  P2pEnvelope *viewer;

  if (!credential)
    credential = p2p_credential_new ("d", "0123456789ab", NULL, NULL);
  if (size == 0)
    return 0;
  if (data[0] == 0) {
    fuzz_as_envelope (data + 1, size - 1, false);
    fuzz_as_box (data + 1, size - 1, false);
    return 0;
  }
  viewer = p2p_envelope_new (credential, P2P_ROLE_VIEWER, challenge, id);
  fuzz_over (p2p_envelope_seal (viewer, P2P_ENVELOPE_MESSAGE, TEXT,
                                strlen (TEXT)),
             data + 1, size - 1, fuzz_as_envelope);
  p2p_envelope_free (viewer);
  fuzz_over (p2p_box_seal (credential, P2P_BOX_LAN_PROBE, NULL, plain,
                           sizeof plain, NULL),
             data + 1, size - 1, fuzz_as_box);
  return 0;
}
