"""What serves right now: each running service's instance, its route and how it is probed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homeport.services.drivers import InstanceSpec, InstanceState, Observation
from homeport.services.exposure import Pause, Routes, Target
from homeport.services.health import Probe, Subject


@dataclass(frozen=True)
class _Serving:
    name: str
    spec: InstanceSpec
    probe: Probe


class Live:
    """One entry a service that should serve. Rebuilt from the database and the driver at each start."""

    def __init__(self, routes: Routes, domain: str) -> None:
        self._routes = routes
        self._domain = domain
        self._serving: dict[str, _Serving] = {}
        self._service_of: dict[str, str] = {}
        self._seen: dict[str, Observation] = {}

    def point(self, name: str, spec: InstanceSpec, probe: Probe) -> None:
        """From now on, requests for `name` go to this instance."""
        self._forget(spec.service_id)
        self._serving[spec.service_id] = _Serving(name, spec, probe)
        self._service_of[spec.id] = spec.service_id
        self._route(self._serving[spec.service_id])

    def _route(self, serving: _Serving) -> None:
        spec = serving.spec
        target = Target(port=spec.port, instance_id=spec.id, host=self._host(spec.id))
        self._routes.point(serving.name, target, service_id=spec.service_id)

    def _host(self, instance_id: str) -> str:
        seen = self._seen.get(instance_id)
        return seen.host if seen else "127.0.0.1"

    def pause(self, service_id: str, name: str, status: Pause) -> None:
        """The name is known, and nothing serves it."""
        self._forget(service_id)
        self._routes.pause(name, status, service_id=service_id)

    def drop(self, service_id: str, name: str) -> None:
        """The name is free."""
        self._forget(service_id)
        self._routes.drop(name)

    def _forget(self, service_id: str) -> None:
        if serving := self._serving.pop(service_id, None):
            self._service_of.pop(serving.spec.id, None)

    def saw(self, observation: Observation) -> None:
        """The newest of an instance. One that moved to another machine takes its route along."""
        moved = self._host(observation.id) != observation.host
        self._seen[observation.id] = observation
        serving = self._serving.get(self._service_of.get(observation.id, ""))
        if moved and serving is not None:
            self._route(serving)

    def unsee(self, instance_id: str) -> None:
        self._seen.pop(instance_id, None)

    def observations(self) -> list[Observation]:
        """Of every instance that a driver has shown."""
        return list(self._seen.values())

    def observation(self, instance_id: str | None) -> Observation | None:
        return self._seen.get(instance_id) if instance_id else None

    def service_of(self, instance_id: str) -> str | None:
        """The service that this instance serves; None when it is not, or no longer, the live one."""
        return self._service_of.get(instance_id)

    def instances(self) -> Mapping[str, str]:
        """Service id -> instance id, of those that run."""
        return {
            service_id: serving.spec.id
            for service_id, serving in self._serving.items()
            if (seen := self._seen.get(serving.spec.id)) and seen.state is InstanceState.RUNNING
        }

    def subjects(self) -> list[Subject]:
        """What the health monitor probes."""
        return [self.subject(serving.name, serving.spec, serving.probe) for serving in self._serving.values()]

    def subject(self, name: str, spec: InstanceSpec, probe: Probe) -> Subject:
        return Subject(
            service_id=spec.service_id,
            instance_id=spec.id,
            host_name=f"{name}.{self._domain}",
            port=spec.port,
            cwd=spec.cwd,
            env=spec.env,
            probe=probe,
            uid=spec.uid,
            host=self._host(spec.id),
        )
