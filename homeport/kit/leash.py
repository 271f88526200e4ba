"""Holds one command on a leash: `python -I -S leash.py`, started by `commands.run` and by nobody else.

Standard input carries one JSON object (argv, env, cwd, uid, limits) on its first line and then stays open. When it
ends, because the portal let go or was killed, every process below this one is killed. The same happens when the
command itself has ended, so nothing that it left in the background outlives it. The leash runs with an empty
environment and turns into the wanted user only in the child: nothing that an app brings is ever loaded by it.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import resource
import select
import signal
import sys
from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_CANNOT_RUN = 127


def main() -> NoReturn:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    spec = json.loads(_first_line())
    child = os.fork()
    if child == 0:
        _become(spec, libc)
    exited = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([0, exited], [], [])
        if exited in ready:
            break
        if not os.read(0, 65536):
            _kill_below()
            os._exit(1)
    status = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    _kill_below()
    if status is not None and status.si_code != os.CLD_EXITED:
        if status.si_status != signal.SIGKILL:
            signal.signal(status.si_status, signal.SIG_DFL)
        os.kill(os.getpid(), status.si_status)
    os._exit(status.si_status if status is not None else 1)


def _first_line() -> bytes:
    """Read byte blocks up to the newline; the writer sends nothing after it."""
    data = b""
    while not data.endswith(b"\n"):
        block = os.read(0, 65536)
        if not block:
            os._exit(1)
        data += block
    return data


def _become(spec: dict[str, Any], libc: ctypes.CDLL) -> NoReturn:
    """Turn into the command; never returns."""
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    import confinement  # type: ignore[import-not-found]  # the file beside this one

    argv = spec["argv"]
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if spec["memory"] is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (spec["memory"], spec["memory"]))
        if spec["file_size"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (spec["file_size"], spec["file_size"]))
        if spec["uid"] is not None:
            os.setgroups([])
            os.setgid(spec["uid"])
            os.setuid(spec["uid"])
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.umask(0o022)
        os.chdir(spec["cwd"])
        os.dup2(_standard_input(spec["stdin"]), 0)
        if spec["confinement"] is not None:
            confinement.confine(confinement.Confinement(*spec["confinement"]))
        os.execvpe(argv[0], argv, spec["env"])  # noqa: S606
    except OSError as error:
        os.write(2, f"cannot run {argv[0]}: {error.strerror}\n".encode())
    os._exit(_CANNOT_RUN)


def _standard_input(data: str | None) -> int:
    if data is None:
        return os.open(os.devnull, os.O_RDONLY)
    file = os.memfd_create("stdin")
    os.write(file, base64.b64decode(data))
    os.lseek(file, 0, os.SEEK_SET)
    return file


def _kill_below() -> None:
    """Kill every descendant until none is left: as subreaper this process inherits the ones that ran away."""
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        below = _descendants()
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if below:
            os.waitpid(-1, 0)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found: list[int] = []
    queue = [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


if __name__ == "__main__":
    sys.exit(main())
