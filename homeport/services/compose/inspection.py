"""A look at a document before anything is deployed: what it would be, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeport.services.compose.document import parse
from homeport.services.compose.fields import StackLimits
from homeport.services.compose.model import Stack, StackService
from homeport.services.compose.problems import ComposeRefused, Findings, Violation
from homeport.services.compose.reading import Origin, Request, resolve, variables_in


@dataclass(frozen=True)
class Inspection:
    """`stack` is as much of it as could be read, also where `violations` refuse it; None where nothing could."""

    violations: tuple[Violation, ...]
    stack: Stack | None
    variables: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.violations

    def body(self) -> dict[str, Any]:
        """As the API shows it."""
        stack = self.stack
        return {
            "ok": self.ok,
            "violations": [one.body() for one in self.violations],
            "services": [_service(one) for one in stack.services] if stack else [],
            "volumes": list(stack.volumes) if stack else [],
            "routed": stack.routed if stack else None,
            "port": stack.port if stack else None,
            "reason": stack.reason if stack else None,
            "variables": list(self.variables),
            "notes": list(self.notes),
        }


def inspect(
    text: str,
    variables: Mapping[str, str],
    *,
    origin: Origin = Origin.TENANT,
    name: str = "",
    limits: StackLimits | None = None,
) -> Inspection:
    """Never raises for what a document says."""
    findings = Findings()
    try:
        tree = parse(text)
    except ComposeRefused as refusal:
        return Inspection(refusal.violations, None)
    stack = resolve(tree, Request(variables, origin, name, None, limits or StackLimits(), None), findings)
    return Inspection(findings.ordered, stack, variables_in(tree), tuple(findings.notes))


def _service(service: StackService) -> dict[str, Any]:
    return {
        "name": service.name,
        "image": service.image,
        "build": service.build.context if service.build else None,
        "ports": list(service.expose),
        "volumes": [f"{mount.source}:{mount.target}" for mount in service.mounts if mount.type == "volume"],
        "depends_on": list(service.depends_on),
    }
