"""Containers that the releases of a service share: made in order, kept while they are the same, else replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from homeport.kit.clock import Clock
from homeport.services.compose.model import Condition, StackService
from homeport.services.docker import labels
from homeport.services.drivers import InstanceSpec
from homeport.services.drivers.compose import definition
from homeport.services.drivers.compose.objects import Objects
from homeport.services.drivers.compose.state import Inspected, exit_code
from homeport.services.problems import StartFailed

LOOK_SECONDS = 0.2
PATIENCE_SECONDS = 300.0  # for a dependency to become healthy or to complete

Follow = Callable[[InstanceSpec, str, str], None]  # spec, name of the log, container


class Backing:
    """`follow` begins the log of a container that was started."""

    def __init__(self, objects: Objects, clock: Clock, follow: Follow) -> None:
        self._objects = objects
        self._clock = clock
        self._follow = follow

    async def provide(self, spec: InstanceSpec, network_id: str, *, replace: bool) -> dict[str, str]:
        """All of them, running: part -> container. `replace`: also those whose configuration is another one now."""
        if spec.stack is None:
            return {}
        here = {one["Config"]["Labels"][labels.PART]: one for one in await self.of(spec.service_id)}
        running: dict[str, str] = {}
        for service in spec.stack.backing:
            await self.wait(service, running)
            running[service.name] = await self._one(spec, service, here.get(service.name), network_id, replace)
            self._follow(spec, service.name, running[service.name])
        if replace:  # a newer document may name fewer
            for name in here.keys() - running.keys():
                await self._end(here[name])
        return running

    async def of(self, service_id: str) -> list[Inspected]:
        """Those that there are, whatever they do."""
        found = await self._objects.containers(f"{labels.SERVICE}={service_id}")
        return [one for one in found if labels.RELEASE not in one["Config"]["Labels"]]

    async def wait(self, service: StackService, running: Mapping[str, str]) -> None:
        """Until what it depends on is as it asks for. Raises StartFailed."""
        for name, condition in service.depends_on.items():
            if name in running and condition != "service_started":
                await self._reached(name, condition, running[name])

    async def stop(self, service_id: str) -> None:
        for one in reversed(await self.of(service_id)):
            if one["State"]["Running"] or one["State"]["Restarting"]:
                await self._objects.stop(one["Id"], None)

    async def remove(self, service_id: str) -> None:
        for one in reversed(await self.of(service_id)):
            await self._end(one)

    async def _one(
        self, spec: InstanceSpec, service: StackService, here: Inspected | None, network_id: str, replace: bool
    ) -> str:
        """The id of its container, which is as wanted and runs (or ran, where it is to complete)."""
        image = await self._objects.image(service.image or "")
        image_id = str(image["Id"])
        service = definition.with_image_volumes(service, (image["Config"] or {}).get("Volumes") or ())
        names = [mount.source for mount in service.mounts if mount.source]
        await self._objects.make_volumes(spec.service_id, names)
        if here is not None:
            same = here["Config"]["Labels"].get(labels.CONFIG) == definition.config_hash(spec, service, image_id)
            attached = any(one["NetworkID"] == network_id for one in here["NetworkSettings"]["Networks"].values())
            if (same and attached) or not replace:
                state = here["State"]
                completed = service.restart == "no" and state["Status"] == "exited" and state["ExitCode"] == 0
                if not (state["Running"] or state["Restarting"] or completed):
                    await self._objects.begin(here["Id"])
                return str(here["Id"])
            await self._end(here)
        body = definition.backing(
            spec, service, portal_id=self._objects.portal_id, network_id=network_id, image_id=image_id
        )
        return str((await self._objects.run(definition.backing_name(spec.service_id, service.name), body))["Id"])

    async def _end(self, container: Inspected) -> None:
        if container["State"]["Running"]:
            await self._objects.stop(container["Id"], None)
        await self._objects.remove(container["Id"])

    async def _reached(self, name: str, condition: Condition, container_id: str) -> None:
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            told = await self._objects.inspect(container_id)
            if told is None:
                raise StartFailed(f"{name} was removed while others waited for it.")
            if _is_reached(name, condition, told):
                return
            if self._clock.monotonic() > deadline:
                raise StartFailed(f"{name} did not get as far as others wait for within {PATIENCE_SECONDS:g} s.")
            await self._clock.sleep(LOOK_SECONDS)


def _is_reached(name: str, condition: Condition, told: Inspected) -> bool:
    state = told["State"]
    code = exit_code(int(state["ExitCode"]))
    ended = state["Status"] in {"exited", "dead"}
    if condition == "service_completed_successfully":
        if ended and code != 0:
            raise StartFailed(f"{name} was to complete, and ended with exit code {code}.")
        return ended
    health = state.get("Health")
    if health is None and not ended:
        raise StartFailed(f"Others wait until {name} is healthy, and it has no health check.")
    if ended or health["Status"] == "unhealthy":
        said = "" if not (health or {}).get("Log") else str(health["Log"][-1]["Output"]).strip()[-300:]
        how = f"ended with exit code {code}" if ended else "is not healthy"
        raise StartFailed(f"{name} {how}{': ' + said if said else ''}.")
    return bool(health["Status"] == "healthy")
