"""Cameras and viewers in a lab, as a person would start them.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import tempfile

import lab
from cases import check_equal, new_lab

DEVICE = 'lab-camera'
# A small picture, so that eight viewers and a camera fit on two cores.
PICTURE = ('videotestsrc is-live=true pattern=ball ! '
           'video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! '
           'x264enc tune=zerolatency speed-preset=ultrafast bitrate=400 '
           'key-int-max=50 ! h264parse config-interval=-1 ! p2p. ').split()
SOUND = ('audiotestsrc is-live=true ! audioconvert ! avenc_aac ! aacparse ! '
         'p2p. ').split()
STEPS = ('server', 'auth', 'punch', 'transport', 'media')
# For what must happen, on a machine that may be busy with something else.
PATIENCE = 30


class Scene:
    """A lab, a key, and where the two sides meet."""

    def __init__(self, signaller, turn=None, stun=False, start_turn=False,
                 tls=False, **settings):
        self.net = new_lab(**settings)
        self.settings = {'signaller': signaller} if signaller else {}
        self.key_file = self.new_key()
        if signaller and signaller.startswith('mqtt'):
            self.net.start_broker(tls)
        if turn or stun or start_turn:
            self.net.start_turn()
        if stun:
            self.settings['stun-server'] = (f'stun://{lab.SERVER_2}:'
                                            f'{lab.TURN_PORT}')
        if turn:
            self.settings['turn-server'] = (
                f'turn://{lab.TURN_USER}:{lab.TURN_PASSWORD}@{lab.SERVER}:'
                f'{lab.TURN_PORT}?transport={turn}')

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.net.__exit__(*what)

    def new_key(self):
        handle, path = tempfile.mkstemp(dir=self.net.directory)
        with open(handle, 'w', encoding='ascii') as file:
            file.write(os.urandom(16).hex())
        return path

    def _common(self, key_file, settings):
        merged = {**self.settings, **settings,
                  'key-file': key_file or self.key_file}
        return [f'{name}={value}' for name, value in merged.items()]

    def camera(self, name='camera', source=PICTURE + SOUND, key_file=None,
               host=None, **settings):
        return (host or self.net.device).start(name, [
            'gst-launch-1.0', '-m', 'p2psink', 'name=p2p',
            f'device-id={DEVICE}', *self._common(key_file, settings),
            *source])

    def viewer(self, name='viewer', device=DEVICE, key_file=None, host=None,
               sink=('h264parse', '!', 'fakesink'), **settings):
        return (host or self.net.app).start(name, [
            'gst-launch-1.0', '-m', 'p2psrc', 'name=p2p',
            f'uri=p2p://{device}', *self._common(key_file, settings),
            '!', *sink])

    def programs(self, clip=None, seconds=0, viewer_settings=()):
        """p2p-camera and p2p-viewer, with logs of their frames."""
        common = ['--device-id', DEVICE, '--key-file', self.key_file]
        for name, value in self.settings.items():
            common += [f'--{name}', value]
        logs = [f'{self.net.directory}/{who}.log' for who in
                ('camera', 'viewer')]
        camera = self.net.device.start('camera', [
            program('p2p-camera'), *common, '--frame-log', logs[0],
            *(['--file', clip, '--wait'] if clip else [])])
        viewer = self.net.app.start('viewer', [
            program('p2p-viewer'), *common, '--frame-log', logs[1],
            '--seconds', str(seconds), *viewer_settings])
        return camera, viewer, logs


def program(name):
    build = os.environ['LAB_BIN_DIR']
    if name.startswith(('p2p-', 'iv-')):
        build = os.path.join(build, '../../pipelines')
    return os.path.join(build, name)


def expect_step(process, step, status='ok', timeout=PATIENCE):
    """Wait for that step, of either program; its fields."""
    match = process.expect(rf'(p2p-step, .*step=\(string\){step}, .*'
                           rf'status=\(string\){status}.*);', timeout)
    return fields_of(match[1])


def fields_of(text):
    fields = {}
    for part in text.split(', ')[1:]:
        name, _, value = part.partition('=')
        fields[name] = value.partition(')')[2].strip('"')
    return fields


def steps_of(process):
    """All steps so far, with when they were seen."""
    return [fields_of(match[1]) for match in
            process.said(r'(p2p-step, .*);')]


def expect_session(camera, viewer, path):
    """All five steps on both sides, over that path."""
    for process in (camera, viewer):
        expect_step(process, 'media')
        steps = [fields['step'] for fields in steps_of(process)
                 if fields['status'] == 'ok']
        check_equal(list(dict.fromkeys(steps)), list(STEPS),
                    f'steps of the {process.name}')
        paths = [fields['path'] for fields in steps_of(process)
                 if fields['step'] == 'media']
        check_equal(paths[-1], path, f'path of the {process.name}')


def read_frames(path, with_times=False):
    """The frames of each stream in a frame log, in order."""
    streams = {}
    with open(path, encoding='ascii') as file:
        for line in file:
            fields = line.split()
            if len(fields) == 5:
                frame = (int(fields[0]), fields[4]) if with_times else fields[4]
                streams.setdefault(fields[1], []).append(frame)
    return streams


def make_clip(net, seconds=6):
    """A clip with B-frames and sound, as a phone or a recorder makes it."""
    path = f'{net.directory}/clip.mp4'
    net.device.run([
        'gst-launch-1.0', '-q', 'videotestsrc', 'pattern=ball',
        f'num-buffers={25 * seconds}', '!',
        'video/x-raw,format=I420,width=640,height=360,framerate=25/1', '!', 'timeoverlay',
        '!', 'x264enc', 'bframes=2', 'key-int-max=50', 'bitrate=2000', '!',
        'h264parse', '!', 'mp4mux', 'name=mux', '!', 'filesink',
        f'location={path}', 'audiotestsrc', 'wave=pink-noise',
        f'num-buffers={seconds * 44100 // 1024}', '!', 'audioconvert', '!',
        'avenc_aac', '!', 'aacparse', '!', 'mux.'])
    return path
