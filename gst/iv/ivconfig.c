/* The platform's settings, from a key file.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Threads: any; no state. GKeyFile knows no lines, so they are looked up in the
 * text when an error needs one.
 */
#include "ivconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILE_BYTES (64 * 1024)
#define DEFAULT_CAPS "video/x-flv"

typedef struct
{
  const gchar *key;
  gsize offset;
} Setting;

#define ENDPOINT(member) G_STRUCT_OFFSET (IvConfig, endpoint.member)

static const Setting texts[] = {
  { "device-id", ENDPOINT (device_id) },
  { "key", ENDPOINT (key) },
  { "key-file", ENDPOINT (key_file) },
  { "signaller", ENDPOINT (signaller) },
  { "stun-server", ENDPOINT (stun_server) },
  { "turn-server", ENDPOINT (turn_server) },
};

static const Setting numbers[] = {
  { "max-viewers", ENDPOINT (max_viewers) },
  { "keep-alive-interval", ENDPOINT (keep_alive_interval_s) },
  { "keep-alive-attempts", ENDPOINT (keep_alive_attempts) },
  { "low-watermark", ENDPOINT (low_watermark) },
  { "warn-watermark", ENDPOINT (warn_watermark) },
  { "high-watermark", ENDPOINT (high_watermark) },
};

#define KEY_POLICY "ice-transport-policy"
#define KEY_CAPS "caps"

/* -- Lines ----------------------------------------------------------------- */

/* The line of a key in our group; 0: it is not there. The last one counts, as
 * it does for GKeyFile. */
static guint
line_of (const IvConfig *config, const gchar *key)
{
  gchar **lines = g_strsplit (config->text, "\n", -1);
  gboolean ours = FALSE;
  guint i, found = 0;

  for (i = 0; lines[i] != NULL; i++) {
    gchar *line = g_strstrip (lines[i]);
    gchar *equals = strchr (line, '=');

    if (line[0] == '[') {
      ours = g_str_equal (line, "[" IV_CONFIG_GROUP "]");
    } else if (ours && equals != NULL && line[0] != '#') {
      *equals = '\0';
      if (g_str_equal (g_strchomp (line), key))
        found = i + 1;
    }
  }
  g_strfreev (lines);
  return found;
}

static gboolean
fail (const IvConfig *config, GError **error, const gchar *key,
      const gchar *text)
{
  guint line = line_of (config, key);
  gchar *where = line > 0 ? g_strdup_printf (":%u", line) : g_strdup ("");

  g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
               "%s%s: %s: %s", config->name, where, key, text);
  g_free (where);
  return FALSE;
}

void
iv_config_locate (const IvConfig *config, GError **error)
{
  const gchar *text = (*error)->message;
  gsize len = strcspn (text, ":,");
  gchar *key = g_strndup (text, len);
  guint line = line_of (config, key);

  if (line > 0)
    g_prefix_error (error, "%s:%u: ", config->name, line);
  else
    g_prefix_error (error, "%s: ", config->name);
  g_free (key);
}

/* What GKeyFile would not take. */
static gboolean
check_syntax (const IvConfig *config, GError **error)
{
  gchar **lines = g_strsplit (config->text, "\n", -1);
  const gchar *wrong = NULL;
  gboolean group = FALSE;
  guint i;

  for (i = 0; lines[i] != NULL && wrong == NULL; i++) {
    gchar *line = g_strstrip (lines[i]);

    if (line[0] == '\0' || line[0] == '#')
      continue;
    if (line[0] == '[') {
      group = TRUE;
      if (line[strlen (line) - 1] != ']')
        wrong = "a group is written [p2p]";
    } else if (strchr (line, '=') == NULL || line[0] == '=') {
      wrong = "a setting is written key=value";
    } else if (!group) {
      wrong = "a setting before any group; write [p2p] first";
    }
  }
  if (wrong != NULL)
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "%s:%u: %s", config->name, i, wrong);
  g_strfreev (lines);
  return wrong == NULL;
}

/* -- Values ---------------------------------------------------------------- */

static gboolean
take_texts (IvConfig *config, GKeyFile *file, GError **error)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (texts); i++) {
    gchar *value;

    if (!g_key_file_has_key (file, IV_CONFIG_GROUP, texts[i].key, NULL))
      continue;
    value = g_key_file_get_string (file, IV_CONFIG_GROUP, texts[i].key, NULL);
    if (value == NULL)
      return fail (config, error, texts[i].key,
                   "is not UTF-8, or has a bad "
                   "escape");
    g_ptr_array_add (config->strings, value);
    G_STRUCT_MEMBER (const gchar *, config, texts[i].offset) = value;
  }
  return TRUE;
}

static gboolean
take_numbers (IvConfig *config, GKeyFile *file, GError **error)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (numbers); i++) {
    const gchar *key = numbers[i].key;
    guint64 number = 0;
    gchar *value;
    gboolean ok;

    if (!g_key_file_has_key (file, IV_CONFIG_GROUP, key, NULL))
      continue;
    value = g_key_file_get_string (file, IV_CONFIG_GROUP, key, NULL);
    ok = value != NULL
         && g_ascii_string_to_unsigned (g_strstrip (value), 10, 0, G_MAXINT,
                                        &number, NULL);
    g_free (value);
    if (!ok)
      return fail (config, error, key, "must be a whole number, 0 or more");
    G_STRUCT_MEMBER (guint, config, numbers[i].offset) = (guint)number;
    config->has_watermarks |= g_str_has_suffix (key, "-watermark");
    config->has_keep_alive |= g_str_has_prefix (key, "keep-alive");
  }
  return TRUE;
}

static gboolean
take_others (IvConfig *config, GKeyFile *file, GError **error)
{
  gchar *policy
      = g_key_file_get_string (file, IV_CONFIG_GROUP, KEY_POLICY, NULL);
  gchar *caps = g_key_file_get_string (file, IV_CONFIG_GROUP, KEY_CAPS, NULL);
  gboolean known = policy == NULL || g_str_equal (policy, "all")
                   || g_str_equal (policy, "relay");

  config->endpoint.relay_only = policy != NULL && g_str_equal (policy, "relay");
  g_free (policy);
  config->caps = caps != NULL ? caps : g_strdup (DEFAULT_CAPS);
  if (!known)
    return fail (config, error, KEY_POLICY, "must be all or relay");
  if (!p2p_wire_check_caps (config->caps, strlen (config->caps)))
    return fail (config, error, KEY_CAPS,
                 "must be caps of one structure, such as video/x-flv");
  return TRUE;
}

static gboolean
is_known (const gchar *key)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (texts); i++)
    if (g_str_equal (key, texts[i].key))
      return TRUE;
  for (i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (g_str_equal (key, numbers[i].key))
      return TRUE;
  return g_str_equal (key, KEY_POLICY) || g_str_equal (key, KEY_CAPS);
}

static gboolean
check_keys (IvConfig *config, GKeyFile *file, GError **error)
{
  gchar **keys = g_key_file_get_keys (file, IV_CONFIG_GROUP, NULL, NULL);
  gboolean ok = TRUE;
  guint i;

  if (keys == NULL) {
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "%s: has no group [" IV_CONFIG_GROUP "]", config->name);
    return FALSE;
  }
  for (i = 0; keys[i] != NULL && ok; i++)
    if (!is_known (keys[i]))
      ok = fail (config, error, keys[i], "there is no such setting");
  g_strfreev (keys);
  return ok;
}

static gboolean
take (IvConfig *config, GError **error)
{
  GKeyFile *file = g_key_file_new ();
  GError *sub = NULL;
  gboolean ok = check_syntax (config, error);

  if (ok
      && !g_key_file_load_from_data (file, config->text, (gsize)-1,
                                     G_KEY_FILE_NONE, &sub)) {
    /* Its text may quote the file. */
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "%s: is not a key file", config->name);
    g_error_free (sub);
    ok = FALSE;
  }
  ok = ok && check_keys (config, file, error)
       && take_texts (config, file, error) && take_numbers (config, file, error)
       && take_others (config, file, error);
  g_key_file_free (file);
  return ok;
}

/* -- The file -------------------------------------------------------------- */

static gboolean
read_text (IvConfig *config, struct stat *st, GError **error)
{
  int fd = open (config->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  gssize n = -1;

  if (fd >= 0 && fstat (fd, st) == 0 && S_ISREG (st->st_mode)) {
    config->text = g_malloc0 (MAX_FILE_BYTES + 2);
    n = read (fd, config->text, MAX_FILE_BYTES + 1);
  } else if (fd >= 0) {
    errno = EINVAL;
  }
  if (n < 0)
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
                 "%s: cannot be read: %s", config->name, g_strerror (errno));
  else if (n > MAX_FILE_BYTES || memchr (config->text, 0, (gsize)n) != NULL)
    g_set_error (error, P2P_ENDPOINT_ERROR, P2P_ENDPOINT_ERROR_SETTINGS,
                 "%s: is not a key file", config->name);
  else
    config->text[n] = '\0';
  if (fd >= 0)
    close (fd);
  return n >= 0 && n <= MAX_FILE_BYTES
         && memchr (config->text, 0, (gsize)n) == NULL;
}

IvConfig *
iv_config_load (GError **error)
{
  IvConfig *config = g_new0 (IvConfig, 1);
  const gchar *name = g_getenv (IV_CONFIG_ENV);
  struct stat st;
  gboolean ok;

  config->name
      = g_strdup (name != NULL && name[0] != '\0' ? name : IV_CONFIG_FILE);
  config->strings = g_ptr_array_new_with_free_func (g_free);
  p2p_endpoint_config_init (&config->endpoint);
  config->endpoint.role = P2P_ROLE_DEVICE;
  ok = read_text (config, &st, error) && take (config, error);
  if (ok && config->endpoint.key != NULL
      && (st.st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)))
    ok = fail (config, error, "key",
               "others can read this file; make it private (chmod 600), or "
               "use key-file");
  if (ok)
    return config;
  iv_config_free (config);
  return NULL;
}

void
iv_config_free (IvConfig *config)
{
  guint i;

  if (config == NULL)
    return;
  for (i = 0; i < config->strings->len; i++) {
    gchar *text = g_ptr_array_index (config->strings, i);

    explicit_bzero (text, strlen (text));
  }
  if (config->text != NULL)
    explicit_bzero (config->text, strlen (config->text));
  g_ptr_array_unref (config->strings);
  g_free (config->text);
  g_free (config->caps);
  g_free (config->name);
  g_free (config);
}
