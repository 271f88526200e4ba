"""Data retention: what each part keeps and for how long, said in one place, and let go in one run (portal B5)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from homeport.identity.audit import PORTAL, Act, AuditLog
from homeport.identity.retention import ACTIVITY_RULE
from homeport.kit.clock import Clock, parse_rfc3339, rfc3339
from homeport.kit.problems import ValidationFailed
from homeport.kit.retention import Keeper, Rule
from homeport.storage import Database, Options

INTERVAL_KEY = "cleanup_interval_hours"
VACUUM_KEY = "auto_vacuum"
_LAST_RUN = "retention_last_run"
_LOOK_SECONDS = 300.0  # between two looks at the clock, so that a shorter interval counts soon
_FIRST_SECONDS = 60.0  # the start of a portal has other things to do

log = structlog.get_logger()


class NotKeptYet:
    """Something that seed 002 lets an administrator limit, and of which no part keeps rows: only the value is kept.

    Of the activity there never are any: the feed is made of audit records, and ends where the value says.
    """

    def __init__(self, name: str, rule: Rule) -> None:
        self.name = name
        self.rule: Rule | None = rule

    async def preview(self, kept: int) -> int:  # noqa: ARG002 - a keeper's signature
        return 0

    async def purge(self, kept: int) -> int:  # noqa: ARG002
        return 0


# In the order of the seed; a part that keeps one of these takes its place by the same name.
DOCUMENTED: tuple[Keeper, ...] = (
    NotKeptYet("chat", Rule("retention_chat_days", "days", 7, 3650, "Messages in channels; pinned ones stay.")),
    NotKeptYet("dms", Rule("retention_dm_days", "days", 30, 3650, "Between two people or in a group.")),
    NotKeptYet("notifications", Rule("retention_notifications_days", "days", 30, 3650, "What the portal told people.")),
    NotKeptYet("activity", ACTIVITY_RULE),
    NotKeptYet(
        "device_metrics", Rule("retention_device_metrics_days", "days", 14, 365, "Measurements of the machines.")
    ),
)


@dataclass
class Outcome:
    """What one run did. `deleted` counts by keeper; `errors` are sentences, and the other keepers ran all the same."""

    at: datetime
    deleted: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    freed_bytes: int = 0

    def body(self) -> dict[str, Any]:
        return {
            "at": rfc3339(self.at),
            "deleted": self.deleted,
            "errors": self.errors,
            "freed_bytes": self.freed_bytes,
        }


class Retention:
    """Built once with every part's keepers; `run` in a task of its own. One clean-up at a time."""

    def __init__(
        self, database: Database, options: Options, clock: Clock, audit: AuditLog, keepers: Sequence[Keeper]
    ) -> None:
        self._database = database
        self._options = options
        self._clock = clock
        self._audit = audit
        given = {keeper.name: keeper for keeper in keepers}
        self._keepers = [given.pop(one.name, one) for one in DOCUMENTED]
        self._keepers += given.values()
        self._turn = asyncio.Lock()

    @property
    def rules(self) -> Sequence[tuple[str, Rule]]:
        """What can be set, each with the name of what it limits."""
        return [(keeper.name, keeper.rule) for keeper in self._keepers if keeper.rule is not None]

    def kept(self, rule: Rule) -> int:
        """The value that an administrator gave, or the default."""
        return int(self._options.get(rule.key, rule.default))

    @property
    def interval(self) -> timedelta:
        return timedelta(hours=int(self._options.get(INTERVAL_KEY, 6)))

    @property
    def vacuums(self) -> bool:
        return bool(self._options.get(VACUUM_KEY, True))

    def config(self) -> dict[str, str]:
        """Every value as seed 002 writes it: as text."""
        values = {rule.key: str(self.kept(rule)) for _, rule in self.rules}
        hours = int(self.interval.total_seconds() // 3600)
        return {**values, INTERVAL_KEY: str(hours), VACUUM_KEY: str(self.vacuums).lower()}

    async def change(self, given: Mapping[str, Any], *, by: str) -> list[str]:
        """Keep new values; the keys that changed. Raises ValidationFailed, and then none of them did."""
        limits = {rule.key: (0, rule.most) for _, rule in self.rules} | {INTERVAL_KEY: (1, 168)}
        values: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for key, value in given.items():
            if key == VACUUM_KEY:
                values[key] = {"true": True, "false": False}.get(str(value).lower())
                if values[key] is None:
                    wrong[key] = "say true or false"
            elif key not in limits:
                wrong[key] = "there is no such setting"
            else:
                least, most = limits[key]
                number = _number(value)
                values[key] = number
                if number is None or not least <= number <= most:
                    wrong[key] = f"a whole number from {least} to {most}"
        if wrong:
            raise ValidationFailed(wrong)
        before = self.config()
        if values:
            await self._options.set(values, now=self._clock.now(), by=by)
        after = self.config()
        return [key for key in values if before[key] != after[key]]

    async def preview(self) -> dict[str, int]:
        """What a run would delete now, by keeper."""
        return {keeper.name: await keeper.preview(self._value_for(keeper)) for keeper in self._keepers}

    async def clean(self) -> Outcome:
        """Let go what is over, then give the disk its space back. A keeper that fails does not stop the others."""
        async with self._turn:
            outcome = Outcome(self._clock.now())
            for keeper in self._keepers:
                try:
                    outcome.deleted[keeper.name] = await keeper.purge(self._value_for(keeper))
                except (SQLAlchemyError, OSError) as problem:
                    log.warning("retention failed", keeper=keeper.name, problem=type(problem).__name__)
                    outcome.deleted[keeper.name] = 0
                    outcome.errors.append(f"{keeper.name}: the database refused ({type(problem).__name__}).")
            if self.vacuums:
                try:
                    outcome.freed_bytes = await self._database.vacuum()
                except (SQLAlchemyError, OSError) as problem:
                    log.warning("the database was not vacuumed", problem=type(problem).__name__)
                    outcome.errors.append(f"The database was not vacuumed ({type(problem).__name__}).")
            await self._options.set({_LAST_RUN: outcome.body()}, now=outcome.at, by="")
            return outcome

    @property
    def last_run(self) -> dict[str, Any] | None:
        """The newest run's outcome, also from before a restart."""
        found: dict[str, Any] | None = self._options.get(_LAST_RUN)
        return found

    @property
    def due_at(self) -> datetime:
        """When the next run by itself is; at once when there was none."""
        last = self.last_run
        return parse_rfc3339(last["at"]) + self.interval if last else self._clock.now()

    async def run(self) -> None:
        """Clean up whenever it is due, until cancelled; what was deleted is an act of the portal."""
        await self._clock.sleep(_FIRST_SECONDS)
        while True:
            try:
                if self.due_at <= self._clock.now():
                    outcome = await self.clean()
                    if any(outcome.deleted.values()):
                        deleted = {name: count for name, count in outcome.deleted.items() if count}
                        act = Act("retention_run", PORTAL, target_type="retention", details={"deleted": deleted})
                        await self._audit.append(act)
            except (SQLAlchemyError, OSError) as problem:
                log.warning("retention waits for the database", problem=type(problem).__name__)
            await self._clock.sleep(_LOOK_SECONDS)

    def _value_for(self, keeper: Keeper) -> int:
        return self.kept(keeper.rule) if keeper.rule is not None else 0


def _number(value: Any) -> int | None:
    """A whole number, or a text of digits as the seed has it."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 9 else None
