/* What a session says inside the engine's messages: control messages and the
 * header of media frames. Specified in docs/wire.md, "Session messages".
 *
 * Copyright (C) 2026 the iv-p2p authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Parsers take (pointer, length), touch nothing beyond, allocate nothing and
 * leave their output untouched when they refuse. Strings in parsed messages
 * point into the input and are not NUL-terminated.
 *
 * Pure: no GLib, no sockets, no clock.
 */
#ifndef P2P_WIRE_H
#define P2P_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P2P_WIRE_VERSION 1

#define P2P_WIRE_CONTROL_FLOW 0         /* both directions, reliable, ordered */
#define P2P_WIRE_COMMAND_FLOW 1         /* the same, for commands */
#define P2P_WIRE_REPLY_FLOW 2           /* and for their replies */
#define P2P_WIRE_FIRST_STREAM_FLOW 16   /* media streams use these and above */

#define P2P_WIRE_MAX_PARAMS 1024        /* of a request, bytes of UTF-8 */
#define P2P_WIRE_MAX_NAME 64            /* of a pad */
#define P2P_WIRE_MAX_CAPS 2048
#define P2P_WIRE_MAX_CAPS_DEPTH 4
#define P2P_WIRE_MAX_CONTROL 4096       /* a whole control message */
#define P2P_WIRE_MAX_FRAME_HEADER 48
#define P2P_WIRE_MAX_COMMAND 65536      /* bytes, and of a reply */
#define P2P_WIRE_MAX_COMMAND_HEADER 10

#define P2P_WIRE_TIME_NONE INT64_MIN
/* 36 years either way; sums and differences of two cannot overflow. */
#define P2P_WIRE_MAX_TIME ((INT64_C (1) << 60) - 1)

typedef enum
{
  P2P_WIRE_HELLO = 1,           /* both: version, endpoint's label */
  P2P_WIRE_REQUEST_OPEN = 2,    /* viewer: request, params */
  P2P_WIRE_REQUEST_CLOSE = 3,   /* either: request, reason */
  P2P_WIRE_REQUEST_READY = 4,   /* device: all streams of request are
                                   announced (no more for now) */
  P2P_WIRE_STREAM_OPEN = 5,     /* sender: stream (= flow), request, kind, name */
  P2P_WIRE_STREAM_CAPS = 6,     /* sender: stream, version, caps string */
  P2P_WIRE_STREAM_END = 7,      /* sender: EOS of stream after `frames` frames */
  P2P_WIRE_STREAM_CLOSE = 8,    /* sender: stream goes without EOS */
  P2P_WIRE_KEY_UNIT = 9,        /* receiver: stream, all_headers, count */
  P2P_WIRE_TAGS = 10,           /* reserved */
  P2P_WIRE_COMMAND = 11,        /* not among the control messages, see */
  P2P_WIRE_REPLY = 12,          /* P2pWireCommand */
  P2P_WIRE_OFFER_OPEN = 13,     /* viewer: request, params: has streams to send */
  P2P_WIRE_OFFER_ACCEPT = 14,   /* device: request: takes them */
  P2P_WIRE_OFFER_STOP = 15,     /* device: request: no longer */
} P2pWireType;

typedef enum
{
  P2P_WIRE_VIDEO = 1,
  P2P_WIRE_AUDIO = 2,
  P2P_WIRE_DATA = 3,
} P2pWireKind;

typedef struct
{
  const char *data;
  size_t len;
} P2pWireString;

typedef struct
{
  P2pWireType type;
  uint32_t request;             /* REQUEST_*, OFFER_*, STREAM_OPEN */
  uint16_t stream;              /* STREAM_*, KEY_UNIT */
  P2pWireKind kind;             /* STREAM_OPEN */
  uint8_t caps_version;         /* STREAM_CAPS */
  uint64_t frames;              /* STREAM_END */
  bool all_headers;             /* KEY_UNIT */
  uint32_t count;               /* KEY_UNIT */
  uint32_t version;             /* HELLO */
  P2pWireString text;           /* params, name, caps, reason, label */
} P2pWireControl;

typedef enum
{
  P2P_FRAME_DELTA_UNIT = 1 << 0,
  P2P_FRAME_DISCONT = 1 << 1,
  P2P_FRAME_HEADER = 1 << 2,
  P2P_FRAME_MARKER = 1 << 3,
  P2P_FRAME_DROPPABLE = 1 << 4,
  P2P_FRAME_GAP = 1 << 5,
  P2P_FRAME_DECODE_ONLY = 1 << 6,
  P2P_FRAME_CORRUPTED = 1 << 7,
  P2P_FRAME_ALL = (1 << 8) - 1, /* others are ignored */
} P2pFrameFlags;

/* Times: the sender's running time in nanoseconds, as it goes on through pauses,
 * or P2P_WIRE_TIME_NONE. */
typedef struct
{
  uint8_t caps_version;
  uint16_t flags;               /* P2pFrameFlags */
  int64_t pts;
  int64_t dts;
  int64_t duration;
  int64_t sent;                 /* when the frame was given to the session */
  int64_t latency;              /* of the sender's pipeline: a sink there would
                                   show the frame at pts + latency */
} P2pWireFrame;

/* The header of a message of the flows of commands and replies; what is said
 * follows, to the end. */
typedef struct
{
  P2pWireType type;             /* COMMAND, REPLY */
  uint32_t id;                  /* of the command: 1, 2, 3 … */
  bool refused;                 /* REPLY: there is none, and nothing follows */
} P2pWireCommand;

/* Whether this version gives a meaning to `type`. The others, among them the
 * reserved ones, are read all the same, with the whole body as `text` and not
 * checked at all: the receiver ignores them, so that a newer peer can say more
 * than an older one understands. They are not written. */
bool p2p_wire_type_is_known (unsigned type);

/* Whether `text` is UTF-8 without control characters (C0, DEL, C1). Every text
 * of a known control message is. */
bool p2p_wire_check_text (const char *text, size_t len);

/* Bytes written, 0: does not fit or a field is out of range. */
size_t p2p_wire_write_control (const P2pWireControl * message, uint8_t * out,
    size_t capacity);
bool p2p_wire_read_control (const uint8_t * data, size_t len,
    P2pWireControl * message);

size_t p2p_wire_write_frame (const P2pWireFrame * frame, uint8_t * out,
    size_t capacity);
/* `header_len`: where the payload starts. */
bool p2p_wire_read_frame (const uint8_t * data, size_t len,
    P2pWireFrame * frame, size_t * header_len);

size_t p2p_wire_write_command (const P2pWireCommand * command, uint8_t * out,
    size_t capacity);
/* `len`: of the whole message, which must be within the limits. */
bool p2p_wire_read_command (const uint8_t * data, size_t len,
    P2pWireCommand * command, size_t * header_len);

/* Whether a caps string from the network may be given to the caps parser:
 * length, nesting at most P2P_WIRE_MAX_CAPS_DEPTH, printable UTF-8 without
 * control bytes, exactly one structure, no caps features, only types that hold
 * no others. Neither ANY nor EMPTY. Reading a message does not check this. */
bool p2p_wire_check_caps (const char *caps, size_t len);

/* Whether a request's params ("action=live&channel=0") satisfy a pad's match:
 * every key of `match` is in `params` with the same value; an empty match takes
 * every request with action=live (or without an action). NULL is empty.
 * Compared byte by byte, nothing is decoded; of a key that comes twice the
 * first counts, and "key" is "key=". */
bool p2p_wire_match (const char *match, const char *params, size_t params_len);

#endif /* P2P_WIRE_H */
