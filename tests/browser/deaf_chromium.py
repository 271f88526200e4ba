#!/usr/bin/env python3
"""Starts Chromium so that it cannot hear of network interfaces: it would end its requests whenever one comes or goes.

Containers and network namespaces of other tests bring interfaces and take them away. The kernel tells of it on netlink
sockets; here none can be opened, and Chromium then takes the network for one that never changes (ERR_NETWORK_CHANGED).
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

CHROMIUM = "/usr/bin/chromium"

# linux/prctl.h, linux/seccomp.h, linux/bpf_common.h, and the number of the system call socket
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
ALLOW, FAIL = 0x7FFF0000, 0x00050000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, FIRST_ARGUMENT_AT = 0, 16
SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]

PROGRAM = (
    (LOAD, 0, 0, NUMBER_AT),
    (JUMP_IF_EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, FIRST_ARGUMENT_AT),
    (JUMP_IF_EQUAL, 0, 1, socket.AF_NETLINK),
    (RETURN, 0, 0, FAIL | errno.EAFNOSUPPORT),
    (RETURN, 0, 0, ALLOW),
)


def refuse_netlink() -> None:
    """From here on, in this process and all that it starts, no netlink socket can be opened."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in PROGRAM))
    described = ctypes.create_string_buffer(struct.pack("HP", len(PROGRAM), ctypes.addressof(program)))
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0)):
        if libc.prctl(*(ctypes.c_ulong(word) if isinstance(word, int) else word for word in words)):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse_netlink()
    os.execv(CHROMIUM, [CHROMIUM, *sys.argv[1:]])
