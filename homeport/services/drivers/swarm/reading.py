"""From what a swarm says of services, tasks and nodes to observations and parts (Engine API 1.41): pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from homeport.services.drivers import InstanceState, Observation, Part
from homeport.services.drivers.swarm import names
from homeport.services.drivers.swarm.definition import SECOND

Json = Mapping[str, Any]
WANTED = {"running", "ready"}  # desired states of a task that is to run; `ready` waits for its restart delay
ENDED = {"complete", "failed", "rejected", "orphaned", "shutdown", "remove"}
UNKNOWN_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Node:
    """One machine of the cluster. `address` is where its published ports are reached."""

    id: str
    name: str
    address: str
    is_up: bool


def node(told: Json, *, own_id: str = "", own_address: str = "") -> Node:
    """A manager reports 0.0.0.0 or a loopback address of itself at times: then its advertised one is meant."""
    address = str(told.get("Status", {}).get("Addr", ""))
    if address in {"", "0.0.0.0"} or address.startswith("127."):
        manager = str(told.get("ManagerStatus", {}).get("Addr", "")).rpartition(":")[0].strip("[]")
        address = own_address if told["ID"] == own_id and own_address else (manager or address)
    description = told.get("Description", {})
    up = told.get("Status", {}).get("State") == "ready"
    return Node(told["ID"], str(description.get("Hostname", told["ID"][:12])), address or UNKNOWN_HOST, up)


def instant(text: str) -> datetime:
    """The Engine's instants have nine decimals."""
    head, _, rest = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{(rest or '0')[:6]:0<6}").replace(tzinfo=UTC)


def exit_code(task: Json) -> int | None:
    """Negative where a signal ended it, as everywhere in Homeport; None where it never ran."""
    status = task.get("Status", {})
    code = status.get("ContainerStatus", {}).get("ExitCode")
    if code is None or code < 0 or status.get("State") not in ENDED or not _container(task):
        return None
    return int(128 - code if 128 < code <= 192 else code)


def run_of(definition: Json) -> str:
    """Which start of the service a definition or a task belongs to."""
    labels = definition.get("TaskTemplate", definition).get("ContainerSpec", {}).get("Labels") or {}
    return str(labels.get(names.RUN, ""))


def history(service: Json, tasks: Iterable[Json]) -> list[Json]:
    """The tasks of the service's latest start, oldest first."""
    run = run_of(service["Spec"])
    mine = [task for task in tasks if task["ServiceID"] == service["ID"] and run_of(task["Spec"]) == run]
    return sorted(mine, key=lambda task: str(task["CreatedAt"]))


def current(tasks: Sequence[Json]) -> Json | None:
    """The one that runs or is to run, of a history."""
    return next((task for task in reversed(tasks) if task["DesiredState"] in WANTED), None)


def observe(service: Json, tasks: Iterable[Json], nodes: Mapping[str, Node]) -> Observation:
    """How the service of a release is. `restarts` counts the tasks that the swarm still remembers."""
    spec = service["Spec"]
    labels = spec["Labels"]
    instance = str(labels.get(names.RELEASE, spec["Name"]))
    owner = str(labels[names.SERVICE])
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or []
    port = int(ports[0]["PublishedPort"]) if ports else None
    if not replicas(service):
        code = labels.get(names.EXIT)
        if names.STOPPED in labels:
            return Observation(
                instance, owner, InstanceState.STOPPED, port=port, exit_code=int(code) if code else None,
                reason="stopped",
            )  # fmt: skip
        return Observation(
            instance, owner, InstanceState.LOST, port=port, reason="lost: somebody else scaled it to nothing"
        )
    runs = history(service, tasks)
    now = current(runs)
    if now is not None and now["Status"]["State"] in ENDED:
        now = None  # its end is news to the swarm, too: it plans the next one in a moment
    before = [task for task in runs if task is not now]
    last = before[-1] if before else None
    code_before = exit_code(last) if last else None
    if now is not None and is_up(now):
        at = nodes.get(str(now.get("NodeID", "")))
        return Observation(
            instance, owner, InstanceState.RUNNING, pid=pid(now), port=port,
            started_at=instant(now["Status"]["Timestamp"]), restarts=len(before), exit_code=code_before,
            host=at.address if at else UNKNOWN_HOST,
        )  # fmt: skip
    retry = None
    if last is not None and (now is None or now["DesiredState"] == "ready"):
        retry = instant(last["Status"]["Timestamp"]) + delay(service)
    return Observation(
        instance, owner, InstanceState.BACKOFF, port=port, restarts=len(before), exit_code=code_before,
        reason=why(now, last, nodes), retry_at=retry,
    )  # fmt: skip


def parts(service: Json, tasks: Iterable[Json], nodes: Mapping[str, Node]) -> Part:
    """The same for people, of any service of a stack; a one-shot that did its work is `exited`."""
    spec = service["Spec"]
    seen = observe(service, tasks, nodes)
    runs = history(service, tasks)
    task = current(runs) or (runs[-1] if runs else None)
    at = nodes.get(str(task.get("NodeID", ""))) if task else None
    template = spec["TaskTemplate"]["ContainerSpec"]
    check = (template.get("Healthcheck") or {}).get("Test") or ["NONE"]
    state, code, health = seen.state.value, seen.exit_code, None
    if task is not None and task["Status"]["State"] == "complete" and current(runs) is None:
        state, code = "exited", exit_code(task)
    if check[0] != "NONE" and seen.state is InstanceState.RUNNING and task is not None:
        health = "healthy" if task["Status"]["State"] == "running" else "starting"
    return Part(
        spec["Name"], str(spec["Labels"].get(names.PART, "")), state, image=str(template["Image"]), health=health,
        started_at=seen.started_at, restarts=seen.restarts, exit_code=code, node=at.name if at else None,
        ports=(seen.port,) if seen.port else (), release_id=spec["Labels"].get(names.RELEASE),
    )  # fmt: skip


def is_up(task: Json) -> bool:
    """Whether its container exists. With a health check, `starting` lasts until that has passed."""
    state, desired = task["Status"]["State"], task["DesiredState"]
    return desired == "running" and (state == "running" or (state == "starting" and has_check(task)))


def has_check(task: Json) -> bool:
    """Whether the document brings a health check; what an image brings is not known here."""
    test = (task["Spec"]["ContainerSpec"].get("Healthcheck") or {}).get("Test") or ["NONE"]
    return bool(test[0] != "NONE")


def pid(task: Json) -> int | None:
    """On its node; None until the node told."""
    return task["Status"].get("ContainerStatus", {}).get("PID") or None


def replicas(service: Json) -> int:
    return int(((service["Spec"].get("Mode") or {}).get("Replicated") or {}).get("Replicas") or 0)


def delay(service: Json) -> timedelta:
    """From the end of a task to the start of the next."""
    policy = service["Spec"]["TaskTemplate"].get("RestartPolicy") or {}
    return timedelta(seconds=policy.get("Delay", 5 * SECOND) / SECOND)


def why(now: Json | None, last: Json | None, nodes: Mapping[str, Node]) -> str:
    """Why it does not run, in words for people."""
    if now is not None and (error := now["Status"].get("Err")):
        return f"waiting for a place in the swarm: {error}"
    if last is None:
        return "being placed in the swarm"
    code = exit_code(last)
    if code is not None and last["Status"]["State"] in {"failed", "complete"}:
        if "unhealthy" in str(last["Status"].get("Err", "")):
            return "ended by the swarm: its health check failed"
        return f"exited with code {code}" if code >= 0 else f"killed by signal {-code}"
    if error := last["Status"].get("Err"):
        return str(error)
    at = nodes.get(str(last.get("NodeID", "")))
    if at is not None and not at.is_up:
        return f"its node {at.name} was lost; being started elsewhere"
    return "being started again in the swarm"


def _container(task: Json) -> str:
    return str(task["Status"].get("ContainerStatus", {}).get("ContainerID", ""))
