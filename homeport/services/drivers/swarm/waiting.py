"""Waits for what a swarm does by itself: a task that comes up, an update that ends, tasks that go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from homeport.kit.clock import Clock
from homeport.services.compose.model import Stack, StackService
from homeport.services.docker.problems import EngineRefused
from homeport.services.drivers import InstanceState, Observation
from homeport.services.drivers.swarm import reading
from homeport.services.drivers.swarm.cluster import Cluster, View
from homeport.services.drivers.swarm.definition import SECOND
from homeport.services.problems import StartFailed

LOOK = 0.1  # seconds between two looks
START_SECONDS = 300.0  # for a node to pull the image and make the container
PLACE_SECONDS = 20.0  # for the swarm to find a node that may and can take it
HEALTH_SECONDS = 300.0  # for a backing service that others wait for
OVERTIME = 15.0  # seconds beyond the grace until a node must have ended a container
UNHEALTHY_AFTER = 2.0  # seconds in `starting` after which a container exists and is only not yet well
REFUSALS = 2  # of a task, by whatever node, until it is said to be impossible
_IMPOSSIBLE = ("starting container failed", "No such image", "invalid mount", "invalid reference")


async def await_start(cluster: Cluster, clock: Clock, instance_id: str) -> Observation:
    """Until the container of a release exists, or ended by itself. Raises StartFailed when it cannot be made."""
    begun = clock.monotonic()
    while True:
        view = await cluster.view()
        service = view.release(instance_id)
        if service is None:
            raise StartFailed("somebody else removed it while it was being started")
        seen = view.observe(service)
        runs = view.history(service)
        now = reading.current(runs)
        _check_possible(view, runs, now, clock.monotonic() - begun)
        if seen.state is InstanceState.RUNNING:
            assert now is not None
            if now["Status"]["State"] == "running" and seen.pid:
                return seen
            since = reading.instant(now["Status"]["Timestamp"])
            if (clock.now() - since).total_seconds() > UNHEALTHY_AFTER:
                return seen
        elif seen.restarts and seen.exit_code is not None:
            return seen
        await clock.sleep(LOOK)


async def await_backing(cluster: Cluster, clock: Clock, name: str, part: StackService, stack: Stack | None) -> None:
    """Until a backing service is as those that depend on it want it. Raises StartFailed."""
    wanted = {one.depends_on[part.name] for one in (stack.services if stack else ()) if part.name in one.depends_on}
    begun = clock.monotonic()
    while True:
        view = await cluster.view()
        service = view.named(name)
        if service is None:
            raise StartFailed(f"{part.name}: somebody else removed it while it was being started")
        runs = view.history(service)
        now = reading.current(runs)
        last = now or (runs[-1] if runs else None)
        state = last["Status"]["State"] if last else "new"
        is_done = state == "complete" and last is not None and reading.exit_code(last) == 0
        passed = clock.monotonic() - begun
        if "service_completed_successfully" in wanted:
            if is_done:
                return
            if last is not None and now is None and state in {"complete", "failed"}:
                raise StartFailed(f"{part.name} ended with code {reading.exit_code(last)}; others wait for its success")
        else:
            is_up = state == "starting" and "service_healthy" not in wanted and passed > UNHEALTHY_AFTER
            if state == "running" or is_up or (is_done and part.restart != "always"):
                return
        _check_possible(view, runs, now, passed, part.name)
        if passed > HEALTH_SECONDS or sum(_ended(task) for task in runs) > 3:
            raise StartFailed(
                f"{part.name} did not come up: {reading.why(now, runs[-1] if runs else None, view.nodes)}"
            )
        await clock.sleep(LOOK)


async def await_update(cluster: Cluster, clock: Clock, name: str, part: str) -> None:
    """Until an update in place ended. Raises StartFailed when the swarm went back to what was."""
    begun = clock.monotonic()
    while True:
        view = await cluster.view()
        service = view.named(name)
        status: Mapping[str, Any] = (service or {}).get("UpdateStatus") or {}
        state = status.get("State", "")
        if service is None or state == "completed":
            return
        if state in {"rollback_completed", "rollback_paused", "paused"}:
            what = "went back to what it was" if state == "rollback_completed" else "stands still"
            reasons = [
                str(error) for task in view.tasks if task["ServiceID"] == service["ID"] and (error := _error(task))
            ]
            reason = reasons[-1] if reasons else str(status.get("Message", "it failed"))
            raise StartFailed(f"{part}: its update failed and {what}: {reason}")
        if clock.monotonic() - begun > START_SECONDS:
            raise StartFailed(f"{part}: its update did not end within {START_SECONDS:g} s")
        await clock.sleep(LOOK)


async def await_gone(
    cluster: Cluster, clock: Clock, services: Iterable[str], grace: timedelta
) -> dict[str, int | None]:
    """Until no container of these services is left; the exit codes of the last ones, as far as they were seen.

    Containers on the manager's own node are killed when `grace` is over; on others their own grace counts. A node that
    is down is not waited for.
    """
    waiting = set(services)
    codes: dict[str, int | None] = {}
    begun = clock.monotonic()
    own = await cluster.own_node()
    nodes = await cluster.nodes()
    killed: set[str] = set()
    while waiting:
        left = [task for task in await cluster.tasks() if task["ServiceID"] in waiting]
        live = []
        for task in left:
            if (code := reading.exit_code(task)) is not None and task["DesiredState"] == "remove":
                codes[task["ServiceID"]] = code
            at = nodes.get(str(task.get("NodeID", "")))
            if task["Status"]["State"] in {"starting", "running", "preparing"} and (at is None or at.is_up):
                live.append(task)
        passed = clock.monotonic() - begun
        own_grace = max((_grace(task) for task in live), default=0.0)
        if not live or passed > max(grace.total_seconds(), own_grace) + OVERTIME:
            if live:
                raise EngineRefused("The swarm did not end the containers in time.")
            break
        if passed >= grace.total_seconds():
            for task in live:
                container = task["Status"].get("ContainerStatus", {}).get("ContainerID", "")
                if task.get("NodeID") == own and container and container not in killed:
                    killed.add(container)
                    await cluster.kill(container)
        await clock.sleep(LOOK / 2)
    return codes


def _check_possible(
    view: View, runs: list[Mapping[str, Any]], now: Mapping[str, Any] | None, passed: float, part: str = ""
) -> None:
    """Raises StartFailed for what more patience does not mend."""
    said = f"{part}: " if part else ""
    up = sum(node.is_up for node in view.nodes.values())
    refused = [error for task in runs if (error := _error(task)) and any(word in error for word in _IMPOSSIBLE)]
    if len(refused) >= min(REFUSALS, max(up, 1)):
        raise StartFailed(f"{said}{refused[-1]}")
    if now is not None and now["Status"]["State"] == "pending" and passed > PLACE_SECONDS:
        raise StartFailed(f"{said}no node of the swarm can take it: {_error(now) or 'none is free'}")
    if passed > START_SECONDS:
        last = runs[-1] if runs else None
        raise StartFailed(f"{said}it did not start within {START_SECONDS:g} s: {reading.why(now, last, view.nodes)}")


def _ended(task: Mapping[str, Any]) -> bool:
    return task["Status"]["State"] in {"failed", "rejected", "complete"}


def _error(task: Mapping[str, Any]) -> str:
    return str(task["Status"].get("Err", ""))


def _grace(task: Mapping[str, Any]) -> float:
    return float(task["Spec"]["ContainerSpec"].get("StopGracePeriod", 10 * SECOND)) / SECOND
