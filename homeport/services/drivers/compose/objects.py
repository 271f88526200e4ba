"""The containers, networks and volumes of this portal in an engine. What lacks its label is never touched."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from homeport.services.docker import Engine, labels
from homeport.services.docker.engine import path_part
from homeport.services.docker.problems import EngineRefused
from homeport.services.drivers.compose import definition
from homeport.services.drivers.compose.state import Inspected
from homeport.services.problems import StartFailed

AT_ONCE = 8
REMOVE_SECONDS = 60.0
SWARM_TASK = "com.docker.swarm.task.id"  # a container of the swarm's own, which bears our labels as well
STOP_MARGIN = 20.0  # seconds that the engine may take beyond the grace


class Objects:
    """Every name that is acted on was found by its label first; `portal_id` is that label's value."""

    def __init__(self, engine: Engine, portal_id: str) -> None:
        self.engine = engine
        self.portal_id = portal_id
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def containers(self, *wanted: str) -> list[Inspected]:
        """Ours, inspected, by name. `wanted` are labels, as `key` or `key=value`."""
        query = {"all": True, "filters": self._filter(*wanted)}
        listed = await self.engine.ask("GET", "/containers/json", query=query)
        own = [one for one in listed if SWARM_TASK not in one["Labels"]]
        found = await asyncio.gather(*(self.inspect(one["Id"]) for one in own))
        return sorted((one for one in found if one is not None), key=lambda one: str(one["Name"]))

    async def inspect(self, container_id: str) -> Inspected | None:
        """None where there is none, or none of ours."""
        async with self._at_once:
            try:
                told: Inspected = await self.engine.ask("GET", f"/containers/{container_id}/json")
            except EngineRefused as refusal:
                if refusal.engine_status == 404:
                    return None
                raise
        known = told["Config"]["Labels"] or {}
        return told if known.get(labels.PORTAL) == self.portal_id and SWARM_TASK not in known else None

    async def run(self, name: str, body: Mapping[str, Any]) -> Inspected:
        """Create and start. Where that fails nothing stays, and EngineRefused says why."""
        made = await self.engine.ask("POST", "/containers/create", query={"name": name}, body=body)
        try:
            await self.begin(made["Id"])
            told = await self.inspect(made["Id"])
        except BaseException:
            await asyncio.shield(self.remove(made["Id"]))
            raise
        if told is None:
            raise EngineRefused(f"The container {name} was removed while it started.", engine_status=404)
        return told

    async def begin(self, container_id: str) -> None:
        await self.engine.ask("POST", f"/containers/{container_id}/start")

    async def stop(self, container_id: str, grace: float | None) -> None:
        """`grace` in seconds before it is killed; None: what the container was made with."""
        query = {} if grace is None else {"t": max(0, round(grace))}
        seconds = (600.0 if grace is None else grace) + STOP_MARGIN
        await self._gone_is_fine("POST", f"/containers/{container_id}/stop", query, seconds)

    async def remove(self, container_id: str) -> None:
        """Kill and forget, with the volumes that have no name."""
        query = {"force": True, "v": True}
        await self._gone_is_fine("DELETE", f"/containers/{container_id}", query, REMOVE_SECONDS)

    async def image(self, reference: str) -> Mapping[str, Any]:
        """ImageInspect. Raises EngineRefused: No such image."""
        found: Mapping[str, Any] = await self.engine.ask("GET", f"/images/{path_part(reference)}/json")
        return found

    async def network(self, service_id: str) -> str:
        """The id of the service's network, made where there is none."""
        found = await self._networks(service_id)
        if found:
            return found[0]
        made = await self.engine.ask("POST", "/networks/create", body=definition.network(self.portal_id, service_id))
        return str(made["Id"])

    async def remove_networks(self, service_id: str) -> None:
        for network_id in await self._networks(service_id):
            await self._gone_is_fine("DELETE", f"/networks/{network_id}", {}, REMOVE_SECONDS)

    async def make_volumes(self, service_id: str, names: Collection[str]) -> None:
        """Those that are missing. Raises StartFailed where somebody else has one of that name."""
        for name in names:
            body = definition.volume(self.portal_id, service_id, name)
            made = await self.engine.ask("POST", "/volumes/create", body=body)
            if (made["Labels"] or {}).get(labels.PORTAL) != self.portal_id:
                raise StartFailed(f"The volume {body['Name']} exists already and belongs to somebody else.")

    async def remove_volumes(self, service_id: str) -> None:
        query = {"filters": self._filter(f"{labels.SERVICE}={service_id}", labels.VOLUME)}
        listed = await self.engine.ask("GET", "/volumes", query=query)
        for one in listed["Volumes"] or ():
            await self._gone_is_fine("DELETE", f"/volumes/{path_part(one['Name'])}", {}, REMOVE_SECONDS)

    async def remove_images(self, service_id: str) -> None:
        """Those built for it that nobody names or uses any more."""
        query = {"filters": self._filter(f"{labels.SERVICE}={service_id}")}
        for one in await self.engine.ask("GET", "/images/json", query=query):
            try:
                await self._gone_is_fine("DELETE", f"/images/{one['Id']}", {}, REMOVE_SECONDS)
            except EngineRefused as refusal:
                if refusal.engine_status != 409:  # somebody uses it
                    raise

    async def _networks(self, service_id: str) -> list[str]:
        query = {"filters": {**self._filter(f"{labels.SERVICE}={service_id}"), "scope": ["local"]}}
        return [str(one["Id"]) for one in await self.engine.ask("GET", "/networks", query=query)]

    def _filter(self, *wanted: str) -> dict[str, list[str]]:
        return {"label": [f"{labels.PORTAL}={self.portal_id}", *wanted]}

    async def _gone_is_fine(self, method: str, path: str, query: Mapping[str, Any], seconds: float) -> None:
        try:
            await self.engine.ask(method, path, query=query, seconds=seconds)
        except EngineRefused as refusal:
            if refusal.engine_status != 404 and "already in progress" not in refusal.message:
                raise
