/* Sealing of signalling messages: authenticated, versioned, bound to one
 * channel and one direction, and proof against replay. Specified in
 * docs/wire.md, "Signalling".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A channel's keys come from the credential, a challenge that the device has
 * chosen and a channel id that the viewer has chosen, both at random: each side
 * knows that what opens was made for this very channel. Each direction has its
 * own key, so nothing can be reflected.
 *
 * Parsers take (pointer, length) and leave outputs untouched when they refuse.
 * Threads: one thread at a time for an envelope; boxes from anywhere.
 */
#ifndef P2P_ENVELOPE_H
#define P2P_ENVELOPE_H

#include "p2pcredential.h"
#include "p2psignaller.h"

G_BEGIN_DECLS

#define P2P_ENVELOPE_VERSION 1
#define P2P_CHALLENGE_BYTES 32
#define P2P_CHANNEL_ID_BYTES 16
#define P2P_ENVELOPE_HEADER 28
#define P2P_ENVELOPE_TAG 16
#define P2P_ENVELOPE_OVERHEAD (P2P_ENVELOPE_HEADER + P2P_ENVELOPE_TAG)
#define P2P_ENVELOPE_MAX (P2P_SIGNAL_MAX_MESSAGE + P2P_ENVELOPE_OVERHEAD)

typedef enum {
  P2P_ENVELOPE_MESSAGE = 1, /* JSON text */
  P2P_ENVELOPE_CLOSE = 2,   /* the channel ends; a P2P_REASON_* or nothing */
  P2P_ENVELOPE_PING = 3,    /* empty: still here */
} P2pEnvelopeKind;

typedef enum {
  P2P_ENVELOPE_OK,
  P2P_ENVELOPE_MALFORMED,     /* length, kind or direction */
  P2P_ENVELOPE_OTHER_VERSION, /* of the protocol or of the credential */
  P2P_ENVELOPE_OTHER_CHANNEL,
  P2P_ENVELOPE_REPLAYED, /* its number is not above the last one's */
  P2P_ENVELOPE_FORGED,   /* another key, or altered */
} P2pEnvelopeResult;

typedef struct _P2pEnvelope P2pEnvelope;

P2pEnvelope *p2p_envelope_new (P2pCredential *credential, P2pRole role,
                               const guint8 *challenge,
                               const guint8 *channel_id);
void p2p_envelope_free (P2pEnvelope *envelope);
const guint8 *p2p_envelope_get_channel_id (const P2pEnvelope *envelope);

/* NULL: longer than P2P_SIGNAL_MAX_MESSAGE. */
GBytes *p2p_envelope_seal (P2pEnvelope *envelope, P2pEnvelopeKind kind,
                           gconstpointer data, gsize len);

/* The body's len - P2P_ENVELOPE_OVERHEAD bytes go to `body`, which has room for
 * P2P_SIGNAL_MAX_MESSAGE. */
P2pEnvelopeResult p2p_envelope_open (P2pEnvelope *envelope, const guint8 *data,
                                     gsize len, P2pEnvelopeKind *kind,
                                     guint8 *body, gsize *body_len);

/* Looks at the header alone; proves nothing. FALSE: no envelope of this version
 * sent by `from`. */
gboolean p2p_envelope_peek (const guint8 *data, gsize len, P2pRole from,
                            const guint8 **channel_id, guint64 *number);

/* -- Boxes: single sealed packets outside channels ----------------------- */

#define P2P_BOX_SALT 16
#define P2P_BOX_OVERHEAD (4 + P2P_BOX_SALT + P2P_ENVELOPE_TAG)
#define P2P_BOX_MAX 512 /* of the whole */

typedef enum {
  P2P_BOX_LAN_PROBE = 1,
  P2P_BOX_LAN_ANSWER = 2,
  P2P_BOX_MQTT_PRESENCE = 3,
  P2P_BOX_MQTT_QUERY = 4,
  P2P_BOX_MQTT_ALIVE = 5,
  P2P_BOX_MQTT_GONE = 6,
} P2pBoxKind;

/* `bound` (P2P_BOX_SALT bytes or NULL): the box this one answers, its salt.
 * `salt` (may be NULL) gets the new box's own. */
GBytes *p2p_box_seal (P2pCredential *credential, P2pBoxKind kind,
                      const guint8 *bound, gconstpointer data, gsize len,
                      guint8 *salt);
/* The body must have exactly `body_len` bytes. */
gboolean p2p_box_open (P2pCredential *credential, P2pBoxKind kind,
                       const guint8 *bound, const guint8 *box, gsize len,
                       guint8 *body, gsize body_len);
/* Has the form of such a box; proves nothing. Its salt or NULL. */
const guint8 *p2p_box_peek (P2pBoxKind kind, const guint8 *box, gsize len,
                            gsize body_len);

/* From the system's generator; ends the program if there is none. */
void p2p_random (gpointer out, gsize len);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2pEnvelope, p2p_envelope_free)

G_END_DECLS

#endif /* P2P_ENVELOPE_H */
