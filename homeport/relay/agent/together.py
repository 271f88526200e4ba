"""Coroutines that stand and fall together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(name: str, *parts: Coroutine[Any, Any, None]) -> None:
    """Run them at once until all have returned, or one raises: then the others are cancelled, and it is raised."""
    tasks = [asyncio.create_task(part, name=name) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
