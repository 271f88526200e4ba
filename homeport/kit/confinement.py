"""Confines a process, and all it will start, to its own files: Landlock, and no capabilities even for root.

Called between fork and exec, also by programs that run without the portal's modules (the supervisor, the leash), which
import it in the child only. So it stands alone, on the standard library.
Sources: Linux Documentation/userspace-api/landlock.rst, landlock(7), capabilities(7).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_VERSION = 1
_PATH_BENEATH = 1
_CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91}
_CAPABILITIES_V3 = 0x20080522
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_LAST_CAPABILITY = 63

# struct landlock_ruleset_attr.handled_access_fs, by the version that introduced it
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_ALL = (1 << 13) - 1
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_SCOPES = 0b11  # abstract Unix sockets and signals stay inside


class Confinement:
    """Absolute, resolved paths. Below `hidden` nothing can be opened, but for what `writable` and `readable` name;
    everything else of the machine can be read and run, and nothing of it changed."""

    def __init__(self, hidden: list[str], readable: list[str], writable: list[str]) -> None:
        self.hidden = hidden
        self.readable = readable
        self.writable = writable

    def as_lists(self) -> tuple[list[str], list[str], list[str]]:
        """As plain data, in the order of the constructor."""
        return self.hidden, self.readable, self.writable


def supported() -> int:
    """The version of Landlock that this kernel has; 0 for none."""
    try:
        return _syscall(_CREATE_RULESET, 0, 0, _VERSION)
    except OSError:
        return 0


def confine(wanted: Confinement) -> None:
    """For ever, for this thread and its children. Raises OSError; the process must then not go on.

    On a kernel without Landlock only the capabilities go.
    """
    version = supported()
    if version:
        _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        handled = _ALL | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)
        handled |= _IOCTL_DEV if version >= 5 else 0
        # fs, network (none handled), scopes: older kernels take the shorter structure
        attributes = struct.pack("=QQQ", handled, 0, _SCOPES)[: 24 if version >= 6 else 8]
        rules = _syscall(_CREATE_RULESET, attributes, len(attributes), 0)
        try:
            _allow_outside("/", set(wanted.hidden), rules, handled)
            for path in wanted.readable:
                _allow(rules, path, _READ & handled)
            for path in (*wanted.writable, "/dev"):
                _allow(rules, path, handled)
            _syscall(_RESTRICT_SELF, rules, 0)
        finally:
            os.close(rules)
    _drop_capabilities()  # a portal that is not root may still have been given some, for ports below 1024


def _allow_outside(folder: str, hidden: set[str], rules: int, handled: int) -> None:
    """Everything in `folder` that is not hidden may be read; a folder that holds something hidden, entry by entry."""
    above = {path for path in hidden if path.startswith(folder.rstrip("/") + "/")}
    if not above:
        _allow(rules, folder, _READ & handled)
        return
    try:
        names = os.listdir(folder)  # noqa: PTH208 - no pathlib here: this runs in every start of an app
    except PermissionError:
        return  # what we may not list, the app may not either
    for name in names:
        path = f"{folder.rstrip('/')}/{name}"
        if path in hidden:
            continue
        if os.path.islink(path):  # noqa: PTH114
            continue  # opened through it, a file counts by where it really is
        if any(each.startswith(path + "/") for each in above):
            _allow_outside(path, above, rules, handled)
        else:
            _allow(rules, path, _READ & handled)


def _allow(rules: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            access &= _OF_A_FILE
        _syscall(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0)
    finally:
        os.close(descriptor)


def _drop_capabilities() -> None:
    """Root without them is an ordinary user that owns root's files; who has none loses none."""
    for capability in range(_LAST_CAPABILITY + 1):
        try:
            _call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError as problem:
            if problem.errno not in (errno.EINVAL, errno.EPERM):  # no such capability, or none left to drop one with
                raise
    number = _CAPSET.get(os.uname().machine)
    if number is not None:
        _syscall(number, struct.pack("=Ii", _CAPABILITIES_V3, 0), bytes(24))


def _syscall(number: int, *arguments: int | bytes) -> int:
    return _call("syscall", number, *arguments)


def _call(name: str, *arguments: int | bytes) -> int:
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    function.restype = ctypes.c_long
    result: int = function(*(each if isinstance(each, bytes) else ctypes.c_long(each) for each in arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
