/* What a session says: every message there and back, cut short everywhere,
 * altered, and made up by somebody who means harm.
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <stdlib.h>

#include "check.h"
#include "p2pwire.h"

#define TEXT(literal)                                                          \
  {                                                                            \
    literal, sizeof literal - 1                                                \
  }
#define U62_MAX ((UINT64_C (1) << 62) - 1)

static const P2pWireControl messages[] = {
  { .type = P2P_WIRE_HELLO, .version = 1, .text = TEXT ("camera-1") },
  { .type = P2P_WIRE_HELLO, .version = 1 },
  { .type = P2P_WIRE_REQUEST_OPEN,
    .request = 1,
    .text = TEXT ("action=live&channel=0") },
  { .type = P2P_WIRE_REQUEST_CLOSE,
    .request = UINT32_MAX,
    .text = TEXT ("peer-gone") },
  { .type = P2P_WIRE_REQUEST_READY, .request = 16384 },
  { .type = P2P_WIRE_STREAM_OPEN,
    .stream = 16,
    .request = 63,
    .kind = P2P_WIRE_VIDEO,
    .text = TEXT ("video_0") },
  { .type = P2P_WIRE_STREAM_OPEN,
    .stream = UINT16_MAX,
    .request = 64,
    .kind = P2P_WIRE_DATA,
    .text = TEXT ("K\xc3\xbc"
                  "che \xf0\x9f\x93\xb7") },
  { .type = P2P_WIRE_STREAM_CAPS,
    .stream = 17,
    .caps_version = 255,
    .text = TEXT ("audio/x-opus, rate=(int)48000") },
  { .type = P2P_WIRE_STREAM_END, .stream = 18, .frames = U62_MAX },
  { .type = P2P_WIRE_STREAM_END, .stream = 18, .frames = 0 },
  { .type = P2P_WIRE_STREAM_CLOSE, .stream = 19 },
  { .type = P2P_WIRE_KEY_UNIT,
    .stream = 20,
    .all_headers = true,
    .count = 1073741824 },
  { .type = P2P_WIRE_KEY_UNIT, .stream = 20, .count = 63 },
  { .type = P2P_WIRE_OFFER_OPEN, .request = 2, .text = TEXT ("action=voice") },
  { .type = P2P_WIRE_OFFER_ACCEPT, .request = 2 },
  { .type = P2P_WIRE_OFFER_STOP, .request = UINT32_MAX },
};
enum { MESSAGES = sizeof messages / sizeof messages[0] };

/* A copy of exactly `len` bytes, so that a sanitizer sees one byte beyond. */
static uint8_t *
exact (const void *data, size_t len)
{
  uint8_t *copy = malloc (len > 0 ? len : 1);

  memcpy (copy, data, len);
  return copy;
}

static bool
read_control (const void *data, size_t len, P2pWireControl *message)
{
  uint8_t *copy = exact (data, len);
  bool ok = p2p_wire_read_control (copy, len, message);

  free (copy);
  return ok;
}

static void
check_same (const P2pWireControl *a, const P2pWireControl *b)
{
  CHECK_EQ (a->type, b->type);
  CHECK_EQ (a->request, b->request);
  CHECK_EQ (a->stream, b->stream);
  CHECK_EQ (a->kind, b->kind);
  CHECK_EQ (a->caps_version, b->caps_version);
  CHECK_EQ (a->frames, b->frames);
  CHECK_EQ (a->all_headers, b->all_headers);
  CHECK_EQ (a->count, b->count);
  CHECK_EQ (a->version, b->version);
  if (CHECK_EQ (a->text.len, b->text.len) && a->text.len > 0)
    CHECK_MEM (a->text.data, b->text.data, a->text.len);
}

/* -- Control --------------------------------------------------------------- */

static void
test_control_round_trip (void)
{
  uint8_t bytes[P2P_WIRE_MAX_CONTROL];

  for (int i = 0; i < MESSAGES; i++) {
    P2pWireControl message;
    size_t len = p2p_wire_write_control (&messages[i], bytes, sizeof bytes);

    CHECK (len > 0);
    if (CHECK (p2p_wire_read_control (bytes, len, &message)))
      check_same (&message, &messages[i]);
  }
}

/* Every prefix, every missing byte of room, one byte too many. */
static void
test_control_cut (void)
{
  uint8_t bytes[P2P_WIRE_MAX_CONTROL] = { 0 };

  for (int i = 0; i < MESSAGES; i++) {
    P2pWireControl message, untouched;
    size_t len = p2p_wire_write_control (&messages[i], bytes, sizeof bytes);

    memset (&message, 0x5a, sizeof message);
    memset (&untouched, 0x5a, sizeof untouched);
    for (size_t cut = 0; cut < len; cut++) {
      uint8_t *room = malloc (cut > 0 ? cut : 1);

      CHECK (!read_control (bytes, cut, &message));
      CHECK_EQ (p2p_wire_write_control (&messages[i], room, cut), 0);
      free (room);
    }
    bytes[len] = 0;
    CHECK (!read_control (bytes, len + 1, &message));
    CHECK_MEM (&message, &untouched, sizeof message);
  }
}

/* The bytes that docs/wire.md shows. */
static void
test_control_bytes (void)
{
  static const uint8_t hello[] = { 1, 1, 3, 'c', 'a', 'm' };
  static const uint8_t open[]
      = { 5, 0x10, 0x40, 0x40, 1, 7, 'v', 'i', 'd', 'e', 'o', '_', '0' };
  static const uint8_t key_unit[] = { 9, 0x10, 1, 0x80, 0, 0x40, 0 };
  P2pWireControl message;
  uint8_t bytes[64];

  message = (P2pWireControl){ .type = P2P_WIRE_HELLO,
                              .version = 1,
                              .text = TEXT ("cam") };
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes),
            sizeof hello);
  CHECK_MEM (bytes, hello, sizeof hello);
  message = (P2pWireControl){ .type = P2P_WIRE_STREAM_OPEN,
                              .stream = 16,
                              .request = 64,
                              .kind = P2P_WIRE_VIDEO,
                              .text = TEXT ("video_0") };
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes),
            sizeof open);
  CHECK_MEM (bytes, open, sizeof open);
  message = (P2pWireControl){
    .type = P2P_WIRE_KEY_UNIT, .stream = 16, .all_headers = true, .count = 16384
  };
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes),
            sizeof key_unit);
  CHECK_MEM (bytes, key_unit, sizeof key_unit);
}

#define REFUSED(...)                                                           \
  do {                                                                         \
    static const uint8_t bytes_[] = { __VA_ARGS__ };                           \
    P2pWireControl message_;                                                   \
    CHECK (!read_control (bytes_, sizeof bytes_, &message_));                  \
  } while (0)

static void
test_control_refused (void)
{
  REFUSED (0);
  REFUSED (0, 1, 2, 3);
  /* Version 0. */
  REFUSED (1, 0, 0);
  /* Numbers longer than need be. */
  REFUSED (4, 0x40, 0x3f);
  REFUSED (4, 0x80, 0, 0x3f, 0xff);
  REFUSED (4, 0xc0, 0, 0, 0, 0x3f, 0xff, 0xff, 0xff);
  /* A request of 33 bits. */
  REFUSED (4, 0xc0, 0, 0, 1, 0, 0, 0, 0);
  /* Streams on the control flow, and of 17 bits. */
  REFUSED (8, 0);
  REFUSED (8, 15);
  REFUSED (8, 0x80, 1, 0, 0);
  /* Kinds that are none. */
  REFUSED (5, 16, 1, 0, 1, 'v');
  REFUSED (5, 16, 1, 4, 1, 'v');
  /* A reserved bit. */
  REFUSED (9, 16, 2, 1);
  /* Text: longer than the message, control characters, not UTF-8, overlong,
   * surrogate, beyond Unicode. */
  REFUSED (1, 1, 4, 'c', 'a', 'm');
  REFUSED (1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'c');
  REFUSED (1, 1, 1, 0);
  REFUSED (1, 1, 1, '\n');
  REFUSED (1, 1, 1, 0x7f);
  REFUSED (1, 1, 2, 0xc2, 0x85);
  REFUSED (1, 1, 1, 0xff);
  REFUSED (1, 1, 1, 0xc3);
  REFUSED (1, 1, 2, 0xc3, 'a');
  REFUSED (1, 1, 2, 0xc0, 0x80);
  REFUSED (1, 1, 3, 0xe0, 0x80, 0x80);
  REFUSED (1, 1, 3, 0xed, 0xa0, 0x80);
  REFUSED (1, 1, 4, 0xf4, 0x90, 0x80, 0x80);
}

/* A newer peer may say more than this one understands. */
static void
test_control_newer (void)
{
  static const uint8_t unknown[] = { 200, 0, 1, 0xff };
  static const uint8_t command[] = { P2P_WIRE_COMMAND };
  static const uint8_t hello[] = { 1, 2, 1, 'c', 9, 9, 9 };
  static const uint8_t hello_1[] = { 1, 1, 1, 'c', 9, 9, 9 };
  P2pWireControl message;
  uint8_t bytes[64];

  CHECK (p2p_wire_read_control (unknown, sizeof unknown, &message));
  CHECK_EQ (message.type, 200);
  CHECK (!p2p_wire_type_is_known (message.type));
  CHECK_EQ (message.text.len, 3);
  CHECK (message.text.data == (const char *)unknown + 1);
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes), 0);
  CHECK (p2p_wire_read_control (command, sizeof command, &message));
  CHECK_EQ (message.type, P2P_WIRE_COMMAND);
  CHECK_EQ (message.text.len, 0);
  CHECK (p2p_wire_read_control (hello, sizeof hello, &message));
  CHECK_EQ (message.version, 2);
  CHECK_EQ (message.text.len, 1);
  CHECK (!p2p_wire_read_control (hello_1, sizeof hello_1, &message));
}

static void
check_text_limit (P2pWireType type, size_t limit)
{
  static char text[P2P_WIRE_MAX_CONTROL];
  uint8_t bytes[P2P_WIRE_MAX_CONTROL + 8];
  P2pWireControl message
      = { .type = type, .version = 1, .stream = 16, .kind = P2P_WIRE_AUDIO };
  P2pWireControl back;
  size_t len;

  memset (text, 'x', sizeof text);
  message.text = (P2pWireString){ text, limit };
  len = p2p_wire_write_control (&message, bytes, sizeof bytes);
  CHECK (len > limit && len <= P2P_WIRE_MAX_CONTROL);
  CHECK (p2p_wire_read_control (bytes, len, &back));
  message.text.len++;
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes), 0);
}

static void
test_control_limits (void)
{
  static uint8_t big[P2P_WIRE_MAX_CONTROL + 1] = { 100 };
  P2pWireControl message = { .type = P2P_WIRE_HELLO, .version = 256 };
  uint8_t bytes[64];

  check_text_limit (P2P_WIRE_HELLO, P2P_WIRE_MAX_NAME);
  check_text_limit (P2P_WIRE_REQUEST_OPEN, P2P_WIRE_MAX_PARAMS);
  check_text_limit (P2P_WIRE_REQUEST_CLOSE, P2P_WIRE_MAX_NAME);
  check_text_limit (P2P_WIRE_STREAM_OPEN, P2P_WIRE_MAX_NAME);
  check_text_limit (P2P_WIRE_STREAM_CAPS, P2P_WIRE_MAX_CAPS);
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes), 0);
  message = (P2pWireControl){ .type = P2P_WIRE_STREAM_CLOSE, .stream = 15 };
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes), 0);
  message = (P2pWireControl){ .type = P2P_WIRE_STREAM_END,
                              .stream = 16,
                              .frames = U62_MAX + 1 };
  CHECK_EQ (p2p_wire_write_control (&message, bytes, sizeof bytes), 0);
  CHECK (p2p_wire_read_control (big, P2P_WIRE_MAX_CONTROL, &message));
  CHECK (!p2p_wire_read_control (big, P2P_WIRE_MAX_CONTROL + 1, &message));
}

/* -- Frames ---------------------------------------------------------------- */

static const int64_t times[] = {
  P2P_WIRE_TIME_NONE,
  0,
  1,
  -1,
  31,
  -32,
  33333333,
  -40000000,
  3600000000000,
  -1000,
  P2P_WIRE_MAX_TIME,
  -P2P_WIRE_MAX_TIME,
};
enum { TIMES = sizeof times / sizeof times[0] };

static void
check_frame (const P2pWireFrame *frame)
{
  uint8_t bytes[P2P_WIRE_MAX_FRAME_HEADER + 1];
  P2pWireFrame back, untouched;
  size_t len = p2p_wire_write_frame (frame, bytes, P2P_WIRE_MAX_FRAME_HEADER);
  size_t header_len = 99;

  if (!CHECK (len > 0))
    return;
  memset (&back, 0x5a, sizeof back);
  memset (&untouched, 0x5a, sizeof untouched);
  for (size_t cut = 0; cut < len; cut++) {
    uint8_t room[P2P_WIRE_MAX_FRAME_HEADER];

    CHECK (!p2p_wire_read_frame (bytes, cut, &back, &header_len));
    CHECK_EQ (p2p_wire_write_frame (frame, room, cut), 0);
  }
  CHECK_MEM (&back, &untouched, sizeof back);
  CHECK_EQ (header_len, 99);

  /* The payload follows. */
  CHECK (p2p_wire_read_frame (bytes, len + 1, &back, &header_len));
  CHECK_EQ (header_len, len);
  CHECK_EQ (back.caps_version, frame->caps_version);
  CHECK_EQ (back.flags, frame->flags);
  CHECK_EQ (back.pts, frame->pts);
  CHECK_EQ (back.dts, frame->dts);
  CHECK_EQ (back.sent, frame->sent);
  CHECK_EQ (back.duration, frame->duration);
  CHECK_EQ (back.latency, frame->latency);
}

static void
test_frame_round_trip (void)
{
  P2pWireFrame frame = { 0 };

  for (int i = 0; i < TIMES * TIMES * TIMES; i++) {
    int64_t span = times[i % TIMES];

    frame.caps_version = (uint8_t)i;
    frame.flags = (uint16_t)(i * 7) & P2P_FRAME_ALL;
    frame.sent = times[i % TIMES];
    frame.pts = times[i / TIMES % TIMES];
    frame.dts = times[i / TIMES / TIMES];
    frame.duration = span < 0 ? P2P_WIRE_TIME_NONE : span;
    frame.latency = i % 2 ? frame.duration : P2P_WIRE_TIME_NONE;
    check_frame (&frame);
  }
}

static void
test_frame_bytes (void)
{
  /* Caps 1, pts dts sent, DELTA_UNIT; 40 ms; 30 ms before it; the same. */
  static const uint8_t expected[]
      = { 1, 0x0b, 1, 0x84, 0xc4, 0xb4, 0x00, 0x83, 0x93, 0x86, 0xff, 0x00 };
  P2pWireFrame frame = { .caps_version = 1,
                         .flags = P2P_FRAME_DELTA_UNIT,
                         .pts = 10000000,
                         .dts = 10000000,
                         .duration = P2P_WIRE_TIME_NONE,
                         .sent = 40000000,
                         .latency = P2P_WIRE_TIME_NONE };
  uint8_t bytes[P2P_WIRE_MAX_FRAME_HEADER];

  CHECK_EQ (p2p_wire_write_frame (&frame, bytes, sizeof bytes),
            sizeof expected);
  CHECK_MEM (bytes, expected, sizeof expected);
}

static void
test_frame_refused (void)
{
  static const uint8_t reserved[] = { 1, 0x20, 0 };
  static const uint8_t long_flags[] = { 1, 0, 0x40, 1 };
  static const uint8_t wide_flags[] = { 1, 0, 0x80, 1, 0, 0 };
  static const uint8_t later_flag[] = { 1, 0, 0x41, 0x01 };
  /* sent at the limit, then pts beyond it. */
  static const uint8_t beyond[]
      = { 1, 9, 0, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 2 };
  static const uint8_t long_span[] = { 1, 4, 0, 0xd0, 0, 0, 0, 0, 0, 0, 1 };
  P2pWireFrame frame = { .duration = -1 };
  uint8_t bytes[P2P_WIRE_MAX_FRAME_HEADER];
  size_t len;

  CHECK (!p2p_wire_read_frame (reserved, sizeof reserved, &frame, &len));
  CHECK (!p2p_wire_read_frame (long_flags, sizeof long_flags, &frame, &len));
  CHECK (!p2p_wire_read_frame (wide_flags, sizeof wide_flags, &frame, &len));
  CHECK (!p2p_wire_read_frame (beyond, sizeof beyond, &frame, &len));
  CHECK (!p2p_wire_read_frame (long_span, sizeof long_span, &frame, &len));
  CHECK_EQ (p2p_wire_write_frame (&frame, bytes, sizeof bytes), 0);
  frame = (P2pWireFrame){ .pts = P2P_WIRE_MAX_TIME + 1 };
  CHECK_EQ (p2p_wire_write_frame (&frame, bytes, sizeof bytes), 0);
  frame = (P2pWireFrame){ .sent = INT64_MAX };
  CHECK_EQ (p2p_wire_write_frame (&frame, bytes, sizeof bytes), 0);

  /* A flag of a later version is no reason to lose the frame. */
  CHECK (p2p_wire_read_frame (later_flag, sizeof later_flag, &frame, &len));
  CHECK_EQ (frame.flags, P2P_FRAME_DELTA_UNIT);
}

/* -- Caps ------------------------------------------------------------------ */

static bool
caps_ok (const char *caps)
{
  size_t len = strlen (caps);
  uint8_t *copy = exact (caps, len);
  bool ok = p2p_wire_check_caps ((const char *)copy, len);

  free (copy);
  return ok;
}

static void
test_caps_taken (void)
{
  static const char *const taken[] = {
    "video/x-h264",
    "video/x-h264, stream-format=(string)byte-stream, alignment=(string)au, "
    "level=(string)3.1, profile=(string)main, width=(int)768, "
    "height=(int)576, framerate=(fraction)25000/1001, "
    "pixel-aspect-ratio=(fraction)1/1, colorimetry=(string)bt601, "
    "codec_data=(buffer)014d401fffe1001d674d401fd900c012, "
    "bit-depth-luma=(uint)8, parsed=(boolean)true",
    "video/x-h265, multiview-mode=(string)mono, multiview-flags="
    "(GstVideoMultiviewFlagsSet)0:ffffffff:/right-view-first/left-flipped",
    "audio/mpeg, mpegversion=(int)4, framed=(boolean)true, "
    "codec_data=(buffer)118856e500, rate=(int)48000, channels=(int)1",
    "audio/x-opus, streamheader=(buffer)< 4f70, 4f71 >, "
    "channel-mask=(bitmask)0x0000000000000003",
    "meta/x-klv, a=< < (int)1, (int)2 >, < (string)x > >, b={ 1, 2 }",
    "image/jpeg, framerate=(fraction)[ 0/1, 30/1 ], d=(double)-1.5e+10",
    "a/b,c=1,d=\"\\\"quoted\\\" K\\303\\274che \\<\\<\\<\\<\\<\"",
    "a/b, c=\"<[\", d=<>",
    "application/x-id3 , a = ( int ) 5",
  };

  for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
    if (!CHECK (caps_ok (taken[i])))
      printf ("# %s\n", taken[i]);
  }
}

static void
test_caps_refused (void)
{
  static const char *const refused[] = {
    "",
    " ",
    "ANY",
    "EMPTY",
    "NONE",
    "video",
    "/h264",
    "1/2",
    /* More than one structure, features. */
    "a/b; c/d",
    "a/b;",
    "a/b, c=1; d/e",
    "a/b(memory:NVMM)",
    "video/x-raw(ANY), width=(int)1",
    "a/b c/d",
    /* Nesting. */
    "a/b, c=< < < < < 1 > > > > >",
    "a/b, c=< < < < (int)1 > > > >",
    "a/b, c={ [ < { < 1 > } > ] }",
    "a/b, c=<<<<<<<<<<<<<<<",
    "a/b, c=\"<[{(<\"",
    /* Brackets that do not match. */
    "a/b, c=< 1",
    "a/b, c=< 1 ]",
    "a/b, c=[ 1 }",
    "a/b, c=1 >",
    "a/b, c=(int",
    "a/b, c=(int 1",
    "a/b, c=)1",
    /* Types that hold others, or that nobody needs. */
    "a/b, c=(GstCaps)x/y",
    "a/b, c=(GstStructure)\"x\"",
    "a/b, c=(GDate)1",
    "a/b, c=(caps)[ANY]",
    "a/b, c=(structure)x",
    "a/b, c=(taglist)x",
    "a/b, c=((int))1",
    "a/b, c=()1",
    "a/b, c=(in)1",
    "a/b, c=(int)(int)1",
    /* Strings that end where others may not think so. */
    "a/b, c=\"x",
    "a/b, c=\"x\\\"",
    "a/b, c=x\"<<<<<<\"",
    "a/b, c=x\\<<<<",
    "a/b, c=\"x\"y",
    "a/b, c=\"\\",
    "a/b, c=\"\\000\"",
    "a/b, c=\"\\012\"",
    "a/b, c=\"\\177\"",
    "a/b, c=\"\\18\"",
    "a/b, c=\"\\400\"",
    /* Half a field. */
    "a/b,",
    "a/b, c",
    "a/b, c=",
    "a/b, =1",
    "a/b, c=1,",
    "a/b, c=(int)",
    "a/b, c=[ 1, ]",
    "a/b, 1c=1",
    "a/b, c=1 2",
    "a/b, c=$",
    "a/b,,",
    /* Bytes that are no text. */
    "a/b, c=\n1",
    "a/b, c=\"\x01\"",
    "a/b, c=\"\xff\"",
    "a/b\t",
    "a/b\x7f",
    "a/\xc3\xbc",
  };

  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    if (!CHECK (!caps_ok (refused[i])))
      printf ("# %s\n", refused[i]);
  }
  CHECK (!p2p_wire_check_caps ("a/b\0c", 5));
}

static void
test_caps_long (void)
{
  static char caps[100000];

  memset (caps, 'x', sizeof caps);
  memcpy (caps, "a/b, c=", 7);
  CHECK (p2p_wire_check_caps (caps, P2P_WIRE_MAX_CAPS));
  CHECK (!p2p_wire_check_caps (caps, P2P_WIRE_MAX_CAPS + 1));
  memset (caps + 7, '<', sizeof caps - 7);
  CHECK (!p2p_wire_check_caps (caps, 1016));
  CHECK (!p2p_wire_check_caps (caps, sizeof caps));
  /* As wide as it goes is fine. */
  memcpy (caps + 7, "<1", 2);
  for (size_t i = 9; i + 2 < P2P_WIRE_MAX_CAPS; i += 2)
    memcpy (caps + i, ",1", 2);
  caps[P2P_WIRE_MAX_CAPS - 3] = '1';
  caps[P2P_WIRE_MAX_CAPS - 2] = ' ';
  caps[P2P_WIRE_MAX_CAPS - 1] = '>';
  CHECK (p2p_wire_check_caps (caps, P2P_WIRE_MAX_CAPS));
}

/* -- Requests -------------------------------------------------------------- */

static void
test_match (void)
{
  static const struct
  {
    const char *match, *params;
    bool matches;
  } table[] = {
    { "", "", true },
    { NULL, "", true },
    { "", "action=live", true },
    { "", "action=live&channel=3", true },
    { "", "channel=3", true },
    { "", "action=playback", false },
    { "", "action=", false },
    { "", "action", false },
    { "", "xaction=playback", true },
    { "action=live&channel=0", "channel=0&action=live&x=y", true },
    { "action=live&channel=0", "action=live&channel=1", false },
    { "action=live&channel=0", "action=live", false },
    { "action=live&channel=0", "channel=0", false },
    { "channel=0", "action=playback&channel=0", true },
    { "channel=0", "channel=00", false },
    { "channel=00", "channel=0", false },
    { "channel=0", "Channel=0", false },
    { "a", "a=", true },
    { "a=", "a", true },
    { "a=b=c", "a=b=c", true },
    { "a=b=c", "a=b", false },
    /* The first one counts. */
    { "a=1", "a=1&a=2", true },
    { "a=2", "a=1&a=2", false },
    { "a=1&a=2", "a=1", true },
    { "a=2&a=1", "a=1", false },
    /* Nothing between ampersands is nothing. */
    { "&&a=1&", "&&&a=1&&", true },
    { "&", "action=playback", false },
    { "=5", "x", true },
  };

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    size_t len = strlen (table[i].params);
    uint8_t *params = exact (table[i].params, len);

    if (!CHECK (p2p_wire_match (table[i].match, (char *)params, len)
                == table[i].matches))
      printf ("# %s in %s\n", table[i].match, table[i].params);
    free (params);
  }
}

static void
test_commands (void)
{
  static const P2pWireCommand commands[] = {
    { .type = P2P_WIRE_COMMAND, .id = 1 },
    { .type = P2P_WIRE_COMMAND, .id = UINT32_MAX },
    { .type = P2P_WIRE_REPLY, .id = 64 },
    { .type = P2P_WIRE_REPLY, .id = 16384, .refused = true },
  };
  static const size_t lengths[] = { 2, 9, 4, 6 };

  for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
    uint8_t bytes[P2P_WIRE_MAX_COMMAND_HEADER];
    size_t len = p2p_wire_write_command (&commands[i], bytes, sizeof bytes);
    P2pWireCommand again;
    size_t header;

    CHECK_EQ (len, lengths[i]);
    for (size_t cut = 0; cut < len; cut++) {
      uint8_t *copy = exact (bytes, cut);

      CHECK (!p2p_wire_read_command (copy, cut, &again, &header));
      CHECK_EQ (p2p_wire_write_command (&commands[i], copy, cut), 0);
      free (copy);
    }
    CHECK (p2p_wire_read_command (bytes, len, &again, &header));
    CHECK_EQ (header, len);
    CHECK_EQ (again.type, commands[i].type);
    CHECK_EQ (again.id, commands[i].id);
    CHECK_EQ (again.refused, commands[i].refused);
  }
}

static void
test_commands_refused (void)
{
  static const struct
  {
    size_t len;
    uint8_t bytes[4];
  } refused[] = {
    { 2, { 11, 0 } },         { 3, { 11, 0x40, 0x01 } }, { 2, { 10, 1 } },
    { 2, { 13, 1 } },         { 3, { 12, 0, 0 } },       { 3, { 12, 1, 2 } },
    { 4, { 12, 1, 1, 'x' } }, { 2, { 12, 1 } },
  };
  P2pWireCommand command = { .type = P2P_WIRE_HELLO, .id = 1 };
  uint8_t *large = calloc (1, P2P_WIRE_MAX_COMMAND + 3);
  uint8_t out[P2P_WIRE_MAX_COMMAND_HEADER];
  size_t header;

  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
    CHECK (!p2p_wire_read_command (refused[i].bytes, refused[i].len, &command,
                                   &header));
  CHECK_EQ (p2p_wire_write_command (&command, out, sizeof out), 0);
  command.type = P2P_WIRE_COMMAND;
  command.id = 0;
  CHECK_EQ (p2p_wire_write_command (&command, out, sizeof out), 0);
  large[0] = 11;
  large[1] = 1;
  CHECK (p2p_wire_read_command (large, P2P_WIRE_MAX_COMMAND + 2, &command,
                                &header));
  CHECK (!p2p_wire_read_command (large, P2P_WIRE_MAX_COMMAND + 3, &command,
                                 &header));
  free (large);
}

static const CheckCase cases[] = {
  { "control: there and back", test_control_round_trip },
  { "control: cut short, or a byte too many", test_control_cut },
  { "control: the bytes", test_control_bytes },
  { "control: refused", test_control_refused },
  { "control: a newer peer", test_control_newer },
  { "control: limits", test_control_limits },
  { "frame: there and back, cut short", test_frame_round_trip },
  { "frame: the bytes", test_frame_bytes },
  { "frame: refused", test_frame_refused },
  { "caps: taken", test_caps_taken },
  { "caps: refused", test_caps_refused },
  { "caps: long", test_caps_long },
  { "match", test_match },
  { "commands", test_commands },
  { "commands: refused", test_commands_refused },
};

CHECK_MAIN (cases)
