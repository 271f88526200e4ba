"""What is made public: where the plain bytes of a visitor's connection go."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from homeport.relay.agent.observer import Visitor
from homeport.relay.agent.problems import TargetInvalid, TargetUnreachable
from homeport.relay.agent.tcp import connect

CONNECT_SECONDS = 10.0
_TARGET = re.compile(r"(?:(?:http|tcp)://)?(?:(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):)?(?P<port>[0-9]{1,5})/?\Z")


class Target(Protocol):
    """Gives each visitor a connected stream socket, which the agent then owns, reads, writes and closes.

    One end of a `socket.socketpair()` will do: so a target may answer by itself, or look at requests before they reach
    anything (whoever holds the other end).
    """

    async def open(self, visitor: Visitor) -> socket.socket:
        """Non-blocking. Raises TargetUnreachable: web visitors then see a 503 page, others are cut."""
        ...

    def __str__(self) -> str:
        """Where it leads, for people."""
        ...


@dataclass(frozen=True)
class TcpTarget:
    """A port of this machine, or of another that it reaches."""

    host: str
    port: int

    async def open(self, visitor: Visitor) -> socket.socket:  # noqa: ARG002
        """A new connection for each visitor."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await connect(self.host, self.port)
        except TimeoutError:
            raise TargetUnreachable(f"{self} did not answer within {CONNECT_SECONDS:.0f} seconds.") from None
        except OSError as fault:
            raise TargetUnreachable(f"{self} cannot be reached ({fault.strerror or fault}): does it run?") from None

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class CallableTarget:
    """Whatever a function gives; raises what it raises."""

    call: Callable[[Visitor], Awaitable[socket.socket]]
    name: str = "this process"

    async def open(self, visitor: Visitor) -> socket.socket:
        return await self.call(visitor)

    def __str__(self) -> str:
        return self.name


def parse_target(text: str) -> TcpTarget:
    """`3000`, `host:3000`, `[::1]:3000`, also with http:// before it. Raises TargetInvalid."""
    found = _TARGET.match(text.strip())
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65536:
        raise TargetInvalid(f"{text[:100]!r} is no target: give a port (3000) or an address (192.168.1.5:3000).")
    return TcpTarget((found["host"] or "127.0.0.1").strip("[]"), port)
