/* A session that the test plays: everything of p2pendpoint.h, without a network
 * and without threads.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the elements publish and push is kept for the test to look at; what a
 * network would bring is brought by the fake_… functions, which call back in
 * the test's own thread. Waiting functions wait for an event, never for a time.
 */
#ifndef FAKE_ENDPOINT_H
#define FAKE_ENDPOINT_H

#include "p2pendpoint.h"

typedef struct
{
  GBytes *payload;
  P2pWireFrame frame;
  gboolean force;
} FakePush;

/* The next acquire fails with this; cleared by that. */
void fake_fail_acquire (P2pEndpointError code, const gchar *text);
/* The endpoint that was acquired last, or NULL. */
P2pEndpoint *fake_endpoint (void);
const P2pEndpointConfig *fake_config (P2pEndpoint *endpoint);
gboolean fake_is_started (P2pEndpoint *endpoint);

/* Listener callbacks. */
void fake_step (P2pStepKind step, gboolean ok, const gchar *reason,
                const gchar *detail, const gchar *path);
gboolean fake_authorize (const gchar *peer);
void fake_peer_added (const gchar *peer);
void fake_peer_removed (const gchar *peer, const gchar *reason);
void fake_request_added (const gchar *peer, guint request, const gchar *params);
void fake_request_removed (const gchar *peer, guint request);
const gchar *fake_kicked (void);
void fake_watermark (const gchar *peer, unsigned event, guint64 level_bytes,
                     guint64 level_us);

void fake_relay_missing (const gchar *server, const gchar *answer);

/* Of the offer that a sink makes, or NULL: none. */
const gchar *fake_offer_params (void);

/* Streams of a sink. NULL: not published. */
P2pStream *fake_stream (const gchar *name);
const P2pStreamConfig *fake_stream_config (P2pStream *stream);
const gchar *fake_stream_caps (P2pStream *stream);
guint fake_stream_ends (P2pStream *stream);
guint fake_stream_count (P2pStream *stream);
/* Waits until there have been `count` pushes; the last of them. */
const FakePush *fake_stream_wait (P2pStream *stream, guint count);
const FakePush *fake_stream_get (P2pStream *stream, guint index);
/* While full, pushes without force are refused. */
void fake_stream_set_full (P2pStream *stream, gboolean full);
/* Waits until a push was refused `count` times. */
void fake_stream_wait_refused (P2pStream *stream, guint count);
void fake_stream_set_backlog (P2pStream *stream, guint64 least, guint64 most);
void fake_stream_key_unit (P2pStream *stream, gboolean all_headers);
guint64 fake_stream_targets (P2pStream *stream, BitrateViewer *viewers,
                             gsize n);
void fake_refuse_caps (gboolean refuse);

/* Requests of a source. */
const gchar *fake_request_params (void);
gboolean fake_has_request (void);
P2pInStream *fake_open (const gchar *name, P2pWireKind kind, guint epoch);
/* The element refused the stream. */
gboolean fake_is_refused (P2pInStream *stream);
void fake_complete (void);
void fake_caps (P2pInStream *stream, const gchar *caps);
gboolean fake_frame (P2pInStream *stream, GBytes *payload,
                     const P2pWireFrame *frame, gint64 arrival_us,
                     gboolean gap);
void fake_end (P2pInStream *stream);
void fake_close (P2pInStream *stream, gboolean lost);
/* Waits until it was called `count` times. */
void fake_wait_key_units (P2pInStream *stream, guint count);
guint fake_key_units (P2pInStream *stream);
void fake_wait_resumed (P2pInStream *stream, guint count);

#endif /* FAKE_ENDPOINT_H */
