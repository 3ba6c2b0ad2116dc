"""The measurements: what runs beside what, how often, and for how long.

A part is a function of a Run. It starts jobs (jobs.py), each several times, ours
and the peers in turns, and returns what they found. What fails is noted, and
the others go on.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import time

import ivapps
import soc

HERE = os.path.dirname(os.path.abspath(__file__))
MBIT = 1000000
LATENCY = 400               # ms that a frame may take, in `live` and `step`
LIVE_LINK = {'rtt': 100, 'loss': 0.05, 'jitter': 8, 'rate': 20 * MBIT,
             'queue': 500000}
STEP_LINK = {'rtt': 40, 'rate': 20 * MBIT, 'queue': 125000}
LIVE_RATE = 4 * MBIT
BESIDE_LINK = {'rtt': 20, 'rate': 10 * MBIT, 'queue': 125000}
BESIDE_RATE = 2 * MBIT
# A tenth of a second of each link is what may wait in front of it. `long`: is
# measured for so many times as long, because bytes in order come in leaps where
# many are lost and take long to be repeated.
BULK_LINKS = {
    'a': {'rate': 100 * MBIT, 'rtt': 50, 'loss': 0, 'queue': 1250000},
    'b': {'rate': 100 * MBIT, 'rtt': 50, 'loss': 0.01, 'queue': 1250000},
    'c': {'rate': 20 * MBIT, 'rtt': 100, 'loss': 0.05, 'queue': 250000,
          'long': 2},
}
CPU_RATE = 20 * MBIT
CONNECT_RTT = 50
VIEWER_RATE = 2 * MBIT
# Seconds in which a lab is built and its programs have started and ended.
SLACK = 45


class Skipped(Exception):
    """No lab can be had here."""


class Run:
    """How long everything takes, and what can be measured here."""

    def __init__(self, mode, seed, systems):
        self.mode, self.seed, self.systems = mode, seed, systems
        self.failures = []
        full = mode == 'full'
        self.repeats = {'full': 3, 'quick': 2, 'smoke': 1}[mode]
        self.bulk_repeats = {'full': 2, 'quick': 1, 'smoke': 1}[mode]
        self.live_seconds = {'full': 20, 'quick': 12, 'smoke': 3}[mode]
        self.step_seconds = {'full': 14, 'quick': 14, 'smoke': 4}[mode]
        self.file_bytes = {'full': 10, 'quick': 5, 'smoke': 1}[mode] * 1000000
        self.bulk_seconds = {'full': 6, 'quick': 5, 'smoke': 2}[mode]
        self.cpu_seconds = {'full': 5, 'quick': 4, 'smoke': 1}[mode]
        self.connects = {'full': 7, 'quick': 4, 'smoke': 1}[mode]
        self.viewer_counts = ([1, 2, 4, 8, 16, 32, 64] if full else [1, 2, 4, 8, 16]
                              if mode == 'quick' else [1, 2])
        self.viewer_seconds = {'full': 5, 'quick': 3, 'smoke': 1}[mode]

    def have(self, *wanted):
        return [system for system in wanted if system in self.systems]

    def job(self, name, patience, /, **arguments):
        """Run one, in a process of its own; None: it failed, and says why."""
        what = f'{name} {arguments.get("system", arguments.get("signaller", ""))}'
        process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, 'jobs.py'), name,
             json.dumps(arguments)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        try:
            out, errors = process.communicate(timeout=patience + SLACK)
        except subprocess.TimeoutExpired:
            # Its child is init of the lab: with it all the others end.
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            return self._failed(what, 'took too long')
        if process.returncode == 77:
            raise Skipped(out.strip())
        try:
            result = json.loads(out.strip().splitlines()[-1])
        except (IndexError, ValueError):
            result = {'error': (errors.strip().splitlines() or ['no result'])[-1]}
        if 'error' in result:
            print(errors, file=sys.stderr)
            return self._failed(what, result['error'])
        return result

    def _failed(self, what, why):
        print(f'    {what}: {why}', flush=True)
        self.failures.append(f'{what.strip()}: {why}')
        return None

    def jobs(self, calls, at_once=1):
        """Several, so many at once: {key: result}, without what failed."""
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            running = {key: pool.submit(self.job, name, seconds, **arguments)
                       for key, (name, seconds, arguments) in calls.items()}
            results = {key: one.result() for key, one in running.items()}
        return {key: result for key, result in results.items()
                if result is not None}

    def repeat(self, calls, at_once=1, repeats=None):
        """The same several times, with other seeds: {key: [result, …]}."""
        found = {}
        repeats = repeats or self.repeats
        for number in range(repeats):
            again = {key: (name, seconds, {**arguments,
                                           'seed': self.seed + number})
                     for key, (name, seconds, arguments) in calls.items()}
            for key, result in self.jobs(again, at_once).items():
                found.setdefault(key, []).append(result)
            print(f'    {number + 1} of {repeats}', flush=True)
        return found


def connect(run):
    calls = {signaller: ('connect', 4 * run.connects, {
        'signaller': signaller, 'runs': run.connects, 'seed': run.seed,
        'rtt': CONNECT_RTT}) for signaller in ('lan', 'tcp', 'mqtt')}
    calls['nice'] = ('nice', 4 * run.connects, {
        'runs': run.connects, 'seed': run.seed, 'rtt': CONNECT_RTT})
    calls['states'] = ('states', 20, {'rounds': 6, 'seed': run.seed})
    for system in run.have('p2p', 'udt', 'srt', 'srt-aes'):
        calls[f'first-{system}'] = ('first_frame', 4 * run.connects, {
            'system': system, 'runs': run.connects, 'seed': run.seed,
            'rtt': CONNECT_RTT, 'latency': 200 if system in OURS else 125})
    return run.jobs(calls)


def viewers(run):
    found = run.jobs({
        'viewers': ('viewers', 120 + run.viewer_seconds * 9, {
            'counts': run.viewer_counts, 'seconds': run.viewer_seconds,
            'seed': run.seed, 'rate': VIEWER_RATE,
            'stall': 2 * run.viewer_seconds}),
        'encoder': ('encoder', run.cpu_seconds, {'seconds': run.cpu_seconds}),
    })
    return found


OURS = ('p2p', 'udt')


def _live_calls(run, link, seconds, variants, **more):
    return {key: ('live', seconds, {
        'system': system, 'link': link, 'seconds': seconds,
        'latency': latency, 'rate': LIVE_RATE, **more, **extra})
        for key, (system, latency, extra) in variants.items()
        if system in run.systems}


def live(run):
    variants = {'p2p': ('p2p', LATENCY, {}), 'udt': ('udt', LATENCY, {}),
                'srt-125': ('srt', 125, {}), 'srt-340': ('srt', 340, {}),
                'srt-400': ('srt', 400, {})}
    if run.mode == 'smoke':
        variants = {key: variants[key] for key in ('p2p', 'srt-125')}
    return run.repeat(_live_calls(run, LIVE_LINK, run.live_seconds, variants),
                      at_once=5)


def step(run):
    """The link falls to a tenth after 3 s, and returns 6 s later."""
    variants = {'p2p': ('p2p', LATENCY, {}),
                'p2p-follows': ('p2p', LATENCY, {'follow': True}),
                'udt': ('udt', LATENCY, {}),
                'udt-follows': ('udt', LATENCY, {'follow': True}),
                'srt-125': ('srt', 125, {}), 'srt-400': ('srt', 400, {})}
    if run.mode == 'smoke':
        variants = {'p2p': variants['p2p']}
    events = [[3, f'both rate {2 * MBIT}'], [9, f'both rate {20 * MBIT}']]
    if run.mode == 'smoke':
        events = [[1, f'both rate {2 * MBIT}'], [2, f'both rate {20 * MBIT}']]
    return run.repeat(_live_calls(run, STEP_LINK, run.step_seconds, variants,
                                  events=events), at_once=6)


def bulk(run):
    systems = run.have('p2p', 'p2p-wide', 'udt', 'tcp-bbr', 'tcp-cubic', 'srt-file',
                       'udt4')
    links = BULK_LINKS
    if run.mode == 'smoke':
        systems, links = run.have('p2p', 'tcp-cubic'), {'c': BULK_LINKS['c']}
    found = {}
    for key, link in links.items():
        print(f'  {describe(link)}', flush=True)
        seconds = run.bulk_seconds * link.get('long', 1)
        found[key] = run.repeat({
            system: ('bulk', seconds, {
                'system': system, 'link': link, 'seconds': seconds})
            # Two at 100 Mbit/s would share two cores, not the path.
            for system in systems}, at_once=2 if key == 'c' else 1,
            repeats=run.bulk_repeats)
    return found


def beside(run):
    seconds = 4 + 2 * 8 * run.file_bytes / BESIDE_LINK['rate']
    return run.repeat({system: ('beside', seconds, {
        'system': system, 'link': BESIDE_LINK, 'seconds': seconds,
        'latency': latency, 'rate': BESIDE_RATE, 'file': run.file_bytes})
        for system, latency in (('p2p', LATENCY), ('srt', 125))
        if system in run.systems}, at_once=2)


def cpu(run):
    def calls(*systems):
        return {system: ('cpu_share', run.cpu_seconds, {
            'system': system, 'seconds': run.cpu_seconds, 'rate': CPU_RATE})
            for system in run.have(*systems)}

    found = run.repeat(calls('p2p', 'udt', 'srt', 'srt-aes'))
    found.update(run.repeat(calls('nothing', 'nothing-packets'), repeats=1))
    return found


def memory(run):
    """Several times, as an allocator takes memory in steps."""
    counts = [1, 4] if run.mode == 'smoke' else [1, 9]
    return run.repeat({'memory': ('viewers', 60, {
        'counts': counts, 'seconds': 1, 'rate': VIEWER_RATE,
        'stall': 8 if run.mode != 'smoke' else 2})})


PARTS = {part.__name__: part for part in (
    connect, viewers, live, step, bulk, beside, cpu, memory)}
PARTS['soc'] = soc.measure
PARTS['iv'] = ivapps.measure


def describe(link):
    words = []
    if link.get('rate'):
        words.append(f'{link["rate"] / MBIT:g} Mbit/s')
    words.append(f'{link["rtt"]} ms RTT')
    words.append(f'{100 * link.get("loss", 0):g} % loss each way')
    if link.get('jitter'):
        words.append(f'{link["jitter"]} ms jitter')
    if link.get('queue'):
        words.append(f'{link["queue"] // 1000} KB queue')
    return ', '.join(words)


def measure(run, parts):
    results = {}
    for name in parts:
        start = time.monotonic()
        print(f'{name}:', flush=True)
        results[name] = PARTS[name](run)
        print(f'  {time.monotonic() - start:.0f} s', flush=True)
    return results
