"""From a stack to the swarm's service definitions (Engine API 1.41, ServiceSpec): pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from homeport.services.compose.model import Healthcheck, Mount, Stack, StackService
from homeport.services.drivers import InstanceSpec
from homeport.services.drivers.swarm import names

SECOND = 1_000_000_000  # the API's durations are nanoseconds
MIB = 1024 * 1024
# What the entry points of common images need in order to give their data to a user of their own and become that user.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
LOG_DRIVER = {"Name": "json-file", "Options": {"max-size": "10m", "max-file": "3"}}
MONITOR = 5.0  # seconds during which an updated service must not fail
ROLLBACK_MONITOR = 1.0  # the same for one that went back to what had been well
BACKING_DELAY = 5.0  # seconds before a backing service is started again

Definition = dict[str, Any]


def routed(spec: InstanceSpec, *, portal_id: str, network: str, run: str, node: str | None = None) -> Definition:
    """The service of one release: reached at `spec.port` of the node where it runs.

    `network` is the network's id; `node` the id of the node to which it is bound because of its volumes.
    """
    stack = _stack(spec)
    made = _definition(spec, stack.web, portal_id, network, node)
    made["Name"] = names.routed(spec.id)
    made["Labels"][names.RELEASE] = spec.id
    container = made["TaskTemplate"]["ContainerSpec"]
    container["Labels"] |= {names.RELEASE: spec.id, names.RUN: run}
    container["Env"] = environment({**spec.env, **stack.web.environment})
    made["TaskTemplate"]["RestartPolicy"] = {
        "Condition": "any",
        "Delay": int(spec.restart_delay.total_seconds() * SECOND),
    }
    # No IPVS is needed: the node itself listens, and neither the routing mesh nor a virtual address is in the way.
    made["EndpointSpec"] = {
        "Mode": "dnsrr",
        "Ports": [{"Protocol": "tcp", "TargetPort": stack.port, "PublishedPort": spec.port, "PublishMode": "host"}],
    }
    made["UpdateConfig"] = {"Parallelism": 1, "FailureAction": "continue", "Order": "stop-first"}
    return made


def backing(
    spec: InstanceSpec,
    service: StackService,
    *,
    portal_id: str,
    network: str,
    node: str | None = None,
) -> Definition:
    """A service that releases share. Its label `homeport.config` tells whether a later release wants it otherwise."""
    made = _definition(spec, service, portal_id, network, node)
    made["Name"] = names.backing(spec.service_id, service.name)
    condition = {"no": "none", "on-failure": "on-failure"}.get(service.restart, "any")
    made["TaskTemplate"]["RestartPolicy"] = {"Condition": condition, "Delay": int(BACKING_DELAY * SECOND)}
    made["EndpointSpec"] = {"Mode": "dnsrr"}
    order = "stop-first" if service.is_stateful else "start-first"
    made["UpdateConfig"] = _change("rollback", order, MONITOR)
    made["RollbackConfig"] = _change("pause", order, ROLLBACK_MONITOR)
    made["Labels"][names.CONFIG] = config_hash(made)
    return made


def config_hash(definition: Mapping[str, Any]) -> str:
    """Of all that makes a container what it is; where it is bound to, and what is said of the run, left out."""
    task = dict(definition["TaskTemplate"])
    task.pop("Placement", None)
    task.pop("ForceUpdate", None)
    text = json.dumps([definition["Name"], task, definition["EndpointSpec"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def place(definition: Definition, node: str | None) -> None:
    """Bind it to a node, or to none."""
    constraints = [f"node.id == {node}"] if node else []
    definition["TaskTemplate"]["Placement"] = {"Constraints": constraints}


def pinned(reference: str, found: Mapping[str, Any] | None) -> str:
    """The reference that means the same image on every node, and that no node asks a registry about in vain.

    `found` is the image as the manager has it. A digest can be pulled by any node; an image that only was built here
    goes by its id, which nodes never pull.
    """
    if found is None or "@sha256:" in reference:
        return reference
    digests = found.get("RepoDigests") or []
    return str(digests[0] if digests else found["Id"])


def environment(variables: Mapping[str, str]) -> list[str]:
    """NAME=value, in an order that does not depend on who wrote them first."""
    return [f"{name}={value}" for name, value in sorted(variables.items())]


def keeps_data(service: StackService) -> bool:
    """Whether it must stay on the node where its volumes are, even if it only reads them."""
    return any(mount.type == "volume" for mount in service.mounts)


def _definition(
    spec: InstanceSpec, service: StackService, portal_id: str, network: str, node: str | None
) -> Definition:
    labels = names.of(portal_id, spec.service_id, part=service.name)
    made: Definition = {
        "Labels": dict(labels),
        "TaskTemplate": {
            "ContainerSpec": _container(spec, service, labels),
            "Resources": {"Limits": _limits(spec, service)},
            "Networks": [{"Target": network, "Aliases": [service.name]}],
            "LogDriver": LOG_DRIVER,
        },
        "Mode": {"Replicated": {"Replicas": 1}},
    }
    place(made, node)
    return made


def _container(spec: InstanceSpec, service: StackService, labels: Mapping[str, str]) -> dict[str, Any]:
    if service.image is None:
        raise ValueError(f"{service.name} has no image: it was not built")
    made: dict[str, Any] = {
        "Image": service.image,
        "Labels": dict(labels),
        "Env": environment(service.environment),
        "Mounts": [_mount(spec, mount, labels) for mount in service.mounts],
        "StopGracePeriod": int(service.stop_grace * SECOND),
        "ReadOnly": service.read_only,
        "TTY": service.tty,
        "Privileges": {"NoNewPrivileges": True},  # from API 1.46; older engines take no notice
        "CapabilityDrop": ["ALL"],
        "CapabilityAdd": sorted({*CAPABILITIES, *service.cap_add}),
    }
    if service.shm_mb is not None:
        made["Mounts"].append(_memory("/dev/shm", service.shm_mb))  # noqa: S108  a mount point, not a file of ours
    optional = {
        # The API's Command is what an image calls ENTRYPOINT, its Args what an image calls CMD.
        "Command": None if service.entrypoint is None else list(service.entrypoint),
        "Args": None if service.command is None else list(service.command),
        "User": service.user,
        "Dir": service.working_dir,
        "Init": service.init,
        "StopSignal": service.stop_signal,
        "Healthcheck": _healthcheck(service),
    }
    return made | {name: value for name, value in optional.items() if value is not None}


def _healthcheck(service: StackService) -> dict[str, Any] | None:
    if service.healthcheck_off:
        return {"Test": ["NONE"]}
    check: Healthcheck | None = service.healthcheck
    if check is None:
        return None
    return {
        "Test": list(check.test),
        "Interval": int(check.interval * SECOND),
        "Timeout": int(check.timeout * SECOND),
        "Retries": check.retries,
        "StartPeriod": int(check.start_period * SECOND),
    }


def _mount(spec: InstanceSpec, mount: Mount, labels: Mapping[str, str]) -> dict[str, Any]:
    if mount.type == "tmpfs":
        return _memory(mount.target, mount.size_mb)
    kept = names.of(labels[names.PORTAL], spec.service_id)
    return {
        "Type": "volume",
        "Source": names.volume(spec.service_id, mount.source or ""),
        "Target": mount.target,
        "ReadOnly": mount.read_only,
        "VolumeOptions": {"Labels": kept},
    }


def _memory(target: str, size_mb: int | None) -> dict[str, Any]:
    made: dict[str, Any] = {"Type": "tmpfs", "Target": target}
    if size_mb is not None:
        made["TmpfsOptions"] = {"SizeBytes": size_mb * MIB}
    return made


def _limits(spec: InstanceSpec, service: StackService) -> dict[str, int]:
    return {
        "MemoryBytes": (service.memory_mb or spec.limits.memory_mb) * MIB,
        "NanoCPUs": int((service.cpus or spec.limits.cpu) * SECOND),
        "Pids": service.pids or spec.limits.pids,
    }


def _change(on_failure: str, order: str, monitor: float) -> dict[str, Any]:
    return {
        "Parallelism": 1,
        "FailureAction": on_failure,
        "Monitor": int(monitor * SECOND),
        "MaxFailureRatio": 0.0,
        "Order": order,
    }


def _stack(spec: InstanceSpec) -> Stack:
    if spec.stack is None:
        raise ValueError(f"{spec.id} is no stack")
    return spec.stack
