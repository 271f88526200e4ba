"""Watches a folder while something writes into it, and stops the writer when it grows too large."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from homeport.kit.files import Size, measure
from homeport.kit.problems import TooLarge

Answer = TypeVar("Answer")
_INTERVAL = 0.25  # seconds; a walk that takes longer waits as long again as it took


class GrewTooLarge(TooLarge):
    """The folder passed its limit of bytes or of entries."""


async def watched(folder: Path, work: Coroutine[Any, Any, Answer], *, max_bytes: int, max_entries: int) -> Answer:
    """The answer of `work`. Cancels it and raises GrewTooLarge once `folder` is larger than allowed."""
    task = asyncio.create_task(work, name=f"write {folder.name}")
    loop = asyncio.get_running_loop()
    pause = _INTERVAL
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=pause)
            started = loop.time()
            size = await asyncio.to_thread(measure, folder, stop_bytes=max_bytes, stop_entries=max_entries)
            _check(size, max_bytes, max_entries)
            pause = max(_INTERVAL, loop.time() - started)
        return await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _check(size: Size, max_bytes: int, max_entries: int) -> None:
    if size.bytes > max_bytes:
        raise GrewTooLarge(f"it is larger than {max_bytes // (1024 * 1024)} MB.")
    if size.entries > max_entries:
        raise GrewTooLarge(f"it has more than {max_entries} files.")
