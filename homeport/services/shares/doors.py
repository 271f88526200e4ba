"""Where the visitors of tunnels come in: through the proxy for what speaks HTTP, straight through for what does not."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import Problem
from homeport.services.exposure import Exchange, Route, Routes, Target, Traffic
from homeport.services.models import ServiceRow
from homeport.services.proxy import Gate, Limits, Proxy

if TYPE_CHECKING:  # what the agent brings along, an idle portal does without
    from homeport.relay.agent import Visitor

WEB = frozenset({"http", "https", "web", "proxy"})  # plugins of endpoints that speak HTTP
CONNECT_SECONDS = 10.0
_ENDPOINT = "endpoint "  # before its id, the name of an endpoint's "instance"


@dataclass
class Door:
    """One share's way in. `endpoint` is what an endpoint says of itself, None for an app; `serves` is off for one that
    is switched off."""

    id: str
    service_id: str
    service_name: str
    access: str
    endpoint: Mapping[str, Any] | None = None
    serves: bool = True
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def is_web(self) -> bool:
        return is_web(self.endpoint)

    def follow(self, service: ServiceRow) -> None:
        """The service as it is now."""
        self.endpoint = service.endpoint or {} if service.kind == "endpoint" else None
        self.serves = service.kind != "endpoint" or service.status == "running"


def is_web(endpoint: Mapping[str, Any] | None) -> bool:
    """Whether it speaks HTTP: every app does."""
    return endpoint is None or endpoint.get("plugin") in WEB


class Doors(Routes):
    """The proxy's table of names for tunnels: the name of each is its host name. Counts in flight are the apps' own, so
    that a deploy drains what came through tunnels as well."""

    def __init__(self, apps: Routes) -> None:
        super().__init__()
        self._apps = apps
        self._doors: dict[str, Door] = {}

    def lead(self, hostname: str, door: Door) -> bool:
        """The tunnel `hostname` is this door's from now on, unless it is another's: relays say what they like."""
        return self._doors.setdefault(hostname.lower(), door) is door

    def shut(self, door: Door) -> None:
        """Nothing leads to it any more."""
        self._doors = {name: one for name, one in self._doors.items() if one is not door}

    def door_at(self, hostname: str) -> Door | None:
        return self._doors.get(hostname)

    def app_at(self, host: str) -> str | None:
        return host if host in self._doors else None

    def find(self, name: str) -> Route | None:
        door = self._doors.get(name)
        if door is None:
            return None
        if door.endpoint is None:
            return self._apps.find(door.service_name)
        if not door.serves:
            return Route(name, door.service_id, None, "stopped")
        own = door.endpoint
        tls = bool(own.get("tls_enabled", own["plugin"] == "https"))
        return Route(name, door.service_id, Target(own["port"], _ENDPOINT + door.service_id, own["host"], tls))

    def traffic(self, name: str) -> Traffic:
        door = self._doors.get(name)
        return door.traffic if door is not None else Traffic()

    def enter(self, instance_id: str, exchange: Exchange) -> None:
        self._apps.enter(instance_id, exchange)

    def leave(self, instance_id: str, exchange: Exchange) -> None:
        self._apps.leave(instance_id, exchange)

    def on_drained(self, close: Callable[[str], None]) -> None:
        self._apps.on_drained(close)


class ShareTarget:
    """What the agent of a share reaches; nobody else on this machine can, for there is no port."""

    def __init__(self, door: Door, doors: Doors, proxy: Proxy, guard: OutboundGuard) -> None:
        self._door = door
        self._doors = doors
        self._proxy = proxy
        self._guard = guard

    async def open(self, visitor: Visitor) -> socket.socket:
        """One end of a pair whose other end is the proxy's; a connection where the service does not speak HTTP.

        Raises TargetUnreachable.
        """
        from homeport.relay.agent.problems import TargetUnreachable

        if not self._door.is_web:
            if self._door.access != "everyone":  # it was a web page when it was shared: nobody would ask who comes
                raise TargetUnreachable(f"{self._door.service_name} cannot ask its visitors to sign in any more.")
            return await self._straight()
        host = urlsplit(visitor.relay).hostname or ""
        if not visitor.hostname.endswith(f".{host}") or not self._doors.lead(visitor.hostname, self._door):
            raise TargetUnreachable(f"{visitor.relay} calls a tunnel by a name that is not its own.")
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._proxy.protocol(visitor.hostname), theirs
            )
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return ours

    async def _straight(self) -> socket.socket:
        from homeport.relay.agent.problems import TargetUnreachable

        own = self._door.endpoint or {}
        if not self._door.serves:
            raise TargetUnreachable(f"{self._door.service_name} is switched off.")
        sock: socket.socket | None = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                address = (await self._guard.resolve(own["host"], own["port"]))[0]
                sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await asyncio.get_running_loop().sock_connect(sock, (address, own["port"]))
                return sock
        except (OSError, TimeoutError, Problem):
            if sock is not None:
                sock.close()
            raise TargetUnreachable(f"{self._door.service_name} cannot be reached.") from None
        except BaseException:
            if sock is not None:
                sock.close()
            raise

    def __str__(self) -> str:
        return self._door.service_name


def proxy_for(doors: Doors, gate: Gate, guard: OutboundGuard, limits: Limits) -> Proxy:
    """The proxy of all tunnels. Endpoints are dialled at an address that the guard has judged."""
    context = _any_certificate()

    async def dial(protocol: Callable[[], asyncio.Protocol], target: Target) -> object:
        loop = asyncio.get_running_loop()
        if not target.instance_id.startswith(_ENDPOINT):
            return await loop.create_connection(protocol, target.host, target.port)
        try:
            address = (await guard.resolve(target.host, target.port))[0]
        except Problem as refused:
            raise ConnectionRefusedError(refused.message) from None
        if target.tls:
            return await loop.create_connection(
                protocol, address, target.port, ssl=context, server_hostname=target.host
            )
        return await loop.create_connection(protocol, address, target.port)

    # No app has a name below `.invalid` (RFC 6761 section 6.4): every name is asked of the doors.
    return Proxy(doors, domain="invalid", limits=limits, gate=gate, dial=dial)


def _any_certificate() -> ssl.SSLContext:
    """Home servers sign their own certificates, and administrators say where they are."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
