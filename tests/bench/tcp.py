#!/usr/bin/env python3
"""A bulk transfer over TCP with a congestion control of choice, checked.

    tcp.py receive PORT
    tcp.py send ADDRESS PORT CONGESTION-CONTROL

The receiver writes "at US BYTES" every 100 ms or so in which something came,
and "wrong" if a byte was. Both run until they are killed.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import random
import socket
import sys
import time

BLOCK = 65536
PATTERN = random.Random(1).randbytes(16 * BLOCK)
SAMPLE = 0.1


def receive(port):
    listener = socket.create_server(('', port))
    print('ready', flush=True)
    peer, _ = listener.accept()
    expected, data = memoryview(PATTERN), bytearray(BLOCK)
    total, told = 0, 0.0
    while size := peer.recv_into(data):
        at = total % len(PATTERN)
        first = min(size, len(PATTERN) - at)
        if (data[:first] != expected[at:at + first]
                or data[first:size] != expected[:size - first]):
            print('wrong', flush=True)
        total += size
        now = time.monotonic()
        if now - told >= SAMPLE:
            print(f'at {int(now * 1e6)} {total}', flush=True)
            told = now


def send(address, port, congestion_control):
    with socket.socket() as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION,
                        congestion_control.encode())
        peer.connect((address, port))
        while True:
            peer.sendall(PATTERN)


if __name__ == '__main__':
    if sys.argv[1] == 'receive':
        receive(int(sys.argv[2]))
    else:
        send(sys.argv[2], int(sys.argv[3]), sys.argv[4])
