#!/usr/bin/env python3
"""Devices on iv_av.h in the lab: what a viewer's launch line plays, and what
the device is told while its network changes.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import re
import signal
import subprocess
import sys

import lab
from cases import case, check, check_between, check_equal, main, note
from p2p import DEVICE, PATIENCE, Scene, expect_step, program

MQTT = f'mqtt://{lab.SERVER}:{lab.MQTT_PORT}'
RATE = 4000000
MS = 1000
INTERVAL = 10 * MS
LIVE = f'{DEVICE}?action=live&channel=0'
APP_KB = 150
# A line for each second in which frames come.
FLV = ('flvdemux', '!', 'h264parse', '!', 'progressreport', 'update-freq=1',
       'do-query=false', '!', 'fakesink')


def start_device(scene, command, **settings):
    """A program on iv_av.h, with its settings in a file."""
    path = f'{scene.net.directory}/iv-p2p.conf'
    settings = {'device-id': DEVICE, 'key-file': scene.key_file,
                **scene.settings, **settings}
    with open(path, 'w', encoding='ascii') as file:
        file.write('[p2p]\n' + ''.join(
            f'{key}={value}\n' for key, value in settings.items()))
    return scene.net.device.start('device', command, stdin=subprocess.PIPE,
                                  env={'IV_P2P_CONF': path})


def make_flv(net):
    """Four seconds that nothing can compress."""
    path = f'{net.directory}/live.flv'
    net.device.run([
        'gst-launch-1.0', '-q', 'videotestsrc', 'pattern=snow',
        'num-buffers=100', '!',
        'video/x-raw,format=I420,width=320,height=240,framerate=25/1', '!',
        'x264enc', 'tune=zerolatency', 'speed-preset=ultrafast',
        'key-int-max=25', f'bitrate={RATE // 1000}', '!', 'h264parse', '!',
        'flvmux', 'streamable=true', '!', 'filesink', f'location={path}'])
    check(os.path.getsize(path) > RATE / 8, 'the clip is too small')
    return path


def expect_seconds(viewer, count):
    for _ in range(count):
        viewer.expect(r'^progressreport', PATIENCE)


def flv_across_nats(which):
    """The picture comes; and the events, when the server cannot be reached, is
    reached, is lost and is there again, when the link is throttled and
    released, and when the host has another address."""
    with Scene(MQTT, stun=True, rtt=20) as scene:
        net = scene.net
        net.broker.stop()
        device = start_device(scene, [program(which), make_flv(net)])
        # Told once, however often it tries.
        for _ in range(2):
            device.expect('warning: server: ', PATIENCE)
        net.start_broker()
        device.expect('^ready', PATIENCE)
        viewer = scene.viewer(device=LIVE, sink=FLV)
        media = expect_step(viewer, 'media')
        check_equal(media['path'], 'direct', 'path')
        device.expect(r'asks for "action=live&channel=0"', PATIENCE)
        expect_seconds(viewer, 1)
        net.links['device'].set(f'right rate {RATE // 4}')
        device.expect('^buffer filling', PATIENCE)
        device.expect('^buffer full', PATIENCE)
        net.links['device'].set('right rate 0')
        device.expect('^buffer low', PATIENCE)
        net.broker.stop()
        device.expect('^network error', PATIENCE)
        net.start_broker()
        device.expect('^ready', PATIENCE)
        net.device.sh('ip addr add 10.77.1.77/24 dev eth0')
        device.expect('^address changed', PATIENCE)
        expect_seconds(viewer, 1)
        check_equal([len(device.said(f'^{line}$')) for line in (
            'cannot reach the server', 'ready', 'network error',
            'address changed')], [1, 2, 1, 1], 'events')
        viewer.stop(signal.SIGINT)
        gone = device.expect(r'^a viewer has gone; it got (\d+) bytes',
                             PATIENCE)
        check(int(gone[1]) > RATE / 8, f'it got {gone[1]} bytes')
        check_equal(device.stop(), 0, 'exit code of the device')


@case
def flv_of_a_device_on_iv_av_plays_across_two_nats():
    flv_across_nats('iv-device')


@case
def flv_in_the_newer_shape_plays_over_the_relay():
    with Scene(MQTT, turn='udp', device_nat='symmetric',
               app_nat='symmetric') as scene:
        device = start_device(scene, [program('iv-device-2'),
                                      make_flv(scene.net)])
        device.expect('^local network ready', PATIENCE)
        viewer = scene.viewer(device=LIVE, sink=FLV)
        check_equal(expect_step(viewer, 'media')['path'], 'relay', 'path')
        expect_seconds(viewer, 1)
        viewer.stop(signal.SIGINT)
        device.expect('^a viewer has disconnected', PATIENCE)
        check_equal(device.stop(), 0, 'exit code of the device')


@case
def pulling_pauses_at_high_and_resumes_at_low_within_one_interval():
    with Scene(None, shape='lan', rtt=20) as scene:
        device = start_device(scene, [program('lab-ivprobe'), str(2 * RATE)])
        device.expect('^event peer-ready', PATIENCE)
        viewer = scene.viewer(device=LIVE, sink=('fakesink',))
        device.expect('^request', PATIENCE)
        scene.net.links['device'].set(f'right rate {RATE // 2}')
        warn = device.expect(r'^event warn (\d+)', PATIENCE)
        high = device.expect(r'^event high (\d+)', PATIENCE)
        scene.net.links['device'].set('right rate 0')
        gets = device.expect(r'^paused (\d+)', PATIENCE)
        low = device.expect(r'^event low (\d+)', PATIENCE)
        resumed = device.expect(r'^resumed (\d+) (\d)', PATIENCE)
        note(f'warn at {warn[1]}, high at {high[1]}, low at {low[1]} bytes; '
             f'resumed after {resumed[1]} us')
        check(int(warn[1]) > 400 << 10, 'level at warn')
        check(int(high[1]) > 500 << 10, 'level at high')
        check(int(low[1]) < 200 << 10, 'level at low')
        check_equal(int(gets[1]), 0, 'gets while it pauses')
        check_between(int(resumed[1]), 0, INTERVAL, 'us from low to get')
        check_equal(resumed[2], '1', 'link mode')
        # Each once, in this order; not every rise above warn goes on to high.
        told = ''.join(match[1] for match in
                       device.said('^event (w|h|l)(arn|igh|ow) '))
        check(re.fullmatch('(wh?l)*(wh?)?', told), f'events: {told}')
        # Without a word; keep-alive, an interval of 1 s, finds out.
        viewer.kill()
        acked = device.expect(r'^acked (\d+)', PATIENCE)
        check(int(acked[1]) > 200 << 10, f'{acked[1]} bytes were acked')
        device.expect('^event disconnect', PATIENCE)


def memory(process):
    """KB that are the program's own: resident and not of a file."""
    with open(f'/proc/{process.popen.pid}/status', encoding='ascii') as file:
        return int(re.search(r'RssAnon:\s+(\d+)', file.read())[1])


@case
def the_first_app_takes_no_more_than_the_page_promises():
    """Of a device that made at its start what apps have in common. What an app
    begins with is given back after a second. The rate is low, so that what
    waits while the machine is busy is no matter."""
    with Scene(None, shape='lan', rtt=20) as scene:
        device = start_device(scene, [program('lab-ivprobe'), str(RATE // 16)])
        device.expect('^event peer-ready', PATIENCE)
        empty = memory(device)
        device.send(f'count {1500 * MS // INTERVAL}')
        scene.viewer(device=LIVE, sink=('fakesink',))
        device.expect('^counted', PATIENCE)
        taken = memory(device) - empty
        note(f'{taken} KB, beside {empty} KB without an app')
        check_between(taken, 0, APP_KB, 'KB')


if __name__ == '__main__':
    sys.exit(main())
