"""Envelopes and boxes, and a viewer on tcp://.

Made from docs/wire.md, "Signalling", not from the code.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import socket

from basics import Reader, aead, derive, need, open_aead

TO_DEVICE, TO_VIEWER = 1, 2
MESSAGE, CLOSE, PING = 1, 2, 3


def envelope_key(credential, direction, challenge, channel):
    label = {TO_DEVICE: "signal to device", TO_VIEWER: "signal to viewer"}
    return derive(credential, label[direction], challenge + channel, 32)


def open_envelope(credential, challenge, data):
    r = Reader(data)
    need(r.byte() == 1, "version")
    need(r.byte() == 1, "credential type")
    out = {"kind": r.byte(), "direction": r.byte()}
    channel = r.take(16)
    out |= {"channel": channel.hex(), "number": r.number(8)}
    key = envelope_key(credential, out["direction"], challenge, channel)
    body = open_aead("aes-256-gcm", key,
                     bytes(4) + out["number"].to_bytes(8, "big"), data[:28],
                     r.rest())
    need(len(body) <= 8192, "too long")
    return out | {"body": body.decode()}


def seal_envelope(credential, challenge, channel, number, kind, body):
    header = (bytes([1, 1, kind, TO_DEVICE]) + channel
              + number.to_bytes(8, "big"))
    key = envelope_key(credential, TO_DEVICE, challenge, channel)
    return header + aead("aes-256-gcm", key,
                         bytes(4) + number.to_bytes(8, "big"), header, body)


def open_box(credential, bound, data):
    r = Reader(data)
    need(r.byte() == 1, "version")
    need(r.byte() == 1, "credential type")
    kind = r.byte()
    need(r.byte() == 0, "a zero")
    r.take(16)
    key = derive(credential, "signal box", data[:20] + bound, 32)
    body = open_aead("aes-256-gcm", key, bytes(12), data[:20], r.rest())
    return {"kind": kind, "body": body.hex()}


def lan(body):
    r = Reader(body)
    out = {"purpose": r.byte()}
    need(r.byte() == 0, "a zero")
    out |= {"port": r.number(2), "instance": r.take(16).hex(),
            "challenge": r.take(32).hex()}
    r.end()
    return out


class Viewer:
    """One conversation with a device on tcp://127.0.0.1."""

    def __init__(self, port, credential):
        self.credential, self.channel = credential, os.urandom(16)
        self.sent = self.received = 0
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        kind, hello = self.frame()
        need(kind == 1 and hello[:8] == b"IVP2\1\0\0\0", "hello")
        need(len(hello) == 40, "length of the hello")
        self.challenge = hello[8:]

    def bytes(self, n):
        out = b""
        while len(out) < n:
            piece = self.socket.recv(n - len(out))
            need(piece, "the device hung up")
            out += piece
        return out

    def frame(self):
        length = int.from_bytes(self.bytes(2), "big")
        need(1 <= length <= 8237, "length of a frame")
        body = self.bytes(length)
        return body[0], body[1:]

    def send(self, kind, body=b""):
        sealed = seal_envelope(self.credential, self.challenge, self.channel,
                               self.sent, kind, body)
        self.sent += 1
        self.socket.sendall((len(sealed) + 1).to_bytes(2, "big") + b"\2"
                            + sealed)

    def receive(self):
        kind, body = self.frame()
        need(kind == 2, f"a frame of type {kind}")
        out = open_envelope(self.credential, self.challenge, body)
        need(out["direction"] == TO_VIEWER
             and out["channel"] == self.channel.hex()
             and out["number"] == self.received, "not of this channel")
        self.received += 1
        return out["kind"], out["body"]

    def is_refused(self):
        kind, body = self.frame()
        return kind == 3 and not body and not self.socket.recv(1)
