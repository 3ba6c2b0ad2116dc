"""What a session says: setup, control messages, commands, media frames.

Made from docs/wire.md, "Session setup" and "Session messages", not from the
code.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ipaddress
import json
import re

from basics import Reader, need, unzigzag

# --- Control messages ---


def text(r, limit):
    raw = r.take(r.varint(shortest=True))
    need(len(raw) <= limit, "text too long")
    out = raw.decode()
    need(not re.search("[\0-\x1f\x7f-\x9f]", out), "control character")
    return out


def number(r, bits=62):
    value = r.varint(shortest=True)
    need(value < 1 << bits, "number too large")
    return value


def stream(r):
    value = number(r)
    need(16 <= value <= 65535, "stream")
    return value


def byte(least, most):
    def read(r):
        value = r.byte()
        need(least <= value <= most, "byte out of range")
        return value
    return read


def request(r):
    return number(r, 32)


def words(limit):
    return lambda r: text(r, limit)


CONTROL = {
    1: ("HELLO", [("version", byte(1, 255)), ("text", words(64))]),
    2: ("REQUEST_OPEN", [("request", request), ("text", words(1024))]),
    3: ("REQUEST_CLOSE", [("request", request), ("text", words(64))]),
    4: ("REQUEST_READY", [("request", request)]),
    5: ("STREAM_OPEN", [("stream", stream), ("request", request),
                        ("kind", byte(1, 3)), ("text", words(64))]),
    6: ("STREAM_CAPS", [("stream", stream), ("caps version", byte(0, 255)),
                        ("text", words(2048))]),
    7: ("STREAM_END", [("stream", stream), ("frames", number)]),
    8: ("STREAM_CLOSE", [("stream", stream)]),
    9: ("KEY_UNIT", [("stream", stream), ("flags", byte(0, 1)),
                     ("count", request)]),
    13: ("OFFER_OPEN", [("request", request), ("text", words(1024))]),
    14: ("OFFER_ACCEPT", [("request", request)]),
    15: ("OFFER_STOP", [("request", request)]),
}


def control(message):
    """The name of the message, and its fields."""
    need(len(message) <= 4096, "too long")
    r = Reader(message)
    kind = r.byte()
    need(kind != 0, "type 0")
    if kind not in CONTROL:
        return None, {}
    name, fields = CONTROL[kind]
    out = {field: read(r) for field, read in fields}
    r.end()
    return name, out


def command(message):
    r = Reader(message)
    kind = r.byte()
    need(kind in (11, 12), "neither a command nor a reply")
    out = {"id": request(r)}
    if kind == 12:
        out["status"] = byte(0, 1)(r)
    need(r.left() <= 65536, "too long")
    out["text"] = r.rest().decode()
    need(out.get("status") != 1 or not out["text"], "more than a refusal")
    return ("command" if kind == 11 else "reply"), out


# --- Media frames ---


def frame(message):
    r = Reader(message)
    out = {"caps version": r.byte()}
    present = r.byte()
    need(present < 32, "present")
    out["flags"] = number(r, 16)
    if present & 8:
        out["sent"] = unzigzag(number(r))
    if present & 1:
        out["PTS"] = unzigzag(number(r)) + out.get("sent", 0)
    if present & 2:
        out["DTS"] = (unzigzag(number(r))
                      + out.get("PTS", out.get("sent", 0)))
    if present & 4:
        out["duration"] = number(r)
    if present & 16:
        out["latency"] = number(r)
    need(r.at <= 46, "header too long")
    for name in out.keys() & {"sent", "PTS", "DTS", "duration", "latency"}:
        need(abs(out[name]) < 1 << 60, "time out of range")
    return out | {"payload": r.rest().hex()}


# --- Setup ---

WORD = "[A-Za-z0-9+/]"
CANDIDATE = re.compile(
    rf"candidate:({WORD}{{1,32}}) 1 UDP (\d+) (\S+) (\d+) typ (\w+)"
    r"(?: raddr (\S+) rport (\d+))?", re.IGNORECASE)
DESCRIPTION = {"transports", "aead", "fingerprint", "ufrag", "pwd"}
LIST = {"candidates", "complete"}
MEMBERS = {
    "offer": DESCRIPTION | LIST,
    "answer": DESCRIPTION | LIST,
    "candidates": LIST,
    "end-of-candidates": set(),
    "restart": set(),
    "bye": {"reason"},
}
FORMS = {
    "session": "[0-9a-f]{32}",
    "fingerprint": "[0-9a-f]{64}",
    "ufrag": WORD + "{4,256}",
    "pwd": WORD + "{22,256}",
    "previous": "[0-9a-f]{32}",
    "reason": "[a-z-]{1,32}",
}


def candidate(line):
    found = CANDIDATE.fullmatch(line)
    need(found, "candidate")
    out = {"foundation": found[1], "priority": int(found[2]),
           "address": found[3], "port": int(found[4]), "kind": found[5]}
    if found[6]:
        out |= {"base address": found[6], "base port": int(found[7])}
    for name in out.keys() & {"address", "base address"}:
        address = ipaddress.ip_address(out[name])
        need(not address.is_multicast and not address.is_unspecified,
             "address")
    need(0 < out["port"] < 65536, "port")
    return out


def setup(line):
    need(len(line.encode()) <= 8192, "too long")
    message = json.loads(line)
    need(message.pop("v") == 1, "v")
    need(MEMBERS[message["type"]] | {"type", "session", "generation"}
         == message.keys() - {"previous"}, "members")
    need("previous" not in message or message["type"] == "offer", "previous")
    need(0 <= message["generation"] <= 1000000, "generation")
    for name in FORMS.keys() & message.keys():
        need(re.fullmatch(FORMS[name], message[name]), name)
    if "aead" in message:
        need("udt/1" in message.pop("transports"), "transports")
        need(message["type"] == "offer" or len(message["aead"]) == 1, "aead")
    if "candidates" in message:
        need(len(message["candidates"]) <= 24, "candidates")
        message["candidates"] = [candidate(c) for c in message["candidates"]]
        need(isinstance(message["complete"], bool), "complete")
    return message
