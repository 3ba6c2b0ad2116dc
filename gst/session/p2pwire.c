/* Control messages and the header of media frames: writing and reading.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every field has one encoding and every message one end: a number that is
 * longer than it need be, a reserved bit or a byte too many refuses the whole
 * message, so that two implementations cannot read it differently. Reading goes
 * through a cursor that turns bad once and stays bad; the output is written at
 * the very end, if the cursor is still good.
 *
 * Threads: no state at all. docs/wire.md, "Session messages", has the layout.
 */
#include "p2pwire.h"

#include <string.h>

/* Numbers have 62 bits: the top two of the first byte give the length. */
#define VARINT_MAX ((UINT64_C (1) << 62) - 1)

/* Which times a frame header carries. */
enum {
  HAVE_PTS = 1 << 0,
  HAVE_DTS = 1 << 1,
  HAVE_DURATION = 1 << 2,
  HAVE_SENT = 1 << 3,
  HAVE_LATENCY = 1 << 4,
  HAVE_ALL = (1 << 5) - 1,
};

#define KEY_UNIT_ALL_HEADERS 0x01

/* -- Cursors --------------------------------------------------------------- */

typedef struct
{
  const uint8_t *at;
  const uint8_t *end;
  bool bad;
} Reader;

typedef struct
{
  uint8_t *start;
  uint8_t *at;
  uint8_t *end;
  bool bad;
} Writer;

static uint8_t
read_byte (Reader *reader)
{
  if (reader->bad || reader->at == reader->end) {
    reader->bad = true;
    return 0;
  }
  return *reader->at++;
}

/* A number of at most `max`, in as few bytes as it fits. */
static uint64_t
read_number (Reader *reader, uint64_t max)
{
  uint8_t first = read_byte (reader);
  unsigned more = (1u << (first >> 6)) - 1;
  uint64_t value = first & 0x3f;
  bool one_byte = more == 0;

  for (unsigned i = 0; i < more; i++)
    value = value << 8 | read_byte (reader);
  if (!one_byte && value < UINT64_C (1) << (8 * ((more + 1) / 2) - 2))
    reader->bad = true;
  if (value > max)
    reader->bad = true;
  return reader->bad ? 0 : value;
}

/* Numbers with a sign: 0, -1, 1, -2 … as 0, 1, 2, 3 … */
static int64_t
read_signed (Reader *reader)
{
  uint64_t value = read_number (reader, VARINT_MAX);

  return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static void
write_byte (Writer *writer, uint8_t value)
{
  if (writer->bad || writer->at == writer->end) {
    writer->bad = true;
    return;
  }
  *writer->at++ = value;
}

static void
write_number (Writer *writer, uint64_t value, uint64_t max)
{
  unsigned power = 0;

  if (value > max || value > VARINT_MAX) {
    writer->bad = true;
    return;
  }
  while (power < 3 && value >= UINT64_C (1) << ((8u << power) - 2))
    power++;
  value |= (uint64_t)power << ((8u << power) - 2);
  for (unsigned left = 1u << power; left > 0; left--)
    write_byte (writer, (uint8_t)(value >> (8 * (left - 1))));
}

static void
write_signed (Writer *writer, int64_t value)
{
  write_number (writer, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0),
                VARINT_MAX);
}

/* -- Text ------------------------------------------------------------------ */

/* Length of the UTF-8 character at `at`, 0 if it is none. Overlong forms,
 * surrogates and what lies beyond Unicode are none. */
static size_t
utf8_character (const uint8_t *at, size_t left, uint32_t *character)
{
  uint8_t first = at[0];
  size_t len;
  uint32_t value, least;

  if (first < 0x80) {
    *character = first;
    return 1;
  } else if (first >= 0xc2 && first < 0xe0) {
    len = 2, value = first & 0x1f, least = 0x80;
  } else if (first >= 0xe0 && first < 0xf0) {
    len = 3, value = first & 0x0f, least = 0x800;
  } else if (first >= 0xf0 && first < 0xf5) {
    len = 4, value = first & 0x07, least = 0x10000;
  } else {
    return 0;
  }
  if (left < len)
    return 0;
  for (size_t i = 1; i < len; i++) {
    if ((at[i] & 0xc0) != 0x80)
      return 0;
    value = value << 6 | (at[i] & 0x3f);
  }
  if (value < least || value > 0x10ffff)
    return 0;
  if (value >= 0xd800 && value < 0xe000)
    return 0;
  *character = value;
  return len;
}

bool
p2p_wire_check_text (const char *text, size_t len)
{
  const uint8_t *at = (const uint8_t *)text;
  uint32_t character;

  while (len > 0) {
    size_t used = utf8_character (at, len, &character);

    if (used == 0 || character < 0x20)
      return false;
    if (character >= 0x7f && character < 0xa0)
      return false;
    at += used;
    len -= used;
  }
  return true;
}

static P2pWireString
read_text (Reader *reader, size_t max)
{
  size_t len = (size_t)read_number (reader, max);
  P2pWireString text = { (const char *)reader->at, len };

  if (reader->bad || (size_t)(reader->end - reader->at) < len
      || !p2p_wire_check_text (text.data, len)) {
    reader->bad = true;
    return (P2pWireString){ NULL, 0 };
  }
  reader->at += len;
  return text;
}

static void
write_text (Writer *writer, P2pWireString text, size_t max)
{
  write_number (writer, text.len, max);
  if (writer->bad || (size_t)(writer->end - writer->at) < text.len
      || !p2p_wire_check_text (text.data, text.len)) {
    writer->bad = true;
    return;
  }
  if (text.len > 0)
    memcpy (writer->at, text.data, text.len);
  writer->at += text.len;
}

/* -- Control messages ------------------------------------------------------ */

static uint16_t
read_stream (Reader *reader)
{
  uint64_t stream = read_number (reader, UINT16_MAX);

  if (stream < P2P_WIRE_FIRST_STREAM_FLOW)
    reader->bad = true;
  return (uint16_t)stream;
}

static void
write_stream (Writer *writer, uint16_t stream)
{
  if (stream < P2P_WIRE_FIRST_STREAM_FLOW)
    writer->bad = true;
  write_number (writer, stream, UINT16_MAX);
}

static bool
kind_is_known (unsigned kind)
{
  return kind >= P2P_WIRE_VIDEO && kind <= P2P_WIRE_DATA;
}

bool
p2p_wire_type_is_known (unsigned type)
{
  return (type >= P2P_WIRE_HELLO && type <= P2P_WIRE_KEY_UNIT)
         || (type >= P2P_WIRE_OFFER_OPEN && type <= P2P_WIRE_OFFER_STOP);
}

static bool
is_of_request (unsigned type)
{
  return (type >= P2P_WIRE_REQUEST_OPEN && type <= P2P_WIRE_REQUEST_READY)
         || (type >= P2P_WIRE_OFFER_OPEN && type <= P2P_WIRE_OFFER_STOP);
}

static void
write_hello (Writer *writer, const P2pWireControl *message)
{
  if (message->version == 0 || message->version > UINT8_MAX)
    writer->bad = true;
  write_byte (writer, (uint8_t)message->version);
  write_text (writer, message->text, P2P_WIRE_MAX_NAME);
}

static void
write_request (Writer *writer, const P2pWireControl *message)
{
  write_number (writer, message->request, UINT32_MAX);
  if (message->type == P2P_WIRE_REQUEST_OPEN
      || message->type == P2P_WIRE_OFFER_OPEN)
    write_text (writer, message->text, P2P_WIRE_MAX_PARAMS);
  else if (message->type == P2P_WIRE_REQUEST_CLOSE)
    write_text (writer, message->text, P2P_WIRE_MAX_NAME);
}

static void
write_of_stream (Writer *writer, const P2pWireControl *message)
{
  write_stream (writer, message->stream);
  switch (message->type) {
    case P2P_WIRE_STREAM_OPEN:
      write_number (writer, message->request, UINT32_MAX);
      if (!kind_is_known (message->kind))
        writer->bad = true;
      write_byte (writer, (uint8_t)message->kind);
      write_text (writer, message->text, P2P_WIRE_MAX_NAME);
      break;
    case P2P_WIRE_STREAM_CAPS:
      write_byte (writer, message->caps_version);
      write_text (writer, message->text, P2P_WIRE_MAX_CAPS);
      break;
    case P2P_WIRE_STREAM_END:
      write_number (writer, message->frames, VARINT_MAX);
      break;
    case P2P_WIRE_KEY_UNIT:
      write_byte (writer, message->all_headers ? KEY_UNIT_ALL_HEADERS : 0);
      write_number (writer, message->count, UINT32_MAX);
      break;
    default:
      break;
  }
}

size_t
p2p_wire_write_control (const P2pWireControl *message, uint8_t *out,
                        size_t capacity)
{
  Writer writer = { out, out, out + capacity, false };

  if (!p2p_wire_type_is_known (message->type))
    return 0;
  write_byte (&writer, (uint8_t)message->type);
  if (message->type == P2P_WIRE_HELLO)
    write_hello (&writer, message);
  else if (is_of_request (message->type))
    write_request (&writer, message);
  else
    write_of_stream (&writer, message);
  return writer.bad ? 0 : (size_t)(writer.at - writer.start);
}

static void
read_hello (Reader *reader, P2pWireControl *message)
{
  message->version = read_byte (reader);
  if (message->version == 0)
    reader->bad = true;
  message->text = read_text (reader, P2P_WIRE_MAX_NAME);
  /* What a later version adds stands behind what is known. */
  if (!reader->bad && message->version > P2P_WIRE_VERSION)
    reader->at = reader->end;
}

static void
read_request (Reader *reader, P2pWireControl *message)
{
  message->request = (uint32_t)read_number (reader, UINT32_MAX);
  if (message->type == P2P_WIRE_REQUEST_OPEN
      || message->type == P2P_WIRE_OFFER_OPEN)
    message->text = read_text (reader, P2P_WIRE_MAX_PARAMS);
  else if (message->type == P2P_WIRE_REQUEST_CLOSE)
    message->text = read_text (reader, P2P_WIRE_MAX_NAME);
}

static void
read_of_stream (Reader *reader, P2pWireControl *message)
{
  uint8_t byte;

  message->stream = read_stream (reader);
  switch (message->type) {
    case P2P_WIRE_STREAM_OPEN:
      message->request = (uint32_t)read_number (reader, UINT32_MAX);
      byte = read_byte (reader);
      if (!kind_is_known (byte))
        reader->bad = true;
      message->kind = (P2pWireKind)byte;
      message->text = read_text (reader, P2P_WIRE_MAX_NAME);
      break;
    case P2P_WIRE_STREAM_CAPS:
      message->caps_version = read_byte (reader);
      message->text = read_text (reader, P2P_WIRE_MAX_CAPS);
      break;
    case P2P_WIRE_STREAM_END:
      message->frames = read_number (reader, VARINT_MAX);
      break;
    case P2P_WIRE_KEY_UNIT:
      byte = read_byte (reader);
      if (byte & ~KEY_UNIT_ALL_HEADERS)
        reader->bad = true;
      message->all_headers = (byte & KEY_UNIT_ALL_HEADERS) != 0;
      message->count = (uint32_t)read_number (reader, UINT32_MAX);
      break;
    default:
      break;
  }
}

bool
p2p_wire_read_control (const uint8_t *data, size_t len, P2pWireControl *message)
{
  P2pWireControl result = { 0 };
  Reader reader = { data, data + len, len > P2P_WIRE_MAX_CONTROL };

  result.type = (P2pWireType)read_byte (&reader);
  if (reader.bad || (unsigned)result.type == 0)
    return false;

  if (!p2p_wire_type_is_known (result.type)) {
    result.text.data = (const char *)reader.at;
    result.text.len = (size_t)(reader.end - reader.at);
    reader.at = reader.end;
  } else if (result.type == P2P_WIRE_HELLO) {
    read_hello (&reader, &result);
  } else if (is_of_request (result.type)) {
    read_request (&reader, &result);
  } else {
    read_of_stream (&reader, &result);
  }
  if (reader.bad || reader.at != reader.end)
    return false;
  *message = result;
  return true;
}

/* -- Commands -------------------------------------------------------------- */

enum {
  REPLY_ANSWERED = 0,
  REPLY_REFUSED = 1,
};

size_t
p2p_wire_write_command (const P2pWireCommand *command, uint8_t *out,
                        size_t capacity)
{
  Writer writer = { out, out, out + capacity, false };

  if (command->id == 0)
    writer.bad = true;
  write_byte (&writer, (uint8_t)command->type);
  write_number (&writer, command->id, UINT32_MAX);
  if (command->type == P2P_WIRE_REPLY)
    write_byte (&writer, command->refused ? REPLY_REFUSED : REPLY_ANSWERED);
  else if (command->type != P2P_WIRE_COMMAND)
    writer.bad = true;
  return writer.bad ? 0 : (size_t)(writer.at - writer.start);
}

bool
p2p_wire_read_command (const uint8_t *data, size_t len, P2pWireCommand *command,
                       size_t *header_len)
{
  Reader reader = { data, data + len, false };
  P2pWireCommand result = { 0 };
  size_t left;

  result.type = (P2pWireType)read_byte (&reader);
  result.id = (uint32_t)read_number (&reader, UINT32_MAX);
  if (result.type == P2P_WIRE_REPLY) {
    uint8_t status = read_byte (&reader);

    if (status > REPLY_REFUSED)
      reader.bad = true;
    result.refused = status == REPLY_REFUSED;
  } else if (result.type != P2P_WIRE_COMMAND) {
    reader.bad = true;
  }
  left = (size_t)(reader.end - reader.at);
  if (reader.bad || result.id == 0
      || left > (result.refused ? 0 : P2P_WIRE_MAX_COMMAND))
    return false;
  *command = result;
  *header_len = (size_t)(reader.at - data);
  return true;
}

/* -- Frame headers --------------------------------------------------------- */

static bool
time_in_range (int64_t time)
{
  return time >= -P2P_WIRE_MAX_TIME && time <= P2P_WIRE_MAX_TIME;
}

/* Times are close to each other: each is written as what it differs from the
 * one before, which makes most of them 4 bytes. */
static void
write_time (Writer *writer, int64_t time, int64_t *base)
{
  if (time == P2P_WIRE_TIME_NONE)
    return;
  if (!time_in_range (time)) {
    writer->bad = true;
    return;
  }
  write_signed (writer, time - *base);
  *base = time;
}

static int64_t
read_time (Reader *reader, bool present, int64_t *base)
{
  int64_t time;

  if (!present)
    return P2P_WIRE_TIME_NONE;
  /* Both are below 2^62: no overflow. */
  time = read_signed (reader) + *base;
  if (!time_in_range (time))
    reader->bad = true;
  *base = reader->bad ? 0 : time;
  return time;
}

static void
write_span (Writer *writer, int64_t span)
{
  if (span == P2P_WIRE_TIME_NONE)
    return;
  if (span < 0)
    writer->bad = true;
  write_number (writer, (uint64_t)span, P2P_WIRE_MAX_TIME);
}

static int64_t
read_span (Reader *reader, bool present)
{
  if (!present)
    return P2P_WIRE_TIME_NONE;
  return (int64_t)read_number (reader, P2P_WIRE_MAX_TIME);
}

size_t
p2p_wire_write_frame (const P2pWireFrame *frame, uint8_t *out, size_t capacity)
{
  Writer writer = { out, out, out + capacity, false };
  int64_t base = 0;
  unsigned have = 0;

  have |= frame->pts != P2P_WIRE_TIME_NONE ? HAVE_PTS : 0;
  have |= frame->dts != P2P_WIRE_TIME_NONE ? HAVE_DTS : 0;
  have |= frame->duration != P2P_WIRE_TIME_NONE ? HAVE_DURATION : 0;
  have |= frame->sent != P2P_WIRE_TIME_NONE ? HAVE_SENT : 0;
  have |= frame->latency != P2P_WIRE_TIME_NONE ? HAVE_LATENCY : 0;

  write_byte (&writer, frame->caps_version);
  write_byte (&writer, (uint8_t)have);
  write_number (&writer, frame->flags & P2P_FRAME_ALL, UINT16_MAX);
  write_time (&writer, frame->sent, &base);
  write_time (&writer, frame->pts, &base);
  write_time (&writer, frame->dts, &base);
  write_span (&writer, frame->duration);
  write_span (&writer, frame->latency);
  return writer.bad ? 0 : (size_t)(writer.at - writer.start);
}

bool
p2p_wire_read_frame (const uint8_t *data, size_t len, P2pWireFrame *frame,
                     size_t *header_len)
{
  Reader reader = { data, data + len, false };
  P2pWireFrame result;
  int64_t base = 0;
  unsigned have;

  result.caps_version = read_byte (&reader);
  have = read_byte (&reader);
  if (have & ~(unsigned)HAVE_ALL)
    reader.bad = true;
  result.flags = read_number (&reader, UINT16_MAX) & P2P_FRAME_ALL;
  result.sent = read_time (&reader, have & HAVE_SENT, &base);
  result.pts = read_time (&reader, have & HAVE_PTS, &base);
  result.dts = read_time (&reader, have & HAVE_DTS, &base);
  result.duration = read_span (&reader, have & HAVE_DURATION);
  result.latency = read_span (&reader, have & HAVE_LATENCY);
  if (reader.bad)
    return false;
  *frame = result;
  *header_len = (size_t)(reader.at - data);
  return true;
}
