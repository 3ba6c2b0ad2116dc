"""Numbers and bytes, and the ciphers of OpenSSL's library.

Made from docs/wire.md and the RFCs that it names, not from the code.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ctypes
import ctypes.util
import functools
import hashlib
import hmac


class Malformed(Exception):
    """What was read breaks a rule of the document."""


def need(condition, what):
    if not condition:
        raise Malformed(what)


class Reader:
    """Bytes that are taken from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def left(self):
        return len(self.data) - self.at

    def take(self, n):
        need(n <= self.left(), f"{n} bytes wanted, {self.left()} left")
        self.at += n
        return self.data[self.at - n:self.at]

    def rest(self):
        return self.take(self.left())

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def byte(self):
        return self.number(1)

    def varint(self, shortest=False):
        need(self.left(), "a varint wanted")
        size = 1 << (self.data[self.at] >> 6)
        value = self.number(size) & (1 << (8 * size - 2)) - 1
        need(not shortest or size == 1 or value >> (4 * size - 2),
             "a number in a longer form than needed")
        return value

    def end(self):
        need(not self.left(), f"{self.left()} bytes left over")


def unzigzag(value):
    """0, 1, 2, 3 … are 0, -1, 1, -2 …"""
    return -(value + 1 >> 1) if value & 1 else value >> 1


# --- Keys ---


def hkdf_expand(key, info, length):
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([i]), "sha256")
        out += block
        i += 1
    return out[:length]


def hkdf(key, info, length):
    return hkdf_expand(hmac.digest(bytes(32), key, "sha256"), info, length)


@functools.cache
def stretched(key, device):
    return hashlib.scrypt(key.encode(),
                          salt=b"iv-p2p credential 1\0" + device.encode(),
                          n=16384, r=8, p=1, dklen=32, maxmem=64 << 20)


def derive(credential, label, context, length):
    """`credential`: the key and the device id."""
    return hkdf(stretched(*credential), label.encode() + b"\0" + context,
                length)


# --- Ciphers ---


@functools.cache
def library():
    lib = ctypes.CDLL(ctypes.util.find_library("crypto"))
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_128_gcm", "EVP_aes_256_gcm",
                 "EVP_chacha20_poly1305"):
        getattr(lib, name).restype = ctypes.c_void_p
    return lib


SET_TAG, GET_TAG = 0x11, 0x10  # EVP_CTRL_AEAD_SET_TAG, _GET_TAG


def aead(name, key, nonce, associated, data, tag=None):
    """Opens with a tag (None: it is wrong), seals without (data and tag)."""
    lib = library()
    context = ctypes.c_void_p(lib.EVP_CIPHER_CTX_new())
    cipher = ctypes.c_void_p(getattr(lib, "EVP_" + name.replace("-", "_"))())
    out, n = ctypes.create_string_buffer(len(data) + 16), ctypes.c_int()
    mark = ctypes.create_string_buffer(tag or bytes(16), 16)
    done = True
    try:
        need(lib.EVP_CipherInit_ex(context, cipher, None, key, nonce,
                                   0 if tag else 1) == 1, "no such cipher")
        if tag:
            lib.EVP_CIPHER_CTX_ctrl(context, SET_TAG, 16, mark)
        lib.EVP_CipherUpdate(context, None, ctypes.byref(n), associated,
                             len(associated))
        if data:
            lib.EVP_CipherUpdate(context, out, ctypes.byref(n), data,
                                 len(data))
        rest = ctypes.create_string_buffer(32)
        done = lib.EVP_CipherFinal_ex(context, rest, ctypes.byref(n)) == 1
        if not tag:
            lib.EVP_CIPHER_CTX_ctrl(context, GET_TAG, 16, mark)
    finally:
        lib.EVP_CIPHER_CTX_free(context)
    if tag:
        return out.raw[:len(data)] if done else None
    return out.raw[:len(data)] + mark.raw


def open_aead(name, key, nonce, associated, data):
    need(len(data) >= 16, "no room for a tag")
    plain = aead(name, key, nonce, associated, data[:-16], data[-16:])
    need(plain is not None, "not authentic")
    return plain
