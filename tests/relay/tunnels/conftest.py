"""Connections on loopback for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.kit.clock import SystemClock
from homeport.relay import Authority
from homeport.testing.wires import Wires


@pytest.fixture
async def wires(tmp_path: Path) -> AsyncIterator[Wires]:
    authority = Authority(tmp_path / "ca", SystemClock())
    authority.open()
    made = Wires(authority)
    yield made
    made.close()
    await asyncio.sleep(0)
