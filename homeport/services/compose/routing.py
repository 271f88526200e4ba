"""Which service of a stack gets the requests, and at which port."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass

from homeport.services.compose.document import Mapping
from homeport.services.compose.model import StackService
from homeport.services.compose.problems import Findings

ROUTE_LABEL = "homeport.route"
PORT_LABEL = "homeport.port"


@dataclass(frozen=True)
class Routing:
    """What helps to decide: the app's name, its template's port, and the ports that services wanted published."""

    name: str
    port: int | None
    published: Map[str, tuple[int, ...]]


@dataclass(frozen=True)
class Routed:
    service: str
    port: int
    reason: str


def find_routed(services: tuple[StackService, ...], routing: Routing, findings: Findings, below: Mapping) -> Routed:
    """By label, then by ports, then by name, then by what others do not depend on."""
    service, because = _service(services, routing, findings, below)
    port, why = _port(service, routing)
    return Routed(service.name, port, f"Requests go to {service.name}: {because}; to port {port}: {why}.")


def _service(
    services: tuple[StackService, ...], routing: Routing, findings: Findings, below: Mapping
) -> tuple[StackService, str]:
    labelled = [one for one in services if one.labels.get(ROUTE_LABEL, "").lower() == "true"]
    if len(labelled) > 1:
        for one in labelled[1:]:
            at = f"services.{one.name}.labels.{ROUTE_LABEL}"
            findings.refuse(at, f"{labelled[0].name} has the label {ROUTE_LABEL} already.", below.at(one.name))
    if labelled:
        return labelled[0], f"it has the label {ROUTE_LABEL}"
    may = [one for one in services if one.labels.get(ROUTE_LABEL, "").lower() != "false"] or list(services)
    with_port = [one for one in may if PORT_LABEL in one.labels]
    if with_port:
        return with_port[0], f"it has the label {PORT_LABEL}"
    listening = [one for one in may if one.expose or routing.published.get(one.name)]
    if len(listening) == 1:
        return listening[0], "it is the only one with a port"
    named = [one for wanted in ("web", "app", routing.name) for one in may if one.name == wanted]
    if named:
        return named[0], "by its name"
    if len(may) == 1:
        return may[0], "it is the only one"
    needed = {other for one in services for other in one.depends_on}
    free = [one for one in may if one.name not in needed]
    if free:
        return free[0], "it is the first that no other depends on"
    return may[0], "it is the first"


def _port(service: StackService, routing: Routing) -> tuple[int, str]:
    label = service.labels.get(PORT_LABEL, "")
    if label.isascii() and label.isdecimal() and len(label) <= 5:
        return int(label), f"its label {PORT_LABEL}"
    if service.expose:
        return service.expose[0], "the first that it exposes"
    published = routing.published.get(service.name)
    if published:
        return published[0], "the first of its ports"
    if routing.port is not None:
        return routing.port, "its template says so"
    return 80, "nothing says otherwise (label homeport.port, or `expose`)"
