"""From text to Stack: parse, fill in the variables, hold against the policy, read, order, and find who is routed."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass
from enum import StrEnum

from homeport.services.compose import fields, interpolate, mounts, values
from homeport.services.compose.document import Mapping, Node, Scalar, Sequence, parse
from homeport.services.compose.fields import Draft, Reader, StackLimits, one
from homeport.services.compose.model import Stack, StackService
from homeport.services.compose.policy import OPEN_WITH_FILES, judge
from homeport.services.compose.problems import ComposeRefused, Findings
from homeport.services.compose.routing import Routing, find_routed

MAX_SERVICES = 20
MAX_VOLUMES = 20
DEFAULT_NETWORK = "default"


class Origin(StrEnum):
    """Where a document comes from: pasted by somebody (TENANT), or together with files (CLONE)."""

    TENANT = "tenant"
    CLONE = "clone"


READERS: dict[str, Reader] = {
    "image": one("image", values.image),
    "command": fields.command("command"),
    "entrypoint": fields.command("entrypoint"),
    "environment": fields.environment,
    "expose": fields.expose,
    "ports": fields.ports,
    "volumes": mounts.volumes,
    "tmpfs": mounts.tmpfs,
    "depends_on": fields.depends_on,
    "healthcheck": fields.healthcheck,
    "restart": fields.restart,
    "labels": fields.labels,
    "user": one("user", values.user),
    "working_dir": one("working_dir", values.inner_path),
    "init": one("init", values.truth),
    "read_only": one("read_only", values.truth),
    "tty": one("tty", values.truth),
    "stop_signal": one("stop_signal", values.signal),
    "stop_grace_period": fields.grace,
    "mem_limit": fields.memory,
    "cpus": fields.cpus,
    "pids_limit": fields.pids,
    "shm_size": fields.shm,
    "cap_add": fields.cap_add,
    "networks": fields.networks,
    "build": fields.build,
    "deploy": fields.deploy,  # after the service's own limits, which win
}


@dataclass(frozen=True)
class Request:
    """What a document is read with."""

    variables: Map[str, str]
    origin: Origin
    name: str
    port: int | None
    limits: StackLimits
    dockerfile: str | None


def read(
    text: str,
    variables: Map[str, str],
    *,
    origin: Origin = Origin.TENANT,
    name: str = "",
    port: int | None = None,
    limits: StackLimits | None = None,
    dockerfile: str | None = None,
) -> Stack:
    """The admitted stack. Raises ComposeRefused with every violation, and nothing else.

    `name` is the app's and `port` its template's: both help to find who gets the requests. `dockerfile` is the text of
    a Dockerfile handed along: builds are accepted then, and those that name no file of their own use it.
    """
    findings = Findings()
    request = Request(variables, origin, name, port, limits or StackLimits(), dockerfile)
    stack = resolve(parse(text), request, findings)
    if findings.violations or stack is None:
        raise ComposeRefused(findings.ordered)
    return stack


def resolve(raw: Mapping, request: Request, findings: Findings) -> Stack | None:
    """The stack as far as it can be read, with what is wrong in `findings`; None without any service."""
    tree = interpolate.fill(raw, request.variables, findings)
    opened = OPEN_WITH_FILES if request.origin is Origin.CLONE else frozenset()
    if request.dockerfile is not None:
        opened |= {"services.*.build"}
    judge(tree, findings, opened=opened)
    volumes = _names(tree, "volumes", values.VOLUME_NAME.fullmatch, MAX_VOLUMES, findings)
    networks = {DEFAULT_NETWORK, *_names(tree, "networks", values.VOLUME_NAME.fullmatch, MAX_VOLUMES, findings)}
    names = _names(tree, "services", values.SERVICE_NAME.fullmatch, MAX_SERVICES, findings)
    if not names:
        if not findings.violations:
            findings.refuse("services", "It declares no services.", tree.at("services"))
        return None
    below = tree.entries["services"]
    assert isinstance(below, Mapping)
    drafts: dict[str, Draft] = {}
    services: dict[str, StackService] = {}
    for name in names:
        drafts[name] = draft = Draft(
            f"services.{name}", findings, request.variables, request.limits,
            frozenset(volumes), frozenset(networks), request.dockerfile,
        )  # fmt: skip
        services[name] = _service(draft, name, below, opened)
    ordered = _in_order(services, below, findings)
    published = {name: draft.published for name, draft in drafts.items()}
    routing = find_routed(tuple(services.values()), Routing(request.name, request.port, published), findings, below)
    return Stack(
        services=ordered,
        volumes=volumes,
        routed=routing.service,
        port=routing.port,
        reason=routing.reason,
        variables=variables_in(raw),
        notes=tuple(findings.notes),
    )


def variables_of(text: str) -> tuple[str, ...]:
    """The names of the variables that a document asks for. Raises ComposeRefused where it is not YAML."""
    return variables_in(parse(text))


def variables_in(tree: Mapping) -> tuple[str, ...]:
    """Those that stand in values, and those that an environment list takes over by name."""
    found = dict.fromkeys(interpolate.names(tree))
    services = tree.entries.get("services")
    for service in services.entries.values() if isinstance(services, Mapping) else ():
        listed = service.entries.get("environment") if isinstance(service, Mapping) else None
        for item in listed.items if isinstance(listed, Sequence) else ():
            if isinstance(item, Scalar) and values.VARIABLE_NAME.fullmatch(item.text):
                found.setdefault(item.text)
    return tuple(found)


def _names(tree: Mapping, key: str, fits: Callable[[str], object], most: int, findings: Findings) -> tuple[str, ...]:
    """The declared names under a top-level key, each of them a mapping or nothing."""
    node = tree.entries.get(key)
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return ()
    if not isinstance(node, Mapping):
        findings.refuse(key, "It must be a mapping of names.", node.line)
        return ()
    if len(node.entries) > most:
        findings.refuse(key, f"It declares {len(node.entries)}: at most {most} are accepted.", node.line)
        return ()
    found = []
    for name, value in node.entries.items():
        empty = isinstance(value, Scalar) and value.is_null
        if not fits(name):
            case = "lower case letters, digits" if key == "services" else "letters, digits"
            findings.refuse(f"{key}.{name[:60]}", f"The name may hold {case} and - _ . inside.", node.at(name))
        elif not isinstance(value, Mapping) and (key == "services" or not empty):
            findings.refuse(f"{key}.{name}", "It must be a mapping.", value.line)
        else:
            found.append(name)
    return tuple(found)


def _service(draft: Draft, name: str, below: Mapping, opened: frozenset[str]) -> StackService:
    node = below.entries[name]
    assert isinstance(node, Mapping)
    for key, reader in READERS.items():
        value = node.entries.get(key)
        closed = f"services.*.{key}" in OPEN_WITH_FILES - opened
        if value is None or closed or (isinstance(value, Scalar) and value.is_null):
            continue
        reader(draft, value, f"{draft.path}.{key}")
    if "build" in draft.values:
        if draft.values.pop("image", None) is not None:
            draft.findings.note(f"{draft.path}.image has no effect: the service is built.")
    elif "image" not in node.entries and "build" not in node.entries:
        draft.findings.refuse(draft.path, "It needs an `image`.", below.at(name))
    draft.values.setdefault("memory_mb", draft.limits.memory_mb)
    draft.values.setdefault("cpus", draft.limits.cpu)
    draft.values.setdefault("pids", draft.limits.pids)
    return StackService(name, **draft.values)


def _in_order(services: Map[str, StackService], below: Mapping, findings: Findings) -> tuple[StackService, ...]:
    """Dependencies first, otherwise as in the document. A cycle and a missing service are violations."""
    placed: dict[str, StackService] = {}
    waiting = dict(services)
    for name, service in services.items():
        for other in service.depends_on:
            if other not in services and other not in below.entries:
                at = f"services.{name}.depends_on"
                findings.refuse(at, f"There is no service {other[:60]!r}.", _line(below, name, "depends_on"))
    while waiting:
        ready = [name for name, one in waiting.items() if not any(other in waiting for other in one.depends_on)]
        if not ready:
            first = next(iter(waiting))
            findings.refuse(
                f"services.{first}.depends_on",
                f"These services wait for each other: {', '.join(waiting)}.",
                _line(below, first, "depends_on"),
            )
            ready = list(waiting)
        placed[ready[0]] = waiting.pop(ready[0])
    return tuple(placed.values())


def _line(below: Mapping, name: str, key: str) -> int:
    node: Node | None = below.entries.get(name)
    return node.at(key) if isinstance(node, Mapping) else below.at(name)
