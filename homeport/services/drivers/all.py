"""Every driver behind one seam: an instance goes to the driver that its spec names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

import structlog

from homeport.kit.problems import Problem
from homeport.services.drivers import InstanceSpec, Observation, Part, ServiceDriver, Usage
from homeport.services.problems import StartFailed

log = structlog.get_logger()


class Drivers:
    """Implements ServiceDriver over several. One that cannot be asked (no engine) is left out, and said once."""

    name = "all"

    def __init__(self, drivers: Iterable[ServiceDriver]) -> None:
        self._drivers = {driver.name: driver for driver in drivers}
        self._of: dict[str, ServiceDriver] = {}
        self._silent: set[str] = set()

    async def open(self, on_change: Callable[[Observation], None]) -> None:
        for driver in self._drivers.values():
            await driver.open(self._hear(driver, on_change))

    def _hear(self, driver: ServiceDriver, on_change: Callable[[Observation], None]) -> Callable[[Observation], None]:
        def hear(observation: Observation) -> None:
            self._of[observation.id] = driver
            on_change(observation)

        return hear

    async def close(self) -> None:
        for driver in reversed(self._drivers.values()):
            await driver.close()

    async def start(self, spec: InstanceSpec) -> Observation:
        driver = self._drivers.get(spec.driver)
        if driver is None:
            raise StartFailed(f"This portal has no driver called {spec.driver!r}; see the setting docker_host.")
        seen = await driver.start(spec)
        self._of[spec.id] = driver
        return seen

    async def stop(self, instance_id: str, grace: timedelta) -> None:
        for driver in self._asked(instance_id):
            await driver.stop(instance_id, grace)

    async def remove(self, instance_id: str) -> None:
        for driver in self._asked(instance_id):
            await driver.remove(instance_id)
        self._of.pop(instance_id, None)

    def _asked(self, instance_id: str) -> list[ServiceDriver]:
        """The one that has it; all of them for an id that nobody has shown yet."""
        driver = self._of.get(instance_id)
        return [driver] if driver else [one for name, one in self._drivers.items() if name not in self._silent]

    async def observe(self) -> Mapping[str, Observation]:
        found: dict[str, Observation] = {}
        for name, driver in self._drivers.items():
            try:
                seen = await driver.observe()
            except Problem as problem:
                if name not in self._silent:
                    log.debug("a driver cannot be asked", driver=name, reason=problem.message)
                self._silent.add(name)
                continue
            self._silent.discard(name)
            self._of |= dict.fromkeys(seen, driver)
            found |= seen
        return found

    async def usage(self, instance_ids: Iterable[str]) -> Mapping[str, Usage]:
        by_driver: dict[str, list[str]] = {}
        for instance_id in instance_ids:
            if driver := self._of.get(instance_id):
                by_driver.setdefault(driver.name, []).append(instance_id)
        asked = [self._drivers[name].usage(ids) for name, ids in by_driver.items()]
        found: dict[str, Usage] = {}
        for usage in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(usage, Problem):
                continue  # its engine does not answer now; the next round asks again
            if isinstance(usage, BaseException):
                raise usage
            found |= usage
        return found

    async def parts(self, service_id: str) -> Sequence[Part]:
        return [
            part
            for name, driver in self._drivers.items()
            if name not in self._silent
            for part in await driver.parts(service_id)
        ]

    async def purge(self, service_id: str) -> None:
        for name, driver in self._drivers.items():
            if name not in self._silent:
                await driver.purge(service_id)
