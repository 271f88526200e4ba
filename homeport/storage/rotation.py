"""Rotating the key that seals: a new one on top, every sealed value wrapped anew, the old ones dropped when unused."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Text, and_, cast, func, not_, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.kit.clock import Clock
from homeport.kit.problems import Conflict
from homeport.kit.sealing import SealBroken, Sealer, key_id_of, prefixes
from homeport.storage.database import Database
from homeport.storage.sealed import SEALED, SealedColumn
from homeport.storage.tables import Base

Row = dict[str, Any]
BATCH = 200  # values wrapped anew in one transaction
# Between the last value and dropping a key: who read an old value before it was wrapped anew and writes a copy of it
# (a service's variables become its release's) is done by then, and the copy is found.
SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class KeyUse:
    """One key, when it was made (None: by an older version), whether it seals, and how many values need it."""

    id: str
    made_at: datetime | None
    current: bool
    values: int


@dataclass(frozen=True)
class Rotated:
    """`key` seals now. `resumed`: an interrupted rotation was finished, no key was added. `broken`: values that no key
    here opens, as `table.column`. `kept` are older keys that something still needs, or that were not to be dropped."""

    key: str
    resumed: bool
    rewrapped: int
    broken: tuple[str, ...]
    dropped: tuple[str, ...]
    kept: tuple[str, ...]


class KeyRotation:
    """One at a time. A kill leaves some values under the old key, which still opens them; the next one goes on."""

    def __init__(
        self, database: Database, sealer: Sealer, clock: Clock, columns: Sequence[SealedColumn] = SEALED
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._columns = columns
        self._task: asyncio.Task[Rotated] | None = None

    async def uses(self) -> list[KeyUse]:
        """The keys of the file, the sealing one first; each value is counted wherever in the database it is."""
        keys = await asyncio.to_thread(self._sealer.key_ring)
        async with self._database.read() as db:
            return [
                KeyUse(key.id, key.made_at, place == 0, sum(await _uses_of(db, key.id)))
                for place, key in enumerate(keys)
            ]

    async def rotate(self, *, drop_old: bool = False, settle: float = SETTLE_SECONDS) -> Rotated:
        """Add a key, or finish the rotation that was interrupted, and wrap every value anew; goes on to its end when
        the caller leaves. `settle`: seconds, 0 where nothing else uses the database. Raises Conflict."""
        if self._task is not None and not self._task.done():
            raise Conflict("The keys are being rotated already.")
        self._task = asyncio.create_task(self._rotate(drop_old=drop_old, settle=settle), name="rotate keys")
        return await asyncio.shield(self._task)

    async def _rotate(self, *, drop_old: bool, settle: float) -> Rotated:
        resumed = await self._is_unfinished()
        if not resumed:
            await asyncio.to_thread(self._sealer.add_key, self._clock.now())
        rewrapped, broken = await self._rewrap_all()
        dropped: Collection[str] = ()
        if drop_old:
            if settle:
                await self._clock.sleep(settle)
                late, broken = await self._rewrap_all()
                rewrapped += late
            dropped = await self._drop_unused()
        keys = await asyncio.to_thread(self._sealer.key_ring)
        return Rotated(keys[0].id, resumed, rewrapped, tuple(broken), tuple(dropped), tuple(key.id for key in keys[1:]))

    async def _is_unfinished(self) -> bool:
        """Whether an older key still has a value that can be wrapped anew: the last rotation did not reach it."""
        current = await asyncio.to_thread(lambda: self._sealer.current)
        async with self._database.read() as db:
            for column in self._columns:
                place: tuple[Any, ...] | None = None
                while rows := await _older(db, column, current, place):
                    for row in rows:
                        if key_id_of(row[column.column]) != current and self._rewrapped(column, row) is not None:
                            return True
                    place = _place(column, rows[-1])
        return False

    async def _rewrap_all(self) -> tuple[int, list[str]]:
        """How many were wrapped anew, and where one could not be."""
        done, broken = 0, []
        for column in self._columns:
            place: tuple[Any, ...] | None = None
            while True:
                async with self._database.write() as db:
                    rows = await _older(db, column, self._sealer.current, place)
                    for row in rows:
                        token = self._rewrapped(column, row)
                        if token is None:
                            broken.append(str(column))
                        else:
                            done += await _replace(db, column, row, token)
                if not rows:
                    break
                place = _place(column, rows[-1])
        return done, broken

    def _rewrapped(self, column: SealedColumn, row: Row) -> str | None:
        try:
            return self._sealer.rewrap(row[column.column], column.context(row))
        except SealBroken:
            return None

    async def _drop_unused(self) -> list[str]:
        """Under a lock that lets nobody write a copy meanwhile."""
        keys = await asyncio.to_thread(self._sealer.key_ring)
        async with self._database.write() as db:
            if not self._database.is_sqlite:
                names = ", ".join(sorted({column.table for column in self._columns}))
                await db.execute(text(f"LOCK TABLE {names} IN SHARE MODE"))
            unused = [key.id for key in keys[1:] if not any(await _uses_of(db, key.id))]
            if unused:
                await asyncio.to_thread(self._sealer.drop_keys, unused)
        return unused


async def _uses_of(db: AsyncSession, key_id: str) -> list[int]:
    """How many values need the key, for each column of text in the database: also where none was expected."""
    counts = []
    for table in Base.metadata.sorted_tables:
        for column in table.c:
            if isinstance(column.type, JSON):
                value: ColumnElement[str] = cast(column, Text)
                patterns = [f'%"{prefix}%' for prefix in prefixes(key_id)]
            elif isinstance(column.type, String) and (column.type.length or 100) >= 100:
                value, patterns = column, [f"{prefix}%" for prefix in prefixes(key_id)]
            else:
                continue
            query = select(func.count()).select_from(table).where(or_(*(value.like(one) for one in patterns)))
            counts.append(await db.scalar(query) or 0)
    return counts


async def _older(db: AsyncSession, column: SealedColumn, current: str, after: tuple[Any, ...] | None) -> Sequence[Row]:
    """The next rows whose value is not under the current key, in the order of the primary key."""
    table, values, before = column.of, column.text, column.before
    keys = list(table.primary_key.columns)
    wanted = dict.fromkeys([*(key.name for key in keys), *column.needs, column.column])
    query = select(*(table.c[name] for name in wanted)).where(
        and_(
            column.of.c[column.column].is_not(None),
            values.like(f"{before}hs_.%"),
            not_(values.startswith(before + prefixes(current)[0], autoescape=True)),
        )
    )
    if after is not None:
        query = query.where(_after(keys, after))
    rows = (await db.execute(query.order_by(*keys).limit(BATCH))).mappings().all()
    return [dict(row) for row in rows]


def _after(keys: Sequence[Any], place: tuple[Any, ...]) -> ColumnElement[bool]:
    """Row-wise `keys > place`, as both databases understand it."""
    alternatives = []
    for number, (key, value) in enumerate(zip(keys, place, strict=True)):
        equal = [one == other for one, other in zip(keys[:number], place[:number], strict=True)]
        alternatives.append(and_(*equal, key > value))
    return or_(*alternatives)


def _place(column: SealedColumn, row: Row) -> tuple[Any, ...]:
    return tuple(row[key.name] for key in column.of.primary_key.columns)


async def _replace(db: AsyncSession, column: SealedColumn, row: Row, token: str) -> int:
    """1, or 0 where somebody has written another value since it was read."""
    same = [key == row[key.name] for key in column.of.primary_key.columns]
    where = and_(*same, column.text == column.as_text(row[column.column]))
    result: Any = await db.execute(update(column.of).where(where).values({column.column: token}))
    return int(result.rowcount)
