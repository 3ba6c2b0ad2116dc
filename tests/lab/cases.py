"""Test cases that run in a lab: registration, running, reporting.

A file of cases decorates its functions with @case and ends with main(). Called
with names it runs those, otherwise all; each case that fails shows what every
program of its lab said last. Output is TAP.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import sys
import traceback

import lab

_cases = {}
_labs = []


def case(function):
    """Register a function as the test case of that name."""
    _cases[function.__name__.replace('_', '-')] = function
    return function


def new_lab(**settings):
    """A lab that a failing case reports about."""
    net = lab.Lab(**settings)
    _labs.append(net)
    return net


def check(condition, message):
    """Like assert, which python -O would leave out."""
    if not condition:
        raise AssertionError(message)


def check_equal(value, expected, what):
    check(value == expected, f'{what}: {value!r}, expected {expected!r}')


def check_between(value, low, high, what):
    check(low <= value <= high, f'{what}: {value}, expected {low} to {high}')


def note(text):
    """A measurement or remark, for the log."""
    print(f'# {text}', flush=True)


def _comment(text):
    print('\n'.join('# ' + line for line in text.rstrip().splitlines()))


def main():
    names = sys.argv[1:] or list(_cases)
    if names == ['--list']:
        print('\n'.join(_cases))
        return
    lab.enter()
    print(f'1..{len(names)}', flush=True)
    failed = 0
    for number, name in enumerate(names, 1):
        _labs.clear()
        try:
            _cases[name]()
            print(f'ok {number} - {name}', flush=True)
        except Exception:  # a bug in a case fails that case
            failed += 1
            print(f'not ok {number} - {name}')
            _comment(traceback.format_exc())
            for net in _labs:
                _comment(net.report())
            sys.stdout.flush()
    sys.exit(1 if failed else 0)
