"""What comes before a connection over plain UDP.

Made from docs/wire.md, "udt:// over plain UDP", not from the code.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import hmac
import struct

from basics import Reader, derive, need

FIELDS = {
    1: [("nonce", 16), ("instance", 8), ("fingerprint", 32), ("token", 32)],
    2: [("nonce", 16), ("fingerprint", 32), ("token", 32)],
    3: [("nonce", 16), ("own nonce", 16)],
    4: [("nonce", 16), ("mac", 16)],
    5: [("proof", 32)],
    6: [("proof", 32)],
    7: [("id", 4), ("nonce", 16), ("mac", 16)],
    8: [("id", 4), ("nonce", 16), ("mac", 16)],
}


def hello(datagram):
    r = Reader(datagram)
    need(r.byte() == 0x55, "first byte")
    kind = r.byte()
    need(r.byte() == 1, "version")
    out = {"type": kind, "extra": r.byte()}
    need(kind in (1, 2, 4) or out["extra"] == 0, "a zero")
    for name, size in FIELDS[kind]:
        out[name] = r.number(4) if name == "id" else r.take(size).hex()
    r.end()
    return out


def part(datagram, name):
    return bytes.fromhex(hello(datagram)[name])


def said(call):
    """version | flags | nonce | instance | fingerprint"""
    return call[2:4] + b"".join(part(call, name) for name in
                                ("nonce", "instance", "fingerprint"))


def mac(binding, datagram, of_caller):
    h = hello(datagram)
    reason = h["extra"] if h["type"] == 4 else 0
    data = (bytes([h["type"], reason, 1 if of_caller else 2, 0])
            + h.get("id", 0).to_bytes(4, "big") + part(datagram, "nonce"))
    return hmac.digest(binding, data, "sha256")[:16].hex()


def proofs(key, caller, listener, call, refuse, probe):
    credential = (key, "udt")
    binding = hashlib.sha256(b"iv-p2p udt/1 binding" + caller + listener
                             + said(call)).digest()

    def made(what, context):
        return derive(credential, "udt/1 " + what, context, 32).hex()

    return {
        "binding": binding.hex(),
        "proof of the caller": made("proof of the caller", binding),
        "proof of the listener": made("proof of the listener", binding),
        "mac of refuse": mac(binding, refuse, False),
        "mac of the caller's probe": mac(binding, probe, True),
        "C'": made("packets of the caller", caller),
        "S'": made("packets of the listener", listener),
    }


def without_key(call, accept):
    """The secrets and ids."""
    def made(use):
        return hashlib.sha256(b"iv-p2p udt/1 insecure" + bytes([use])
                              + said(call)
                              + part(accept, "own nonce")).digest()

    ids = struct.unpack(">II", made(3)[:8])
    return {"C": made(1), "S": made(2), "caller id": ids[0] | 1,
            "listener id": ids[1] & ~1 or 2}


# --- The tag: NH of UMAC ---

WORD, LONG = (1 << 32) - 1, (1 << 64) - 1


def key_words(secret, n):
    words, state = struct.unpack("<4Q", secret), 0
    for i in range(n):
        state = state + 0x9e3779b97f4a7c15 & LONG
        z = state ^ words[i % 4]
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & LONG
        z = (z ^ z >> 27) * 0x94d049bb133111eb & LONG
        z ^= z >> 31
        state ^= z
        yield z >> 32


def tag(secret, number, header, payload):
    end = struct.pack("<QII", number, len(payload), len(header))
    pieces = (0, header), (64, payload), (64 + 1536, end)
    key = list(key_words(secret, (64 + 1536 + len(end)) // 4 + 4))
    out = b""
    for shift in (0, 4):
        total = 0
        for at, data in pieces:
            data += bytes(-len(data) % 8)
            for i, (a, b) in enumerate(struct.iter_unpack("<II", data)):
                word = at // 4 + 2 * i + shift
                total += (a + key[word] & WORD) * (b + key[word + 1] & WORD)
        out += struct.pack("<Q", total & LONG)
    return out.hex()
