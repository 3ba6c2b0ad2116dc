/* The datagrams that come before a connection over plain UDP.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every type has one length, so one walk over its fields both reads and
 * writes. A listener's answers to a caller that has not shown where it is are
 * shorter than what they answer.
 *
 * Pure functions, any thread.
 */
#include "udthello.h"

#include <string.h>

#define HEADER_SIZE 4 /* first byte, type, version, flags or reason */

typedef enum {
  FIELD_END,
  FIELD_ID,
  FIELD_INSTANCE,
  FIELD_NONCE,
  FIELD_OWN_NONCE,
  FIELD_FINGERPRINT,
  FIELD_TOKEN,
  FIELD_PROOF,
  FIELD_MAC,
} Field;

/* The nonce of a call comes first: later versions keep it there. */
static const uint8_t fields_of[][6] = {
  [UDT_HELLO_CALL]
  = { FIELD_NONCE, FIELD_INSTANCE, FIELD_FINGERPRINT, FIELD_TOKEN },
  [UDT_HELLO_RETRY] = { FIELD_NONCE, FIELD_FINGERPRINT, FIELD_TOKEN },
  [UDT_HELLO_ACCEPT] = { FIELD_NONCE, FIELD_OWN_NONCE },
  [UDT_HELLO_REFUSE] = { FIELD_NONCE, FIELD_MAC },
  [UDT_HELLO_PROOF_CALLER] = { FIELD_PROOF },
  [UDT_HELLO_PROOF_LISTENER] = { FIELD_PROOF },
  [UDT_HELLO_PROBE] = { FIELD_ID, FIELD_NONCE, FIELD_MAC },
  [UDT_HELLO_ANSWER] = { FIELD_ID, FIELD_NONCE, FIELD_MAC },
};

static uint8_t *
field_at (UdtHello *hello, Field field, size_t *size)
{
  switch (field) {
    case FIELD_INSTANCE:
      *size = sizeof hello->instance;
      return hello->instance;
    case FIELD_NONCE:
      *size = sizeof hello->nonce;
      return hello->nonce;
    case FIELD_OWN_NONCE:
      *size = sizeof hello->own_nonce;
      return hello->own_nonce;
    case FIELD_FINGERPRINT:
      *size = sizeof hello->fingerprint;
      return hello->fingerprint;
    case FIELD_TOKEN:
      *size = sizeof hello->token;
      return hello->token;
    case FIELD_PROOF:
      *size = sizeof hello->proof;
      return hello->proof;
    case FIELD_MAC:
      *size = sizeof hello->mac;
      return hello->mac;
    case FIELD_ID:
    case FIELD_END:
      break;
  }
  *size = sizeof hello->id;
  return NULL;
}

static bool
is_type (unsigned type)
{
  return type >= UDT_HELLO_CALL && type <= UDT_HELLO_ANSWER;
}

static uint8_t
flags_of (unsigned type)
{
  return type == UDT_HELLO_CALL    ? UDT_HELLO_FLAGS
         : type == UDT_HELLO_RETRY ? UDT_HELLO_CHACHA20
                                   : 0;
}

static size_t
length_of (unsigned type)
{
  size_t len = HEADER_SIZE, size;
  UdtHello unused;

  for (const uint8_t *field = fields_of[type]; *field != FIELD_END; field++) {
    field_at (&unused, *field, &size);
    len += size;
  }
  return len;
}

bool
udt_hello_is_datagram (const uint8_t *data, size_t len)
{
  return len > 0 && data[0] == UDT_HELLO_FIRST_BYTE;
}

size_t
udt_hello_write (const UdtHello *hello, uint8_t *out, size_t capacity)
{
  UdtHello copy = *hello;
  size_t size;
  uint8_t *at = out;

  if (!is_type (hello->type) || length_of (hello->type) > capacity)
    return 0;
  *at++ = UDT_HELLO_FIRST_BYTE;
  *at++ = (uint8_t)hello->type;
  *at++ = hello->version;
  *at++ = flags_of (hello->type) != 0 ? hello->flags & flags_of (hello->type)
          : hello->type == UDT_HELLO_REFUSE ? hello->reason
                                            : 0;
  for (const uint8_t *field = fields_of[hello->type]; *field != FIELD_END;
       field++) {
    const uint8_t *from = field_at (&copy, *field, &size);

    if (from != NULL) {
      memcpy (at, from, size);
    } else {
      at[0] = (uint8_t)(hello->id >> 24);
      at[1] = (uint8_t)(hello->id >> 16);
      at[2] = (uint8_t)(hello->id >> 8);
      at[3] = (uint8_t)hello->id;
    }
    at += size;
  }
  return (size_t)(at - out);
}

static void
read_fields (const uint8_t *at, UdtHello *hello)
{
  size_t size;

  for (const uint8_t *field = fields_of[hello->type]; *field != FIELD_END;
       field++) {
    uint8_t *to = field_at (hello, *field, &size);

    if (to != NULL)
      memcpy (to, at, size);
    else
      hello->id = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16
                  | (uint32_t)at[2] << 8 | at[3];
    at += size;
  }
}

bool
udt_hello_read (const uint8_t *data, size_t len, UdtHello *hello)
{
  UdtHello result;

  if (len < HEADER_SIZE || !udt_hello_is_datagram (data, len)
      || !is_type (data[1]))
    return false;
  memset (&result, 0, sizeof result);
  result.type = data[1];
  result.version = data[2];
  if (result.version == UDT_HELLO_VERSION) {
    if (len != length_of (result.type))
      return false;
    if (result.type == UDT_HELLO_REFUSE)
      result.reason = data[3];
    else if (data[3] & ~flags_of (result.type))
      return false;
    else
      result.flags = data[3];
    read_fields (data + HEADER_SIZE, &result);
  } else {
    /* The refusal must not be longer than the call. */
    if (result.type != UDT_HELLO_CALL || result.version == 0
        || len < length_of (UDT_HELLO_REFUSE))
      return false;
    memcpy (result.nonce, data + HEADER_SIZE, sizeof result.nonce);
  }
  *hello = result;
  return true;
}

const char *
udt_refusal_text (unsigned reason)
{
  switch (reason) {
    case UDT_REFUSED_KEY:
      return "the two ends have different keys";
    case UDT_REFUSED_BUSY:
      return "the listener has as many callers as it takes";
    case UDT_REFUSED_ROLE:
      return "both ends would send, or both receive: one must be a udtsink, "
             "the other a udtsrc";
    case UDT_REFUSED_OPEN:
      return "one end has a key and the other is insecure";
    case UDT_REFUSED_VERSION:
      return "the listener speaks another version";
    default:
      return "the listener refuses, for a reason that this version does not "
             "know";
  }
}

const char *
udt_refusal_name (unsigned reason)
{
  switch (reason) {
    case UDT_REFUSED_KEY:
      return "wrong-key";
    case UDT_REFUSED_BUSY:
      return "busy";
    case UDT_REFUSED_ROLE:
      return "same-role";
    case UDT_REFUSED_OPEN:
      return "insecure-mismatch";
    case UDT_REFUSED_VERSION:
      return "version";
    default:
      return "refused";
  }
}
