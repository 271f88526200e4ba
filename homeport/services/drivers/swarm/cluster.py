"""The swarm as the portal sees it: what carries its label, read in few calls and changed one object at a time."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.services.docker.problems import EngineRefused, EngineUnavailable
from homeport.services.drivers import InstanceSpec, Observation
from homeport.services.drivers.swarm import names, reading
from homeport.services.drivers.swarm.definition import Definition, pinned

if TYPE_CHECKING:
    from homeport.services.docker import Engine

Json = Mapping[str, Any]
ATTEMPTS = 8  # at changing an object that somebody else changes too
NETWORK_SECONDS = 20.0  # for the last endpoints to leave a network
RECORD = base64.b64encode(b"Where the volumes of this stack are: see the label homeport.node.\n").decode()


@dataclass(frozen=True)
class View:
    """Our services, their tasks, and the nodes, at one moment."""

    services: tuple[Json, ...]
    tasks: tuple[Json, ...]
    nodes: Mapping[str, reading.Node]

    def releases(self, service_id: str | None = None) -> list[Json]:
        """The routed services, of one stack or of all."""
        return [
            one
            for one in self.services
            if names.RELEASE in (labels := one["Spec"]["Labels"]) and service_id in {None, labels[names.SERVICE]}
        ]

    def backing(self, service_id: str) -> list[Json]:
        """What the releases of a stack share."""
        return [
            one
            for one in self.services
            if names.RELEASE not in (labels := one["Spec"]["Labels"]) and labels[names.SERVICE] == service_id
        ]

    def release(self, instance_id: str) -> Json | None:
        return next((one for one in self.releases() if one["Spec"]["Labels"][names.RELEASE] == instance_id), None)

    def named(self, name: str) -> Json | None:
        return next((one for one in self.services if one["Spec"]["Name"] == name), None)

    def observe(self, service: Json) -> Observation:
        return reading.observe(service, self.tasks, self.nodes)

    def history(self, service: Json) -> list[Json]:
        return reading.history(service, self.tasks)

    def is_outdated(self) -> bool:
        """Whether a task runs where there was no node, or belongs to a run that was not there yet."""
        runs = {one["ID"]: reading.run_of(one["Spec"]) for one in self.services}
        return any(
            (task.get("NodeID") and task["NodeID"] not in self.nodes)
            or runs.get(task["ServiceID"]) != reading.run_of(task["Spec"])
            for task in self.tasks
            if task["DesiredState"] in reading.WANTED
        )


class Events:
    """Whether something was said of services or nodes since the last time that it was asked."""

    def __init__(self) -> None:
        self._came = True

    def note(self) -> None:
        self._came = True

    def take(self) -> bool:
        came, self._came = self._came, False
        return came


class Cluster:
    """Calls of one manager. Every method raises EngineUnavailable or EngineRefused."""

    def __init__(self, engine: Engine, portal_id: str) -> None:
        self.engine = engine
        self._portal = portal_id
        self._ours = {"label": [f"{names.PORTAL}={portal_id}"]}
        self._own = ("", "")  # our node's id and address, once known

    async def view(self) -> View:
        """Three calls at once."""
        if not self._own[0]:
            await self.introduce()
        services, tasks, nodes = await asyncio.gather(self._list("/services"), self.tasks(), self.nodes())
        return View(tuple(services), tuple(tasks), nodes)

    async def look_again(self, view: View) -> View:
        """One call, for the tasks of all our services."""
        return replace(view, tasks=tuple(await self.tasks()))

    async def tasks(self) -> list[Json]:
        """Of all our services, those just removed included. A task inherits its service's labels for this filter."""
        return await self._list("/tasks")

    async def nodes(self) -> dict[str, reading.Node]:
        told = await self.engine.ask("GET", "/nodes")
        own_id, own_address = self._own
        found = (reading.node(one, own_id=own_id, own_address=own_address) for one in told)
        return {one.id: one for one in found}

    async def own_node(self) -> str:
        """The id of the manager's node."""
        if not self._own[0]:
            await self.introduce()
        return self._own[0]

    async def create(self, made: Definition) -> None:
        await self.engine.ask("POST", "/services/create", body=made)

    async def change(self, service_id: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Edit a service's definition as it stands; anew when somebody else was faster. A removed one is left alone."""

        async def attempt() -> None:
            told = await self.engine.ask("GET", f"/services/{service_id}")
            spec = dict(told["Spec"])
            spec["Labels"] = dict(spec.get("Labels") or {})
            edit(spec)
            version = {"version": told["Version"]["Index"]}
            await self.engine.ask("POST", f"/services/{service_id}/update", query=version, body=spec)

        await _persist(attempt, gone_is_fine=True)

    async def replace(self, service_id: str, made: Definition) -> None:
        """The whole definition; the name stays."""

        def edit(spec: dict[str, Any]) -> None:
            force = spec["TaskTemplate"].get("ForceUpdate", 0)
            spec.clear()
            spec.update(made)
            spec["TaskTemplate"] = {**made["TaskTemplate"], "ForceUpdate": force}

        await self.change(service_id, edit)

    async def remove(self, service_id: str) -> None:
        await self._delete(f"/services/{service_id}")

    async def network(self, spec: InstanceSpec) -> str:
        """The id of the stack's overlay network, made if need be."""
        name = names.project(spec.service_id)
        body = {
            "Name": name,
            "Driver": "overlay",
            "Attachable": True,
            "Labels": names.of(self._portal, spec.service_id),
        }
        # Asked first: a list would also show what this node for a moment still has of a network that was removed.
        try:
            return str((await self.engine.ask("POST", "/networks/create", body=body))["Id"])
        except EngineRefused as problem:
            found = [one for one in await self._list("/networks") if one["Name"] == name]
            if problem.engine_status != 409 or not found:
                raise
            return str(found[0]["Id"])

    async def remove_network(self, service_id: str) -> None:
        """Waits for the last endpoints to leave it."""
        ours = {"label": [*self._ours["label"], f"{names.SERVICE}={service_id}"]}
        for one in await self.engine.ask("GET", "/networks", query={"filters": ours}):
            deadline = asyncio.get_running_loop().time() + NETWORK_SECONDS
            while True:
                try:
                    await self._delete(f"/networks/{one['Id']}")
                    break
                except EngineRefused:
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                    await asyncio.sleep(0.3)

    async def pin(self, reference: str) -> str:
        """What to call the image on every node; asks no registry."""
        try:
            found = await self.engine.ask("GET", f"/images/{reference}/json")
        except EngineRefused as problem:
            if problem.engine_status != 404:
                raise
            found = None
        return pinned(reference, found)

    async def home(self, service_id: str) -> str | None:
        """The node where a stack's volumes are."""
        record = await self._record(service_id)
        return None if record is None else str(record["Spec"]["Labels"].get(names.NODE)) or None

    async def settle_home(self, service_id: str, node: str) -> None:
        """Write it down in the cluster: volumes outlive every service of the stack."""
        if await self._record(service_id) is None:
            labels = names.of(self._portal, service_id) | {names.NODE: node}
            body = {"Name": names.project(service_id), "Labels": labels, "Data": RECORD}
            await self.engine.ask("POST", "/configs/create", body=body)

    async def forget_home(self, service_id: str) -> None:
        if (record := await self._record(service_id)) is not None:
            await self._delete(f"/configs/{record['ID']}")

    async def remove_volumes(self, service_id: str) -> None:
        """On the manager's own node: the API reaches no other."""
        ours = {"label": [*self._ours["label"], f"{names.SERVICE}={service_id}"]}
        told = await self.engine.ask("GET", "/volumes", query={"filters": ours})
        for volume in told.get("Volumes") or []:
            await _persist(partial(self._delete, f"/volumes/{volume['Name']}"))

    async def kill(self, container: str) -> None:
        """At once; on the manager's own node only."""
        try:
            await self.engine.ask("POST", f"/containers/{container}/kill")
        except EngineRefused as problem:
            if problem.engine_status not in {404, 409}:  # it is gone, or was faster
                raise

    async def stats(self, container: str) -> Json | None:
        """Of a container on the manager's own node; None of others."""
        try:
            query = {"stream": False, "one-shot": True}
            told: Json | None = await self.engine.ask("GET", f"/containers/{container}/stats", query=query)
        except EngineRefused as problem:
            if problem.engine_status in {404, 409}:
                return None
            raise
        return told

    @asynccontextmanager
    async def events(self) -> AsyncIterator[Events]:
        """Listens for as long as the context lasts, connecting anew when the engine comes back."""
        events = Events()
        task = asyncio.create_task(self._listen(events), name="swarm driver: events")
        try:
            yield events
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self, events: Events) -> None:
        query = {"filters": {"type": ["service", "node"]}}
        while True:
            try:
                async with self.engine.stream("GET", "/events", query=query) as answer:
                    async for _ in self.engine.lines(answer):
                        events.note()
            except (EngineUnavailable, EngineRefused):
                events.note()  # whatever was said meanwhile was missed; the watch says that the engine is silent
            await asyncio.sleep(1)

    @property
    def is_known(self) -> bool:
        """Whether the engine once was found to be a manager."""
        return bool(self._own[0])

    async def introduce(self) -> None:
        """Raises EngineUnavailable where the engine manages no swarm. Loads nothing where there is no engine at all."""
        if self.engine.is_local and self.engine.url is not None:
            socket = Path(self.engine.url.removeprefix("unix://"))
            if not await asyncio.to_thread(socket.exists):
                raise EngineUnavailable(f"Docker Engine does not run: there is no {socket}.")
        told = (await self.engine.ask("GET", "/info"))["Swarm"]
        if not told.get("ControlAvailable"):
            state = told.get("LocalNodeState", "inactive")
            what = "is not part of a swarm" if state == "inactive" else "is no manager of its swarm"
            raise EngineUnavailable(f"Docker Engine {what}: run `docker swarm init` there, or choose another driver.")
        self._own = (str(told["NodeID"]), str(told.get("NodeAddr", "")))

    async def _record(self, service_id: str) -> Json | None:
        found = await self._list("/configs")
        return next((one for one in found if one["Spec"]["Labels"].get(names.SERVICE) == service_id), None)

    async def _list(self, path: str) -> list[Json]:
        told: list[Json] | None = await self.engine.ask("GET", path, query={"filters": self._ours})
        return told or []

    async def _delete(self, path: str) -> None:
        try:
            await self.engine.ask("DELETE", path)
        except EngineRefused as problem:
            if problem.engine_status != 404:
                raise


async def _persist(attempt: Callable[[], Any], *, gone_is_fine: bool = False) -> None:
    """Again while the object is in use or was changed by somebody else meanwhile."""
    for turn in range(ATTEMPTS):
        try:
            await attempt()
            return
        except EngineRefused as problem:
            if gone_is_fine and problem.engine_status == 404:
                return
            busy = problem.engine_status == 409 or "out of sequence" in problem.message
            if not busy or turn == ATTEMPTS - 1:
                raise
            await asyncio.sleep(0.2 * (turn + 1))
