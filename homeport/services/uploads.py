"""Archives that people send: streamed to disk, counted and hashed on the way."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from homeport.identity import Actor
from homeport.kit.clock import Clock
from homeport.kit.ids import new_id
from homeport.kit.problems import MalformedBody, TooLarge
from homeport.services import store
from homeport.services.models import UploadRow
from homeport.storage import Database

KEPT = timedelta(hours=24)  # when no service uses it
ABANDONED = timedelta(hours=1)  # longer than any upload takes
CHUNK = 1024 * 1024


class Uploads:
    def __init__(self, database: Database, clock: Clock, folder: Path, limit_mb: int) -> None:
        self._database = database
        self._clock = clock
        self._folder = folder
        self._limit = limit_mb * 1024 * 1024

    async def receive(self, actor: Actor, body: AsyncIterator[bytes]) -> UploadRow:
        """Store the whole body. Raises TooLarge, or MalformedBody for an empty one; then nothing is kept."""
        upload_id = new_id("upl")
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        path, partial = self._folder / upload_id, self._folder / f"{upload_id}.partial"
        digest, size, waiting = hashlib.sha256(), 0, bytearray()
        try:
            with partial.open("xb") as file:
                async for chunk in body:
                    size += len(chunk)
                    if size > self._limit:
                        raise TooLarge(f"The archive is larger than {self._limit // CHUNK} MB.")
                    waiting += chunk
                    if len(waiting) >= CHUNK:
                        await asyncio.to_thread(_append, file.fileno(), digest, bytes(waiting))
                        waiting.clear()
                if size == 0:
                    raise MalformedBody("The body is empty; send the archive as the body.")
                await asyncio.to_thread(_append, file.fileno(), digest, bytes(waiting), last=True)
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
        now = self._clock.now()
        row = UploadRow(
            id=upload_id, owner=actor.id, size=size, sha256=digest.hexdigest(), created_at=now, expires_at=now + KEPT
        )
        async with self._database.write() as session:
            session.add(row)
        return row

    async def clean(self) -> int:
        """Remove what has expired and is used by no service, and what a killed portal left half received; how many."""
        now = self._clock.now()
        async with self._database.write() as session:
            stale = await store.stale_uploads(session, now)
            await store.delete_rows(session, UploadRow, stale)
            known = await store.upload_ids(session)
        return await asyncio.to_thread(self._remove_unknown, known, (now - ABANDONED).timestamp())

    def _remove_unknown(self, known: set[str], before: float) -> int:
        """Files that no row names; a young one may just be arriving."""
        removed = 0
        for file in self._folder.iterdir() if self._folder.is_dir() else ():
            if file.name not in known and file.stat().st_mtime < before:
                file.unlink()
                removed += 1
        return removed


def _append(descriptor: int, digest: hashlib._Hash, data: bytes, *, last: bool = False) -> None:
    digest.update(data)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    if last:
        os.fsync(descriptor)
