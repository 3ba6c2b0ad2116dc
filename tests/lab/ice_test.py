#!/usr/bin/env python3
"""Which path does bare libnice find through the lab? What it finds, the
session on top of it can find; what it does not, no session will.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import subprocess

import lab
from cases import case, check_equal, main, new_lab, note

PATIENCE = 20
STUN = ['--stun', f'{lab.SERVER_2}:{lab.TURN_PORT}']


def turn(transport):
    return ['--turn', transport, f'{lab.SERVER}:{lab.TURN_PORT}',
            lab.TURN_USER, lab.TURN_PASSWORD]


def connect(net, *servers):
    """Two agents that tell each other everything at once; the paths they
    chose."""
    program = os.path.join(os.environ['LAB_BIN_DIR'], 'lab-icecheck')
    agents = [host.start(f'agent-{host.name}', [program, role, *servers],
                         stdin=subprocess.PIPE)
              for host, role in ((net.device, 'controlled'),
                                 (net.app, 'controlling'))]
    for speaker, listener in (agents, agents[::-1]):
        speaker.follow('^remote ', listener.send)
    paths = []
    for agent in agents:
        match = agent.wait_for(r'^connected (\w+) (\d+)', PATIENCE)
        paths.append(match[1])
        note(f'{agent.name}: {match[1]} after {match[2]} ms')
    for agent in agents:
        agent.wait_for('^greeted', PATIENCE)
    return paths


@case
def ice_on_a_lan_is_direct():
    with new_lab(shape='lan') as net:
        check_equal(connect(net), ['direct', 'direct'], 'paths')


@case
def ice_cone_to_cone_is_direct():
    with new_lab(rtt=20) as net:
        net.start_turn()
        check_equal(connect(net, *STUN), ['direct', 'direct'], 'paths')


@case
def ice_symmetric_goes_over_the_relay():
    for device, app in (('symmetric', 'symmetric'), ('cone', 'symmetric'),
                        ('symmetric', 'cone')):
        with new_lab(device_nat=device, app_nat=app, rtt=20) as net:
            net.start_turn()
            check_equal(connect(net, *STUN, *turn('udp')),
                        ['relay', 'relay'], f'paths, {device} to {app}')


@case
def ice_without_udp_goes_over_turn_tcp():
    with new_lab(block_udp=['device', 'app'], rtt=20) as net:
        net.start_turn()
        check_equal(connect(net, *turn('tcp')), ['relay', 'relay'], 'paths')


if __name__ == '__main__':
    main()
