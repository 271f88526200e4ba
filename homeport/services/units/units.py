"""The units on the allow-list: what they are doing, and the actions on them. No other unit is ever touched."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from homeport.kit.clock import Clock
from homeport.services.units.journals import Journals
from homeport.services.units.problems import ActionFailed, CannotStopItself, InvalidAction, UnitBusy, UnknownUnit
from homeport.services.units.status import PROPERTIES, UnitStatus, read_show
from homeport.services.units.tools import Outcome, Tools, end

log = structlog.get_logger()

ACTIONS = ("start", "stop", "restart", "reload")
ID_PREFIX = "unit_"
FRESH = 1.0  # seconds that one look serves everybody
SHOW_LIMIT = 5.0  # seconds
ANSWER_FIRST = 0.5  # seconds for the answer to be on its way before the portal restarts itself
LONGEST_DETAILS = 2000  # characters
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_SECRET = re.compile(
    r"(?i)(\b[\w-]*(?:password|passwd|secret|token|api[_-]?key|credential)[\w-]*\s*[=:]\s*|\bbearer\s+)(?:\"[^\"]*\"|'[^']*'|\S+)"
)
_USERINFO = re.compile(r"(\w+://)[^\s/@]+@")


class Units:
    """`names` in the order in which they are shown, without .service. `own` is the portal's own unit."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        own: str,
        clock: Clock,
        timeout: float = 30.0,  # seconds: the longest action
        tools: Tools | None = None,
    ) -> None:
        self.names = tuple(dict.fromkeys(names))
        self.own = own
        self.tools = tools or Tools()
        self.journals = Journals(self.tools, clock)
        self.changed: Callable[[UnitStatus], None] = lambda _status: None  # after each action; set by who publishes
        self._clock = clock
        self._timeout = timeout
        self._locks = {name: asyncio.Lock() for name in self.names}
        self._look: asyncio.Task[dict[str, UnitStatus]] | None = None
        self._looked_at = 0.0
        self._detached: set[asyncio.Task[None]] = set()

    def find(self, ref: str) -> str | None:
        """The unit's name for its name or id; None for everything that is not on the list."""
        if ref in self._locks:
            return ref
        name = ref.removeprefix(ID_PREFIX)
        return name if ref.startswith(ID_PREFIX) and name in self._locks else None

    async def all(self) -> list[UnitStatus]:
        """Every unit, in order; unknown where systemd does not answer within five seconds. At most a second old."""
        if not self.names:
            return []
        if self._look is None or (self._look.done() and self._clock.monotonic() - self._looked_at >= FRESH):
            self._look = asyncio.create_task(self._show(), name="look at units")
        found = await asyncio.shield(self._look)
        return [found[name] for name in self.names]

    async def get(self, name: str) -> UnitStatus:
        """One unit, by its name. Raises UnknownUnit."""
        if name not in self._locks:
            raise UnknownUnit
        return next(status for status in await self.all() if status.name == name)

    async def act(self, ref: str, action: str, *, by: str) -> UnitStatus:
        """Do it and look again. A restart of the portal's own unit is begun only after this returned.

        Raises UnknownUnit, InvalidAction, CannotStopItself (asked in this order), ActionFailed, UnitBusy.
        """
        name = self.find(ref)
        if name is None:
            raise UnknownUnit
        if action not in ACTIONS:
            raise InvalidAction
        if name == self.own and action == "stop":
            raise CannotStopItself
        if name == self.own and action == "restart":
            log.info("the portal restarts its own unit", unit=name, by=by)
            self._later(self._restart_itself(), f"restart {name}")
            return await self.get(name)
        lock = self._locks[name]
        try:
            async with asyncio.timeout(self._timeout):
                await lock.acquire()
        except TimeoutError:
            raise UnitBusy(f"Another action on {name} is still under way.") from None
        try:
            outcome = await self.tools.run(
                (*self.tools.elevate, "systemctl", action, name), limit=self._timeout, kept=64 * 1024
            )
        finally:
            lock.release()
            self._look = None
        log.info("unit action", unit=name, action=action, by=by, exit_code=outcome.exit_code)
        status = await self.get(name)
        self.changed(status)
        if outcome.exit_code != 0:
            raise ActionFailed(name, action, self._said(outcome, action, name))
        return status

    async def close(self) -> None:
        """End the journals' readers. What runs goes on running."""
        await self.journals.close()
        tasks = [*self._detached, *([self._look] if self._look else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _show(self) -> dict[str, UnitStatus]:
        argv = ("systemctl", "show", *self.names, f"--property={','.join(PROPERTIES)}")
        outcome = await self.tools.run(argv, limit=SHOW_LIMIT)
        self._looked_at = self._clock.monotonic()
        if outcome.exit_code != 0:
            log.warning("systemd does not answer", exit_code=outcome.exit_code, said=_clean(outcome.stderr))
        text = outcome.stdout.decode("utf-8", "replace") if outcome.exit_code == 0 else ""
        return {status.name: status for status in read_show(text, self.names)}

    async def _restart_itself(self) -> None:
        """--no-block: systemd has the job before it ends this process, and with it systemctl."""
        await self._clock.sleep(ANSWER_FIRST)
        argv = (*self.tools.elevate, "systemctl", "--no-block", "restart", self.own)
        try:
            process = await self.tools.spawn(argv)
        except OSError as problem:
            log.error("the portal could not restart its unit", problem=str(problem))
            return
        try:
            async with asyncio.timeout(self._timeout):
                _, said = await process.communicate()
            if process.returncode:
                log.error("the portal could not restart its unit", said=_clean(said))
        except TimeoutError:
            log.error("the portal could not restart its unit in time")
        finally:
            if process.returncode is None:
                await end(process, signal.SIGTERM)

    def _later(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    def _said(self, outcome: Outcome, action: str, name: str) -> str:
        if outcome.missing:
            return "systemctl cannot be run on this machine: is it managed by systemd?"
        if outcome.exit_code is None:
            return f"Command timed out after {self._timeout:g} seconds: systemctl {action} {name}"
        return _clean(outcome.stderr) or f"Command failed with exit code {outcome.exit_code}: systemctl {action} {name}"


def _clean(said: bytes) -> str:
    """What a tool said, for people who may not know what it knows: no control codes, no secrets, not too long."""
    text = _CONTROL.sub("", said.decode("utf-8", "replace")).strip()
    text = _USERINFO.sub(r"\1••••••••@", _SECRET.sub(r"\1••••••••", text))
    return text if len(text) <= LONGEST_DETAILS else text[: LONGEST_DETAILS - 1] + "…"
