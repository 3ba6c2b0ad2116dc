/* What signalling seals: envelopes, boxes, what is in them.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "vectors.h"

#include "p2penvelope.h"
#include "p2plan.h"

#include <stdlib.h>
#include <string.h>

#define KEY "a key of the vectors"
#define DEVICE "camera-1"

static P2pCredential *
make_credential (void)
{
  P2pCredential *credential = p2p_credential_new (DEVICE, KEY, NULL, NULL);

  if (!credential)
    exit (1);
  return credential;
}

static void
put_credential (void)
{
  vector_text ("key", KEY, strlen (KEY));
  vector_text ("device", DEVICE, strlen (DEVICE));
}

static void
derived (P2pCredential *credential)
{
  guint8 context[5], out[70];

  vector_count (context, sizeof context, 1);
  p2p_credential_derive (credential, "some label", context, sizeof context, out,
                         sizeof out);
  vector_begin ("derived", "70 bytes");
  put_credential ();
  vector_text ("label", "some label", 10);
  vector_hex ("context", context, sizeof context);
  vector_open ("want", '{');
  vector_hex ("bytes", out, sizeof out);
  vector_close ('}');
  vector_end ();
}

/* ---- envelopes ---- */

static guint8 challenge[P2P_CHALLENGE_BYTES], channel[P2P_CHANNEL_ID_BYTES];

static void
envelope (P2pEnvelope *sealer, P2pRole role, P2pEnvelopeKind kind,
          guint64 number, const gchar *text)
{
  static const char *const kinds[] = { "", "message", "close", "ping" };
  GBytes *bytes = p2p_envelope_seal (sealer, kind, text, strlen (text));

  vector_begin ("envelope", kinds[kind]);
  put_credential ();
  vector_hex ("challenge", challenge, sizeof challenge);
  vector_hex ("hex", g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  vector_open ("want", '{');
  vector_number ("kind", kind);
  vector_number ("direction", role == P2P_ROLE_VIEWER ? 1 : 2);
  vector_hex ("channel", channel, sizeof channel);
  vector_number ("number", number);
  vector_text ("body", text, strlen (text));
  vector_close ('}');
  vector_end ();
  g_bytes_unref (bytes);
}

static void
envelopes (P2pCredential *credential)
{
  vector_count (challenge, sizeof challenge, 10);
  vector_count (channel, sizeof channel, 60);
  for (P2pRole role = P2P_ROLE_DEVICE; role <= P2P_ROLE_VIEWER; role++) {
    P2pEnvelope *sealer
        = p2p_envelope_new (credential, role, challenge, channel);

    envelope (sealer, role, P2P_ENVELOPE_MESSAGE, 0, "{}");
    envelope (sealer, role, P2P_ENVELOPE_PING, 1, "");
    envelope (sealer, role, P2P_ENVELOPE_CLOSE, 2, "busy");
    p2p_envelope_free (sealer);
  }
}

/* ---- boxes ---- */

static void
box (P2pCredential *credential, P2pBoxKind kind, const guint8 *bound,
     const guint8 *body, gsize len)
{
  GBytes *bytes = p2p_box_seal (credential, kind, bound, body, len, NULL);

  vector_begin ("box", NULL);
  put_credential ();
  if (bound)
    vector_hex ("bound", bound, P2P_BOX_SALT);
  vector_hex ("hex", g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  vector_open ("want", '{');
  vector_number ("kind", kind);
  vector_hex ("body", body, len);
  vector_close ('}');
  vector_end ();
  g_bytes_unref (bytes);
}

static void
lan (const char *name, P2pLanPurpose purpose, guint16 port)
{
  P2pLanBody body = { .purpose = purpose, .port = port };
  guint8 out[P2P_LAN_BODY];

  vector_count (body.instance, sizeof body.instance, 1);
  if (port)
    vector_count (body.challenge, sizeof body.challenge, 30);
  p2p_lan_write_body (&body, out);
  vector_begin ("lan", name);
  vector_hex ("hex", out, sizeof out);
  vector_open ("want", '{');
  vector_number ("purpose", purpose);
  vector_number ("port", port);
  vector_hex ("instance", body.instance, sizeof body.instance);
  vector_hex ("challenge", body.challenge, sizeof body.challenge);
  vector_close ('}');
  vector_end ();
}

void
vectors_signalling (void)
{
  P2pCredential *credential = make_credential ();

  derived (credential);
  envelopes (credential);
  lan ("probe", P2P_LAN_FOR_VIEWER, 0);
  lan ("probe-for-a-twin", P2P_LAN_FOR_TWIN, 0);
  lan ("answer", P2P_LAN_FOR_VIEWER, 40000);
  p2p_credential_unref (credential);
}

void
vectors_boxes (void)
{
  P2pCredential *credential = make_credential ();
  guint8 body[56], salt[P2P_BOX_SALT];

  vector_count (body, sizeof body, 90);
  vector_count (salt, sizeof salt, 5);
  box (credential, P2P_BOX_LAN_PROBE, NULL, body, 52);
  box (credential, P2P_BOX_LAN_ANSWER, salt, body, 52);
  box (credential, P2P_BOX_MQTT_PRESENCE, NULL, body, 56);
  box (credential, P2P_BOX_MQTT_QUERY, NULL, body, 16);
  box (credential, P2P_BOX_MQTT_ALIVE, salt, body, 16);
  box (credential, P2P_BOX_MQTT_GONE, NULL, body, 24);
  p2p_credential_unref (credential);
}
