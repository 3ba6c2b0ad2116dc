#!/usr/bin/env python3
"""A network laboratory on one machine: hosts, NAT routers, servers, links.

    lab.py run [options] -- COMMAND...     build a lab, run COMMAND, tear it down
    lab.py exec HOST -- COMMAND...         inside that: run COMMAND on HOST
    lab.py link LINK WORDS...              inside that: change a link (link.c)
    lab.py exec --lab PID HOST -- COMMAND  the same from another terminal

Two shapes. `internet`, where each side has its own kind of NAT:

    device -- device-router ==link== internet ==link== app-router -- app
                                     coturn, Mosquitto

and `lan`, one segment without any server:

    device ==link== lan (a switch) -- app

The lab lives in mount, PID and network namespaces of its own (and in a user
namespace where the caller is not root), and the process that builds it is init
there. So nothing can be left behind: when that process ends, even by SIGKILL,
the kernel kills all the others and the networks vanish with them. Two labs
cannot collide either. The networks have no names; they are descriptors of the
lab's process, with fixed numbers, so that others find them in /proc.

Tests use it as a module:

    lab.enter()                            # go on inside, or exit 77
    with lab.Lab(device_nat='cone', app_nat='symmetric') as net:
        net.start_turn()
        camera = net.device.start('camera', ['gst-launch-1.0', ...])
        camera.expect('playing')
        net.links['device'].set('loss 0.02')

Only the standard library is used.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import argparse
import contextlib
import errno
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from hosts import FIRST_HOST_FD, HOSTS, PATIENCE, Host, LabError, Link
from sandbox import enter, skip

NATS = ('none', 'cone', 'symmetric')

# Documentation addresses play the public ones: they are no special case for
# anybody, and if one should ever escape, nobody is there.
SERVER = '203.0.113.1'
SERVER_2 = '203.0.113.2'
TURN_PORT = 3478
TURN_USER = 'lab'
TURN_PASSWORD = 'lab-turn-password'
MQTT_PORT = 1883
MQTTS_PORT = 8883
SIDES = {
    'device': {'public': '198.51.100', 'private': '10.77.1'},
    'app': {'public': '192.0.2', 'private': '10.77.2'},
}
LAN = '10.77.0'


class Lab:
    """Hosts, links and servers; a context manager that ends them all.

    rtt: milliseconds from device to app and back; loss: share of packets that
    the device's link loses in each direction.
    """

    def __init__(self, shape='internet', device_nat='cone', app_nat='cone',
                 block_udp=(), rtt=0, loss=0, rate=0, seed=1):
        self.shape, self.seed = shape, seed
        self.nat = {'device': device_nat, 'app': app_nat}
        self.directory = os.environ['LAB_DIR']
        self.hosts, self.links, self.processes = {}, {}, []
        self.turn = self.broker = None
        try:
            if shape == 'lan':
                self._build_lan()
            else:
                self._build_internet()
        except OSError as error:
            if error.errno in (errno.EPERM, errno.EACCES):
                skip(error)
            raise
        for side in block_udp:
            self.block_udp(side)
        for link in self.links.values():
            link.set(f'both delay {rtt / 2 / len(self.links)}')
            link.set(f'both rate {rate}')
        self.links['device'].set(f'both loss {loss}')

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for process in reversed(self.processes):
            process.kill(signal.SIGCONT)
            process.kill(signal.SIGKILL)
            process.popen.wait()
        for host in self.hosts.values():
            os.close(host.fd)

    @property
    def device(self):
        return self.hosts['device']

    @property
    def app(self):
        return self.hosts['app']

    @property
    def lan_or_internet(self):
        return self.hosts['lan' if self.shape == 'lan' else 'internet']

    def report(self):
        """What the servers and programs have said last, for a failed test."""
        programs = [process for process in self.processes
                    if not process.name.startswith('link-')
                    and process not in (self.turn, self.broker)]
        servers = [server.tail(10) for server in (self.turn, self.broker)
                   if server]
        return '\n'.join(servers + [program.tail() for program in programs])

    def _build_lan(self):
        for name in ('device', 'app', 'lan'):
            self.hosts[name] = Host(self, name)
        switch = self.hosts['lan']
        # The switch is the home's router too, which has no way out.
        switch.sh(f'ip link add switch type bridge; ip link set switch up;'
                  f'ip addr add {LAN}.1/24 dev switch')
        self.links['device'] = Link(self, 'device', (self.device, 'eth0'),
                                    (switch, 'port0'), tap=True,
                                    seed=self.seed)
        self._cable(self.app, 'eth0', switch, 'port1')
        switch.sh('for p in port0 port1; do ip link set $p master switch up;'
                  'done')
        for number, host in ((2, self.device), (3, self.app)):
            self._address(host, f'{LAN}.{number}', f'{LAN}.1')

    @staticmethod
    def _cable(host, device, other, other_device):
        # With its own index the two ends never have the same one, which would
        # delay the news that the cable is plugged in by up to a second.
        host.sh(f'ip link add {device} index 100 type veth'
                f'  peer name {other_device} netns {other.netns}')
        other.sh(f'ip link set {other_device} up')

    @staticmethod
    def _address(host, address, gateway, mask=24):
        host.address = address
        host.sh(f'ip addr add {address}/{mask} dev eth0;'
                'ip link set eth0 up;'
                f'ip route add default via {gateway}')
        host.wait_until_running('eth0')

    def move(self, side):
        """The host behind that NAT gets another address in its network."""
        host = self.hosts[side]
        behind, _, last = host.address.rpartition('.')
        host.sh(f'ip addr del {host.address}/24 dev eth0')
        self._address(host, f'{behind}.{int(last) + 100}', f'{behind}.1')

    def _build_internet(self):
        for name in ('device', 'device-router', 'internet', 'app-router',
                     'app'):
            self.hosts[name] = Host(self, name)
        internet = self.hosts['internet']
        internet.sh('echo 1 > /proc/sys/net/ipv4/ip_forward;'
                    f'ip addr add {SERVER}/32 dev lo;'
                    f'ip addr add {SERVER_2}/32 dev lo')
        # Private addresses vanish here without a word, as on the internet: an
        # error would make coturn close the session of who sends to one. The
        # other end of this cable takes nothing, as no frame is for it.
        internet.sh('ip link add void type veth peer name swallow;'
                    'ip link set void arp off up; ip link set swallow up;'
                    'ip route add default dev void')
        internet.nft('''
            table ip lab {
              chain input { type filter hook input priority 0; }
              chain output { type filter hook output priority 0; }
            }''')
        for side in SIDES:
            self._build_side(side)

    def _build_side(self, side):
        host, router = self.hosts[side], self.hosts[f'{side}-router']
        internet = self.hosts['internet']
        public = SIDES[side]['public']
        behind = SIDES[side]['private']
        first, second, mask = 1, 2, 24
        if self.nat[side] == 'none':
            behind, first, second, mask = public, 129, 130, 25

        self._cable(host, 'eth0', router, 'lan')
        router.sh('echo 1 > /proc/sys/net/ipv4/ip_forward;'
                  f'ip addr add {behind}.{first}/{mask} dev lan')
        self._address(host, f'{behind}.{second}', f'{behind}.{first}', mask)
        self.links[side] = Link(self, side, (router, 'wan'),
                                (internet, f'to-{side}'), seed=self.seed)
        router.sh(f'ip addr add {public}.2/30 dev wan; ip link set wan up;'
                  f'ip route add default via {public}.1')
        internet.sh(f'ip addr add {public}.1/30 dev to-{side};'
                    f'ip link set to-{side} up')
        if self.nat[side] == 'none':
            internet.sh(f'ip route add {public}.128/25 via {public}.2')
            router.nft('''
                table ip lab {
                  chain blocked { }
                  chain forward {
                    type filter hook forward priority 0;
                    jump blocked
                  }
                }''')
        else:
            self._build_nat(router, self.nat[side])

    @staticmethod
    def _build_nat(router, kind):
        """A home's router.

        Both kinds filter by address and port. `cone` maps a socket to one
        port for all destinations (masquerade keeps the source port), while
        `symmetric` takes another port for each. What nobody inside asked for
        is dropped at the door: were it let in to the router itself, conntrack
        would take note of it, and the answer from inside that was to open the
        way would be mapped to another port.
        """
        how = {'cone': '', 'symmetric': 'random,fully-random'}[kind]
        router.nft(f'''
            table ip lab {{
              chain blocked {{ }}
              chain input {{
                type filter hook input priority 0; policy accept;
                iifname "wan" ct state established,related accept
                iifname "wan" drop
              }}
              chain forward {{
                type filter hook forward priority 0; policy drop;
                jump blocked
                ct state established,related accept
                iifname "lan" oifname "wan" accept
              }}
              chain postrouting {{
                type nat hook postrouting priority 100; policy accept;
                oifname "wan" masquerade {how}
              }}
            }}''')

    def block_udp(self, side):
        """No UDP crosses that router from now on, as in some offices."""
        self.hosts[f'{side}-router'].nft(
            'add rule ip lab blocked meta l4proto udp drop')

    def unblock_udp(self, side):
        self.hosts[f'{side}-router'].nft('flush chain ip lab blocked')

    def black_hole(self, port):
        """The server's TCP port neither answers nor refuses from now on."""
        self.hosts['internet'].nft(
            f'add rule ip lab input tcp dport {port} drop\n'
            f'add rule ip lab output tcp sport {port} drop')

    def end_black_holes(self):
        self.hosts['internet'].nft('flush chain ip lab input\n'
                                   'flush chain ip lab output')

    # --- servers on the internet ---

    def start_turn(self):
        """coturn: TURN over UDP and TCP on SERVER, and STUN on SERVER_2, as
        libnice's own STUN request to the address of its TURN server never
        gets its answer."""
        self.turn = self.hosts['internet'].start('turn', [
            _server('turnserver'), '-n', f'--listening-ip={SERVER}',
            f'--listening-ip={SERVER_2}', f'--relay-ip={SERVER}',
            '--realm=lab', f'--user={TURN_USER}:{TURN_PASSWORD}',
            '--lt-cred-mech', '--verbose', '--no-tls', '--no-dtls', '--no-cli',
            '--log-file=stdout', f'--userdb={self.directory}/turn.db',
            f'--pidfile={self.directory}/turn.pid'])
        for address in (SERVER, SERVER_2):
            self._wait_for_stun(address)
        return self.turn

    def _wait_for_stun(self, address):
        request = struct.pack('>HHI12s', 1, 0, 0x2112A442, b'lab is ready')
        end = time.monotonic() + PATIENCE
        with self.hosts['internet'].socket() as probe:
            probe.settimeout(0.05)
            while time.monotonic() < end:
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    probe.connect((address, TURN_PORT))
                    probe.send(request)
                    if probe.recv(512)[8:20] == request[8:20]:
                        return
        raise LabError(f'no STUN at {address}\n{self.turn.tail()}')

    def start_broker(self, tls=False):
        """Mosquitto, with a listener for mqtts:// too if asked for one; its
        authority's certificate is then at `ca_file`."""
        listeners = [f'listener {MQTT_PORT} {SERVER}']
        if tls:
            self._make_certificates()
            listeners += [f'listener {MQTTS_PORT} {SERVER}',
                          f'certfile {self.directory}/server.crt',
                          f'keyfile {self.directory}/server.key']
        path = f'{self.directory}/mosquitto.conf'
        with open(path, 'w', encoding='ascii') as file:
            file.write('\n'.join(['user root', 'per_listener_settings false',
                                  'allow_anonymous true'] + listeners) + '\n')
        self.broker = self.hosts['internet'].start(
            'broker', [_server('mosquitto'), '-v', '-c', path])
        self.broker.expect('running')
        return self.broker

    @property
    def ca_file(self):
        return f'{self.directory}/ca.crt'

    def _make_certificates(self):
        at = self.directory
        new_key = '-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
        self.hosts['internet'].sh(
            f'openssl req -x509 {new_key} -subj /CN=lab -days 2'
            f'  -keyout {at}/ca.key -out {at}/ca.crt;'
            f'openssl req -x509 {new_key} -subj /CN=broker -days 2'
            f'  -addext subjectAltName=IP:{SERVER}'
            f'  -addext basicConstraints=critical,CA:FALSE'
            f'  -CA {at}/ca.crt -CAkey {at}/ca.key'
            f'  -keyout {at}/server.key -out {at}/server.crt')


def _server(name):
    if not shutil.which(name):
        skip(f'{name} is not installed')
    return name


# --- from the command line ----------------------------------------------------

def _control_path():
    if 'LAB_DIR' not in os.environ:
        raise LabError('not inside a lab; see lab.py run')
    return os.path.join(os.environ['LAB_DIR'], 'control')


def _serve_control(net):
    """Let `lab.py link` change the links of this lab."""
    def serve():
        while True:
            client, _ = listener.accept()
            with client, client.makefile('rw', encoding='utf-8') as file:
                name, _, words = file.readline().strip().partition(' ')
                try:
                    answer = 'ok ' + net.links[name].set(words)
                except (KeyError, LabError) as error:
                    answer = f'error {error}'
                file.write(answer + '\n')

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(_control_path())
    listener.listen()
    threading.Thread(target=serve, daemon=True).start()


def _command_run(options):
    enter()
    # The process of the lab outlives Ctrl-C, so that the command can end well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sides = ('device', 'app')
    blocked = [side for side in sides if options.block_udp in (side, 'both')]
    with Lab(options.shape, options.device_nat or options.nat,
             options.app_nat or options.nat, blocked, options.rtt,
             options.loss, options.rate, options.seed) as net:
        if options.shape == 'internet' and not options.no_servers:
            net.start_turn()
            net.start_broker(tls=True)
            os.environ['LAB_MQTT'] = f'mqtt://{SERVER}:{MQTT_PORT}'
            os.environ['LAB_MQTTS'] = f'mqtts://{SERVER}:{MQTTS_PORT}'
            os.environ['LAB_CA_FILE'] = net.ca_file
            os.environ['LAB_STUN'] = f'stun://{SERVER_2}:{TURN_PORT}'
            os.environ['LAB_TURN'] = (f'turn://{TURN_USER}:{TURN_PASSWORD}@'
                                      f'{SERVER}:{TURN_PORT}')
        _serve_control(net)
        return subprocess.call(options.command)


def _command_exec(options):
    fd = FIRST_HOST_FD + HOSTS.index(options.host)
    if options.lab:
        with open(f'/proc/{options.lab}/task/{options.lab}/children',
                  encoding='ascii') as file:
            init = file.read().split()[0]
        command = ['nsenter', '-t', init, '-m', '-p',
                   f'--net=/proc/{init}/fd/{fd}']
        if os.geteuid() != 0:
            command += ['-U', '--preserve-credentials']
        os.execvp('nsenter', command + ['--'] + options.command)
    _control_path()
    os.execvp('nsenter', ['nsenter', f'--net=/proc/1/fd/{fd}', '--'] +
              options.command)


def _command_link(options):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(_control_path())
        with control.makefile('rw', encoding='utf-8') as file:
            file.write(f'{options.link} {" ".join(options.words)}\n')
            file.flush()
            status, _, answer = file.readline().strip().partition(' ')
    print(answer.replace(' ', '\n') if status == 'ok' else answer)
    return 0 if status == 'ok' else 1


def _parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    commands = parser.add_subparsers(required=True)

    run = commands.add_parser('run', help='build a lab and run a command in it')
    run.add_argument('--shape', choices=('internet', 'lan'),
                     default='internet')
    run.add_argument('--nat', choices=NATS, default='cone')
    run.add_argument('--device-nat', choices=NATS)
    run.add_argument('--app-nat', choices=NATS)
    run.add_argument('--block-udp', choices=('device', 'app', 'both'))
    run.add_argument('--rtt', type=float, default=20, metavar='MS',
                     help='between device and app (20)')
    run.add_argument('--loss', type=float, default=0, metavar='SHARE')
    run.add_argument('--rate', type=float, default=0, metavar='BIT/S')
    run.add_argument('--seed', type=int, default=1)
    run.add_argument('--no-servers', action='store_true')
    run.add_argument('command', nargs='+')
    run.set_defaults(function=_command_run)

    execute = commands.add_parser('exec', help='run a command on a host')
    execute.add_argument('--lab', type=int, metavar='PID',
                         help='of the lab.py run, from another terminal')
    execute.add_argument('host', choices=HOSTS)
    execute.add_argument('command', nargs='+')
    execute.set_defaults(function=_command_exec)

    link = commands.add_parser('link', help='change a link; the words of '
                               'link.c, for example: device both loss 0.02')
    link.add_argument('link', choices=('device', 'app'))
    link.add_argument('words', nargs='+')
    link.set_defaults(function=_command_link)
    return parser.parse_args()


def main():
    options = _parse_arguments()
    try:
        return options.function(options)
    except LabError as error:
        print(f'lab: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
