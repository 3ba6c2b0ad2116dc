#!/usr/bin/env python3
"""Compares the frame logs of a camera and a viewer on one machine.

    summary.py CAMERA-LOG VIEWER-LOG [LATE-MS]

Each line of a log is the time at which a frame passed (microseconds of
CLOCK_MONOTONIC, which all processes of a machine share), its stream, its kind,
its size and a checksum of its content. The frames of a stream keep their order,
so a received frame is the next sent one with that content; a received frame
that nobody sent is damaged. What is counted and timed is the first video.

Sent counts from the first frame that was received to the last one that had
time to arrive before the viewer ended. Exit status 1: nothing was received, or
something was damaged.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import sys

# A frame sent this long before the viewer's end counts as sent.
TAIL_US = 1_000_000


def read_log(path, stream='video_0'):
    """The frames of a stream, as (time, content), and the time of the end."""
    frames, end = [], None
    with open(path, encoding='ascii') as file:
        for line in file:
            fields = line.split()
            if len(fields) == 2 and fields[1] == 'end':
                end = int(fields[0])
            elif len(fields) == 5 and fields[1] == stream:
                frames.append((int(fields[0]), fields[4]))
    return frames, end or (frames[-1][0] if frames else 0)


def match(sent, received):
    """Delays of the received frames, the indices in @sent that they have, and
    how many have none."""
    delays, indices, damaged, position = [], [], 0, 0
    for when, content in received:
        for index in range(position, len(sent)):
            if sent[index][1] == content:
                delays.append((when - sent[index][0]) / 1000)
                indices.append(index)
                position = index + 1
                break
        else:
            damaged += 1
    return delays, indices, damaged


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def main():
    late_ms = float(sys.argv[3]) if len(sys.argv) > 3 else 200
    sent, _ = read_log(sys.argv[1])
    received, end = read_log(sys.argv[2])
    delays, indices, damaged = match(sent, received)
    if not delays:
        print('frames: none of those sent was received')
        return 1
    in_time = [index for index, (when, _) in enumerate(sent)
               if when < end - TAIL_US]
    last = max(in_time[-1] if in_time else 0, indices[-1])
    late = sum(1 for delay in delays if delay > late_ms)
    print(f'frames: {last - indices[0] + 1} sent, {len(delays)} received, '
          f'{late} late (over {late_ms:.0f} ms), {damaged} damaged')
    print(f'delay:  p50 {percentile(delays, 0.5):.1f} ms, '
          f'p99 {percentile(delays, 0.99):.1f} ms, from p2psink to p2psrc')
    return 1 if damaged else 0


if __name__ == '__main__':
    sys.exit(main())
