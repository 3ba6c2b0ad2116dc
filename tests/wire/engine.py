"""Engine packets: opening, frames, repair symbols.

Made from docs/wire.md, "Engine packets" and "Keys", not from the code.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

from basics import Reader, hkdf_expand, need, open_aead, unzigzag

TYPES = ["PADDING", "PING", "SETTINGS", "ACK", "NAK", "DATA", "DROP", "WINDOW",
         "FLOW_RESET", "CLOSE", "REPAIR"]
STRICT, PART, LIVE = 0x08, 0x10, 0x20
CLOCK = 1 << 32


# --- Frames ---


def settings(r):
    body = Reader(r.take(r.varint()))
    names = ("version", "latency", "largest message", "flow window",
             "id window")
    out = {name: body.varint() for name in names}
    need(out["version"] >= 1 and out["largest message"] >= 1
         and out["flow window"] >= out["largest message"], "bad settings")
    return out


def ack(r):
    largest, delay, arrival = r.varint(), r.varint(), r.number(4)
    n = r.varint()
    need(1 <= n <= 64, "ranges of an ACK")
    last, ranges = largest, []
    for i in range(n):
        if i:
            last = ranges[-1][0] - r.varint() - 2
        first = last - r.varint()
        need(first >= 0, "numbers below 0")
        ranges.append([first, last])
    n = r.varint()
    need(n <= 64, "times of an ACK")
    times, time = [], arrival
    for _ in range(n):
        time = (time - unzigzag(r.varint())) % CLOCK
        times.append(time)
    return {"largest": largest, "delay": delay, "arrival": arrival,
            "ranges": ranges, "times": times}


def nak(r):
    n = r.varint()
    need(1 <= n <= 64, "ranges of a NAK")
    ranges = []
    for _ in range(n):
        first = (ranges[-1][1] + 2 if ranges else 0) + r.varint()
        ranges.append([first, first + r.varint()])
    return {"ranges": ranges}


def message(r, flags):
    out = {"flags": flags, "flow": r.varint(), "epoch": r.varint(),
           "id": r.varint()}
    need(out["flow"] <= 65535, "flow")
    return out


def data(r):
    flags = r.byte()
    need(flags < 0x40, "flags of DATA")
    out = message(r, flags)
    if flags & PART:
        out |= {"total": r.varint(), "offset": r.varint()}
    out["age"] = r.varint()
    if flags & LIVE:
        out["deadline"] = r.varint()
        need(out["deadline"] >= 1, "deadline")
    out["length"] = r.varint()
    if flags & PART:
        need(out["length"] >= 1
             and out["offset"] + out["length"] <= out["total"], "part")
    else:
        out |= {"total": out["length"], "offset": 0}
    return out | {"bytes": r.take(out["length"])}


def repair(r):
    flags = r.byte()
    need(flags < 0x40 and not flags & PART, "flags of REPAIR")
    out = message(r, flags)
    out |= {"total": r.varint(), "symbol": r.varint(), "index": r.varint(),
            "age": r.varint()}
    need(out["total"] >= 1 and out["symbol"] >= 1, "sizes of REPAIR")
    if flags & LIVE:
        out["deadline"] = r.varint()
    out["length"] = out["symbol"]
    return out | {"bytes": r.take(out["symbol"])}


def drop(r):
    flags = r.byte()
    need(flags in (0, STRICT), "flags of DROP")
    out = {"flags": flags, "flow": r.varint(), "epoch": r.varint(),
           "first": r.varint(), "count": r.varint()}
    need(1 <= out["count"] <= 1 << 32, "count of DROP")
    return out


def close(r):
    code, length = r.varint(), r.varint()
    need(code < 1 << 32 and length <= 64, "CLOSE")
    return {"code": code, "reason": r.take(length).decode()}


READERS = {
    "PING": lambda r: {},
    "SETTINGS": settings,
    "ACK": ack,
    "NAK": nak,
    "DATA": data,
    "DROP": drop,
    "WINDOW": lambda r: {"epoch": r.varint(), "floor": r.varint(),
                         "bytes": r.varint()},
    "FLOW_RESET": lambda r: {"flow": r.varint(), "epoch": r.varint()},
    "CLOSE": close,
    "REPAIR": repair,
}


def frames(plain):
    """All of them; a run of PADDING is one with a count."""
    r, out = Reader(plain), []
    need(plain, "no frame")
    while r.left():
        kind = r.byte()
        need(kind < len(TYPES), f"type {kind}")
        if kind:
            out.append({"type": TYPES[kind]} | READERS[TYPES[kind]](r))
        elif out and out[-1]["type"] == "PADDING":
            out[-1]["count"] += 1
        else:
            out.append({"type": "PADDING", "count": 1})
    return out


# --- Packets ---

CIPHERS = {"aes-128-gcm": (1, 16), "chacha20-poly1305": (2, 32)}


class Direction:
    """What one end sends: its keys, and the highest number seen."""

    def __init__(self, cipher, secret, connection):
        self.cipher, self.connection = cipher, connection
        self.secrets = [secret]
        self.highest = -1

    def open(self, number, associated, sealed):
        mark, size = CIPHERS[self.cipher]
        generation = number >> 22
        while len(self.secrets) <= generation:
            self.secrets.append(hkdf_expand(
                self.secrets[-1], b"iv-p2p next" + bytes([mark]), 32))
        secret = self.secrets[generation]
        key = hkdf_expand(secret, b"iv-p2p key" + bytes([mark]), size)
        iv = hkdf_expand(secret, b"iv-p2p iv" + bytes([mark]), 12)
        nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))
        return open_aead(self.cipher, key, nonce, associated, sealed)

    def packet(self, datagram, arrives):
        r = Reader(datagram)
        need(r.byte() == 0xc0, "first byte")
        need(r.number(4) == self.connection, "connection ID")
        low, expected = r.number(4), self.highest + 1
        number = min((n * CLOCK + low for n in
                      range(max(expected // CLOCK - 1, 0),
                            expected // CLOCK + 2)),
                     key=lambda n: abs(n - expected))
        plain = self.open(number, datagram[:9], r.rest())
        if arrives:
            self.highest = max(self.highest, number)
        return {"number": number, "frames": frames(plain)}


# --- REPAIR ---


def times(a, b):
    """In GF(256) with x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11d
        b >>= 1
    return product


def inverse(a):
    return next(b for b in range(256) if times(a, b) == 1)


def coefficient(r, n):
    return times(128 ^ n, inverse((128 + r) ^ n)) if r else 1


def repair_symbol(content, symbol, index):
    """What a REPAIR with that index of a message has to contain."""
    padded = content + bytes(-len(content) % symbol)
    symbols = [padded[i:i + symbol] for i in range(0, len(padded), symbol)]
    blocks = (len(symbols) + 63) // 64
    need(blocks <= 16 and index < 32 * blocks, "index of REPAIR")
    out = bytearray(symbol)
    for n, piece in enumerate(symbols[index % blocks::blocks]):
        c = coefficient(index // blocks, n)
        table = bytes(times(c, value) for value in range(256))
        out = bytes(a ^ b for a, b in zip(out, piece.translate(table)))
    return bytes(out)
