"""Units among the services: who may see them, their rows, and which of the two a reference means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from homeport.identity import Actor
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock
from homeport.services.problems import ServiceNotFound
from homeport.services.units import Units, UnitStatus
from homeport.services.units.problems import UnknownUnit
from homeport.services.units.rows import action_reply, unit_row

WATCH_SECONDS = 5.0
SERVICE_ID = "svc_"


class UnitDoor:
    """Units belong to the portal: an actor who is bound to a customer sees none of them."""

    def __init__(self, units: Units, clock: Clock, bus: Bus) -> None:
        self.units = units
        self._clock = clock
        self._bus = bus
        self._known: dict[str, tuple[object, ...]] = {}
        units.changed = self._publish

    def find(self, actor: Actor, ref: str) -> str | None:
        """The name of the unit that `ref` means for `actor`, if it means one."""
        return self.units.find(ref) if actor.customer_id is None else None

    async def rows(self, actor: Actor) -> list[dict[str, Any]]:
        """Every unit that `actor` may see, in the order of the setting."""
        return [self._row(status) for status in await self.units.all()] if actor.customer_id is None else []

    async def row(self, name: str) -> dict[str, Any]:
        return self._row(await self.units.get(name))

    async def act(self, actor: Actor, name: str, action: str) -> dict[str, Any]:
        """Raises what Units.act raises."""
        status = await self.units.act(name, action, by=actor.name)
        return action_reply(status, action, self._clock.monotonic(), own=self.units.own)

    async def app(self, ref: str, service_id: Callable[[], Awaitable[str]]) -> str:
        """The id of the app that `ref` means. Raises ServiceNotFound for an unknown id, UnknownUnit for an unknown name
        (seed 000)."""
        try:
            return await service_id()
        except ServiceNotFound:
            if ref.startswith(SERVICE_ID):
                raise
            raise UnknownUnit from None

    async def watch(self) -> None:
        """Tell the tabs of what systemd does by itself; runs until it is cancelled."""
        while self.units.names:
            for status in await self.units.all():
                if status.name in self._known and self._known[status.name] != _told(status):
                    self._publish(status)
                self._known[status.name] = _told(status)
            await self._clock.sleep(WATCH_SECONDS)

    async def close(self) -> None:
        await self.units.close()

    def _row(self, status: UnitStatus) -> dict[str, Any]:
        return unit_row(status, self._clock.monotonic(), own=self.units.own)

    def _publish(self, status: UnitStatus) -> None:
        self._known[status.name] = _told(status)
        row = self._row(status)
        self._bus.publish(Change("service", "changed", row["id"], row))


def _told(status: UnitStatus) -> tuple[object, ...]:
    return status.active_state, status.sub_state, status.pid, status.restarts
