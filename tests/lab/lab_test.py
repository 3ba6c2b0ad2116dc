#!/usr/bin/env python3
"""Does the lab behave as it says? Its NATs, links and servers, without any
code of ours in the hosts.

That a packet does not arrive is shown by another one, sent after it on a way
that keeps the order, which does.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

import lab
from cases import (case, check, check_between, check_equal, main, new_lab,
                   note)

PATIENCE = 10
HEADERS = 28                    # IP and UDP
SO_TIMESTAMPNS = 35             # Python has no name for it


def udp(host, address='0.0.0.0', port=0):
    sock = host.socket()
    sock.settimeout(PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.bind((address, port))
    return sock


def receive(sock):
    data, source = sock.recvfrom(2048)
    return data.decode(), source


def nothing_waits(sock):
    return not select.select([sock], [], [], 0)[0]


class Servers:
    """Three sockets on the internet: two ports of an address, and another."""

    def __init__(self, net):
        internet = net.hosts['internet']
        self.first = udp(internet, lab.SERVER, 5001)
        self.other_port = udp(internet, lab.SERVER, 5002)
        self.other_address = udp(internet, lab.SERVER_2, 5001)
        self.all = (self.first, self.other_port, self.other_address)

    def see(self, sock):
        """As who @sock appears to each of them."""
        sources = []
        for server in self.all:
            sock.sendto(b'who am I', server.getsockname())
            sources.append(receive(server)[1])
        return sources


# --- NATs -----------------------------------------------------------------------

@case
def nat_none_is_transparent():
    with new_lab(device_nat='none') as net:
        servers = Servers(net)
        device = udp(net.device)
        address = (net.device.address, device.getsockname()[1])
        for server in servers.all:
            server.sendto(b'unasked', address)
            check_equal(receive(device)[0], 'unasked', 'from a stranger')
        check_equal(set(servers.see(device)), {address}, 'the address seen')


@case
def nat_cone_maps_once_and_filters_by_port():
    with new_lab(device_nat='cone') as net:
        servers = Servers(net)
        device = udp(net.device)
        device.sendto(b'hello', servers.first.getsockname())
        mapped = receive(servers.first)[1]
        check_equal(mapped[0], '198.51.100.2', 'the router\'s address')
        for stranger in (servers.other_port, servers.other_address):
            stranger.sendto(b'stranger', mapped)
        servers.first.sendto(b'friend', mapped)
        check_equal(receive(device)[0], 'friend', 'what came through first')
        check(nothing_waits(device), 'a stranger came through as well')
        # The strangers' packets must not have changed the mapping.
        check_equal(set(servers.see(device)), {mapped}, 'mappings')


@case
def nat_symmetric_maps_each_destination():
    with new_lab(device_nat='symmetric') as net:
        servers = Servers(net)
        device = udp(net.device)
        sources = servers.see(device)
        check(len(set(sources)) > 1, f'one mapping for all: {sources}')
        check_equal(servers.see(device), sources, 'mappings the second time')
        servers.first.sendto(b'friend', sources[0])
        check_equal(receive(device)[0], 'friend', 'the answer')


def punch(net, first, second):
    """Both learn their mapping; @first punches while the way is closed, then
    @second, then @first again. What each got."""
    server = udp(net.hosts['internet'], lab.SERVER, 5001)
    sockets, mapped = {}, {}
    for name in (first, second):
        sockets[name] = udp(net.hosts[name])
        sockets[name].sendto(b'hello', server.getsockname())
        mapped[name] = receive(server)[1]
    got = {first: [], second: []}

    def to_peer(name, peer):
        sockets[name].sendto(b'punch', mapped[peer])
        # When this has come, via the server, the punch has arrived or is lost.
        sockets[name].sendto(b'marker', server.getsockname())
        receive(server)
        server.sendto(b'marker', mapped[peer])
        while True:
            data, _ = receive(sockets[peer])
            if data == 'marker':
                return
            got[peer].append(data)

    to_peer(first, second)
    to_peer(second, first)
    to_peer(first, second)
    return got


@case
def punching_works_between_cones():
    for first, second in (('device', 'app'), ('app', 'device')):
        with new_lab() as net:
            check_equal(punch(net, first, second),
                        {first: ['punch'], second: ['punch']}, 'arrived')


@case
def punching_fails_with_a_symmetric_nat():
    for device, app in (('symmetric', 'symmetric'), ('cone', 'symmetric'),
                        ('symmetric', 'cone')):
        for order in (('device', 'app'), ('app', 'device')):
            with new_lab(device_nat=device, app_nat=app) as net:
                check_equal(punch(net, *order), {'device': [], 'app': []},
                            f'arrived, {device} to {app}')


@case
def blocked_udp_leaves_tcp_alone():
    for nat in lab.NATS:
        with new_lab(device_nat=nat, block_udp=['device']) as net:
            internet = net.hosts['internet']
            listener = internet.socket(socket.SOCK_STREAM)
            listener.bind((lab.SERVER, 5001))
            listener.listen()
            server = udp(internet, lab.SERVER, 5001)
            udp(net.device).sendto(b'blocked', server.getsockname())
            client = net.device.socket(socket.SOCK_STREAM)
            client.settimeout(PATIENCE)
            client.connect(listener.getsockname())
            listener.accept()
            check(nothing_waits(server), f'UDP crossed the router ({nat})')


@case
def private_addresses_vanish_on_the_internet():
    with new_lab() as net:
        server = udp(net.hosts['internet'], lab.SERVER, 5001)
        for host in (net.device, net.app):
            server.connect((host.address, 5000))
            for _ in range(10):
                server.send(b'lost')
        error = server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        check_equal(error, 0, 'error of a socket that sends to nowhere')


@case
def black_hole_neither_answers_nor_refuses():
    with new_lab() as net:
        listener = net.hosts['internet'].socket(socket.SOCK_STREAM)
        listener.bind((lab.SERVER, lab.MQTT_PORT))
        listener.listen()
        servers = Servers(net)

        def connect():
            client = net.app.socket(socket.SOCK_STREAM)
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            servers.see(udp(net.app))
            return client, select.select([], [client], [], 0)[1] != []

        check(connect()[1], 'no connection before')
        net.black_hole(lab.MQTT_PORT)
        client, answered = connect()
        check(not answered, 'the black hole answered')
        net.end_black_holes()
        client.settimeout(PATIENCE)
        check(select.select([], [client], [], PATIENCE)[1],
              'the waiting connection does not come about afterwards')


@case
def lan_carries_broadcast_and_multicast():
    group = '239.255.77.77'
    with new_lab(shape='lan') as net:
        device, app = udp(net.device), udp(net.app, port=5000)
        device.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        app.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                       socket.inet_aton(group)
                       + socket.inet_aton(net.app.address))
        for target in ('255.255.255.255', '10.77.0.255', group):
            device.sendto(target.encode(), (target, 5000))
            check_equal(receive(app)[0], target, 'target')


@case
def servers_start_and_answer():
    with new_lab() as net:
        net.start_turn()
        net.start_broker(tls=True)
        listening = net.device.start('subscriber', [
            'mosquitto_sub', '-h', lab.SERVER, '-p', str(lab.MQTTS_PORT),
            '--cafile', net.ca_file, '-t', 'lab', '-C', '1'])
        net.broker.expect('Sending SUBACK')
        net.app.run(['mosquitto_pub', '-h', lab.SERVER, '-t', 'lab',
                     '-m', 'through the broker'])
        listening.expect('^through the broker$')


# --- links ----------------------------------------------------------------------

class Flow:
    """Numbered, time-stamped packets from the device to the internet, over the
    device's link."""

    BATCH = 200

    def __init__(self, net):
        self.link = net.links['device']
        self.sink = udp(net.hosts['internet'], lab.SERVER, 5001)
        self.source = udp(net.device)
        self.source.connect(self.sink.getsockname())
        self.sent = 0

    def send(self, count=1, size=100):
        """@size counts the headers; what follows waits for each batch."""
        for _ in range(count):
            stamp = struct.pack('>IQ', self.sent, time.monotonic_ns())
            self.source.send(stamp.ljust(size - HEADERS, b'.'))
            self.sent += 1
            if self.sent % self.BATCH == 0:
                self.settle()

    def settle(self):
        """Wait until the link has dealt with everything sent so far."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            stats = self.link.stats()
            lost = sum(stats[f'right-{name}'] for name in
                       ('lost', 'queue-drops', 'mtu-drops', 'down-drops'))
            if (stats['right-in'] == self.sent
                    and stats['right-out'] + lost
                    == self.sent + stats['right-duplicated']):
                return stats
        raise lab.LabError(f'the link did not settle: {stats}')

    def arrived(self):
        """(number, ms on the way) of what has arrived, in that order."""
        self.settle()
        packets = []
        while not nothing_waits(self.sink):
            data, ancillary, _, _ = self.sink.recvmsg(2048, 64)
            number, sent_at = struct.unpack('>IQ', data[:12])
            packets.append((number, (self._stamp(ancillary) - sent_at) / 1e6))
        return packets

    def stamp_arrivals(self):
        """Have the kernel note when packets arrive, as this test reads them
        later. Its stamps are of the wall clock: take the difference."""
        self.sink.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.wall = time.time_ns() - time.monotonic_ns()

    def _stamp(self, ancillary):
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, ns = struct.unpack('qq', data)
                return seconds * 10**9 + ns - self.wall
        return time.monotonic_ns()


@case
def round_trip_is_as_configured():
    with new_lab(rtt=50) as net:
        server = udp(net.hosts['internet'], lab.SERVER, 5001)
        device, app = udp(net.device), udp(net.app)
        times = []
        for name, sock in (('device', device), ('app', app)):
            for _ in range(10):
                start = time.monotonic()
                sock.sendto(b'ping', server.getsockname())
                server.sendto(b'pong', receive(server)[1])
                receive(sock)
                times.append((time.monotonic() - start) * 1000)
            check_between(min(times), 25, 28, f'ms from {name} to the server')
    with new_lab(shape='lan', rtt=50) as net:
        app = udp(net.app, port=5001)
        device, times = udp(net.device), []
        for _ in range(10):
            start = time.monotonic()
            device.sendto(b'ping', (net.app.address, 5001))
            app.sendto(b'pong', receive(app)[1])
            receive(device)
            times.append((time.monotonic() - start) * 1000)
        check_between(min(times), 50, 53, 'ms on the LAN')


def lost_numbers(seed, loss):
    with new_lab(seed=seed) as net:
        flow = Flow(net)
        flow.link.set(f'both loss {loss}')
        flow.send(4000)
        numbers = [number for number, _ in flow.arrived()]
        check_equal(numbers, sorted(numbers), 'order of arrival')
        return sorted(set(range(4000)) - set(numbers))


@case
def loss_is_as_configured_and_repeats_with_its_seed():
    lost = lost_numbers(seed=7, loss=0.02)
    # 80 are expected, and 9 are one standard deviation.
    check_between(len(lost), 35, 125, 'packets lost of 4000')
    check_equal(lost_numbers(seed=7, loss=0.02), lost, 'lost the second time')
    check(lost_numbers(seed=8, loss=0.02) != lost, 'another seed, same loss')


@case
def bursts_are_as_long_as_configured():
    lost = lost_numbers(seed=3, loss='0.05 5')
    bursts = sum(1 for number in lost if number - 1 not in lost)
    # 200 packets in 40 bursts are expected; their deviation is about 46.
    check_between(len(lost), 60, 400, 'packets lost of 4000')
    check_between(len(lost) / bursts, 3, 8, 'packets a burst')


@case
def jitter_spreads_and_keeps_the_order():
    with new_lab() as net:
        flow = Flow(net)
        flow.stamp_arrivals()
        flow.link.set('both delay 10')
        flow.link.set('both jitter 20')
        for _ in range(50):
            flow.send(1)
            flow.settle()
        flow.send(200)
        packets = flow.arrived()
        numbers = [number for number, _ in packets]
        check_equal(numbers, list(range(250)), 'order of arrival')
        alone = [delay for _, delay in packets[:50]]
        check_between(min(alone), 10, 14, 'least delay')
        check(max(alone) > 20, f'greatest delay of 50 is {max(alone)} ms')


@case
def reordering_and_duplication_happen():
    with new_lab() as net:
        flow = Flow(net)
        flow.link.set('both reorder 0.1 5')
        flow.link.set('both duplicate 0.1')
        flow.send(1000)
        stats = flow.settle()
        numbers = [number for number, _ in flow.arrived()]
        check_equal(set(numbers), set(range(1000)), 'packets')
        late = sum(1 for a, b in zip(numbers, numbers[1:]) if b < a)
        check(late > 0, 'nothing was out of order')
        check_between(stats['right-reordered'], 55, 150, 'reordered of 1000')
        check_between(len(numbers) - 1000, 55, 150, 'duplicates of 1000')


@case
def rate_and_queue_are_as_configured():
    with new_lab() as net:
        flow = Flow(net)
        flow.stamp_arrivals()
        flow.link.set('both rate 2000000')
        flow.send(100, size=1250)
        delays = [delay for _, delay in flow.arrived()]
        check_equal(len(delays), 100, 'packets through a long queue')
        check_between(delays[-1], 470, 540, 'ms the last one took')

        flow.link.set('both queue 10000')
        flow.send(100, size=1250)
        packets = flow.arrived()
        dropped = 200 - 100 - len(packets)
        check_equal(flow.settle()['right-queue-drops'], dropped, 'queue drops')
        check(dropped > 50, f'only {dropped} of 100 dropped')
        check_between(max(delay for _, delay in packets), 35, 70,
                      'ms behind 10000 bytes at 2 Mbit/s')


@case
def rate_counts_ip_packets_alone():
    """Also where there are Ethernet's headers around them, 14 bytes each."""
    count, size, rate = 200, 48, 200000
    with new_lab(shape='lan') as net:
        device, app = udp(net.device), udp(net.app, port=5000)
        device.sendto(b'who has it', (net.app.address, 5000))
        receive(app)
        net.links['device'].set(f'both rate {rate}')
        start = time.monotonic()
        for _ in range(count):
            device.sendto(b'.' * (size - HEADERS), (net.app.address, 5000))
        for _ in range(count):
            receive(app)
        ms = (time.monotonic() - start) * 1000
        ideal = count * size * 8000 / rate
        check_between(ms, ideal - 10, ideal * 1.22, 'ms for all')


@case
def freeze_holds_everything_and_loses_nothing():
    with new_lab() as net:
        flow = Flow(net)
        flow.stamp_arrivals()
        start = time.monotonic_ns()
        flow.link.set('both freeze 150')
        flow.send(20)
        after = (time.monotonic_ns() - start) / 1e6
        delays = [delay for _, delay in flow.arrived()]
        check_equal(len(delays), 20, 'packets')
        check(min(delays) >= 150 - after, f'one took {min(delays)} ms')


@case
def cable_can_be_pulled_and_put_back():
    with new_lab() as net:
        flow = Flow(net)
        flow.send(5)
        check_equal(len(flow.arrived()), 5, 'before')
        flow.link.set('both down')
        flow.send(5)
        check_equal(len(flow.arrived()), 0, 'while down')
        flow.link.set('both up')
        flow.send(5)
        check_equal(len(flow.arrived()), 5, 'afterwards')


@case
def larger_packets_than_the_mtu_vanish():
    with new_lab() as net:
        flow = Flow(net)
        flow.link.set('both mtu 1000')
        flow.send(1, size=1001)
        flow.send(1, size=1000)
        check_equal([number for number, _ in flow.arrived()], [1], 'arrived')


@case
def one_direction_can_be_set_alone():
    with new_lab() as net:
        flow = Flow(net)
        flow.link.set('left loss 1')
        flow.send(10)
        packets = flow.arrived()
        check_equal(len(packets), 10, 'to the right')
        flow.link.set('right loss 1')
        flow.send(10)
        check_equal(len(flow.arrived()), 0, 'to the right, lost')
        try:
            flow.link.set('both loss 2')
        except lab.LabError:
            return
        raise AssertionError('a loss of 200 % was accepted')


@case
def link_needs_less_than_a_core_for_200_mbit():
    """Measured as its CPU time a packet, whatever else the machine does."""
    megabytes = 40
    with new_lab() as net:
        listener = net.hosts['internet'].socket(socket.SOCK_STREAM)
        listener.bind((lab.SERVER, 5001))
        listener.listen()
        client = net.device.socket(socket.SOCK_STREAM)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        server.settimeout(PATIENCE)
        start, got, block = time.monotonic(), 0, bytes(1 << 20)
        reader = os.fork()
        if reader == 0:
            for _ in range(megabytes):
                client.sendall(block)
            os._exit(0)
        while got < megabytes << 20:
            got += len(server.recv(1 << 20))
        seconds = time.monotonic() - start
        os.waitpid(reader, 0)
        stats = net.links['device'].stats()
        packets = stats['right-in'] + stats['left-in']
        each = stats['cpu-us'] / packets
        note(f'{got * 8 / seconds / 1e6:.0f} Mbit/s, {each:.1f} us a packet')
        check(each < 1e6 / (200e6 / 8 / 1200), f'{each} us a packet')


# --- the end --------------------------------------------------------------------

def processes():
    """Those that run; a dead one waits for its parent, which may be init."""
    running = set()
    for name in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f'/proc/{name}/stat', encoding='utf-8') as file:
                if file.read().rpartition(')')[2].split()[0] != 'Z':
                    running.add(int(name))
    return running


@case
def nothing_is_left_however_it_ends():
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                           'lab.py')
    scratch = os.path.join(os.environ['LAB_DIR'], 'tmp')
    os.mkdir(scratch)
    before = processes()
    endings = {'exit': None, 'term': signal.SIGTERM, 'int': signal.SIGINT,
               'kill': signal.SIGKILL}
    for name, number in endings.items():
        process = subprocess.Popen(
            [sys.executable, program, 'run', '--', 'sh', '-c',
             'echo ready; exec cat'], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, 'TMPDIR': scratch})
        check_equal(process.stdout.readline(), 'ready\n', name)
        if number:
            process.send_signal(number)
        if name in ('exit', 'int'):
            process.stdin.close()
        process.wait(PATIENCE)
        end = time.monotonic() + PATIENCE
        while processes() - before and time.monotonic() < end:
            time.sleep(0.005)   # there is no event for the last one's end
        check_equal(processes() - before, set(), f'processes left by {name}')
        left = os.listdir(scratch)
        if name != 'kill':
            check_equal(left, [], f'files left by {name}')
        else:
            # Only the mount point, as nobody was there to remove it.
            check_equal([os.listdir(os.path.join(scratch, directory))
                         for directory in left], [[]], 'files left by kill')


if __name__ == '__main__':
    main()
