"""What a compose document says once it is resolved and admitted: plain values, nothing left to look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

LEAST_MEMORY_MB = 16
LEAST_CPUS = 0.05


@dataclass(frozen=True)
class Build:
    """An image to build. `context` is a folder of the clone, `.` being its root; `dockerfile` is a path inside it."""

    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    dockerfile_inline: str | None = None  # its text, where nobody wrote a file


@dataclass(frozen=True)
class Mount:
    """A named volume of the stack, or memory."""

    type: Literal["volume", "tmpfs"]
    target: str  # absolute path inside
    source: str | None = None  # the volume's name in the document
    read_only: bool = False
    size_mb: int | None = None  # of a tmpfs


@dataclass(frozen=True)
class Healthcheck:
    """How the engine tells whether a container is well; durations in seconds. `test` is argv with CMD or CMD-SHELL."""

    test: tuple[str, ...]
    interval: float = 30.0
    timeout: float = 30.0
    retries: int = 3
    start_period: float = 0.0


Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]


@dataclass(frozen=True)
class StackService:
    """One service of a stack. `image` or `build` is set; None elsewhere means: as the image says."""

    name: str
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    healthcheck_off: bool = False
    restart: Literal["no", "always", "on-failure", "unless-stopped"] = "unless-stopped"
    expose: tuple[int, ...] = ()  # TCP ports inside
    user: str | None = None
    working_dir: str | None = None
    init: bool | None = None
    read_only: bool = False
    tty: bool = False
    cap_add: tuple[str, ...] = ()
    stop_signal: str | None = None
    stop_grace: float = 10.0  # seconds
    memory_mb: int | None = None
    cpus: float | None = None
    pids: int | None = None
    shm_mb: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_stateful(self) -> bool:
        """Whether it writes to a volume: two of it at the same time could spoil its data."""
        return any(mount.type == "volume" and not mount.read_only for mount in self.mounts)


@dataclass(frozen=True)
class Stack:
    """An admitted stack. `services` stand in an order in which they can start; requests go to `routed` at `port`."""

    services: tuple[StackService, ...]
    volumes: tuple[str, ...]
    routed: str
    port: int
    reason: str  # how `routed` and `port` were found, for people
    variables: tuple[str, ...] = ()  # the names that the text asks for
    notes: tuple[str, ...] = ()  # what was accepted but changes nothing, or was capped, for people

    def service(self, name: str) -> StackService:
        """Raises KeyError."""
        for one in self.services:
            if one.name == name:
                return one
        raise KeyError(name)

    @property
    def web(self) -> StackService:
        """The routed service."""
        return self.service(self.routed)

    @property
    def backing(self) -> tuple[StackService, ...]:
        """All but the routed one, in the order in which they start."""
        return tuple(one for one in self.services if one.name != self.routed)

    def with_environment(self, name: str, extra: Mapping[str, str]) -> Stack:
        """The same stack with more variables for one service; those that it sets itself win."""
        return replace(
            self,
            services=tuple(
                replace(one, environment={**extra, **one.environment}) if one.name == name else one
                for one in self.services
            ),
        )

    def within(self, memory_mb: int, cpus: float) -> Stack:
        """The same stack with less for each service, so that all of them together keep to these limits."""
        memory = sum(one.memory_mb or memory_mb for one in self.services)
        cores = sum(one.cpus or cpus for one in self.services)
        less_memory, less_cpu = min(1.0, memory_mb / memory), min(1.0, cpus / cores)
        return replace(
            self,
            services=tuple(
                replace(
                    one,
                    memory_mb=max(LEAST_MEMORY_MB, int((one.memory_mb or memory_mb) * less_memory)),
                    cpus=max(LEAST_CPUS, (one.cpus or cpus) * less_cpu),
                )
                for one in self.services
            ),
        )

    def with_images(self, images: Mapping[str, str]) -> Stack:
        """The same stack with the images that a release pinned, by service name."""
        return replace(
            self,
            services=tuple(
                replace(one, image=images[one.name], build=None) if one.name in images else one for one in self.services
            ),
        )
