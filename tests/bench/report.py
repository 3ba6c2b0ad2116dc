"""From results to tables and plots.

Each part gives its paragraphs, and puts what DESIGN's budgets need into
`facts`: {budget: (ours, peers, met)}.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import statistics

import ivapps
import soc as sources
import svg
from measure import (BESIDE_LINK, BESIDE_RATE, BULK_LINKS, CONNECT_RTT, CPU_RATE, LATENCY, LIVE_LINK,
                     LIVE_RATE, MBIT, STEP_LINK, VIEWER_RATE, describe)

NAMES = {
    'p2p': 'p2psink', 'p2p-wide': 'p2psink, 8 MB to wait',
    'udt': 'udtsink', 'p2p-follows': 'p2psink, encoder follows',
    'udt-follows': 'udtsink, encoder follows',
    'srt': 'SRT, in the clear', 'srt-aes': 'SRT, AES-128',
    'srt-125': 'SRT, latency 125 ms', 'srt-340': 'SRT, latency 340 ms',
    'srt-400': 'SRT, latency 400 ms', 'srt-file': 'SRT, file mode',
    'tcp-bbr': 'TCP BBR', 'tcp-cubic': 'TCP CUBIC', 'udt4': 'UDT4',
    'nothing': 'frames alone', 'nothing-packets': 'packets alone',
}
# What TCP carries in a packet of 1500 bytes is what a link is held to carry.
PAYLOAD_SHARE = 1448 / 1500
STEPS = ('server', 'auth', 'punch', 'transport', 'media')


def number(value, digits=3):
    return f'{value:.{digits}g}' if value < 1000 else f'{value:.0f}'


def spread(values, digits=3):
    """The median, and all that was seen."""
    if not values:
        return '–'
    middle = number(statistics.median(values), digits)
    low, high = (number(f(values), digits) for f in (min, max))
    return middle if low == high else f'{middle} ({low}–{high})'


def percent(values, digits=3):
    return spread([100 * value for value in values], digits) + ' %'


def table(head, rows):
    lines = ['| ' + ' | '.join(head) + ' |',
             '|' + ' --- |' * len(head)]
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |'
                              for row in rows]) + '\n'


def quantile(values, share):
    """Of all, those that never came included, as infinitely late."""
    ordered = sorted(float('inf') if value is None else value
                     for value in values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def delay(value, digits=3):
    return 'never' if value == float('inf') else number(value, digits)


def delays(values):
    finite = [value for value in values if value != float('inf')]
    if len(finite) < len(values):
        return 'never' if not finite else f'{spread(finite)}, or never'
    return spread(values)


# --- live video -----------------------------------------------------------------

class LiveFigures:
    """Of all runs of one system."""

    def __init__(self, runs, one_way, limit):
        self.within, self.keys, self.whole = [], [], []
        self.median, self.p99, self.extra = [], [], []
        self.all = []
        self.count = 0
        for result in runs:
            times = [frame[2] for frame in result['frames']]
            came = [time for time in times if time is not None]
            keys = [time for _, key, time in result['frames'] if key]
            good = [time for time in came if time <= limit]
            self.count += len(times)
            self.all += came
            self.within.append(len(good) / len(times))
            self.whole.append(len(came) / len(times))
            if keys:
                self.keys.append(sum(time is not None and time <= limit
                                     for time in keys) / len(keys))
            self.median.append(quantile(times, 0.5) - one_way)
            self.p99.append(quantile(came, 0.99) - one_way if came
                            else float('inf'))
            self.extra.append(result['wire'] / result['payload'] - 1)


def live(results, facts, plots):
    one_way = LIVE_LINK['rtt'] / 2
    found = {key: LiveFigures(runs, one_way, LATENCY)
             for key, runs in results.items()}
    rows = [[NAMES[key], percent(f.within, 4), percent(f.keys),
             percent(f.whole, 4), delays(f.median), delays(f.p99),
             percent(f.extra)] for key, f in found.items()]
    if found:
        svg.distribution(
            plots / 'live.svg', f'Frames whole, {describe(LIVE_LINK)}',
            'ms from sending to delivery', (0, 600),
            {NAMES[key]: (f.all, f.count) for key, f in found.items()})
    ours = [found[key] for key in ('p2p', 'udt') if key in found]
    peer = found.get('srt-125')
    if ours:
        frames = min(statistics.median(f.within) for f in ours)
        keys = min((share for f in ours for share in f.keys), default=0)
        facts['live-frames'] = (
            '; '.join(f'{NAMES[key]}: {percent(found[key].within, 4)}, '
                      f'keyframes {percent(found[key].keys)}'
                      for key in ('p2p', 'udt') if key in found),
            peer and f'SRT at 125 ms: {percent(peer.within, 4)}, keyframes '
            f'{percent(peer.keys)}', frames >= 0.999 and keys >= 1,
            'A frame is missed when its packets, repairs and repetitions are '
            'all lost before its time is up.')
        facts['live-delay'] = (
            '; '.join(f'{NAMES[key]}: {delays(found[key].median)} ms, '
                      f'{percent(found[key].extra)}'
                      for key in ('p2p', 'udt') if key in found),
            peer and f'SRT at 125 ms: {delays(peer.median)} ms, '
            f'{percent(peer.extra)}',
            all(statistics.median(f.median) <= 15
                and statistics.median(f.extra) <= 0.25 for f in ours),
            'Jitter alone is 4 ms of this delay in the mean, up to 8 for the '
            'last packet of a frame; and in order, a frame waits for those '
            'before it.')
    return f'''## Live video on a long, lossy link

{LIVE_RATE / MBIT:g} Mbit/s at 30 frames/s, a keyframe of five times the size
every 2 s; {describe(LIVE_LINK)}. A frame counts when every byte of it came and
was right. p2psrc and udtsrc are given a latency of {LATENCY} ms; they hand a
frame on when it is complete and those before it are there or given up, SRT
holds everything for its latency. "Bytes beyond" is what left the sender's
interface, IP headers included, above what was put into the element.

''' + table(['', f'whole within {LATENCY} ms', f'keyframes within {LATENCY} ms',
             'whole at all', 'median delay above one way, ms',
             'p99 of what came, ms', 'bytes beyond the payload'], rows) + '''
![](benchmarks/live.svg)
'''


# --- the falling link -------------------------------------------------------------

def step(results, facts, plots):
    one_way = STEP_LINK['rtt'] / 2
    rows, lines, p99s, back = [], {}, {}, {}
    for key, runs in results.items():
        came, p99, late, normal = [], [], [], []
        for result in runs:
            frames = result['frames']
            times = [time for _, _, time in frames if time is not None]
            came.append(len(times) / len(frames))
            p99.append(quantile(times, 0.99) if times else float('inf'))
            late.append(sum(time is None or time > LATENCY
                            for _, _, time in frames) / len(frames))
            normal.append(back_to_normal(frames, 9, one_way + 60))
        p99s[key], back[key] = p99, normal
        rows.append([NAMES[key], percent(came), percent(late), delays(p99),
                     delays(normal)])
        lines[NAMES[key]] = [(at, time) for at, _, time in runs[0]['frames']
                             if time is not None]
    if lines:
        plot = svg.Plot('Delay while the link has 2 instead of 20 Mbit/s '
                        '(3 s to 9 s)', 's', 'ms from sending to delivery',
                        (0, 14), (0, 700))
        for name, points in lines.items():
            plot.line(name, points, svg.GAP)
        plot.write(plots / 'step.svg')
    limits = {'p2p-follows': 300, 'udt-follows': 300, 'p2p': 600, 'udt': 600}
    ours = [key for key in limits if key in p99s]
    if ours:
        facts['step'] = (
            '; '.join(f'{NAMES[key]}: {delays(p99s[key])} ms, normal after '
                      f'{delays(back[key])} s' for key in ours),
            '; '.join(f'{NAMES[key]}: {delays(p99s[key])} ms'
                      for key in ('srt-125', 'srt-400') if key in p99s) or None,
            all(statistics.median(p99s[key]) <= limits[key]
                and statistics.median(back[key]) <= 1 for key in ours),
            'What is in the queue of the link when it falls takes its time to '
            'leave, whatever the sender does then. After the return an encoder '
            'that follows sends little, and what is more is found by the few '
            'packets of its frames: where several of them came late by chance, '
            'that takes longer.')
    return f'''## A link that falls and returns

{LIVE_RATE / MBIT:g} Mbit/s of video; {describe(STEP_LINK)}; from 3 s to 9 s the
link has 2 Mbit/s. The encoder does not follow, unless said so.

''' + table(['', 'whole at all', f'late (over {LATENCY} ms) or missing',
             'delay of what is delivered, p99 ms',
             's from the link\'s return to normal'], rows) + '''
"Normal" is when every frame from then on comes within 60 ms above the one-way
delay.

![](benchmarks/step.svg)
'''


def back_to_normal(frames, when, limit):
    """Seconds after `when` from which on every frame is in time."""
    after = when
    for at, _, time in frames:
        if at >= when and (time is None or time > limit):
            after = at
    return max(0.0, after - when)


# --- bulk ------------------------------------------------------------------------

def goodput(samples, begin):
    """Bit/s from that second on."""
    first = next((sample for sample in samples if sample[0] >= begin), None)
    if not first or samples[-1][0] <= first[0]:
        return 0.0
    return 8 * (samples[-1][1] - first[1]) / (samples[-1][0] - first[0])


def bulk(results, facts, plots):
    rows, groups, ours, peers, met = [], [], [], [], True
    for key, systems in results.items():
        link = BULK_LINKS[key]
        limit = link['rate'] * (1 - link['loss']) * PAYLOAD_SHARE
        short = (f'{link["rate"] // MBIT} Mbit/s {link["rtt"]} ms '
                 f'{100 * link["loss"]:g} %')
        entries = []
        for system, runs in systems.items():
            steady = [goodput(run['samples'], 2) / limit for run in runs]
            whole = [goodput(run['samples'], 0) / limit for run in runs]
            rows.append([short, NAMES[system], spread(steady), spread(whole)])
            entries.append((NAMES[system], steady))
        for mine, told in ((True, ours), (False, peers)):
            told.append(f'{short}: ' + ', '.join(
                f'{name} {number(statistics.median(values), 2)}'
                for system, (name, values) in zip(systems, entries)
                if (system in ('p2p', 'p2p-wide', 'udt')) == mine))
        best = [statistics.median(values) for name, values in entries
                if name.startswith(('p2psink', 'udtsink'))]
        met = met and bool(best) and max(best) >= 0.97
        groups.append((short, entries))
    if groups:
        svg.bars(plots / 'bulk.svg', 'Bulk goodput, share of the physical '
                 'limit', 'share', 1.1, groups, (0.97, 'budget 0.97'))
    facts['bulk'] = ('<br>'.join(ours), '<br>'.join(peers), met,
                     'Ours have a header and a seal of their own in every '
                     'packet, which leaves 0.986 of the limit at most. The '
                     'engine alone keeps within 0.015 of that (goodput-*, '
                     'below). Here it is bytes in order that count: those '
                     'that wait for a repeat of what was lost when the time '
                     'is up do not; and two cores carry both ends and the '
                     'link itself, in turns.')
    return f'''## Bulk transfer

Goodput as a share of what the link can carry: its rate, less what it loses,
times {PAYLOAD_SHARE:.3f}, which is TCP's payload in a packet of 1500 bytes.
Every byte is checked. The queue in front of each link holds a tenth of a
second. Ours are encrypted, the others are not.

''' + table(['link', '', 'from the third second on', 'from the first byte'],
            rows) + '''
![](benchmarks/bulk.svg)
'''


def beside(results, facts, plots):
    rows = []
    for key, runs in results.items():
        times = [[frame[2] for frame in run['frames']] for run in runs]
        came = [[time for time in one if time is not None] for one in times]
        files = [run['file'] for run in runs if run['file'] is not None]
        rows.append([
            'p2psink, both on one session' if key == 'p2p' else
            'SRT at 125 ms, and TCP CUBIC',
            percent([len(some) / max(1, len(one))
                     for some, one in zip(came, times)]),
            spread([statistics.mean(some) for some in came if some]),
            spread([max(some) for some in came if some]),
            spread(files) if len(files) == len(runs) else 'not done'])
    return f'''## A file beside live video

{BESIDE_RATE // MBIT} Mbit/s of video and a file, {describe(BESIDE_LINK)}. The
frames of the time in which the file is under way. An idle link would take
the keyframes 41 ms and the others 16 ms, their way included.

''' + table(['', 'frames whole', 'mean delay, ms', 'worst delay, ms',
             's for the file'], rows)


# --- CPU and memory ----------------------------------------------------------------

def without_frames(shares):
    """Of SRT's, sending, without what makes the frames, or the packets."""
    base, alone = shares.get('srt'), shares.get('nothing-packets')
    frames = shares.get('nothing')
    if not base or not alone or not frames:
        return ''
    rest = statistics.median(base[0]) - statistics.median(alone[0])
    if rest <= 0:
        return ''
    return '; without making the frames: ' + ', '.join(
        f'{NAMES[key]} '
        f'{(statistics.median(shares[key][0]) - statistics.median(frames[0])) / rest:.2f}'
        for key in ('p2p', 'udt') if key in shares) + ' sending'


def cpu(results, facts, plots):
    rows = []
    shares = {key: [[run['shares'][end] for run in runs
                     if len(run['shares']) > end] for end in (0, 1)]
              for key, runs in results.items()}
    base = shares.get('srt')
    for key, (send, receive) in shares.items():
        ratios = ['–' if not base or not values or not base[end]
                  else number(statistics.median(values) /
                              statistics.median(base[end]), 2)
                  for end, values in enumerate((send, receive))]
        rows.append([NAMES[key], percent(send), ratios[0],
                     percent(receive) if receive else '–', ratios[1]])
    if base and ('p2p' in shares or 'udt' in shares):
        svg.bars(plots / 'cpu.svg', f'CPU at {CPU_RATE // MBIT} Mbit/s, of a '
                 'core', '%', 1.2 * 100 * max(
                     max(values) for pair in shares.values()
                     for values in pair if values),
                 [(end, [(NAMES[key], [100 * value for value in pair[place]])
                         for key, pair in shares.items() if pair[place]])
                  for place, end in enumerate(('sending', 'receiving'))])
        ours = {key: [statistics.median(shares[key][end]) /
                      statistics.median(base[end]) for end in (0, 1)]
                for key in ('p2p', 'udt') if key in shares}
        facts['cpu'] = (
            '; '.join(f'{NAMES[key]}: {pair[0]:.2f} sending, {pair[1]:.2f} '
                      'receiving, of SRT\'s' for key, pair in ours.items())
            + without_frames(shares),
            f'SRT in the clear: {percent(base[0])} sending, '
            f'{percent(base[1])} receiving, of a core',
            all(value <= 0.2 for pair in ours.values() for value in pair),
            'The budget was set when SRT, in a program of its own, took 16 % '
            'of a core; compare with what its GStreamer elements take here. '
            'Making and checking the frames is in these figures, and weighs '
            'more in the smaller ones. Waking up is the smaller part of what '
            'is ours: two or three times for a frame on either side, which '
            'tests/elements/cost.c counts. The rest is what each packet costs, '
            'some 57 of them for a frame: about half is the system\'s, which '
            'takes its way here packet by packet, as the link in user space '
            'offers neither segmentation nor checksums; a fifth the seal, '
            'which SRT has not got in the clear, under a microsecond; a fifth '
            'the engine.')
    return f'''## CPU

{CPU_RATE // MBIT} Mbit/s of video over a link without limits, on the same
machine: share of a core that the whole process takes, user and system. "Frames
alone" and "packets alone" make the same frames, whole or cut into SRT's
packets, and throw them away: that much of the others is not the transport's.

''' + table(['', 'sending', 'of SRT\'s', 'receiving', 'of SRT\'s'], rows) + '''
![](benchmarks/cpu.svg)
'''


def viewers(results, facts, plots):
    found = results.get('viewers')
    if not found:
        return ''
    encoder = results.get('encoder', {}).get('share')
    rows, base = [], found['rows'][0]
    for row in found['rows']:
        count = row['viewers']
        each = (row['cpu'] - base['cpu']) / count if count else None
        rows.append([
            str(count), f'{100 * row["cpu"]:.1f} %',
            '–' if each is None else f'{100 * each:.2f} %',
            '–' if each is None or not encoder else f'{each / encoder:.3f}',
            '–' if each is None else
            f'{(row["memory"] - base["memory"]) / count:.0f} KB'])
    last = found['rows'][-1]
    each = (last['cpu'] - base['cpu']) / last['viewers']
    harmed = sum(count > 0 for count in found['missing'])
    per_core = f'{(1 - base["cpu"]) / each:.0f}' if each > 0 else 'many'
    return f'''## Viewers of one camera

{VIEWER_RATE // MBIT} Mbit/s of video; the camera makes the frames once and
sends them to each viewer, encrypted for each. Of a core, and beside one encoder
(x264, veryfast, 1280x720, 30 frames/s, 2 Mbit/s, with its test picture):
{f"{100 * encoder:.0f} % of a core" if encoder else "not measured"}. Then one
viewer is stopped for a while.

''' + table(['viewers', 'CPU of the camera', 'each viewer',
             'each, of the encoder\'s', 'memory each'], rows) + f'''
The camera takes {base["memory"]} KB without a viewer, its libraries and plugins
counted. At the last line's cost, {per_core} such viewers fill a core. While one viewer
was stalled, the camera took {found["stalled"]} KB more; of {found["sent"]}
frames for each of the other {len(found["missing"])}, {harmed} of them missed
{sum(found["missing"])} in all.
'''


def memory(results, facts, plots):
    runs = results.get('memory', [])
    if not runs:
        return ''
    each = [(run['rows'][2]['memory'] - run['rows'][1]['memory']) /
            (run['rows'][2]['viewers'] - run['rows'][1]['viewers'])
            for run in runs]
    stalled = [run['stalled'] for run in runs]
    facts['memory'] = (
        f'{spread(each)} KB a viewer; a stalled one {spread(stalled)} KB more',
        None, statistics.median(each) <= 150
        and statistics.median(stalled) + statistics.median(each) <= 732 + 512,
        'It includes what libnice, OpenSSL and the allocator keep.')
    return f'''## Memory of a viewer

What the camera's process has of its own (anonymous resident memory, all
libraries counted) grows by **{spread(each)} KB** for each of
{runs[0]["rows"][2]["viewers"] - runs[0]["rows"][1]["viewers"]} more viewers of
{VIEWER_RATE // MBIT} Mbit/s, and by **{spread(stalled)} KB** at most while one
of them stands still. The budgets are 150 KB, and at worst 732 KB and 512 KB for
each of its flows, of which there is one here.
'''


def soc(results, facts, plots):
    return sources.report(results, facts, table, spread)


def iv(results, facts, plots):
    return ivapps.report(results, facts, table, spread)


# --- connecting ------------------------------------------------------------------------

def connect(results, facts, plots):
    rows, budget, groups = [], [], []
    for key in ('lan', 'tcp', 'mqtt'):
        if key not in results:
            continue
        times = results[key]['times']
        took = [one['media'] - one['server'] for one in times]
        budget.append((key, took))
        groups.append((f'{key}://', [(step_name, [
            one[step_name] - (one[before] if before else 0) for one in times])
            for before, step_name in zip((None, *STEPS), STEPS)]))
        rows.append([f'{key}://', *(
            spread([one[name] for one in times]) for name in STEPS),
            spread(took)])
    if groups:
        svg.bars(plots / 'connect.svg',
                 f'Time for each step at {CONNECT_RTT} ms RTT', 'ms', 200,
                 groups)
    peers = []
    if 'nice' in results:
        peers.append('bare libnice, candidates exchanged at once and without '
                     f'delay: {spread(results["nice"]["times"])} ms to '
                     'connected, no key, no frame')
    first = [[NAMES[key[6:]], spread(one['times'])]
             for key, one in results.items() if key.startswith('first-')]
    peers += [f'{name}, from starting its program: {value} ms'
              for name, value in first if name.startswith('SRT')]
    if budget:
        facts['connect'] = (
            '; '.join(f'{key}: {spread(took)} ms' for key, took in budget),
            '; '.join(peers) or None,
            all(statistics.median(took) <= 400 for _, took in budget),
            'Each step is a round trip or two of the path or of the broker.')
    text = f'''## Connecting

At {CONNECT_RTT} ms RTT; `mqtt://` through two cone NATs with a broker and a
STUN server half way, the others on one segment. Milliseconds since the viewer
began, at which each step was done; the last column is from the signalling
connection to the first frame.

''' + table(['', *STEPS, 'server to media'], rows) + '''
![](benchmarks/connect.svg)
'''
    if first:
        text += f'''
Beside peers, from starting the receiving program to its first bytes, with its
plugins loaded and its element's latency, {CONNECT_RTT} ms RTT, no NAT:

''' + table(['', 'ms'], first)
    if 'states' in results:
        up, down = (spread(results['states'][way]) for way in ('up', 'down'))
        text += (f'\nWith a broker that neither answers nor refuses, elements '
                 f'take {up} ms to PLAYING and {down} ms to NULL (allowed: 50 '
                 'and 1000).\n')
    if peers:
        text += '\nFor comparison: ' + '; '.join(peers[:1]) + '.\n'
    return text


BUDGETS = (
    ('bulk', 'bulk goodput, share of the physical limit, three links',
     '0.97 each'),
    ('live-frames', f'{describe(LIVE_LINK)}: frames whole within {LATENCY} ms',
     '99.9 % and every keyframe'),
    ('live-delay', 'the same: median delay above the one-way delay, in order; '
     'bytes beyond the payload', '15 ms; 25 %'),
    ('step', 'the link falls from 20 to 2 Mbit/s for 6 s: p99 of the delay of '
     'what is delivered', '300 ms with an encoder that follows, 600 ms with '
     'one that cannot; normal again within 1 s of the return'),
    ('cpu', 'CPU at 20 Mbit/s, encrypted, each side, beside SRT in the clear',
     'a fifth'),
    ('memory', 'memory a viewer adds: good network; worst',
     '150 KB; 732 KB and 512 KB a flow'),
    ('connect', 'from the signalling connection to the first frame, '
     f'{CONNECT_RTT} ms RTT', '400 ms'),
    ('soc', 'sources of SoC encoders: four streams at 30 frames/s, beyond the '
     'copy', f'{sources.BUDGET} % of a core'),
    ('iv-memory', 'memory of an app of a device on iv_av.h: good network; worst',
     f'{ivapps.GOOD_KB} KB; {ivapps.WORST_KB} KB'),
    ('iv-jitter', 'the same: jitter of its calls for data beside a bare timer\'s',
     f'under {ivapps.JITTER} times'),
)


def budgets(facts):
    rows, reasons = [], []
    for key, what, budget in BUDGETS:
        if key not in facts:
            rows.append([what, budget, 'not measured', '–', '–'])
            continue
        ours, peers, met, why = facts[key]
        rows.append([what, budget, ours or '–', peers or '–',
                     '**not met**' if not met else
                     'met' if met is True else met])
        if not met:
            reasons.append(f'- {what}: {why}')
    text = '''## Against the budgets

''' + table(['what', 'budget', 'ours', 'peers, in this run', ''], rows)
    if reasons:
        text += '\nWhy not:\n\n' + '\n'.join(reasons) + '\n'
    return text
