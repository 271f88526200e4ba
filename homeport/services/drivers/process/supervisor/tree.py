"""Descendants of a process: who they are, what they use, and how to end them and nobody else."""

from __future__ import annotations

import os
import time
from signal import SIGKILL, pidfd_send_signal

PAGE = os.sysconf("SC_PAGE_SIZE")


def read(path: str) -> bytes:
    """A small file of /proc or /sys; empty where it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        data = b""
        while chunk := os.read(fd, 65536):
            data += chunk
        return data
    except OSError:  # the process ended while we read
        return b""
    finally:
        os.close(fd)


def stat(pid: int) -> list[bytes]:
    """Fields of /proc/<pid>/stat from the third (state) on, so [1] is the parent; empty when it is gone."""
    return read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()


def children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    return [int(child) for thread in threads for child in read(f"/proc/{pid}/task/{thread}/children").split()]


def descendants(root: int) -> list[int]:
    """Every process below `root`, zombies too, parents first; not `root` itself."""
    found = children(root)
    for pid in found:
        found.extend(children(pid))
    return found


def descends(pid: int, root: int) -> bool:
    while pid > 1:
        fields = stat(pid)
        if not fields:
            return False
        pid = int(fields[1])
        if pid == root:
            return True
    return False


def send(pid: int, number: int, root: int) -> None:
    """Signal `pid` if it descends from `root`: a pidfd holds it meanwhile, so it cannot become a stranger."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return
    try:
        if descends(pid, root):
            pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return
    finally:
        os.close(fd)


def reap() -> dict[int, int]:
    """Every dead child of ours with its exit code (negative: killed by that signal)."""
    dead: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return dead
        if not pid:
            return dead
        dead[pid] = os.waitstatus_to_exitcode(status)


def kill_all(patience: float = 10.0) -> dict[int, int]:
    """SIGKILL every descendant of this process until none is left or `patience` seconds went by; returns the dead."""
    me, dead = os.getpid(), reap()
    deadline = time.monotonic() + patience
    while (left := descendants(me)) and time.monotonic() < deadline:
        for pid in left:
            send(pid, SIGKILL, me)
        time.sleep(0.005)
        dead.update(reap())
    return dead


def memory(pids: list[int], *, shared_once: bool) -> int:
    """Bytes of RAM of these processes; with `shared_once` what they share is shared out among them (slower)."""
    total = 0
    for pid in pids:
        proportional = 0
        if shared_once:
            for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
                if line.startswith(b"Pss:"):
                    proportional = int(line.split()[1]) * 1024
        if proportional:
            total += proportional
        elif fields := stat(pid):
            total += int(fields[21]) * PAGE
    return total


def threads(pids: list[int]) -> int:
    return sum(int(fields[17]) for pid in pids if (fields := stat(pid)))
