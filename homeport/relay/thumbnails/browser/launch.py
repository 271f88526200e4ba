"""Turns into a browser that can do little harm: `python -I -S launch.py <port> <program> <arguments…>`.

Standard input and output become descriptors 3 and 4, on which Chromium speaks the DevTools protocol. For ever, for the
browser and all that it starts: TCP to `port` only (Landlock, from Linux 6.7), no UDP and no raw sockets, no netlink (so
that interfaces which come and go do not disturb it), no new privileges, and for root those of user 65534 instead.
It stands alone, on the standard library. Sources: Linux Documentation/userspace-api/{landlock,seccomp_filter}.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import struct
import sys
from typing import NoReturn

NOBODY = 65534
MOST_FILE = 64 * 1024 * 1024  # bytes of each file that it writes
_CANNOT_RUN = 127

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _SECCOMP_MODE_FILTER = 22, 38, 2
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT, _LANDLOCK_VERSION = 444, 445, 446, 1
_BIND_TCP, _CONNECT_TCP, _NET_PORT = 1, 2, 2
_SCOPES = 0b11  # abstract Unix sockets and signals stay inside

# Of each architecture: linux/audit.h's number, and those of the calls socket and io_uring_setup
_ARCHITECTURES = {"x86_64": (0xC000003E, 41, 425), "aarch64": (0xC00000B7, 198, 425)}
_X32 = 0x40000000  # calls of another kind than the numbers above mean
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _DOMAIN_AT, _KIND_AT, _PROTOCOL_AT = 0, 4, 16, 24, 32
_KIND_MASK = 0xF


def main() -> NoReturn:
    port, program, *arguments = sys.argv[1:]
    os.dup2(0, 3)
    os.dup2(1, 4)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_FILE, MOST_FILE))
    os.nice(5)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _connect_only_to(int(port))
    _open_only_streams()
    try:
        os.execv(program, [program, *arguments])  # noqa: S606 - argv, and no shell is wanted
    except OSError:
        os._exit(_CANNOT_RUN)


def _connect_only_to(port: int) -> None:
    """TCP; on an older kernel this stays undone, and the browser's own rules alone say where it goes."""
    try:
        version = _call("syscall", _LANDLOCK_CREATE, 0, 0, _LANDLOCK_VERSION)
    except OSError:
        return
    if version < 4:
        return
    attributes = struct.pack("=QQQ", 0, _BIND_TCP | _CONNECT_TCP, _SCOPES)[: 24 if version >= 6 else 16]
    rules = _call("syscall", _LANDLOCK_CREATE, attributes, len(attributes), 0)
    _call("syscall", _LANDLOCK_ADD, rules, _NET_PORT, struct.pack("=QQ", _CONNECT_TCP, port), 0)
    _call("syscall", _LANDLOCK_RESTRICT, rules, 0)
    os.close(rules)


def _open_only_streams() -> None:
    """Sockets of Unix, and TCP. On an architecture that is not known here nothing is forbidden."""
    known = _ARCHITECTURES.get(os.uname().machine)
    if known is None:
        return
    architecture, opens_socket, sets_ring_up = known
    program = (
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 0, 15, architecture),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 13, 0, _X32),
        (_EQUAL, 12, 0, sets_ring_up),  # it could open sockets without that call
        (_EQUAL, 0, 10, opens_socket),
        (_LOAD, 0, 0, _DOMAIN_AT),
        (_EQUAL, 8, 0, socket.AF_UNIX),
        (_EQUAL, 1, 0, socket.AF_INET),
        (_EQUAL, 0, 7, socket.AF_INET6),
        (_LOAD, 0, 0, _KIND_AT),
        (_AND, 0, 0, _KIND_MASK),
        (_EQUAL, 0, 4, socket.SOCK_STREAM),
        (_LOAD, 0, 0, _PROTOCOL_AT),  # for there are streams that Landlock does not know
        (_EQUAL, 1, 0, 0),
        (_EQUAL, 0, 1, socket.IPPROTO_TCP),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL | errno.EAFNOSUPPORT),
    )
    lines = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    _call(
        "prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, struct.pack("HP", len(program), ctypes.addressof(lines)), 0, 0
    )


def _call(name: str, *arguments: int | bytes) -> int:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.restype = ctypes.c_long
    result: int = function(*(each if isinstance(each, bytes) else ctypes.c_long(each) for each in arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main()
