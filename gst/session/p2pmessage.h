/* What two endpoints tell each other through the signaller to set a session up:
 * offer, answer, candidates, goodbye. Specified in docs/wire.md, "Session
 * setup".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The signaller has authenticated the text and checked that it is one JSON
 * object of bounded size and depth; here every member that counts is checked
 * for type, length and characters before anything is done with it. Members and
 * types that are not known are passed over, so that later versions can add some.
 *
 * Pure: no I/O, no state, any thread.
 */
#ifndef P2P_MESSAGE_H
#define P2P_MESSAGE_H

#include <glib.h>
#include "p2phandshake.h"

G_BEGIN_DECLS

#define P2P_MESSAGE_VERSION 1
#define P2P_MESSAGE_TRANSPORT "udt/1"
#define P2P_SESSION_ID_BYTES 16
#define P2P_SESSION_ID_CHARS (2 * P2P_SESSION_ID_BYTES)
#define P2P_MESSAGE_MAX_CANDIDATES 24   /* in one message, and of one path */
#define P2P_MESSAGE_MAX_REASON 32
#define P2P_MESSAGE_MAX_GENERATION 1000000
#define P2P_ICE_UFRAG_MAX 256           /* RFC 8839, 5.4 */
#define P2P_ICE_PWD_MAX 256
#define P2P_ICE_FOUNDATION_MAX 32
#define P2P_ADDRESS_MAX 45              /* text of an IPv6 address */

typedef enum
{
  P2P_MESSAGE_UNKNOWN,          /* well-formed, of a type to pass over */
  P2P_MESSAGE_OFFER,
  P2P_MESSAGE_ANSWER,
  P2P_MESSAGE_CANDIDATES,
  P2P_MESSAGE_END_OF_CANDIDATES,
  P2P_MESSAGE_RESTART,          /* device asks the viewer for a new path */
  P2P_MESSAGE_BYE,
} P2pMessageType;

typedef enum
{
  P2P_CANDIDATE_HOST,
  P2P_CANDIDATE_SRFLX,
  P2P_CANDIDATE_PRFLX,
  P2P_CANDIDATE_RELAY,
} P2pCandidateKind;

/* Addresses are literals of one host: no names, no multicast, no "any". */
typedef struct
{
  P2pCandidateKind kind;
  gchar foundation[P2P_ICE_FOUNDATION_MAX + 1];
  guint32 priority;
  gchar address[P2P_ADDRESS_MAX + 1];
  guint16 port;
  gchar base_address[P2P_ADDRESS_MAX + 1];      /* "": none */
  guint16 base_port;
} P2pCandidate;

typedef struct
{
  P2pMessageType type;
  gchar session[P2P_SESSION_ID_CHARS + 1];
  guint generation;             /* of the path: a restart counts up */

  /* Offer and answer. */
  guint aeads;                  /* bit set, 1 << P2pAead; an answer has one */
  P2pAead preferred;            /* first one named */
  guint8 fingerprint[P2P_FINGERPRINT_BYTES];
  gchar ufrag[P2P_ICE_UFRAG_MAX + 1];
  gchar pwd[P2P_ICE_PWD_MAX + 1];
  gchar previous[P2P_SESSION_ID_CHARS + 1];     /* offer: session that this one
                                                   takes the place of; "" */

  /* Offer, answer, candidates. */
  guint n_candidates;
  P2pCandidate candidates[P2P_MESSAGE_MAX_CANDIDATES];
  gboolean complete;            /* no more will follow */

  /* Bye. */
  gchar reason[P2P_MESSAGE_MAX_REASON + 1];
} P2pMessage;

/* NULL-safe text of what is in `message`; g_free() it. */
gchar *p2p_message_write (const P2pMessage * message);

/* FALSE: refused, `message` untouched and `why` a static text. */
gboolean p2p_message_read (const gchar * text, gsize len,
    P2pMessage * message, const gchar ** why);

/* One candidate in the syntax of RFC 8839, without the "a=". */
gboolean p2p_candidate_read (const gchar * text, gsize len,
    P2pCandidate * candidate);
gchar *p2p_candidate_write (const P2pCandidate * candidate);

const gchar *p2p_aead_name (P2pAead aead);

G_END_DECLS

#endif /* P2P_MESSAGE_H */
