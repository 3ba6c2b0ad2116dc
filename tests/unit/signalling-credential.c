/* Keys, key files, what is derived from them; the check of JSON texts; URIs.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "p2pcredential.h"
#include "p2pjsoncheck.h"
#include "p2psignaller.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "0123456789ab"

static void
assert_refused (const gchar *id, const gchar *key, const gchar *file, gint code)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (p2p_credential_new (id, key, file, &error));
  g_assert_error (error, P2P_CREDENTIAL_ERROR, code);
  /* The secret is never in the text. */
  if (key && *key)
    g_assert_null (strstr (error->message, key));
}

static void
test_device_ids (void)
{
  g_autofree gchar *longest = g_strnfill (P2P_DEVICE_ID_MAX_BYTES, 'a');
  g_autofree gchar *longer = g_strnfill (P2P_DEVICE_ID_MAX_BYTES + 1, 'a');

  g_assert_true (p2p_device_id_check ("a", NULL));
  g_assert_true (p2p_device_id_check ("AZaz09._-", NULL));
  g_assert_true (p2p_device_id_check (longest, NULL));
  assert_refused (longer, KEY, NULL, P2P_CREDENTIAL_ERROR_DEVICE_ID);
  assert_refused ("", KEY, NULL, P2P_CREDENTIAL_ERROR_DEVICE_ID);
  assert_refused (NULL, KEY, NULL, P2P_CREDENTIAL_ERROR_DEVICE_ID);
  assert_refused ("a/b", KEY, NULL, P2P_CREDENTIAL_ERROR_DEVICE_ID);
  assert_refused ("a b", KEY, NULL, P2P_CREDENTIAL_ERROR_DEVICE_ID);
  assert_refused ("\xc3\xa4", KEY, NULL, P2P_CREDENTIAL_ERROR_DEVICE_ID);
}

static void
test_keys (void)
{
  g_autofree gchar *longest = g_strnfill (P2P_KEY_MAX_BYTES, 'k');
  g_autofree gchar *longer = g_strnfill (P2P_KEY_MAX_BYTES + 1, 'k');
  g_autoptr (P2pCredential) credential = NULL;

  assert_refused ("d", "01234567890", NULL, P2P_CREDENTIAL_ERROR_KEY);
  assert_refused ("d", "0123456789\xff\xfe", NULL, P2P_CREDENTIAL_ERROR_KEY);
  assert_refused ("d", longer, NULL, P2P_CREDENTIAL_ERROR_KEY);
  assert_refused ("d", NULL, NULL, P2P_CREDENTIAL_ERROR_KEY);
  assert_refused ("d", KEY, "/some/file", P2P_CREDENTIAL_ERROR_KEY);
  credential = p2p_credential_new ("d", longest, NULL, NULL);
  g_assert_nonnull (credential);
  g_assert_cmpstr (p2p_credential_get_device_id (credential), ==, "d");
  g_assert_cmpint (p2p_credential_get_kind (credential), ==,
                   P2P_CREDENTIAL_PSK);
}

static gchar *
write_key_file (const gchar *dir, const gchar *content, gssize len, int mode)
{
  gchar *path = g_build_filename (dir, "key", NULL);

  g_assert_true (g_file_set_contents (path, content, len, NULL));
  g_assert_cmpint (g_chmod (path, mode), ==, 0);
  return path;
}

static void
assert_file_is (const gchar *dir, const gchar *content, const gchar *key)
{
  g_autofree gchar *path = write_key_file (dir, content, -1, 0600);
  g_autoptr (P2pCredential) from_file = NULL, given = NULL;

  from_file = p2p_credential_new ("d", NULL, path, NULL);
  given = p2p_credential_new ("d", key, NULL, NULL);
  g_assert_nonnull (from_file);
  g_assert_true (p2p_credential_equal (from_file, given));
}

static void
test_key_files (void)
{
  g_autofree gchar *dir = g_dir_make_tmp ("signalling-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (dir, "key", NULL);
  g_autofree gchar *longest = g_strnfill (P2P_KEY_MAX_BYTES, 'k');
  g_autofree gchar *longest_line = g_strconcat (longest, "\r\nmore", NULL);
  g_autofree gchar *longer = g_strnfill (P2P_KEY_MAX_BYTES + 1, 'k');
  g_autofree gchar *huge = g_strnfill (1 << 20, 'k');
  static const int open_modes[] = { 0640, 0620, 0604, 0602, 0666, 0440 };
  gsize i;

  assert_file_is (dir, KEY, KEY);
  assert_file_is (dir, KEY "\n", KEY);
  assert_file_is (dir, KEY "\r\n", KEY);
  assert_file_is (dir, KEY "\nsecond line\n", KEY);
  assert_file_is (dir, KEY " \t \r\nsecond line\n", KEY);
  assert_file_is (dir, " " KEY " inside \n", " " KEY " inside");
  assert_file_is (dir, longest_line, longest);

  for (i = 0; i < G_N_ELEMENTS (open_modes); i++) {
    g_free (write_key_file (dir, KEY, -1, open_modes[i]));
    assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_MODE);
  }
  g_free (write_key_file (dir, "", -1, 0600));
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_KEY);
  g_free (write_key_file (dir, "\n" KEY, -1, 0600));
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_KEY);
  g_free (write_key_file (dir, longer, -1, 0600));
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_KEY);
  g_free (write_key_file (dir, huge, -1, 0600));
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_KEY);
  g_free (write_key_file (dir, KEY "\0" KEY, 25, 0600));
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_KEY);
  assert_refused ("d", NULL, dir, P2P_CREDENTIAL_ERROR_FILE);
  g_unlink (path);
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_FILE);
  /* Nobody writes into it, ever: it must not be waited for. */
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  assert_refused ("d", NULL, path, P2P_CREDENTIAL_ERROR_FILE);
  g_unlink (path);
  g_rmdir (dir);
}

static void
test_equal (void)
{
  g_autoptr (P2pCredential) a = p2p_credential_new ("d", KEY, NULL, NULL);
  g_autoptr (P2pCredential) same = p2p_credential_new ("d", KEY, NULL, NULL);
  g_autoptr (P2pCredential) id = p2p_credential_new ("e", KEY, NULL, NULL);
  g_autoptr (P2pCredential) key = p2p_credential_new ("d", KEY "x", NULL, NULL);

  g_assert_true (p2p_credential_equal (a, a));
  g_assert_true (p2p_credential_equal (a, same));
  g_assert_false (p2p_credential_equal (a, id));
  g_assert_false (p2p_credential_equal (a, key));
}

static void
assert_hex (const guint8 *data, gsize len, const gchar *expected)
{
  g_autoptr (GString) hex = g_string_new (NULL);
  gsize i;

  for (i = 0; i < len; i++)
    g_string_append_printf (hex, "%02x", data[i]);
  g_assert_cmpstr (hex->str, ==, expected);
}

/* Computed with another implementation (Python's hashlib and hmac): whoever
 * writes a second one needs these. */
static void
test_derive_vectors (void)
{
  g_autoptr (P2pCredential) c
      = p2p_credential_new ("camera-1", "correct horse battery staple", NULL,
                            NULL);
  guint8 out[32];

  g_assert_false (p2p_credential_is_stretched (c));
  p2p_credential_stretch (c);
  g_assert_true (p2p_credential_is_stretched (c));
  p2p_credential_derive (c, "test", NULL, 0, out, sizeof out);
  assert_hex (out, sizeof out,
              "08afd36864d253b9cd916f259541c293"
              "d74dbc5bed04273d622712efa58c6065");
  p2p_credential_derive (c, "test", "context", 7, out, sizeof out);
  assert_hex (out, sizeof out,
              "cdfe16dbb5f189a1ce9d6dc3c3f2fa40"
              "0e4fd0297d81ea068f533182043f842c");
}

static gpointer
stretch_in_thread (gpointer credential)
{
  p2p_credential_stretch (credential);
  return NULL;
}

static void
test_stretch_by_several (void)
{
  g_autoptr (P2pCredential) c = p2p_credential_new ("d", KEY, NULL, NULL);
  g_autoptr (P2pCredential) alone = p2p_credential_new ("d", KEY, NULL, NULL);
  GThread *threads[4];
  guint8 one[16], other[16];
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("stretch", stretch_in_thread, c);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  p2p_credential_derive (c, "test", NULL, 0, one, sizeof one);
  p2p_credential_derive (alone, "test", NULL, 0, other, sizeof other);
  g_assert_cmpmem (one, sizeof one, other, sizeof other);
}

static gboolean
json (const gchar *text)
{
  return p2p_json_check (text, strlen (text), 8192);
}

static void
test_json_accepted (void)
{
  static const gchar *const good[] = {
    "{}",
    " {\t}\r\n",
    "{\"a\":1}",
    "{\"a\":[],\"b\":{}}",
    "{\"a\":[1,-2,3.5,0,-0.0e-10,1E+5,true,false,null,\"x\"]}",
    "{\"\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\"}",
    "{ \"a\" : [ { } , [ ] ] , \"b\" : \"\xc3\xa4\" }",
    "{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{}}}}}}}}",
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (good); i++) {
    if (!json (good[i]))
      g_error ("refused: %s", good[i]);
  }
}

static void
test_json_refused (void)
{
  static const gchar *const bad[] = {
    "",
    " ",
    "1",
    "null",
    "\"a\"",
    "[]",
    "[{}]",
    "{",
    "}",
    "{}}",
    "{}{}",
    "{} x",
    "{]",
    "{\"a\":[}",
    "{\"a\":[1}]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{\"a\":[1,]}",
    "{\"a\":[,]}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":'x'}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":+1}",
    "{\"a\":1e}",
    "{\"a\":-}",
    "{\"a\":0x1}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":tru}",
    "{\"a\":nullx}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\\ud800x\"}",
    "{\"a\":\"x}",
    "{\"a\":\"\\",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\x01\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xc3\"}",
    "/* */{}",
    "{}//",
    "\xef\xbb\xbf{}",
    "{\"1\":{\"2\":{\"3\":{\"4\":{\"5\":{\"6\":{\"7\":{\"8\":{}}}}}}}}}",
    "{\"1\":[[[[[[[[1]]]]]]]]}",
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++) {
    if (json (bad[i]))
      g_error ("accepted: %s", bad[i]);
  }
  g_assert_false (p2p_json_check ("{\"a\":\"x\0y\"}", 11, 8192));
  g_assert_false (p2p_json_check ("{}\0", 3, 8192));
  g_assert_true (p2p_json_check ("{}", 2, 2));
  g_assert_false (p2p_json_check ("{} ", 3, 2));
}

/* Every prefix of a good text is a bad one, and none is read beyond. */
static void
test_json_truncated (void)
{
  static const gchar text[] = "{\"a\":[1.5e3,{\"b\":\"\\ud83d\\ude00\"},null]}";
  gsize len;

  for (len = 0; len < strlen (text); len++) {
    g_autofree gchar *exact = g_memdup2 (text, len);

    g_assert_false (p2p_json_check (exact, len, 8192));
  }
  g_assert_true (json (text));
}

static void
test_json_deep (void)
{
  g_autofree gchar *deep = g_strnfill (8192, '[');

  deep[0] = '{';
  memcpy (deep + 1, "\"a\":", 4);
  g_assert_false (json (deep));
}

static void
assert_uri (const gchar *uri, P2pRole role, gboolean good)
{
  g_autoptr (GError) error = NULL;

  if (p2p_signaller_check_uri (uri, role, &error) != good)
    g_error ("%s: %s", uri, error ? error->message : "accepted");
  if (error && uri)
    g_assert_null (strstr (error->message, "secret"));
}

static void
test_uris (void)
{
  static const gchar *const good[] = {
    "lan://",
    "lan://eth0",
    "lan://192.168.1.2:4000",
    "lan://:4000",
    "LAN://",
    "tcp://1.2.3.4:5",
    "tcp://[::1]:5000",
    "tcp://host.name:1/",
    "tcp://[fe80::1%eth0]:5000",
#ifdef HAVE_MQTT
    "mqtt://broker",
    "mqtt://broker:1",
    "mqtt://me:secret@broker",
    "mqtt://me@broker:1883",
    "mqtt://me:p%40ss@[::1]",
    "mqtts://broker",
    "mqtt://me:se@cret@broker",
#endif
  };
  static const gchar *const bad[] = {
    NULL,
    "",
    "lan",
    "lan:/",
    "http://x",
    "lan://:0",
    "lan://:x",
    "lan://a:99999",
    "lan://me:secret@eth0",
    "tcp://",
    "tcp://host",
    "tcp://:5",
    "tcp://host:",
    "tcp://::1:5",
    "tcp://[::1",
    "tcp://[::1]5",
    "tcp://a b:5",
    "tcp://host:70000",
    "tcp://host:-1",
    "tcp://host:5x",
    "tcp://me:secret@host:5",
    "tcp://host:5?x=1",
    "mqtt://",
    "mqtt://:1883",
    "mqtt://:secret@host",
    "mqtt://host:0",
    "mqtt://host?ca-file=/etc/passwd",
    "mqtts://host?ca-file=/no/such/file",
    "mqtts://host?secret=1",
    "tcp://host:5/path",
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (good); i++)
    assert_uri (good[i], P2P_ROLE_VIEWER, TRUE);
  for (i = 0; i < G_N_ELEMENTS (bad); i++) {
    assert_uri (bad[i], P2P_ROLE_VIEWER, FALSE);
    assert_uri (bad[i], P2P_ROLE_DEVICE, FALSE);
  }
  assert_uri ("tcp://0.0.0.0:0", P2P_ROLE_DEVICE, TRUE);
  assert_uri ("tcp://0.0.0.0:0", P2P_ROLE_VIEWER, FALSE);
}

static void
assert_redacted (const gchar *uri, const gchar *expected)
{
  g_autofree gchar *redacted = p2p_signaller_redact_uri (uri);

  g_assert_cmpstr (redacted, ==, expected);
}

static void
test_redact (void)
{
  assert_redacted ("mqtt://me:secret@host:1", "mqtt://me:***@host:1");
  assert_redacted ("mqtt://me:se@cret@host", "mqtt://me:***@host");
  assert_redacted ("mqtt://me:sec/ret@host", "mqtt://me:***@host");
  assert_redacted ("mqtt://me@host:1", "mqtt://me@host:1");
  assert_redacted ("mqtt://host:1", "mqtt://host:1");
  assert_redacted ("me:secret@host", "me:***@host");
  assert_redacted ("lan://", "lan://");
  assert_redacted (NULL, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/credential/device-ids", test_device_ids);
  g_test_add_func ("/credential/keys", test_keys);
  g_test_add_func ("/credential/key-files", test_key_files);
  g_test_add_func ("/credential/equal", test_equal);
  g_test_add_func ("/credential/derive-vectors", test_derive_vectors);
  g_test_add_func ("/credential/stretch-by-several", test_stretch_by_several);
  g_test_add_func ("/json/accepted", test_json_accepted);
  g_test_add_func ("/json/refused", test_json_refused);
  g_test_add_func ("/json/truncated", test_json_truncated);
  g_test_add_func ("/json/deep", test_json_deep);
  g_test_add_func ("/uri/check", test_uris);
  g_test_add_func ("/uri/redact", test_redact);
  return g_test_run ();
}
