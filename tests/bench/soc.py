"""What the sources of SoC encoders cost, beyond the copy that each frame takes.

The encoders are simulated, four streams at 30 frames/s in real time; the
measuring is tests/hal/costs.c's, which leaves out what the simulation takes, and
does the bare copy of as many bytes beside it.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import statistics
import subprocess

TARGETS = {'hisi-v4': '`hisivencsrc`, V4', 'fullhan-a': '`fhvencsrc`, A',
           'ingenic-t31': '`ingenicvencsrc`, T31'}
BUDGET = 2                  # % of a core


def measure(run):
    build = pathlib.Path(os.environ['BENCH_BIN_DIR']).parent.parent
    program = build / 'tests' / 'hal' / 'hal-costs'
    if not program.exists():
        return {}
    env = dict(os.environ, HAL_SIM_DIR=str(build / 'tests' / 'hal' / 'sims'),
               GST_PLUGIN_PATH=f'{build}/plugins/soc')
    found = {}
    for _ in range(run.repeats):
        for target in TARGETS:
            told = subprocess.run(
                [program, target, '--bench', str(run.cpu_seconds)], env=env,
                check=False, capture_output=True, text=True,
                timeout=run.cpu_seconds + 60)
            if told.returncode == 0:
                result = json.loads(told.stdout.splitlines()[-1])
                found.setdefault(target, []).append(result)
            else:
                run.failures.append(f'soc {target}: {told.stdout.strip()}')
    return found


def report(results, facts, table, spread):
    rows = []
    medians = []
    for target, runs in results.items():
        percents = [run['percent'] for run in runs]
        medians.append(statistics.median(percents))
        rows.append([TARGETS[target],
                     spread([run['frame-us'] for run in runs]),
                     spread([run['copy-us'] for run in runs], 2),
                     spread(percents, 2)])
    if not rows:
        return ''
    facts['soc'] = (f'{max(medians):.2f} % of a core', None,
                    max(medians) < BUDGET, '')
    return f'''## Sources of SoC encoders

Four streams of 2 Mbit/s at 30 frames/s from simulated encoders, in real time,
through the source to a sink that throws them away: CPU time of all threads but
the simulated encoder's, beside a bare loop that copies as many bytes. The
budget is {BUDGET} % of a core beyond the copy.

''' + table(['source', 'a frame, µs', 'of it the copy, µs',
             'four streams, beyond the copy, % of a core'], rows)
