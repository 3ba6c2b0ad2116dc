/* One connection to an MQTT broker.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libmosquitto's callbacks run inside its loop functions, where its object must
 * not be destroyed; so they only note events, which are handled when the loop
 * function has returned. `busy` is set while they are handled, so that free()
 * from within a callback takes effect afterwards.
 *
 * Threads: that of the context.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "p2pconnect.h"
#include "p2pmqttclient.h"

#include <errno.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <mosquitto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* How often libmosquitto looks whether a ping is due. */
#define MISC_INTERVAL_MS 2000
#define QOS 1 /* brokers drop QoS 0 as they please */
/* Return codes of CONNACK that are about user and password. */
#define CONNACK_BAD_CREDENTIALS 4
#define CONNACK_NOT_AUTHORISED 5
#define SUBACK_REFUSED 128

typedef enum {
  EVENT_CONNACK,
  EVENT_SUBACK,
  EVENT_MESSAGE,
} EventKind;

typedef struct
{
  EventKind kind;
  gint number; /* CONNACK: the code; SUBACK: which */
  gboolean ok;
  gchar *topic;
  GBytes *payload;
} Event;

typedef struct
{
  GSource source;
  P2pMqttClient *client;
  gpointer tag;
  GIOCondition watched;
} SocketSource;

struct _P2pMqttClient
{
  P2pSignaller *signaller;
  gchar *client_id;
  gchar *will_topic;
  GBytes *will;
  P2pMqttCallbacks callbacks;
  gpointer user;

  P2pConnector *resolver;
  GPtrArray *addresses;
  guint next_address;
  struct mosquitto *mosq;
  SSL_CTX *tls;
  GSource *socket_source;
  GSource *misc_timer;
  GSource *deadline; /* until CONNACK */
  GSource *failed_later;
  gboolean reached;   /* TCP stands */
  gboolean connected; /* CONNACK came and was good */
  gint socket_error;
  gchar *tls_error;
  GQueue events;
  gboolean busy;
  gboolean freed;
};

static void attempt (P2pMqttClient *client);

static void
event_free (Event *event)
{
  g_free (event->topic);
  if (event->payload)
    g_bytes_unref (event->payload);
  g_free (event);
}

static Event *
note (P2pMqttClient *client, EventKind kind, gint number)
{
  Event *event = g_new0 (Event, 1);

  event->kind = kind;
  event->number = number;
  g_queue_push_tail (&client->events, event);
  return event;
}

/* -- libmosquitto's callbacks ---------------------------------------------- */

static void
on_connack (struct mosquitto *mosq, void *user, int code)
{
  note (user, EVENT_CONNACK, code);
}

static void
on_suback (struct mosquitto *mosq, void *user, int number, int count,
           const int *granted)
{
  Event *event = note (user, EVENT_SUBACK, number);
  int i;

  event->ok = TRUE;
  for (i = 0; i < count; i++)
    event->ok &= granted[i] < SUBACK_REFUSED;
}

static void
on_message (struct mosquitto *mosq, void *user,
            const struct mosquitto_message *message)
{
  Event *event;

  if (message->payloadlen < 0 || message->payloadlen > (int)P2P_ENVELOPE_MAX)
    return;
  event = note (user, EVENT_MESSAGE, 0);
  event->topic = g_strdup (message->topic);
  event->payload = g_bytes_new (message->payload, message->payloadlen);
}

/* -- TLS ------------------------------------------------------------------ */

/* Says why, for the person who has to fix it. */
static int
on_verify (int ok, X509_STORE_CTX *store)
{
  SSL *ssl = X509_STORE_CTX_get_ex_data (store,
                                         SSL_get_ex_data_X509_STORE_CTX_idx ());
  P2pMqttClient *client = SSL_CTX_get_app_data (SSL_get_SSL_CTX (ssl));

  if (!ok && !client->tls_error)
    client->tls_error = g_strdup (
        X509_verify_cert_error_string (X509_STORE_CTX_get_error (store)));
  return ok;
}

/* libmosquitto asks for the host that it was given, here an address; brokers
 * that serve several names need the name. */
static void
on_tls_info (const SSL *ssl, int where, int value)
{
  P2pMqttClient *client = SSL_CTX_get_app_data (SSL_get_SSL_CTX (ssl));

  if (where & SSL_CB_HANDSHAKE_START)
    SSL_set_tlsext_host_name ((SSL *)ssl, client->signaller->uri->host);
}

static gboolean
setup_tls (P2pMqttClient *client, gchar **error)
{
  const P2pSignalUri *uri = client->signaller->uri;
  SSL_CTX *tls = SSL_CTX_new (TLS_client_method ());
  X509_VERIFY_PARAM *param;
  gboolean ok;

  if (!tls) {
    *error = g_strdup ("OpenSSL cannot do TLS");
    return FALSE;
  }
  client->tls = tls;
  SSL_CTX_set_app_data (tls, client);
  SSL_CTX_set_min_proto_version (tls, TLS1_2_VERSION);
  SSL_CTX_set_verify (tls, SSL_VERIFY_PEER, on_verify);
  ok = uri->ca_file ? SSL_CTX_load_verify_file (tls, uri->ca_file) == 1
                    : SSL_CTX_set_default_verify_paths (tls) == 1;
  if (!ok) {
    *error
        = g_strdup_printf ("no CA certificates in %s",
                           uri->ca_file ? uri->ca_file : "the system's store");
    ERR_clear_error ();
    return FALSE;
  }
  param = SSL_CTX_get0_param (tls);
  X509_VERIFY_PARAM_set_hostflags (param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (g_hostname_is_ip_address (uri->host)) {
    ok = X509_VERIFY_PARAM_set1_ip_asc (param, uri->host) == 1;
  } else {
    ok = X509_VERIFY_PARAM_set1_host (param, uri->host, 0) == 1;
    SSL_CTX_set_info_callback (tls, on_tls_info);
  }
  if (!ok)
    *error = g_strdup ("the broker's name cannot be checked");
  /* libmosquitto takes what is left in there for its own failures. */
  ERR_clear_error ();
  return ok;
}

/* -- The end of it -------------------------------------------------------- */

static void
drop_connection (P2pMqttClient *client)
{
  Event *event;

  p2p_source_clear (&client->socket_source);
  p2p_source_clear (&client->misc_timer);
  if (client->mosq)
    mosquitto_destroy (client->mosq);
  client->mosq = NULL;
  if (client->tls)
    SSL_CTX_free (client->tls);
  client->tls = NULL;
  while ((event = g_queue_pop_head (&client->events)))
    event_free (event);
}

static void
really_free (P2pMqttClient *client)
{
  drop_connection (client);
  p2p_source_clear (&client->deadline);
  p2p_source_clear (&client->failed_later);
  p2p_connector_free (client->resolver);
  if (client->addresses)
    g_ptr_array_unref (client->addresses);
  g_free (client->client_id);
  g_free (client->will_topic);
  g_clear_pointer (&client->will, g_bytes_unref);
  g_free (client->tls_error);
  g_free (client);
}

void
p2p_mqtt_client_free (P2pMqttClient *client)
{
  if (!client)
    return;
  client->freed = TRUE;
  /* So that nobody writes the will; the socket's buffer takes it, or not. */
  if (client->connected && client->mosq)
    mosquitto_disconnect (client->mosq);
  if (!client->busy)
    really_free (client);
}

static void
tell_lost (P2pMqttClient *client, const gchar *reason, const gchar *why)
{
  g_autofree gchar *detail
      = g_strdup_printf (client->connected ? "connection to %s lost: %s"
                                           : "cannot use %s: %s",
                         client->signaller->redacted, why);

  client->connected = FALSE;
  drop_connection (client);
  p2p_source_clear (&client->deadline);
  if (!client->freed)
    client->callbacks.lost (reason, detail, client->user);
}

/* This connection failed; before it stood there may be another address. */
static void
failed (P2pMqttClient *client, const gchar *why)
{
  g_autofree gchar *text = g_strdup (why);

  if (!client->reached && client->addresses
      && client->next_address < client->addresses->len) {
    drop_connection (client);
    attempt (client);
    return;
  }
  tell_lost (client, P2P_REASON_HEARTBEAT, text);
}

static void
failed_with (P2pMqttClient *client, int rc)
{
  int saved = client->socket_error ? client->socket_error : errno;

  if (client->tls_error)
    failed (client, client->tls_error);
  else if (client->socket_error || rc == MOSQ_ERR_ERRNO)
    failed (client, g_strerror (saved));
  else
    failed (client, mosquitto_strerror (rc));
}

static gboolean
leave (P2pMqttClient *client)
{
  client->busy = FALSE;
  if (!client->freed)
    return TRUE;
  really_free (client);
  return FALSE;
}

static gboolean
on_failed_later (gpointer user)
{
  P2pMqttClient *client = user;
  g_autofree gchar *error = g_steal_pointer (&client->tls_error);

  p2p_source_clear (&client->failed_later);
  client->busy = TRUE;
  failed (client, error ? error : "no socket");
  leave (client);
  return G_SOURCE_REMOVE;
}

static void
fail_later (P2pMqttClient *client, gchar *error)
{
  /* What TLS had against the certificate says more. */
  if (client->tls_error)
    g_free (error);
  else
    client->tls_error = error;
  if (!client->failed_later)
    client->failed_later
        = p2p_signaller_timer (client->signaller, 0, on_failed_later, client);
}

static gboolean
on_deadline (gpointer user)
{
  P2pMqttClient *client = user;

  client->busy = TRUE;
  p2p_source_clear (&client->deadline);
  tell_lost (client, P2P_REASON_HEARTBEAT,
             client->reached ? "it accepts connections but does not speak MQTT"
                             : "no answer (connection timed out)");
  leave (client);
  return G_SOURCE_REMOVE;
}

/* -- Events --------------------------------------------------------------- */

static void
handle_connack (P2pMqttClient *client, gint code)
{
  if (code == 0) {
    client->connected = TRUE;
    p2p_source_clear (&client->deadline);
    client->callbacks.connected (client->user);
  } else {
    tell_lost (client,
               code == CONNACK_BAD_CREDENTIALS || code == CONNACK_NOT_AUTHORISED
                   ? P2P_REASON_TOKEN
                   : P2P_REASON_HEARTBEAT,
               mosquitto_connack_string (code));
  }
}

static void
handle_events (P2pMqttClient *client)
{
  Event *event;

  while (!client->freed && (event = g_queue_pop_head (&client->events))) {
    if (event->kind == EVENT_CONNACK)
      handle_connack (client, event->number);
    else if (event->kind == EVENT_SUBACK)
      client->callbacks.subscribed (event->number, event->ok, client->user);
    else
      client->callbacks.message (event->topic,
                                 g_bytes_get_data (event->payload, NULL),
                                 g_bytes_get_size (event->payload),
                                 client->user);
    event_free (event);
  }
}

static gboolean
on_misc (gpointer user)
{
  P2pMqttClient *client = user;
  int rc;

  client->busy = TRUE;
  ERR_clear_error ();
  rc = mosquitto_loop_misc (client->mosq);
  handle_events (client);
  if (rc != MOSQ_ERR_SUCCESS && client->mosq && !client->freed)
    failed (client, "it does not answer any more");
  return leave (client) && client->mosq ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* -- The socket's source -------------------------------------------------- */

static gboolean
socket_prepare (GSource *source, gint *timeout)
{
  SocketSource *self = (SocketSource *)source;
  P2pMqttClient *client = self->client;

  GIOCondition wanted = !client->reached || mosquitto_want_write (client->mosq)
                            ? G_IO_IN | G_IO_OUT
                            : G_IO_IN;

  *timeout = -1;
  /* To modify wakes the context up: only when something has changed. */
  if (wanted != self->watched)
    g_source_modify_unix_fd (source, self->tag, wanted);
  self->watched = wanted;
  return FALSE;
}

static gboolean
socket_check (GSource *source)
{
  SocketSource *self = (SocketSource *)source;

  return g_source_query_unix_fd (source, self->tag) != 0;
}

/* Whether TCP stands; if that failed, why. libmosquitto writes at once, which
 * may already have met, and taken, the socket's error. */
static void
check_reached (P2pMqttClient *client, GIOCondition condition)
{
  struct sockaddr_storage peer;
  socklen_t peer_len = sizeof peer, len = sizeof client->socket_error;
  int fd = mosquitto_socket (client->mosq);

  if (getpeername (fd, (struct sockaddr *)&peer, &peer_len) == 0) {
    client->reached = TRUE;
    return;
  }
  if (!(condition & (G_IO_ERR | G_IO_HUP)))
    return;
  getsockopt (fd, SOL_SOCKET, SO_ERROR, &client->socket_error, &len);
  if (client->socket_error == 0)
    client->socket_error = ECONNREFUSED;
}

static int
read_all (P2pMqttClient *client)
{
  int rc = mosquitto_loop_read (client->mosq, 1);
  int fd = mosquitto_socket (client->mosq), on = 1;

  /* Brokers leave Nagle's algorithm on: what they send next waits for the
   * acknowledgement of this. It must not be a late one (40 ms). */
  if (fd >= 0)
    setsockopt (fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
  return rc;
}

static gboolean
socket_dispatch (GSource *source, GSourceFunc unused, gpointer unused_too)
{
  SocketSource *self = (SocketSource *)source;
  P2pMqttClient *client = self->client;
  GIOCondition condition = g_source_query_unix_fd (source, self->tag);
  int rc = MOSQ_ERR_SUCCESS;

  client->busy = TRUE;
  client->socket_error = 0;
  ERR_clear_error ();
  if (!client->reached)
    check_reached (client, condition);
  if (client->socket_error == 0 && (condition & G_IO_OUT))
    rc = mosquitto_loop_write (client->mosq, 1);
  if (client->socket_error == 0 && rc == MOSQ_ERR_SUCCESS
      && (condition & (G_IO_IN | G_IO_HUP | G_IO_ERR)))
    rc = read_all (client);
  /* libmosquitto passes over some errors of a TLS handshake. */
  if (rc == MOSQ_ERR_SUCCESS && (condition & (G_IO_HUP | G_IO_ERR))
      && !client->connected && g_queue_is_empty (&client->events))
    rc = MOSQ_ERR_CONN_LOST;
  if (client->socket_error || rc != MOSQ_ERR_SUCCESS
      || mosquitto_socket (client->mosq) < 0) {
    /* A refusal arrives together with the end of the connection. */
    handle_events (client);
    if (client->mosq && !client->freed)
      failed_with (client, rc ? rc : MOSQ_ERR_CONN_LOST);
  } else {
    handle_events (client);
  }
  leave (client);
  return G_SOURCE_CONTINUE; /* destroyed, if it is to go */
}

static GSourceFuncs socket_funcs
    = { socket_prepare, socket_check, socket_dispatch, NULL, NULL, NULL };

static void
watch_socket (P2pMqttClient *client)
{
  SocketSource *source
      = (SocketSource *)g_source_new (&socket_funcs, sizeof *source);

  source->client = client;
  source->watched = G_IO_IN | G_IO_OUT;
  source->tag
      = g_source_add_unix_fd (&source->source, mosquitto_socket (client->mosq),
                              source->watched);
  client->socket_source = &source->source;
  g_source_attach (client->socket_source, client->signaller->context);
}

/* -- Connecting ----------------------------------------------------------- */

static gboolean
setup (P2pMqttClient *client, gchar **error)
{
  const P2pSignalUri *uri = client->signaller->uri;
  struct mosquitto *mosq = mosquitto_new (client->client_id, true, client);

  if (!mosq) {
    *error = g_strdup ("no memory");
    return FALSE;
  }
  client->mosq = mosq;
  mosquitto_connect_callback_set (mosq, on_connack);
  mosquitto_subscribe_callback_set (mosq, on_suback);
  mosquitto_message_callback_set (mosq, on_message);
  mosquitto_int_option (mosq, MOSQ_OPT_TCP_NODELAY, 1);
  if (uri->user)
    mosquitto_username_pw_set (mosq, uri->user, uri->password);
  if (client->will_topic)
    mosquitto_will_set (mosq, client->will_topic,
                        g_bytes_get_size (client->will),
                        g_bytes_get_data (client->will, NULL), QOS, true);
  if (uri->scheme == P2P_SCHEME_MQTTS) {
    if (!setup_tls (client, error))
      return FALSE;
    if (mosquitto_void_option (mosq, MOSQ_OPT_SSL_CTX, client->tls)
            != MOSQ_ERR_SUCCESS
        || mosquitto_int_option (mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0)
               != MOSQ_ERR_SUCCESS) {
      *error = g_strdup ("this libmosquitto cannot do TLS");
      return FALSE;
    }
  }
  return TRUE;
}

/* Goes for the next address. */
static void
attempt (P2pMqttClient *client)
{
  GInetSocketAddress *address
      = client->addresses->pdata[client->next_address++];
  g_autofree gchar *host
      = g_inet_address_to_string (g_inet_socket_address_get_address (address));
  gchar *error = NULL;
  int rc;

  g_clear_pointer (&client->tls_error, g_free);
  if (!setup (client, &error)) {
    client->next_address = client->addresses->len;
    fail_later (client, error);
    return;
  }
  errno = 0;
  rc = mosquitto_connect_async (client->mosq, host,
                                g_inet_socket_address_get_port (address),
                                P2P_MQTT_KEEPALIVE_S);
  if (rc != MOSQ_ERR_SUCCESS && rc != MOSQ_ERR_CONN_PENDING) {
    fail_later (client,
                g_strdup (rc == MOSQ_ERR_ERRNO ? g_strerror (errno)
                                               : mosquitto_strerror (rc)));
    return;
  }
  watch_socket (client);
  client->misc_timer = p2p_signaller_timer (client->signaller, MISC_INTERVAL_MS,
                                            on_misc, client);
}

static void
on_addresses (GPtrArray *addresses, const gchar *error, gpointer user)
{
  P2pMqttClient *client = user;

  client->busy = TRUE;
  if (addresses) {
    client->addresses = g_ptr_array_ref (addresses);
    attempt (client);
  } else {
    tell_lost (client, P2P_REASON_HEARTBEAT, error);
  }
  leave (client);
}

P2pMqttClient *
p2p_mqtt_client_new (P2pSignaller *signaller, const gchar *client_id,
                     const gchar *will_topic, GBytes *will,
                     const P2pMqttCallbacks *callbacks, gpointer user)
{
  static gsize ready;
  P2pMqttClient *client = g_new0 (P2pMqttClient, 1);

  if (g_once_init_enter (&ready)) {
    mosquitto_lib_init ();
    /* libmosquitto and OpenSSL write to sockets in the plain way, which would
     * end the program when the broker is gone. GSocket's class ignores SIGPIPE,
     * as everything that uses GIO relies on. */
    g_type_class_ref (G_TYPE_SOCKET);
    g_once_init_leave (&ready, 1);
  }
  client->signaller = signaller;
  client->client_id = g_strdup (client_id);
  client->will_topic = g_strdup (will_topic);
  client->will = will ? g_bytes_ref (will) : NULL;
  client->callbacks = *callbacks;
  client->user = user;
  g_queue_init (&client->events);
  client->resolver
      = p2p_resolver_new (signaller->context, signaller->uri->host,
                          signaller->uri->port, signaller->timing.connect,
                          on_addresses, client);
  client->deadline = p2p_signaller_timer (signaller, signaller->timing.connect,
                                          on_deadline, client);
  return client;
}

/* -- Use ------------------------------------------------------------------ */

gboolean
p2p_mqtt_client_is_at_home (P2pMqttClient *client)
{
  int fd = client->mosq ? mosquitto_socket (client->mosq) : -1;

  return fd < 0 || p2p_socket_is_at_home (fd);
}

gboolean
p2p_mqtt_client_publish (P2pMqttClient *client, const gchar *topic,
                         gconstpointer data, gsize len, gboolean retain)
{
  return client->connected && client->mosq
         && mosquitto_publish (client->mosq, NULL, topic, (int)len, data, QOS,
                               retain)
                == MOSQ_ERR_SUCCESS;
}

gint
p2p_mqtt_client_subscribe (P2pMqttClient *client, const gchar *const *topics,
                           guint n_topics)
{
  int number = 0;

  if (!client->connected || !client->mosq)
    return 0;
  mosquitto_subscribe_multiple (client->mosq, &number, (int)n_topics,
                                (char *const *)topics, QOS, 0, NULL);
  return number;
}

void
p2p_mqtt_client_unsubscribe (P2pMqttClient *client, const gchar *topic)
{
  if (client->connected && client->mosq)
    mosquitto_unsubscribe (client->mosq, NULL, topic);
}
