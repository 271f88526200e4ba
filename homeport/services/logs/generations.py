"""The files of one instance's log: the current one and the rotated ones, whatever they are called by now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIXES = ("", ".1", ".2")  # from young to old


def instances(directory: Path) -> set[str]:
    """Names of the instances that have a log here; empty where there is no such directory."""
    try:
        names = [entry.name for entry in directory.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return {stem for name in names for stem, dot, age in [name.rpartition(".log")] if dot and stem and age in SUFFIXES}


def open_generations(directory: Path, instance: str) -> list[int]:
    """A descriptor for each file there is, from old to young; the caller closes them.

    They are opened from young to old: should they be renamed meanwhile, one is met twice, and none is missed.
    """
    found: dict[int, int] = {}
    for suffix in SUFFIXES:
        try:
            fd = os.open(directory / f"{instance}.log{suffix}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # absent, or a link, which is none of ours
            continue
        if found.setdefault(os.fstat(fd).st_ino, fd) != fd:
            os.close(fd)
    return list(reversed(found.values()))


@contextmanager
def generations(directory: Path, instance: str) -> Iterator[list[int]]:
    fds = open_generations(directory, instance)
    try:
        yield fds
    finally:
        for fd in fds:
            os.close(fd)
