"""Uploads: what is received, and what is cleared away."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from homeport.identity import Actor, Role
from homeport.kit.problems import TooLarge
from homeport.services.uploads import Uploads
from homeport.storage import Database
from homeport.testing.clock import ManualClock

ACTOR = Actor("usr_1", "user", "ada", Role.ADMIN)
LONG_AGO = 1_000_000_000


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_an_upload_is_kept_until_it_expires(database: Database, tmp_path: Path) -> None:
    clock = ManualClock()
    uploads = Uploads(database, clock, tmp_path / "uploads", limit_mb=1)
    row = await uploads.receive(ACTOR, body(b"one", b"two"))
    file = tmp_path / "uploads" / row.id
    assert (row.size, file.read_bytes()) == (6, b"onetwo")
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert await uploads.clean() == 0
    clock.advance(25 * 3600)
    assert await uploads.clean() == 1
    assert not file.exists()


async def test_one_that_is_too_large_leaves_nothing(database: Database, tmp_path: Path) -> None:
    uploads = Uploads(database, ManualClock(), tmp_path / "uploads", limit_mb=1)
    with pytest.raises(TooLarge):
        await uploads.receive(ACTOR, body(*[b"x" * 300_000] * 4))
    assert list((tmp_path / "uploads").iterdir()) == []


async def test_what_a_killed_portal_left_half_received_is_cleared_and_what_is_arriving_is_not(
    database: Database, tmp_path: Path
) -> None:
    clock = ManualClock()
    uploads = Uploads(database, clock, tmp_path / "uploads", limit_mb=1)
    (tmp_path / "uploads").mkdir()
    left, arriving = tmp_path / "uploads" / "upl_1.partial", tmp_path / "uploads" / "upl_2.partial"
    for file in (left, arriving):
        file.touch()
    os.utime(left, (LONG_AGO, LONG_AGO))
    os.utime(arriving, (clock.now().timestamp(),) * 2)  # whatever this machine's own clock says
    assert await uploads.clean() == 1
    assert [file.name for file in (tmp_path / "uploads").iterdir()] == [arriving.name]
