"""A device on iv_av.h and its apps: what they cost in memory, how evenly each
is asked for data, and how often a thread wakes for that.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import statistics

RATE = 2000000
COUNTS = (1, 4, 16)
GOOD_KB = 150               # an app, as the interface's page promises
WORST_KB = 732 + 512        # an app with one channel
JITTER = 2                  # times that of a bare timer


def measure(run):
    seconds = run.cpu_seconds
    counts = COUNTS[:1] if run.mode == 'smoke' else COUNTS
    return run.repeat({str(count): ('iv', 40 + seconds, {
        'count': count, 'seconds': seconds, 'rate': RATE})
        for count in counts})


def each(runs, when):
    return [(run[when] - run['empty']) / run['apps'] for run in runs]


def jitter(runs, what):
    """Of the callbacks beside that of the timer, run by run."""
    return [run['stats'][f'gets-{what}'] / run['stats'][f'timer-{what}']
            for run in runs]


def judge(results, facts, spread):
    most = max(results, key=int)
    good, worst = (max(statistics.median(each(runs, when))
                       for runs in results.values())
                   for when in ('good', 'weak'))
    facts['iv-memory'] = (
        f'{good:.0f} KB an app; {worst:.0f} KB an app', None,
        good <= GOOD_KB and worst <= WORST_KB,
        'It includes what libnice, OpenSSL and the allocator keep, and what '
        'waits while the machine is busy.')
    beside = jitter(results[most], 'mean')
    facts['iv-jitter'] = (
        f'{spread(beside)} times, with {most} apps', None,
        statistics.median(beside) < JITTER,
        'The callbacks of a tick come one after the other.')


def report(results, facts, table, spread):
    if not results:
        return ''
    judge(results, facts, spread)
    rows = [[count, spread(each(runs, 'good')), spread(each(runs, 'weak'))]
            for count, runs in results.items()]
    everything = [run for runs in results.values() for run in runs]
    empty = spread([run['empty'] for run in everything])
    loaded = spread([run['loaded'] for run in everything if 'loaded' in run])
    times = []
    for count, runs in results.items():
        stats = [run['stats'] for run in runs]
        times.append([count] + [
            f'{spread([s[f"gets-{what}"] for s in stats])}; '
            f'{spread([s[f"timer-{what}"] for s in stats])}'
            for what in ('mean', 'p99')] + [
            spread(jitter(runs, 'mean')), spread(jitter(runs, 'p99')),
            spread([100 * run['apps'] for run in runs]),
            spread([run['wake-ups'] for run in runs])])
    return f'''## A device on iv_av.h

{RATE / 1e6:g} Mbit/s to each app, one channel each. KB of memory that are the
device's own (anonymous resident memory, all libraries counted), for each app:
on a good network; and at most, on a link that carries a tenth of the rate, with
every buffer at its high mark. The interface promises {GOOD_KB} KB, and 732 KB
and 512 KB for each channel. Beside these, the device takes {empty} KB with
nobody connected, {loaded} KB of them before it has called the library: pages that
the loader changes, and what the program itself counts in.

''' + table(['apps', 'good network, KB each', 'worst case, KB each'], rows) + '''
How far the times between two calls for data of a handle are from 10 ms, beside
those of a thread of the same process that does nothing but wait until the next
10 ms, in microseconds: each second's mean and percentile, and of a run's seconds
the median, for both alike; calls a second; and how often a second a thread that calls the
program slept and went on.

''' + table(['apps', 'mean: calls; timer', 'p99: calls; timer', 'mean, ratio',
             'p99, ratio', 'calls/s', 'wake-ups/s'], times)
