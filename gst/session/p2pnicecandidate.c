/* Candidates as libnice has them; see p2pnicecandidate.h.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pnicecandidate.h"

#include <string.h>

static P2pCandidateKind
kind_of (NiceCandidateType type)
{
  switch (type) {
    case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE:
      return P2P_CANDIDATE_SRFLX;
    case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE:
      return P2P_CANDIDATE_PRFLX;
    case NICE_CANDIDATE_TYPE_RELAYED:
      return P2P_CANDIDATE_RELAY;
    default:
      return P2P_CANDIDATE_HOST;
  }
}

static NiceCandidateType
type_of (P2pCandidateKind kind)
{
  switch (kind) {
    case P2P_CANDIDATE_SRFLX:
      return NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE;
    case P2P_CANDIDATE_PRFLX:
      return NICE_CANDIDATE_TYPE_PEER_REFLEXIVE;
    case P2P_CANDIDATE_RELAY:
      return NICE_CANDIDATE_TYPE_RELAYED;
    default:
      return NICE_CANDIDATE_TYPE_HOST;
  }
}

void
p2p_nice_candidate_read (P2pCandidate *out, const NiceCandidate *in)
{
  gchar text[NICE_ADDRESS_STRING_LEN];

  memset (out, 0, sizeof *out);
  out->kind = kind_of (in->type);
  g_strlcpy (out->foundation, in->foundation, sizeof out->foundation);
  out->priority = in->priority;
  nice_address_to_string (&in->addr, text);
  g_strlcpy (out->address, text, sizeof out->address);
  out->port = (guint16)nice_address_get_port (&in->addr);
  if (out->kind != P2P_CANDIDATE_HOST
      && nice_address_is_valid (&in->base_addr)) {
    nice_address_to_string (&in->base_addr, text);
    g_strlcpy (out->base_address, text, sizeof out->base_address);
    out->base_port = (guint16)nice_address_get_port (&in->base_addr);
  }
}

NiceCandidate *
p2p_nice_candidate_new (const P2pCandidate *c, guint stream, guint component)
{
  NiceCandidate *candidate = nice_candidate_new (type_of (c->kind));

  candidate->transport = NICE_CANDIDATE_TRANSPORT_UDP;
  candidate->stream_id = stream;
  candidate->component_id = component;
  candidate->priority = c->priority;
  g_strlcpy (candidate->foundation, c->foundation,
             NICE_CANDIDATE_MAX_FOUNDATION);
  if (!nice_address_set_from_string (&candidate->addr, c->address)) {
    nice_candidate_free (candidate);
    return NULL;
  }
  nice_address_set_port (&candidate->addr, c->port);
  if (c->base_address[0] != '\0'
      && nice_address_set_from_string (&candidate->base_addr, c->base_address))
    nice_address_set_port (&candidate->base_addr, c->base_port);
  return candidate;
}

gboolean
p2p_nice_candidate_is_at (const P2pCandidate *c, const NiceAddress *address)
{
  NiceAddress a;

  nice_address_init (&a);
  if (!nice_address_set_from_string (&a, c->address))
    return FALSE;
  nice_address_set_port (&a, c->port);
  return nice_address_equal (&a, address);
}
