"""The namespaces around a lab: entered once, gone with their first process.

enter() goes on in a child that is init of new mount, PID and network
namespaces (and of a user namespace, where the caller is not root), while the
parent waits, hands signals on and exits as the child does. When the child
ends, however it ends, the kernel kills everything else in there.

Copyright (C) 2026 the iv-p2p authors
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile

SKIPPED = 77

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 16384, 1 << 18
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def skip(reason):
    """Leave with the exit code that test runners take for "skipped"."""
    print(f'SKIPPED: the lab cannot run here: {reason}', flush=True)
    sys.exit(SKIPPED)


def call(name, *args):
    """Call the C library; its error becomes an OSError."""
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f'{name}: {os.strerror(code)}')


def _mount(source, target, kind, flags):
    call('mount', source and source.encode(), target.encode(),
          kind and kind.encode(), ctypes.c_ulong(flags), None)


def enter():
    """Go on inside, with LAB_DIR naming a directory that nobody else sees.

    Exits with SKIPPED where such namespaces are not allowed.
    """
    os.environ['PATH'] = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    for tool in ('ip', 'nft'):
        if not shutil.which(tool):
            skip(f'{tool} is not installed')
    if not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        skip('/dev/net/tun cannot be opened')
    _unshare()
    directory = tempfile.mkdtemp(prefix='lab-')
    child = os.fork()
    if child != 0:
        sys.exit(_wait_for(child, directory))

    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, frame: sys.exit(128 + n))
    try:
        call('unshare', CLONE_NEWNS)
        _mount(None, '/', None, MS_REC | MS_PRIVATE)
        _mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC)
        _mount('tmpfs', directory, 'tmpfs', MS_NOSUID | MS_NODEV)
    except OSError as error:
        skip(error)
    _try('nft', 'add table ip trial; add chain ip trial nat '
         '{ type nat hook postrouting priority 100; }; delete table ip trial')
    _try('ip', 'link', 'add', 'trial', 'type', 'veth', 'peer', 'name', 'other')
    _try('ip', 'tuntap', 'add', 'tun-trial', 'mode', 'tun')
    os.environ['LAB_DIR'] = directory


def _try(*command):
    """What the kernel lacks is known now, not halfway through a lab."""
    done = subprocess.run(command, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        skip(f'{" ".join(command)}: {done.stdout.strip()}')


def _unshare():
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWPID | CLONE_NEWNET
    try:
        if uid == 0:
            with contextlib.suppress(PermissionError):
                call('unshare', flags)
                return
        call('unshare', flags | CLONE_NEWUSER)
        for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {uid} 1'),
                           ('gid_map', f'0 {gid} 1')):
            with open(f'/proc/self/{name}', 'w', encoding='ascii') as file:
                file.write(text)
    except OSError as error:
        skip(f'namespaces are not allowed ({error.strerror})')


def _wait_for(child, directory):
    def hand_on(number, frame):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, hand_on)
    _, status = os.waitpid(child, 0)
    os.rmdir(directory)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
