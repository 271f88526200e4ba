"""One process at a time on a directory."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self


class AlreadyLocked(Exception):
    """Another process holds the lock; `holder` is what it wrote about itself (empty while it is just starting)."""

    def __init__(self, holder: Mapping[str, Any]) -> None:
        super().__init__(f"process {holder.get('pid', '?')} holds the lock")
        self.holder = dict(holder)


class Lockfile:
    """An advisory lock that ends with the process, however that ends.

    fcntl record locks, and not flock: a forked child does not inherit them, so what a portal started and left
    behind never holds its place. The process must open the file only here, since closing any descriptor of it unlocks.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock. Raises AlreadyLocked."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            holder = _holder(os.pread(descriptor, 4096, 0))
            os.close(descriptor)
            raise AlreadyLocked(holder) from taken
        self._descriptor = descriptor
        self.describe({})
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def describe(self, holder: Mapping[str, Any]) -> None:
        """Write what others should learn about the holder (no secrets); `pid` is added."""
        if self._descriptor is None:
            raise RuntimeError("the lock is not held")
        content = json.dumps({"pid": os.getpid(), **holder}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)


def _holder(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
