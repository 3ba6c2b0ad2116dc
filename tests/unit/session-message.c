/* Messages of session setup and candidates: what is taken, what is refused, and
 * that refusing leaves no trace.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "check.h"
#include "p2pmessage.h"

#define SESSION "00112233445566778899aabbccddeeff"
#define PRINT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PWD "0123456789abcdefABCDEF"
#define HEAD "{\"v\":1,\"session\":\"" SESSION "\",\"generation\":0,"
#define BODY "\"transports\":[\"webrtc/1\",\"udt/1\"]," \
    "\"aead\":[\"new\",\"chacha20-poly1305\",\"aes-128-gcm\"]," \
    "\"fingerprint\":\"" PRINT "\",\"ufrag\":\"abcd\",\"pwd\":\"" PWD "\""
#define HOST "candidate:1 1 UDP 2130706431 192.0.2.7 5000 typ host"

static bool
reads (const char *text, P2pMessage *m)
{
  const gchar *why = NULL;

  return p2p_message_read (text, strlen (text), m, &why);
}

static bool
refused (const char *text)
{
  P2pMessage m, before;
  const gchar *why = NULL;
  bool ok;

  memset (&m, 0x5a, sizeof m);
  memcpy (&before, &m, sizeof m);
  ok = !p2p_message_read (text, strlen (text), &m, &why);
  return ok && why != NULL && memcmp (&m, &before, sizeof m) == 0;
}

static void
test_offer (void)
{
  static P2pMessage m;

  CHECK (reads (HEAD "\"type\":\"offer\"," BODY ",\"candidates\":[\"" HOST
      "\"],\"complete\":true,\"later\":{\"x\":[1]}}", &m));
  CHECK_EQ (m.type, P2P_MESSAGE_OFFER);
  CHECK_STR (m.session, SESSION);
  CHECK_EQ (m.preferred, P2P_AEAD_CHACHA20_POLY1305);
  CHECK_EQ (m.aeads, 1 << P2P_AEAD_AES_128_GCM
      | 1 << P2P_AEAD_CHACHA20_POLY1305);
  CHECK_EQ (m.fingerprint[0], 0xaa);
  CHECK_EQ (m.fingerprint[31], 0xbb);
  CHECK_STR (m.ufrag, "abcd");
  CHECK_EQ (m.n_candidates, 1);
  CHECK_STR (m.candidates[0].address, "192.0.2.7");
  CHECK (m.complete);
}

static void
test_round_trip (void)
{
  static P2pMessage m, again;
  gchar *text;

  CHECK (reads (HEAD "\"type\":\"offer\"," BODY ",\"previous\":\"" SESSION
      "\",\"candidates\":[\"" HOST "\",\"candidate:2 1 UDP 1 2001:db8::1 9 "
      "typ srflx raddr fe80::1 rport 8\"]}", &m));
  text = p2p_message_write (&m);
  CHECK (strlen (text) < 8192);
  CHECK (reads (text, &again));
  CHECK_MEM (&m, &again, sizeof m);
  g_free (text);
  CHECK (reads (HEAD "\"type\":\"bye\",\"reason\":\"peer-gone\"}", &m));
  CHECK_STR (m.reason, "peer-gone");
}

static void
test_unknown_types_pass (void)
{
  static P2pMessage m;

  CHECK (reads ("{\"v\":7,\"type\":\"something-new\"}", &m));
  CHECK_EQ (m.type, P2P_MESSAGE_UNKNOWN);
}

static void
test_refusals (void)
{
  static const char *const texts[] = {
    "", "[]", "{}", "nonsense", "{\"v\":1}", "{\"v\":0,\"type\":\"offer\"}",
    "{\"v\":\"1\",\"type\":\"offer\"}", "{\"v\":1,\"type\":5}",
    ("{\"v\":1,\"type\":\"bye\",\"session\":\"short\",\"generation\":0,"
        "\"reason\":\"x\"}"),
    ("{\"v\":1,\"type\":\"bye\",\"session\":[],\"generation\":0,"
        "\"reason\":\"x\"}"),
    ("{\"v\":1,\"type\":\"bye\",\"session\":\"" SESSION "\","
        "\"generation\":-1,\"reason\":\"x\"}"),
    ("{\"v\":1,\"type\":\"bye\",\"session\":\"" SESSION "\","
        "\"generation\":1.5,\"reason\":\"x\"}"),
    (HEAD "\"type\":\"bye\"}"),
    (HEAD "\"type\":\"bye\",\"reason\":\"\"}"),
    (HEAD "\"type\":\"bye\",\"reason\":\"<script>\"}"),
    (HEAD "\"type\":\"bye\",\"reason\":"
        "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"),
    (HEAD "\"type\":\"offer\"," BODY "}"),
    (HEAD "\"type\":\"offer\"," BODY ",\"candidates\":7}"),
    (HEAD "\"type\":\"offer\"," BODY ",\"candidates\":[7]}"),
    (HEAD "\"type\":\"offer\"," BODY ",\"previous\":\"x\",\"candidates\":[]}"),
    (HEAD "\"type\":\"offer\",\"transports\":[\"webrtc/1\"],\"aead\":"
        "[\"aes-128-gcm\"],\"fingerprint\":\"" PRINT "\",\"ufrag\":\"abcd\","
        "\"pwd\":\"" PWD "\",\"candidates\":[]}"),
    (HEAD "\"type\":\"offer\",\"transports\":[\"udt/1\"],\"aead\":"
        "[\"null\"],\"fingerprint\":\"" PRINT "\",\"ufrag\":\"abcd\","
        "\"pwd\":\"" PWD "\",\"candidates\":[]}"),
    (HEAD "\"type\":\"offer\",\"transports\":[\"udt/1\"],\"aead\":"
        "[\"aes-128-gcm\"],\"fingerprint\":\"xx\",\"ufrag\":\"abcd\","
        "\"pwd\":\"" PWD "\",\"candidates\":[]}"),
    (HEAD "\"type\":\"offer\",\"transports\":[\"udt/1\"],\"aead\":"
        "[\"aes-128-gcm\"],\"fingerprint\":\"" PRINT "\",\"ufrag\":\"a b!\","
        "\"pwd\":\"" PWD "\",\"candidates\":[]}"),
    (HEAD "\"type\":\"offer\",\"transports\":[\"udt/1\"],\"aead\":"
        "[\"aes-128-gcm\"],\"fingerprint\":\"" PRINT "\",\"ufrag\":\"abcd\","
        "\"pwd\":\"short\",\"candidates\":[]}"),
  };

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (!CHECK (refused (texts[i])))
      printf ("# %s\n", texts[i]);
}

static void
test_too_many_candidates (void)
{
  GString *text = g_string_new (HEAD "\"type\":\"candidates\","
      "\"candidates\":[\"" HOST "\"");

  for (int i = 0; i < P2P_MESSAGE_MAX_CANDIDATES; i++)
    g_string_append (text, ",\"" HOST "\"");
  g_string_append (text, "]}");
  CHECK (refused (text->str));
  g_string_free (text, TRUE);
}

/* They are passed over one by one: the others may do. */
static void
test_bad_candidates (void)
{
  static const char *const texts[] = {
    "", "candidate:", ("a=" HOST), "candidate:1 1 UDP 1 192.0.2.7 5000 typ",
    "candidate:1 2 UDP 1 192.0.2.7 5000 typ host",
    "candidate:1 1 TCP 1 192.0.2.7 5000 typ host tcptype passive",
    "candidate:1 1 UDP -1 192.0.2.7 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.7 0 typ host",
    "candidate:1 1 UDP 1 192.0.2.7 65536 typ host",
    "candidate:1 1 UDP 1 224.0.0.1 5000 typ host",
    "candidate:1 1 UDP 1 255.255.255.255 5000 typ host",
    "candidate:1 1 UDP 1 0.0.0.0 5000 typ host",
    "candidate:1 1 UDP 1 :: 5000 typ host",
    "candidate:1 1 UDP 1 ff02::1 5000 typ host",
    "candidate:1 1 UDP 1 ::ffff:224.0.0.1 5000 typ host",
    "candidate:1 1 UDP 1 fe80::1%eth0 5000 typ host",
    "candidate:1 1 UDP 1 evil.example.org 5000 typ host",
    "candidate:1 1 UDP 1 6e1a.local 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.7 5000 typ alien",
    "candidate:not! 1 UDP 1 192.0.2.7 5000 typ host",
    "candidate:1 1 UDP 1 192.0.2.7 5000 typ host raddr",
    "candidate:1 1 UDP 1 192.0.2.7 5000 typ host rport 99999",
    "candidate:1 1 UDP 1 192.0.2.7 5000 typ host\n",
    "candidate:123456789012345678901234567890123 1 UDP 1 192.0.2.7 5 typ host",
  };
  P2pCandidate c;

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    if (!CHECK (!p2p_candidate_read (texts[i], strlen (texts[i]), &c)))
      printf ("# %s\n", texts[i]);
}

static void
test_candidates_both_ways (void)
{
  static const char *const texts[] = {
    HOST,
    ("candidate:a+/9 1 UDP 1694498815 198.51.100.4 61000 typ srflx raddr "
        "10.0.0.2 rport 40000"),
    "candidate:7 1 UDP 16777215 2001:db8::7 3478 typ relay",
  };

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    P2pCandidate c;
    gchar *again;

    CHECK (p2p_candidate_read (texts[i], strlen (texts[i]), &c));
    again = p2p_candidate_write (&c);
    CHECK_STR (again, texts[i]);
    g_free (again);
  }
}

static const CheckCase cases[] = {
  { "offer", test_offer },
  { "round trip", test_round_trip },
  { "unknown types pass", test_unknown_types_pass },
  { "refusals", test_refusals },
  { "too many candidates", test_too_many_candidates },
  { "bad candidates", test_bad_candidates },
  { "candidates both ways", test_candidates_both_ways },
};

CHECK_MAIN (cases)
