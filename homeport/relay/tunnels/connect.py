"""GET /sdk/connect: who may open a reverse session, and for which lease."""

from __future__ import annotations

import orjson

from homeport.identity.client_address import network_of
from homeport.kit.clock import Clock
from homeport.kit.problems import Problem
from homeport.relay.lease import Lease
from homeport.relay.leases import Leases
from homeport.relay.policy import Policy
from homeport.relay.problems import LeaseRejected, MethodNotAllowed, TransportMismatch
from homeport.relay.tunnels.raw_http import response
from homeport.relay.tunnels.sessions import ReadySessions
from homeport.relay.tunnels.tls_stream import TlsStream
from homeport.wire.http_head import RequestHead

PATH = b"/sdk/connect"
TOKEN = b"x-portal-access-token"
# To the byte what clients expect: without the length, some would read the tunnel's bytes as a body.
_CONNECTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"


class Connector:
    """Checks in the order of spec 004: method, address, token, lease, policy. The protocol is HTTP/1 by then."""

    def __init__(self, leases: Leases, policy: Policy, clock: Clock) -> None:
        self._leases = leases
        self._policy = policy
        self._clock = clock

    def connect(self, head: RequestHead, address: str, stream: TlsStream) -> bytes | None:
        """Make the connection a reverse session: it is the lease's from then on, and None is returned. Otherwise the
        response that says why not. Raises OSError and ssl.SSLError when the agent has gone."""
        try:
            lease, sessions = self.admit(head, address)
        except Problem as problem:
            body = {"ok": False, "error": {"code": problem.code, "message": problem.message}}
            return response(problem.status, orjson.dumps(body) + b"\n")
        lease.last_seen_at = self._clock.now()
        lease.client_ip = address
        stream.write(_CONNECTED)
        sessions.add(stream)
        return None

    def admit(self, head: RequestHead, address: str) -> tuple[Lease, ReadySessions]:
        """The lease that this request may serve. Raises MethodNotAllowed, IpBanned, TokenRefused, LeaseNotFound,
        LeaseRejected and TransportMismatch."""
        if head.method != b"GET":
            raise MethodNotAllowed("This path takes GET.")
        self._policy.require_address(address)
        lease = self._leases.holder(head.value(TOKEN).decode("latin-1").strip())
        if not self._policy.routable(lease.key):
            raise LeaseRejected("This tunnel is not approved, or it is banned or denied.")
        if not isinstance(lease.sessions, ReadySessions):
            raise TransportMismatch("This lease carries no streams.")
        return lease, lease.sessions


def seen_from(address: object) -> str:
    """A peer's address as text: the IPv4 address where the socket speaks of it as an IPv6 one."""
    text = str(address[0]) if isinstance(address, tuple) and address else ""
    return network_of(text) if text.startswith("::ffff:") else text.partition("%")[0]
