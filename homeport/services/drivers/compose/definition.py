"""From a stack to what the engine is asked to make (Docker Engine API 1.41, ContainerCreate): pure.

What keeps a container from the rest of the machine is always written, whatever the document says.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from homeport.services.compose.model import Healthcheck, Mount, StackService
from homeport.services.docker import labels
from homeport.services.drivers import InstanceSpec

# What images need that begin as root and then become their own user; the policy decides what a document may add.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
_NS = 1_000_000_000


def routed_name(release_id: str) -> str:
    return f"hp-{release_id}"


def backing_name(service_id: str, part: str) -> str:
    return f"{labels.project(service_id)}-{part}"


def volume_name(service_id: str, volume: str) -> str:
    return f"{labels.project(service_id)}-{volume}"


def with_image_volumes(service: StackService, paths: Iterable[str]) -> StackService:
    """The same with a volume for each path that its image keeps data in and the document gives none: without a name
    such data would be lost when the container is replaced."""
    given = {mount.target.rstrip("/") for mount in service.mounts}
    missing = sorted({path.rstrip("/") for path in paths} - given - {""})
    kept = (Mount("volume", path, image_volume(service.name, path)) for path in missing)
    return replace(service, mounts=(*service.mounts, *kept))


def image_volume(part: str, path: str) -> str:
    """The name of a volume that nobody named: the same for the same path of the same service."""
    return f"{part}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"


def network(portal_id: str, service_id: str) -> dict[str, Any]:
    """Body of a network's creation."""
    found = {**labels.of(portal_id, service_id), "com.docker.compose.network": "default"}
    return {"Name": labels.project(service_id), "CheckDuplicate": True, "Driver": "bridge", "Labels": found}


def volume(portal_id: str, service_id: str, name: str) -> dict[str, Any]:
    """Body of a volume's creation."""
    found = {**labels.of(portal_id, service_id), labels.VOLUME: name, "com.docker.compose.volume": name}
    return {"Name": volume_name(service_id, name), "Driver": "local", "Labels": found}


def routed(spec: InstanceSpec, service: StackService, *, portal_id: str, network_id: str, port: int) -> dict[str, Any]:
    """Body of the creation of the container that requests go to; it is always started again when it exits."""
    body = _container(spec, service, network_id)
    inside = f"{port}/tcp"
    body["ExposedPorts"] = {**body["ExposedPorts"], inside: {}}
    body["HostConfig"]["PortBindings"] = {inside: [{"HostIp": "127.0.0.1", "HostPort": str(spec.port)}]}
    body["HostConfig"]["RestartPolicy"] = {"Name": "unless-stopped", "MaximumRetryCount": 0}
    body["Labels"] |= labels.of(portal_id, spec.service_id, release_id=spec.id, part=service.name)
    body["Labels"][labels.PORT] = str(spec.port)
    return body


def backing(
    spec: InstanceSpec, service: StackService, *, portal_id: str, network_id: str, image_id: str
) -> dict[str, Any]:
    """Body of the creation of a container that releases share; its label says which configuration it has."""
    body = _container(spec, service, network_id)
    body["Labels"] |= labels.of(portal_id, spec.service_id, part=service.name)
    body["Labels"][labels.CONFIG] = config_hash(spec, service, image_id)
    return body


def config_hash(spec: InstanceSpec, service: StackService, image_id: str) -> str:
    """Changes with what the container is, not with the release or the name that its image goes by."""
    body = {**_container(spec, service, ""), "Image": image_id}
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]


def _container(spec: InstanceSpec, service: StackService, network_id: str) -> dict[str, Any]:
    memory = (service.memory_mb or spec.limits.memory_mb) << 20
    body: dict[str, Any] = {
        "Image": service.image,
        "Env": [f"{name}={value}" for name, value in service.environment.items()],
        "Labels": dict(service.labels),
        "Tty": service.tty,
        "StopTimeout": max(1, round(service.stop_grace)),
        "ExposedPorts": {f"{port}/tcp": {} for port in service.expose},
        "HostConfig": {
            "NetworkMode": network_id,
            "RestartPolicy": {"Name": service.restart, "MaximumRetryCount": 0},
            "Mounts": [_mount(spec.service_id, mount) for mount in service.mounts],
            "Privileged": False,
            "SecurityOpt": ["no-new-privileges:true"],
            "CapDrop": ["ALL"],
            "CapAdd": sorted({*CAPABILITIES, *service.cap_add}),
            "PidsLimit": service.pids or spec.limits.pids,
            "Memory": memory,
            "MemorySwap": memory,  # together with swap: none of it
            "NanoCpus": round((service.cpus or spec.limits.cpu) * _NS),
            "ReadonlyRootfs": service.read_only,
            "IpcMode": "private",
            "LogConfig": LOG,
        },
        "NetworkingConfig": {"EndpointsConfig": {network_id: {"Aliases": [service.name]}}},
    }
    optional: Mapping[str, Any] = {
        "Cmd": None if service.command is None else list(service.command),
        "Entrypoint": None if service.entrypoint is None else list(service.entrypoint),
        "User": service.user,
        "WorkingDir": service.working_dir,
        "StopSignal": service.stop_signal,
        "Healthcheck": {"Test": ["NONE"]} if service.healthcheck_off else _healthcheck(service.healthcheck),
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    if service.init is not None:
        body["HostConfig"]["Init"] = service.init
    if service.shm_mb is not None:
        body["HostConfig"]["ShmSize"] = service.shm_mb << 20
    return body


def _healthcheck(check: Healthcheck | None) -> dict[str, Any] | None:
    if check is None:
        return None
    return {
        "Test": list(check.test),
        "Interval": round(check.interval * _NS),
        "Timeout": round(check.timeout * _NS),
        "Retries": check.retries,
        "StartPeriod": round(check.start_period * _NS),
    }


def _mount(service_id: str, mount: Mount) -> dict[str, Any]:
    if mount.type == "tmpfs":
        size = {"TmpfsOptions": {"SizeBytes": mount.size_mb << 20}} if mount.size_mb else {}
        return {"Type": "tmpfs", "Target": mount.target, **size}
    source = volume_name(service_id, mount.source) if mount.source else ""
    return {"Type": "volume", "Source": source, "Target": mount.target, "ReadOnly": mount.read_only}
