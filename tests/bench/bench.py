#!/usr/bin/env python3
"""What run.sh starts: asks what there is, measures, writes the report.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import argparse
import datetime
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

import measure
import report

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# The order in which they are told.
ORDER = ('connect', 'live', 'step', 'bulk', 'beside', 'cpu', 'viewers',
         'memory', 'iv', 'soc')
SMOKE = ('live', 'bulk')


def has_element(name):
    return subprocess.run(['gst-inspect-1.0', '--exists', name], check=False,
                          capture_output=True).returncode == 0


def congestion_controls():
    with open('/proc/sys/net/ipv4/tcp_available_congestion_control',
              encoding='ascii') as file:
        return file.read().split()


def find_systems():
    """What can be measured here, and a word for each that cannot."""
    missing = []
    built = pathlib.Path(os.environ['BENCH_BIN_DIR'])
    controls = congestion_controls()
    wanted = (
        (('p2p', 'p2p-wide'), has_element('p2psink'), 'p2psink is not built'),
        (('udt',), has_element('udtsink'), 'udtsink is not built'),
        (('srt', 'srt-aes'), has_element('srtsink'),
         'no SRT elements for GStreamer'),
        (('srt-file',), shutil.which('srt-file-transmit'), 'no srt-tools'),
        (('udt4',), (built / 'bench-udt4').exists(),
         'no libudt when this was built'),
        (('tcp-cubic',), 'cubic' in controls, 'this kernel has no CUBIC'),
        (('tcp-bbr',), 'bbr' in controls, 'this kernel has no BBR'),
        (('nothing', 'nothing-packets'), True, ''),
    )
    systems = []
    for keys, have, why in wanted:
        if have:
            systems += keys
        else:
            missing.append(why)
    return systems, missing


def version(command, pattern):
    try:
        told = subprocess.run(command, check=False, capture_output=True,
                              text=True)
    except OSError:
        return '?'
    match = re.search(pattern, told.stdout + told.stderr)
    return match[1] if match else '?'


def machine():
    model = 'unknown CPU'
    with open('/proc/cpuinfo', encoding='ascii', errors='replace') as file:
        match = re.search(r'^model name\s*: (.*)', file.read(), re.MULTILINE)
        model = match[1] if match else model
    return (f'{model}, {os.cpu_count()} cores, Linux '
            f'{platform.release().split("-")[0]}, libsrt '
            f'{version(["srt-live-transmit", "-version"], r"([0-9.]+[0-9])")}, '
            'GStreamer '
            f'{version(["gst-inspect-1.0", "--version"], r"GStreamer ([0-9.]+)")}')


def simulated():
    """What the simulator prints of the same links, in virtual time."""
    program = pathlib.Path(os.environ['BENCH_BIN_DIR']).parent / 'sim'
    rows = []
    for name in ('test-networks', 'test-targets'):
        if not (program / name).exists():
            continue
        told = subprocess.run([program / name, '--verbose'], check=False,
                              capture_output=True, text=True, timeout=200)
        notes = []
        for line in told.stdout.splitlines():
            result = re.match(r'(not )?ok \d+ -? ?([\w-]+)', line)
            note = re.match(r'#\s*(?:[\w-]+: )?(.*)', line)
            if result:
                if notes:
                    # Each seed says the same things: the first will do.
                    same = re.sub(r'[\d.]+', '', notes[0])
                    again = [at for at, text in enumerate(notes)
                             if re.sub(r'[\d.]+', '', text) == same]
                    notes = notes[:again[1]] if len(again) > 1 else notes
                    rows.append([result[2], '; '.join(notes),
                                 'no' if result[1] else 'yes'])
                notes = []
            elif note and re.search(r'\d', note[1]):
                notes.append(note[1].replace('|', '/'))
    if not rows:
        return ''
    return '''## Simulated

Not measured on a machine: the engine alone, in the project's simulator, in
virtual time. The same every time, whatever else the machine does. What each
network is, stands in `tests/sim`.

''' + report.table(['network', 'what came of it', 'as required'], rows)


def write(run, parts, results, missing, output):
    plots = output.with_suffix('')
    plots.mkdir(parents=True, exist_ok=True)
    facts = {}
    sections = [getattr(report, name)(results[name], facts, plots)
                for name in ORDER if results.get(name)]
    sections.append(report.budgets(facts))
    if run.mode != 'smoke':
        sections.append(simulated())
    commit = version(['git', '-C', str(ROOT), 'rev-parse', '--short', 'HEAD'],
                     r'(\w+)')
    command = './tests/bench/run.sh' + ('' if run.mode == 'full' else
                                        f' --{run.mode}')
    head = f'''# Benchmarks

Written by `{command}`, which measures everything here
again, ours and the peers on the same links in the same run, in turns. The links
are made in user space (`tests/lab`), and lose packets by a seeded generator:
seed {run.seed}, and one more for each repetition. Where there is more than one
run, figures are the median, and the lowest and the highest in brackets. Compare
them with each other, not with those of another machine or another run.

- {datetime.date.today().isoformat()}, commit {commit}, {run.mode} run
- {machine()}
- TCP congestion controls of this kernel: {", ".join(congestion_controls())}
'''
    for why in missing:
        head += f'- not measured: {why}\n'
    for failure in run.failures:
        head += f'- failed, and not in the figures: {failure}\n'
    text = '\n'.join([head, *(part for part in sections if part)])
    text = re.sub(r'\]\(benchmarks/', f']({output.stem}/', text)
    output.write_text(text, encoding='utf-8')
    print(f'wrote {output}')


def main():
    parser = argparse.ArgumentParser(prog='run.sh')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--smoke', action='store_true')
    parser.add_argument('--output', type=pathlib.Path)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('parts', nargs='*', metavar='PART',
                        help=' '.join(ORDER))
    options = parser.parse_args()
    for name in options.parts:
        if name not in measure.PARTS:
            parser.error(f'no part named {name}')
    mode = 'smoke' if options.smoke else 'quick' if options.quick else 'full'
    parts = options.parts or (SMOKE if options.smoke else ORDER)
    systems, missing = find_systems()
    run = measure.Run(mode, options.seed, systems)
    try:
        results = measure.measure(run, parts)
    except measure.Skipped as why:
        print(why)
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        output = options.output
        if output is None and options.smoke:
            output = pathlib.Path(scratch) / 'benchmarks.md'
        elif output is None and options.parts:
            output = pathlib.Path('benchmarks-' + '-'.join(parts) + '.md')
        elif output is None:
            output = ROOT / 'docs' / 'benchmarks.md'
        write(run, parts, results, missing, output.absolute())
    return 1 if run.failures else 0


if __name__ == '__main__':
    sys.exit(main())
