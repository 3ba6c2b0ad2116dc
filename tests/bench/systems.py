"""What is measured, ours and the peers: how each one is started.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os

DEVICE = '10.77.0.2'
CAPS = ('video/x-h264,stream-format=byte-stream,alignment=au,width=1280,'
        'height=720,framerate=30/1')
# What an SRT packet carries in live mode, by its own default.
SRT_PAYLOAD = 1316
KEY = '00112233445566778899aabbccddeeff'


def program(name):
    return os.path.join(os.environ['BENCH_BIN_DIR'], name)


class System:
    """A transport behind bench-send and bench-receive."""

    def __init__(self, key, name, send, receive, chunk=0, wait=False,
                 encrypted=False):
        self.key, self.name = key, name
        self._send, self._receive = send, receive
        self.chunk, self.wait, self.encrypted = chunk, wait, encrypted

    def sender(self, bulk=False, follow=False, log=None, rate=None, file=0,
               **settings):
        """The command of who sends."""
        words = ['--chunk', str(self.chunk)]
        words += ['--wait-request'] if self.wait else []
        words += ['--bulk'] if bulk else []
        words += ['--follow'] if follow else []
        words += ['--log', log] if log else []
        words += ['--rate', str(rate)] if rate else []
        words += ['--file', str(file)] if file else []
        caps = 'application/x-bench' if bulk else CAPS
        more = (' appsrc name=file caps=application/x-bench ! net.data_0'
                if file else '')
        return [program('bench-send'), *words,
                f'appsrc name=in caps={caps} ! ' +
                self._send.format(pad='data_0' if bulk else 'video_0',
                                  deadline=0 if bulk else -1, **settings) +
                more]

    def receiver(self, samples=False, log=None, file=False, **settings):
        """The command of who receives; with a file, also the pad for it."""
        words = ['--samples'] if samples else []
        words += ['--log', log] if log else []
        out = ' ! fakesink name=out'
        if file:
            out = (' net.video_0 ! fakesink name=out '
                   'net.data_0 ! fakesink name=file')
        return [program('bench-receive'), *words,
                self._receive.format(**settings) + out]


def _srt(key, name, extra=''):
    return System(
        key, name,
        f'srtsink name=net uri=srt://:7002?mode=listener latency={{latency}} '
        f'sync=false async=false {extra}',
        f'srtsrc uri=srt://{DEVICE}:7002?mode=caller latency={{latency}} '
        f'{extra}', chunk=SRT_PAYLOAD, encrypted=bool(extra))


SYSTEMS = {system.key: system for system in (
    System('p2p', 'p2psink/p2psrc',
           'net.{pad} p2psink name=net device-id=bench key=' + KEY +
           f' signaller=tcp://{DEVICE}:7000 {{sink}}',
           'p2psrc name=net uri=p2p://bench key=' + KEY +
           f' signaller=tcp://{DEVICE}:7000 latency={{latency}}',
           wait=True, encrypted=True),
    # What may wait for a viewer is also what may be under way to it.
    System('p2p-wide', 'p2psink/p2psrc, 8 MB',
           'net.{pad} p2psink name=net device-id=bench key=' + KEY +
           f' signaller=tcp://{DEVICE}:7000 high-watermark=8000000 {{sink}}',
           'p2psrc name=net uri=p2p://bench key=' + KEY +
           f' signaller=tcp://{DEVICE}:7000 latency={{latency}}',
           wait=True, encrypted=True),
    System('udt', 'udtsink/udtsrc',
           'udtsink name=net uri=udt://0.0.0.0:7001?mode=listener key=' + KEY +
           ' deadline={deadline} {sink}',
           f'udtsrc uri=udt://{DEVICE}:7001?mode=caller key=' + KEY +
           ' latency={latency}', encrypted=True),
    _srt('srt', 'SRT, in the clear'),
    _srt('srt-aes', 'SRT, AES-128', f'passphrase={KEY} pbkeylen=16'),
    System('nothing', 'frames alone', 'fakesink name=net {sink}',
           'fakesrc num-buffers=0', chunk=0),
    System('nothing-packets', 'packets alone', 'fakesink name=net {sink}',
           'fakesrc num-buffers=0', chunk=SRT_PAYLOAD),
)}
