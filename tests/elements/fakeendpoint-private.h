/* What the files of the session that the test plays share.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#ifndef FAKE_ENDPOINT_PRIVATE_H
#define FAKE_ENDPOINT_PRIVATE_H

#include "fakeendpoint.h"

struct _P2pEndpoint
{
  P2pEndpointConfig config;
  gchar *device_id, *signaller;
  gboolean started, released;
  const P2pListener *listener;
  gpointer listener_user;
  GPtrArray *streams;
  P2pRequest *request;
};

struct _P2pStream
{
  P2pEndpoint *endpoint;
  P2pStreamConfig config;
  gchar *name, *match, *caps;
  P2pStreamCallbacks callbacks;
  gpointer user;
  GPtrArray *pushes;
  guint ends, refused;
  gboolean full;
  guint64 least, most;
};

struct _P2pRequest
{
  P2pEndpoint *endpoint;
  gchar *params;
  const P2pRequestCallbacks *callbacks;
  gpointer user;
};

struct _P2pInStream
{
  gint references;
  P2pRequest *request;
  gpointer stream; /* what stream_opened returned */
  guint key_units, resumed;
};

/* Of everything; never held across a callback. */
extern GMutex fake_lock;
/* The last one that was acquired and not released. */
extern P2pEndpoint *fake_current;

/* Lock held. Streams may outlive the last user. */
void fake_endpoint_free_if_done (P2pEndpoint *endpoint);

#endif /* FAKE_ENDPOINT_PRIVATE_H */
