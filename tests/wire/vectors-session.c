/* What a session says: control messages, commands, headers of media frames,
 * messages of the setup, sealed packets.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "vectors.h"

#include "p2pmessage.h"
#include "p2pwire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(text)                                                             \
  {                                                                            \
    text, sizeof text - 1                                                      \
  }
#define SEALED_BYTES 50

static void
put_control (const P2pWireControl *m)
{
  bool asks
      = (m->type >= P2P_WIRE_REQUEST_OPEN && m->type <= P2P_WIRE_STREAM_OPEN
         && m->type != P2P_WIRE_STREAM_OPEN)
        || m->type >= P2P_WIRE_OFFER_OPEN;

  if (m->type == P2P_WIRE_HELLO)
    vector_number ("version", m->version);
  else if (!asks)
    vector_number ("stream", m->stream);
  if (asks || m->type == P2P_WIRE_STREAM_OPEN)
    vector_number ("request", m->request);
  if (m->type == P2P_WIRE_STREAM_OPEN)
    vector_number ("kind", m->kind);
  if (m->type == P2P_WIRE_STREAM_CAPS)
    vector_number ("caps version", m->caps_version);
  if (m->type == P2P_WIRE_STREAM_END)
    vector_number ("frames", m->frames);
  if (m->type == P2P_WIRE_KEY_UNIT) {
    vector_number ("flags", m->all_headers);
    vector_number ("count", m->count);
  }
  if (m->text.data)
    vector_text ("text", m->text.data, m->text.len);
}

static void
control (const char *name, const P2pWireControl *message)
{
  uint8_t out[P2P_WIRE_MAX_CONTROL];
  size_t len = p2p_wire_write_control (message, out, sizeof out);

  vector_begin ("control", name);
  vector_hex ("hex", out, len);
  vector_open ("want", '{');
  put_control (message);
  vector_close ('}');
  vector_end ();
}

static void
controls (void)
{
  static const P2pWireControl messages[] = {
    { .type = P2P_WIRE_HELLO, .version = 1, .text = TEXT ("camera \xc3\xa9") },
    { .type = P2P_WIRE_REQUEST_OPEN,
      .request = 1,
      .text = TEXT ("action=live&channel=0") },
    { .type = P2P_WIRE_REQUEST_CLOSE,
      .request = 0xffffffff,
      .text = TEXT ("gone") },
    { .type = P2P_WIRE_REQUEST_READY, .request = 64 },
    { .type = P2P_WIRE_STREAM_OPEN,
      .stream = 16,
      .request = 64,
      .kind = P2P_WIRE_VIDEO,
      .text = TEXT ("video_0") },
    { .type = P2P_WIRE_STREAM_CAPS,
      .stream = 65535,
      .caps_version = 255,
      .text = TEXT ("video/x-h264, width=(int)1920") },
    { .type = P2P_WIRE_STREAM_END, .stream = 17, .frames = 1u << 30 },
    { .type = P2P_WIRE_STREAM_CLOSE, .stream = 16384 },
    { .type = P2P_WIRE_KEY_UNIT,
      .stream = 16,
      .all_headers = true,
      .count = 5 },
    { .type = P2P_WIRE_OFFER_OPEN, .request = 2, .text = TEXT ("action=talk") },
    { .type = P2P_WIRE_OFFER_ACCEPT, .request = 2 },
    { .type = P2P_WIRE_OFFER_STOP, .request = 0x80000000 },
  };
  static const char *const names[]
      = { "HELLO",       "REQUEST_OPEN", "REQUEST_CLOSE", "REQUEST_READY",
          "STREAM_OPEN", "STREAM_CAPS",  "STREAM_END",    "STREAM_CLOSE",
          "KEY_UNIT",    "OFFER_OPEN",   "OFFER_ACCEPT",  "OFFER_STOP" };

  for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
    control (names[i], &messages[i]);
}

static void
command (P2pWireType type, uint32_t id, bool refused, const char *text)
{
  P2pWireCommand message = { type, id, refused };
  uint8_t out[64];
  size_t len = p2p_wire_write_command (&message, out, sizeof out);

  memcpy (out + len, text, strlen (text));
  vector_begin ("command", type == P2P_WIRE_COMMAND ? "command" : "reply");
  vector_hex ("hex", out, len + strlen (text));
  vector_open ("want", '{');
  vector_number ("id", id);
  if (type == P2P_WIRE_REPLY)
    vector_number ("status", refused);
  vector_text ("text", text, strlen (text));
  vector_close ('}');
  vector_end ();
}

static void
put_time (const char *key, int64_t time)
{
  if (time != P2P_WIRE_TIME_NONE)
    vector_signed (key, time);
}

static void
frame (const char *name, const P2pWireFrame *header)
{
  uint8_t out[P2P_WIRE_MAX_FRAME_HEADER + 3];
  size_t len = p2p_wire_write_frame (header, out, P2P_WIRE_MAX_FRAME_HEADER);

  memcpy (out + len, "\1\2\3", 3);
  vector_begin ("frame", name);
  vector_hex ("hex", out, len + 3);
  vector_open ("want", '{');
  vector_number ("caps version", header->caps_version);
  vector_number ("flags", header->flags);
  put_time ("sent", header->sent);
  put_time ("PTS", header->pts);
  put_time ("DTS", header->dts);
  put_time ("duration", header->duration);
  put_time ("latency", header->latency);
  vector_hex ("payload", "\1\2\3", 3);
  vector_close ('}');
  vector_end ();
}

#define NONE P2P_WIRE_TIME_NONE
#define MILLISECOND 1000000

static void
frames (void)
{
  static const P2pWireFrame bare
      = { 0, P2P_FRAME_GAP, NONE, NONE, NONE, NONE, NONE };
  static const P2pWireFrame example = { 1,
                                        P2P_FRAME_DELTA_UNIT,
                                        10 * MILLISECOND,
                                        10 * MILLISECOND,
                                        NONE,
                                        40 * MILLISECOND,
                                        NONE };
  static const P2pWireFrame all = { 255, P2P_FRAME_ALL, 123456789012,     -5,
                                    0,   3600000000000, 100 * MILLISECOND };
  static const P2pWireFrame dts_alone
      = { 2, 0, NONE, 70, NONE, 100, P2P_WIRE_MAX_TIME };
  static const P2pWireFrame without_sent = { 2,
                                             P2P_FRAME_MARKER,
                                             -P2P_WIRE_MAX_TIME,
                                             P2P_WIRE_MAX_TIME,
                                             P2P_WIRE_MAX_TIME,
                                             NONE,
                                             NONE };

  frame ("bare", &bare);
  frame ("example", &example);
  frame ("all", &all);
  frame ("DTS-alone", &dts_alone);
  frame ("without-sent", &without_sent);
}

/* ---- the messages of the setup ---- */

#define SESSION "0123456789abcdef0123456789abcdef"

static void
put_strings (const char *key, const char *const *texts, unsigned n)
{
  vector_open (key, '[');
  for (unsigned i = 0; i < n; i++)
    vector_text (NULL, texts[i], strlen (texts[i]));
  vector_close (']');
}

static void
put_candidates (const P2pMessage *m)
{
  vector_open ("candidates", '[');
  for (unsigned i = 0; i < m->n_candidates; i++) {
    static const char *const kinds[] = { "host", "srflx", "prflx", "relay" };
    const P2pCandidate *c = &m->candidates[i];

    vector_open (NULL, '{');
    vector_text ("foundation", c->foundation, strlen (c->foundation));
    vector_number ("priority", c->priority);
    vector_text ("address", c->address, strlen (c->address));
    vector_number ("port", c->port);
    vector_text ("kind", kinds[c->kind], strlen (kinds[c->kind]));
    if (c->base_address[0]) {
      vector_text ("base address", c->base_address, strlen (c->base_address));
      vector_number ("base port", c->base_port);
    }
    vector_close ('}');
  }
  vector_close (']');
  vector_bool ("complete", m->complete);
}

static void
put_description (const P2pMessage *m)
{
  const char *aeads[2] = { p2p_aead_name (m->preferred),
                           p2p_aead_name (m->preferred == P2P_AEAD_AES_128_GCM
                                              ? P2P_AEAD_CHACHA20_POLY1305
                                              : P2P_AEAD_AES_128_GCM) };

  put_strings ("aead", aeads, m->type == P2P_MESSAGE_OFFER ? 2 : 1);
  vector_hex ("fingerprint", m->fingerprint, P2P_FINGERPRINT_BYTES);
  vector_text ("ufrag", m->ufrag, strlen (m->ufrag));
  vector_text ("pwd", m->pwd, strlen (m->pwd));
  if (m->previous[0])
    vector_text ("previous", m->previous, strlen (m->previous));
}

static void
setup (const char *type, const P2pMessage *m)
{
  char *text = p2p_message_write (m);

  vector_begin ("setup", type);
  vector_text ("text", text, strlen (text));
  vector_open ("want", '{');
  vector_text ("type", type, strlen (type));
  vector_text ("session", m->session, strlen (m->session));
  vector_number ("generation", m->generation);
  if (m->type == P2P_MESSAGE_OFFER || m->type == P2P_MESSAGE_ANSWER)
    put_description (m);
  if (m->type <= P2P_MESSAGE_CANDIDATES)
    put_candidates (m);
  if (m->type == P2P_MESSAGE_BYE)
    vector_text ("reason", m->reason, strlen (m->reason));
  vector_close ('}');
  vector_end ();
  g_free (text);
}

static void
setups (void)
{
  P2pMessage m = {
    .type = P2P_MESSAGE_OFFER,
    .session = SESSION,
    .aeads = 1u << P2P_AEAD_AES_128_GCM | 1u << P2P_AEAD_CHACHA20_POLY1305,
    .preferred = P2P_AEAD_CHACHA20_POLY1305,
    .ufrag = "aB+/",
    .pwd = "0123456789012345678901",
    .previous = "fedcba9876543210fedcba9876543210",
    .n_candidates = 3,
    .candidates
    = { { P2P_CANDIDATE_HOST, "1", 2130706431, "192.0.2.1", 50000, "", 0 },
        { P2P_CANDIDATE_SRFLX, "2", 1694498815, "198.51.100.7", 1024,
          "192.0.2.1", 50000 },
        { P2P_CANDIDATE_RELAY, "3a", 16777215, "2001:db8::5", 65535,
          "198.51.100.7", 1024 } },
    .complete = TRUE
  };

  vector_count (m.fingerprint, P2P_FINGERPRINT_BYTES, 200);
  setup ("offer", &m);
  m.type = P2P_MESSAGE_ANSWER;
  m.generation = P2P_MESSAGE_MAX_GENERATION;
  m.aeads = 1u << P2P_AEAD_CHACHA20_POLY1305;
  m.previous[0] = '\0';
  m.n_candidates = 0;
  m.complete = FALSE;
  setup ("answer", &m);
  m.type = P2P_MESSAGE_CANDIDATES;
  m.n_candidates = 1;
  setup ("candidates", &m);
  m.type = P2P_MESSAGE_END_OF_CANDIDATES;
  setup ("end-of-candidates", &m);
  m.type = P2P_MESSAGE_RESTART;
  setup ("restart", &m);
  m.type = P2P_MESSAGE_BYE;
  strcpy (m.reason, "peer-gone");
  setup ("bye", &m);
}

/* ---- sealing ---- */

static void
sealed (P2pAead aead)
{
  static const uint64_t numbers[]
      = { 0, 7, P2P_RECORD_KEY_PACKETS - 1, P2P_RECORD_KEY_PACKETS,
          3 * P2P_RECORD_KEY_PACKETS + 5 };
  P2pSessionKeys keys = { .send_id = 1, .receive_id = 2 };
  P2pRecord *record;
  uint8_t aad[9], data[SEALED_BYTES + 16];

  vector_count (keys.send_secret, 32, 1);
  vector_count (keys.receive_secret, 32, 50);
  vector_count (aad, sizeof aad, 0xc0);
  record = p2p_record_new (&keys, aead);
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    vector_count (data, SEALED_BYTES, (uint8_t)i);
    if (!p2p_record_seal (record, numbers[i], aad, sizeof aad, data,
                          SEALED_BYTES))
      exit (1);
    vector_begin ("sealed", p2p_aead_name (aead));
    vector_hex ("secret", keys.send_secret, 32);
    vector_number ("number", numbers[i]);
    vector_hex ("associated", aad, sizeof aad);
    vector_hex ("hex", data, sizeof data);
    vector_count (data, SEALED_BYTES, (uint8_t)i);
    vector_open ("want", '{');
    vector_hex ("plain", data, SEALED_BYTES);
    vector_close ('}');
    vector_end ();
    /* Keys change one by one. */
    if (i == 3) {
      vector_count (data, SEALED_BYTES, 0);
      p2p_record_seal (record, 2 * P2P_RECORD_KEY_PACKETS, aad, sizeof aad,
                       data, SEALED_BYTES);
    }
  }
  p2p_record_free (record);
}

void
vectors_session (void)
{
  controls ();
  command (P2P_WIRE_COMMAND, 1, false, "on");
  command (P2P_WIRE_COMMAND, 0xffffffff, false, "");
  command (P2P_WIRE_REPLY, 300, false, "done");
  command (P2P_WIRE_REPLY, 1, true, "");
  frames ();
  setups ();
  sealed (P2P_AEAD_AES_128_GCM);
  sealed (P2P_AEAD_CHACHA20_POLY1305);
}
