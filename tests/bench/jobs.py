#!/usr/bin/env python3
"""One measurement in a lab of its own.

    jobs.py NAME JSON        its result, in JSON, is the last line of the output

The lab's processes are in a PID namespace of their own, so that nothing of a
measurement outlives it, however it ends.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'lab'))

import lab  # noqa: E402
from p2p import STEPS, Scene, expect_step, steps_of  # noqa: E402
from sandbox import PR_SET_PDEATHSIG, call  # noqa: E402
from systems import DEVICE, KEY, SYSTEMS, program  # noqa: E402

PATIENCE = 15
TICK = os.sysconf('SC_CLK_TCK')


class Lab(lab.Lab):
    """One that tells what its programs said last, if something fails."""

    def __exit__(self, kind, value, trace):
        if kind:
            print(self.report(), file=sys.stderr)
        super().__exit__(kind, value, trace)


def new_lab(link, seed):
    """Device and app on one segment with that link between them."""
    net = Lab(shape='lan', rtt=link.get('rtt', 0), loss=link.get('loss', 0),
                  rate=link.get('rate', 0), seed=seed)
    for key in ('jitter', 'queue'):
        if link.get(key):
            net.links['device'].set(f'both {key} {link[key]}')
    return net


def cpu(process):
    """Seconds of CPU time so far, of all its threads, to the nanosecond where
    the kernel counts so."""
    tasks = f'/proc/{process.popen.pid}/task'
    total = 0
    for thread in os.listdir(tasks):
        with contextlib.suppress(OSError), \
                open(f'{tasks}/{thread}/schedstat', encoding='ascii') as file:
            total += int(file.read().split()[0]) / 1e9
    return total or cpu_in_ticks(process)


def cpu_in_ticks(process):
    with open(f'/proc/{process.popen.pid}/stat', encoding='ascii') as file:
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(process):
    """KB that are the program's own: resident and not of a file."""
    with open(f'/proc/{process.popen.pid}/status', encoding='ascii') as file:
        return int(re.search(r'RssAnon:\s+(\d+)', file.read())[1])


def sent_bytes(host):
    """IP bytes that left the host's interface, and packets."""
    for line in host.run(['cat', '/proc/net/dev']).splitlines():
        name, _, rest = line.partition(':')
        if name.strip() == 'eth0':
            fields = [int(field) for field in rest.split()]
            return fields[8] - 14 * fields[9], fields[9]
    raise lab.LabError('no eth0')


def read_log(path):
    with open(path, encoding='ascii') as file:
        return [tuple(int(field) for field in line.split()) for line in file]


def start_pair(net, system, send, receive, settings, name=''):
    """Sender on the device, receiver on the app; they are connected."""
    sender = net.device.start(f'sender{name}',
                              system.sender(**send, **settings))
    sender.expect('^ready', PATIENCE)
    receiver = net.app.start(f'receiver{name}',
                             system.receiver(**receive, **settings))
    receiver.expect('^first', PATIENCE)
    return sender, receiver


def check_alive(*processes):
    for process in processes:
        errors = process.said('^error (.*)')
        if errors or not process.running():
            what = errors[0][1] if errors else 'ended'
            raise lab.LabError(f'{process.name}: {what}')


# --- live video ---------------------------------------------------------------

def live(system, link, seconds, seed, latency, rate, events=(), follow=False):
    """Video over that link; what becomes of each frame.

    Frames count from half a second after the first one arrived, and until half
    a second before the sender ended: how a session begins is measured
    elsewhere. Bytes are what left the device's interface, IP header included.
    """
    system = SYSTEMS[system]
    with new_lab(link, seed) as net:
        logs = [f'{net.directory}/{end}.log' for end in ('sent', 'received')]
        sender, receiver = start_pair(
            net, system, {'log': logs[0], 'rate': rate, 'follow': follow},
            {'log': logs[1]}, {'latency': latency, 'sink': ''})
        start = time.monotonic()
        wire, payload_at = sent_bytes(net.device), time.monotonic()
        for when, words in events:
            time.sleep(max(0, start + when - time.monotonic()))
            net.links['device'].set(words)
        time.sleep(max(0, start + seconds - time.monotonic()))
        check_alive(sender, receiver)
        wire_end, payload_end = sent_bytes(net.device), time.monotonic()
        sender.kill(signal.SIGINT)
        sender.expect('^sent', PATIENCE)
        # What is under way arrives, or never does.
        time.sleep(1 + latency / 1000)
        receiver.kill(signal.SIGINT)
        ends = receiver.expect(r'^received (\d+) (\d+) (\d+)', PATIENCE)
        frames, arrived = (read_log(path) for path in logs)
    return judge_live(system, frames, arrived, start, seconds, {
        'wire': wire_end[0] - wire[0], 'packets': wire_end[1] - wire[1],
        'from': payload_at, 'to': payload_end, 'wrong': int(ends[3])})


def judge_live(system, frames, arrived, start, seconds, wire):
    first = (start + 0.5) * 1e6
    last = (start + seconds - 0.5) * 1e6
    when = {number: at for number, _, _, at, _ in arrived}
    counted = [frame for frame in frames if first <= frame[2] <= last]
    if not counted:
        raise lab.LabError('no frame was sent')
    header = 20
    packet = (system.chunk or 1 << 30) - header
    payload = sum(size + header * -(-size // packet)
                  for _, _, at, size in frames
                  if wire['from'] * 1e6 <= at < wire['to'] * 1e6)
    numbers = [number for number, *_ in arrived]
    return {
        'frames': [[(at / 1e6 - start), bool(key),
                    (when[number] - at) / 1000 if number in when else None]
                   for number, key, at, _ in counted],
        'wire': wire['wire'], 'payload': payload, 'wrong': wire['wrong'],
        'ordered': numbers == sorted(numbers),
    }


# --- bulk ---------------------------------------------------------------------

def bulk(system, link, seconds, seed):
    """Bytes that came, right ones, as (seconds since the first, bytes)."""
    start = {'tcp-cubic': bulk_tcp, 'tcp-bbr': bulk_tcp, 'udt4': bulk_udt4,
             'srt-file': bulk_srt}.get(system, bulk_ours)
    with new_lab(link, seed) as net:
        samples = start(net, system, seconds)
        if not samples:
            raise lab.LabError('nothing arrived')
    begin = samples[0][0]
    return {'samples': [[when - begin, size] for when, size in samples
                        if when <= begin + seconds]}


def collect(receiver, seconds, *others):
    receiver.expect('^at .* [1-9]', PATIENCE)
    time.sleep(seconds + 0.2)
    check_alive(receiver, *others)
    if receiver.said('^wrong'):
        raise lab.LabError('wrong bytes')
    return [(int(match[1]) / 1e6, int(match[2])) for match in
            receiver.said(r'^at (\d+) (\d+)') if int(match[2])]


def bulk_ours(net, system, seconds):
    sender, receiver = start_pair(
        net, SYSTEMS[system], {'bulk': True}, {'samples': True},
        {'latency': 200, 'sink': ''})
    samples = collect(receiver, seconds, sender)
    receiver.kill(signal.SIGINT)
    ends = receiver.expect(r'^received (\d+) (\d+) (\d+)', PATIENCE)
    if ends[3] != '0':
        raise lab.LabError(f'{ends[3]} blocks were wrong')
    return samples


def bulk_tcp(net, system, seconds):
    tool = [sys.executable, '-B', os.path.join(HERE, 'tcp.py')]
    receiver = net.app.start('receiver', [*tool, 'receive', '7003'])
    receiver.expect('^ready', PATIENCE)
    sender = net.device.start('sender', [*tool, 'send', net.app.address,
                                         '7003', system.partition('-')[2]])
    return collect(receiver, seconds, sender)


def bulk_udt4(net, _, seconds):
    receiver = net.app.start('receiver', [program('bench-udt4'), 'receive',
                                          '7004'])
    receiver.expect('^ready', PATIENCE)
    sender = net.device.start('sender', [program('bench-udt4'), 'send',
                                         net.app.address, '7004'])
    return collect(receiver, seconds, sender)


def bulk_srt(net, _, seconds):
    """srt-file-transmit tells nothing on the way: the file it writes does."""
    source, target = f'{net.directory}/source', f'{net.directory}/target'
    os.mkdir(target)
    content = os.urandom(1 << 20)
    with open(source, 'wb') as file:
        for _ in range(int(13 * seconds) + 1):  # 100 Mbit/s, and a little
            file.write(content)
    receiver = net.app.start('receiver', [
        'srt-file-transmit', 'srt://:7005/', f'file://{target}/'])
    deadline = time.monotonic() + PATIENCE
    while ':1B5D ' not in net.app.run(['cat', '/proc/net/udp']):
        if time.monotonic() > deadline:
            raise lab.LabError('srt-file-transmit does not listen')
        time.sleep(0.02)
    sender = net.device.start('sender', [
        'srt-file-transmit', f'file://{source}',
        f'srt://{net.app.address}:7005/'])
    path = f'{target}/source'
    samples, end = [], time.monotonic() + PATIENCE
    while not samples or time.monotonic() < samples[0][0] + seconds:
        with contextlib.suppress(FileNotFoundError):
            size = os.path.getsize(path)
            if size:
                samples.append((time.monotonic(), size))
        if not samples and time.monotonic() > end:
            raise lab.LabError('nothing arrived')
        if not receiver.running() or not sender.running():
            break
        time.sleep(0.05)
    with open(path, 'rb') as got:
        data = got.read()  # it may still grow
    for at in range(0, len(data), len(content)):
        if data[at:at + len(content)] != content[:len(data) - at]:
            raise lab.LabError('wrong bytes')
    return samples


def beside(system, link, seconds, seed, latency, rate, file):
    """Live video, and a file from its third second on: ours on the same
    session, SRT's beside a TCP connection on the same link. The frames of the
    time in which the file is under way, and how long that was, if it ended.
    """
    ours = SYSTEMS[system]
    alone = ours.key != 'p2p'
    with new_lab(link, seed) as net:
        logs = [f'{net.directory}/{end}.log' for end in ('sent', 'received')]
        sender, receiver = start_pair(
            net, ours, {'log': logs[0], 'rate': rate,
                        'file': 0 if alone else file},
            {'log': logs[1], 'file': not alone},
            {'latency': latency, 'sink': ''})
        start = time.monotonic()
        if alone:
            tool = [sys.executable, '-B', os.path.join(HERE, 'tcp.py')]
            other = net.app.start('file', [*tool, 'receive', '7003'])
            other.expect('^ready', PATIENCE)
            time.sleep(max(0, start + 2 - time.monotonic()))
            begin = time.monotonic()
            carrier = net.device.start('carrier', [
                *tool, 'send', net.app.address, '7003', 'cubic'])
            line = r'^at (\d+) (\d+)'
        else:
            begin = int(sender.expect(r'^file (\d+)', PATIENCE)[1]) / 1e6
            other, line = receiver, r'^file (\d+) (\d+)'
        end, limit = None, start + seconds
        while end is None and time.monotonic() < limit:
            time.sleep(0.1)
            end = next((int(match[1]) / 1e6 for match in other.said(line)
                        if int(match[2]) >= file), None)
        check_alive(sender, receiver)
        if alone:
            carrier.kill()
        time.sleep(latency / 1000 + 1)
        sender.kill(signal.SIGINT)
        sender.expect('^sent', PATIENCE)
        receiver.kill(signal.SIGINT)
        ends = receiver.expect(r'^received (\d+) (\d+) (\d+)', PATIENCE)
        if ends[3] != '0' or other.said('^wrong'):
            raise lab.LabError('wrong bytes')
        frames, arrived = (read_log(path) for path in logs)
    when = {number: at for number, _, _, at, _ in arrived}
    return {
        'file': None if end is None else end - begin,
        'frames': [[at / 1e6 - start, bool(key),
                    (when[number] - at) / 1000 if number in when else None]
                   for number, key, at, _ in frames
                   if begin * 1e6 <= at < (end or limit) * 1e6]}


# --- CPU ----------------------------------------------------------------------

def cpu_share(system, seconds, seed, rate):
    """Of a core, each side, for video of that rate over a short clean link."""
    system = SYSTEMS[system]
    with new_lab({}, seed) as net:
        send = {'rate': rate}
        settings = {'latency': 125, 'sink': ''}
        if system.key.startswith('nothing'):
            sender = net.device.start('sender',
                                      system.sender(**send, **settings))
            sender.expect('^ready', PATIENCE)
            both = [sender]
        else:
            both = list(start_pair(net, system, send, {}, settings))
        time.sleep(1)
        before, start = [cpu(one) for one in both], time.monotonic()
        time.sleep(seconds)
        after, end = [cpu(one) for one in both], time.monotonic()
        check_alive(*both)
    return {'shares': [(b - a) / (end - start)
                       for a, b in zip(before, after)]}


def encoder(seconds):
    """Of a core, for one encoder: what each viewer shall not cost again."""
    with new_lab({}, 1) as net:
        process = net.device.start('encoder', [
            'gst-launch-1.0', 'videotestsrc', 'is-live=true', 'pattern=ball',
            '!', 'video/x-raw,format=I420,width=1280,height=720,'
            'framerate=30/1', '!', 'x264enc', 'tune=zerolatency',
            'speed-preset=veryfast', 'bitrate=2000', '!', 'progressreport',
            'update-freq=1', 'do-query=false', '!', 'fakesink'])
        process.expect('^progressreport', PATIENCE)
        before, start = cpu(process), time.monotonic()
        time.sleep(seconds)
        return {'share': (cpu(process) - before) / (time.monotonic() - start)}


# --- viewers ------------------------------------------------------------------

def viewers(counts, seconds, seed, rate, stall):
    """CPU and memory of a camera with ever more viewers; then one stalls."""
    system = SYSTEMS['p2p']
    settings = {'latency': 200, 'sink': 'max-viewers=100'}
    rows = []
    with new_lab({}, seed) as net:
        log = f'{net.directory}/sent.log'
        camera = net.device.start('camera', [
            word for word in system.sender(rate=rate, log=log, **settings)
            if word != '--wait-request'])
        expect_step(camera, 'server')
        watching = []
        for count in [0, *counts]:
            while len(watching) < count:
                path = f'{net.directory}/viewer-{len(watching)}.log'
                viewer = net.app.start(f'viewer-{len(watching)}',
                                       system.receiver(log=path, **settings))
                watching.append((viewer, path))
            for viewer, _ in watching:
                viewer.wait_for('^first', PATIENCE + count)
            time.sleep(1)
            before, start = cpu(camera), time.monotonic()
            time.sleep(seconds)
            rows.append({'viewers': count, 'memory': memory(camera),
                         'cpu': (cpu(camera) - before) /
                                (time.monotonic() - start)})
            check_alive(camera, *(viewer for viewer, _ in watching))
        begin = time.monotonic()
        stalled = stall_one(camera, watching, stall)
        end = time.monotonic()
        camera.kill(signal.SIGINT)
        camera.expect('^sent', PATIENCE)
        time.sleep(0.5)
        for viewer, _ in watching[1:]:
            viewer.kill(signal.SIGINT)
            viewer.expect('^received', PATIENCE)
        sent = {number for number, _, at, _ in read_log(log)
                if begin * 1e6 <= at <= end * 1e6}
        missing = [len(sent.difference(frame[0] for frame in read_log(path)))
                   for _, path in watching[1:]]
    return {'rows': rows, 'stalled': stalled, 'sent': len(sent),
            'missing': missing}


def stall_one(camera, watching, seconds):
    """KB that the camera needs more, at most, while a viewer is stopped."""
    before = most = memory(camera)
    watching[0][0].kill(signal.SIGSTOP)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        most = max(most, memory(camera))
        time.sleep(0.1)
    return most - before


# --- a device on iv_av.h -------------------------------------------------------

def iv(count, seconds, seed, rate):
    """Memory of a device with so many apps, and how evenly it is asked for
    data; then the link carries a tenth of that until every buffer is full."""
    with new_lab({}, seed) as net:
        settings = f'{net.directory}/iv-p2p.conf'
        with open(settings, 'w', encoding='ascii') as file:
            file.write(f'[p2p]\ndevice-id=bench\nkey={KEY}\n'
                       f'signaller=tcp://{DEVICE}:7000\n')
        os.chmod(settings, 0o600)
        device = net.device.start('device', [
            os.path.join(os.environ['LAB_BIN_DIR'], 'lab-ivprobe'),
            str(rate)], stdin=subprocess.PIPE, env={'IV_P2P_CONF': settings})
        loaded = int(device.expect(r'^loaded (\d+)', PATIENCE)[1])
        device.expect('^event peer-ready', PATIENCE)
        found = {'apps': count, 'loaded': loaded, 'empty': memory(device)}
        apps = [net.app.start(f'app-{number}', [
            'gst-launch-1.0', 'p2psrc', 'uri=p2p://bench', f'key={KEY}',
            f'signaller=tcp://{DEVICE}:7000', '!', 'fakesink'])
            for number in range(count)]
        for _ in apps:
            device.expect('^request', PATIENCE + count)
        # Until those who came only for the requests have gone.
        time.sleep(3)
        device.send('reset')
        device.expect('^ok', PATIENCE)
        before = wake_ups(device)
        time.sleep(seconds)
        found['wake-ups'] = sum(
            count_now - before.get(thread, 0) for thread, count_now in
            wake_ups(device).items()) / seconds
        found['good'] = memory(device)
        device.send('stats')
        words = device.expect('^stats (.*)', PATIENCE)[1]
        found['stats'] = {name: float(value) for name, value in
                          (word.split('=') for word in words.split())}
        check_alive(device, *apps)
        found['weak'] = fill_buffers(net, device, count, rate)
    return found


def wake_ups(process):
    """How often each thread that calls the program has slept and gone on."""
    tasks, found = f'/proc/{process.popen.pid}/task', {}
    for thread in os.listdir(tasks):
        with contextlib.suppress(OSError), \
                open(f'{tasks}/{thread}/status', encoding='ascii') as file:
            text = file.read()
            if text.startswith('Name:\tiv-p2p\n'):
                found[thread] = int(re.search(
                    r'\nvoluntary_ctxt_switches:\s+(\d+)', text)[1])
    return found


def fill_buffers(net, device, count, rate):
    """KB at most, with every handle at its high mark."""
    most = 0
    net.links['device'].set(f'right rate {count * rate / 10}')
    for _ in range(count):
        device.expect('^event high', PATIENCE + 15)
        most = max(most, memory(device))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        most = max(most, memory(device))
        time.sleep(0.05)
    return most


# --- connecting -----------------------------------------------------------------

def connect(signaller, runs, seed, rtt):
    """Steps of a viewer, in ms since it began, for each of some viewers."""
    where = {'lan': (None, {'shape': 'lan'}),
             'tcp': (f'tcp://{DEVICE}:7000', {'shape': 'lan'}),
             'mqtt': (f'mqtt://{lab.SERVER}:{lab.MQTT_PORT}', {'stun': True})}
    uri, settings = where[signaller]
    times = []
    with Scene(uri, rtt=rtt, seed=seed, **settings) as scene:
        camera = scene.camera()
        expect_step(camera, 'server')
        for number in range(runs):
            viewer = scene.viewer(f'viewer-{number}')
            expect_step(viewer, 'media')
            steps = {fields['step']: fields for fields in steps_of(viewer)}
            times.append({step: int(steps[step]['elapsed-ms'])
                          for step in STEPS})
            if steps['media']['path'] != 'direct':
                raise lab.LabError('not a direct path')
            viewer.stop(signal.SIGINT)
    return {'times': times}


def nice(runs, seed, rtt):
    """Bare libnice between the same hosts; ms from its start to connected."""
    stun = ['--stun', f'{lab.SERVER_2}:{lab.TURN_PORT}']
    found = []
    with Lab(rtt=rtt, seed=seed) as net:
        net.start_turn()
        for _ in range(runs):
            agents = [host.start(f'agent-{host.name}', [
                os.path.join(os.environ['LAB_BIN_DIR'], 'lab-icecheck'), role,
                *stun], stdin=subprocess.PIPE)
                for host, role in ((net.device, 'controlled'),
                                   (net.app, 'controlling'))]
            for speaker, listener in (agents, agents[::-1]):
                speaker.follow('^remote ', listener.send)
            found.append(max(int(agent.wait_for(
                r'^connected \w+ (\d+)', PATIENCE)[1]) for agent in agents))
            for agent in agents:
                agent.kill()
    return {'times': found}


def first_frame(system, runs, seed, rtt, latency):
    """ms from starting a receiver to its first bytes, programs loaded."""
    found = []
    with new_lab({'rtt': rtt}, seed) as net:
        for number in range(runs):
            sender, receiver = start_pair(
                net, SYSTEMS[system], {}, {},
                {'latency': latency, 'sink': ''}, f'-{number}')
            with receiver.lock:
                when = next(int(line.split()[1]) / 1e6 for _, line in
                            receiver.lines if line.startswith('first'))
            found.append((when - receiver.started) * 1000)
            receiver.kill()
            sender.kill()
            sender.wait()
    return {'times': found}


def states(rounds, seed):
    """ms that state changes take while the broker neither answers nor
    refuses: up to PLAYING, and down to NULL."""
    found = {'up': [], 'down': []}
    uri = f'mqtt://{lab.SERVER}:{lab.MQTT_PORT}'
    with Scene(uri, seed=seed) as scene:
        scene.net.black_hole(lab.MQTT_PORT)
        common = f'key-file={scene.key_file} signaller={uri} name=p2p'
        for host, pipeline in (
                (scene.net.device, f'videotestsrc is-live=true ! x264enc ! '
                 f'h264parse ! p2psink device-id=bench {common}'),
                (scene.net.app, f'p2psrc uri=p2p://bench {common} ! '
                 f'fakesink')):
            process = host.start('states', [
                os.path.join(os.environ['LAB_BIN_DIR'], 'lab-statetime'),
                str(rounds), pipeline])
            process.wait(PATIENCE + rounds)
            for which, times in found.items():
                # The first round loads the plugins.
                times += [int(match[1]) / 1000 for match in
                          process.said(rf'{which} (\d+)')][1:]
    return found


JOBS = {job.__name__: job for job in (
    live, beside, bulk, cpu_share, encoder, viewers, iv, connect, nice,
    first_frame, states)}


def main():
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    # Ends with who asked for it.
    call('prctl', PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    lab.enter()
    try:
        result = JOBS[name](**arguments)
    except lab.LabError as error:
        result = {'error': str(error).splitlines()[0]}
        print(error, file=sys.stderr)
    print(json.dumps(result), flush=True)


if __name__ == '__main__':
    main()
