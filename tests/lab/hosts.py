"""What a lab is made of: hosts, the programs on them, the links between.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import fcntl
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

from sandbox import CLONE_NEWNET, call

# A host is a descriptor of the lab's process, with this number and up, so that
# other processes find it in /proc.
FIRST_HOST_FD = 100
HOSTS = ('device', 'device-router', 'internet', 'app-router', 'app', 'lan')
PATIENCE = 20
STOP_TIMEOUT = 5
BORING = r'Got message .*\((state-changed|stream-status|latency|tag)\)'
SIOCGIFFLAGS = 0x8913
IFF_RUNNING = 0x40


class LabError(Exception):
    """The lab could not be built, or something in it did not happen."""


class Process:
    """A program on a host, and what it has said so far, line by line.

    A thread reads its output and stamps every line with CLOCK_MONOTONIC, which
    all hosts of the lab share. `lock` guards `lines` and `ended`.
    """

    def __init__(self, host, name, command, env=None, stdin=None):
        self.host, self.name, self.command = host, name, command
        self.lines = []
        self.ended = False
        self.lock = threading.Condition()
        self._seen = 0
        self._followers = []
        with host.inside():
            self.popen = subprocess.Popen(
                command, env={**os.environ, **(env or {})}, text=True,
                stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, errors='replace',
                start_new_session=True)
        self.started = time.monotonic()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.popen.stdout:
            with self.lock:
                self.lines.append((time.monotonic(), line.rstrip('\n')))
                for follower in self._followers:
                    follower(line.rstrip('\n'))
                self.lock.notify_all()
        with self.lock:
            self.ended = True
            self.lock.notify_all()

    def expect(self, pattern, timeout=PATIENCE):
        """Wait for a line after the last expected one that matches."""
        self._seen, match = self._find(pattern, self._seen, timeout)
        return match

    def wait_for(self, pattern, timeout=PATIENCE):
        """Wait for a line that matches, wherever it is."""
        return self._find(pattern, 0, timeout)[1]

    def _find(self, pattern, index, timeout):
        deadline = time.monotonic() + timeout
        expression = re.compile(pattern)
        with self.lock:
            while True:
                for index, (_, line) in enumerate(self.lines[index:], index):
                    match = expression.search(line)
                    if match:
                        return index + 1, match
                index = len(self.lines)
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    break
                self.lock.wait(left)
        what = 'ended' if self.ended else f'did not say so in {timeout} s'
        raise LabError(f'{self.name}: waiting for /{pattern}/: it {what}\n' +
                       self.tail())

    def follow(self, pattern, function):
        """Call @function with every line that matches, past and to come. It
        must not use this process."""
        def follower(line):
            if re.search(pattern, line):
                function(line)

        with self.lock:
            for _, line in self.lines:
                follower(line)
            self._followers.append(follower)

    def said(self, pattern):
        """All matches of @pattern so far."""
        expression = re.compile(pattern)
        with self.lock:
            found = (expression.search(line) for _, line in self.lines)
            return [match for match in found if match]

    def tail(self, count=40):
        """What it has said last; `gst-launch-1.0 -m` says a lot of no use."""
        with self.lock:
            told = [(when, line) for when, line in self.lines
                    if not re.match(BORING, line)]
        return '\n'.join(f'    {self.name} +{when - self.started:.3f} | {line}'
                         for when, line in told[-count:])

    def send(self, line):
        self.popen.stdin.write(line + '\n')
        self.popen.stdin.flush()

    def running(self):
        return self.popen.poll() is None

    def kill(self, number=signal.SIGKILL):
        """To the program and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, number)

    def wait(self, timeout=PATIENCE):
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise LabError(f'{self.name} still runs after {timeout} s\n' +
                           self.tail()) from None

    def stop(self, number=signal.SIGTERM):
        """End it; whoever does not go in time is killed. Its exit code."""
        if self.running():
            self.kill(number)
        try:
            return self.popen.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill(signal.SIGKILL)
            self.popen.wait()
            raise LabError(f'{self.name} had to be killed\n' +
                           self.tail()) from None


class Host:
    """One network namespace."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.fd = FIRST_HOST_FD + HOSTS.index(name)
        self.netns = f'/proc/{os.getpid()}/fd/{self.fd}'
        self.address = None
        home = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        try:
            call('unshare', CLONE_NEWNET)
            fd = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
            os.dup2(fd, self.fd, inheritable=False)
            os.close(fd)
            call('setns', home, CLONE_NEWNET)
        finally:
            os.close(home)
        # What a distribution sets for new interfaces is not for the lab.
        self.sh('for f in all default; do'
                '  echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter;'
                '  echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6'
                '    2>/dev/null || true; done; ip link set lo up')

    @contextlib.contextmanager
    def inside(self):
        """What this thread makes in here, belongs to the host: sockets and
        processes."""
        home = os.open('/proc/thread-self/ns/net', os.O_RDONLY)
        try:
            call('setns', self.fd, CLONE_NEWNET)
            yield
        finally:
            call('setns', home, CLONE_NEWNET)
            os.close(home)

    def run(self, command, text=None, check=True):
        """Run a short command to its end; its output."""
        with self.inside():
            done = subprocess.run(command, input=text, text=True, check=False,
                                  stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        if check and done.returncode != 0:
            raise LabError(f'{self.name}: {" ".join(command)}: '
                           f'{done.stdout.strip()}')
        return done.stdout

    def sh(self, script):
        return self.run(['sh', '-ec', script])

    def nft(self, rules):
        self.run(['nft', '-f', '-'], text=rules)

    def socket(self, kind=socket.SOCK_DGRAM):
        """A socket on this host, for use right here in the test."""
        with self.inside():
            return socket.socket(socket.AF_INET, kind | socket.SOCK_CLOEXEC)

    def wait_until_running(self, device):
        """The kernel tells programs of a plugged cable a little later."""
        request = struct.pack('16sH14x', device.encode(), 0)
        end = time.monotonic() + PATIENCE
        with self.socket() as any_socket:
            while time.monotonic() < end:
                answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
                if struct.unpack('16sH14x', answer)[1] & IFF_RUNNING:
                    return
                time.sleep(0.001)
        raise LabError(f'{self.name}: {device} does not come up')

    def start(self, name, command, **settings):
        process = Process(self, name, command, **settings)
        self.lab.processes.append(process)
        return process


class Link:
    """A running lab-link. `right` is the direction away from the host."""

    def __init__(self, lab, name, left, right, tap=False, seed=1):
        command = [_link_program(), '--seed', str(seed)]
        ends = [f'{host.netns}:{device}' for host, device in (left, right)]
        self.lock = threading.Lock()
        self.process = lab.lan_or_internet.start(
            f'link-{name}', command + (['--tap'] if tap else []) + ends,
            stdin=subprocess.PIPE)
        self.process.expect('^ok ready')

    def set(self, words):
        """Change the link; returns when the change holds."""
        with self.lock:
            self.process.send(words)
            answer = self.process.expect('^(ok|error) ?(.*)')
        if answer[1] != 'ok':
            raise LabError(f'{self.process.name}: {answer[2]}')
        return answer[2]

    def stats(self):
        pairs = (word.split('=') for word in self.set('stats').split())
        return {key: int(value) for key, value in pairs}


def _link_program():
    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.environ.get('LAB_BIN_DIR', ''), here,
              os.path.join(here, '../../build/tests/lab')]
    for place in places:
        program = os.path.join(place, 'lab-link')
        if place and os.access(program, os.X_OK):
            return program
    raise LabError('lab-link is not built; LAB_BIN_DIR names its directory')
