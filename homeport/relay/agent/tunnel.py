"""One tunnel: an agent's name at one relay, registered, renewed and served until it is stopped or hopeless."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol

import structlog

from homeport.kit.clock import Clock
from homeport.kit.problems import Problem
from homeport.relay.agent.backoff import Backoff
from homeport.relay.agent.certificates import CertificateSource
from homeport.relay.agent.connection import Buffers, Connection
from homeport.relay.agent.held import Held
from homeport.relay.agent.identity import AgentIdentity
from homeport.relay.agent.observer import Observer, Visitor
from homeport.relay.agent.pool import SessionPool
from homeport.relay.agent.problems import (
    CertificateUnavailable,
    LeaseLost,
    RelayIncompatible,
    RelayRefused,
    RelayUnreachable,
    RelayUntrusted,
)
from homeport.relay.agent.relay_client import RelayClient, Wish
from homeport.relay.agent.relays import Relay, is_local_name
from homeport.relay.agent.status import State, Status, Traffic
from homeport.relay.agent.stream import Stream
from homeport.relay.agent.targets import Target
from homeport.relay.agent.together import together

log = structlog.get_logger()

RENEW_BEFORE = 30.0  # seconds before the lease's end; a short lease is renewed at half time
GOODBYE_SECONDS = 5.0
MOST_VISITORS = 4096  # at once; relays say who comes, and each costs two descriptors
LASTING_SECONDS = 60.0  # a lease that was lost sooner was perhaps taken by another agent of the same identity
# What asking again does not mend.
HOPELESS = {
    "invalid_request",
    "invalid_json",
    "invalid_address",
    "hostname_conflict",
    "transport_mismatch",
    "feature_unavailable",
    "tcp_port_disabled",
    "udp_disabled",
    "http11_only",
}


class Companion(Protocol):
    """Something that works along with a lease: datagrams, for example."""

    async def run(self, held: Held, changed: Callable[[], None]) -> None:
        """From each registration until the lease is lost, when it is cancelled; `changed` is called with each new
        warning. Raises LeaseLost to register anew."""
        ...

    def warning(self, relay: str) -> str:
        """What people should know of it at this relay (its URL); empty when all is well."""
        ...

    def traffic(self, relay: str) -> Traffic:
        """What it carried at this relay."""
        ...


@dataclass(frozen=True)
class Parts:
    """What all tunnels of an agent share."""

    identity: AgentIdentity
    target: Target
    wish: Wish
    certificates: CertificateSource
    clock: Clock
    random: Callable[[], float]
    observer: Observer | None
    companions: Sequence[Companion]
    buffers: Buffers
    visitors: count[int]
    changed: Callable[[], None]


class Tunnel:
    """`run` returns when it was given up (`failed`); cancelled, it says goodbye to the relay first."""

    def __init__(self, relay: Relay, parts: Parts) -> None:
        self.relay = relay
        self.traffic = Traffic()
        self.failure: Problem | None = None
        self.held: Held | None = None
        self._parts = parts
        self._backoff = Backoff(parts.random)
        self._pool = SessionPool(relay, parts.buffers, Backoff(parts.random), self._claimed, self._heard)
        self._streams: set[asyncio.Task[None]] = set()
        self._context: ssl.SSLContext | None = None
        self._context_there = asyncio.Event()
        self._has_sessions = False  # as far as we have heard: that none waits just now may be for visitors
        self._state: State = "connecting"
        self._since = parts.clock.now()
        self._error = ""
        self._warning = ""

    def status(self) -> Status:
        """As it is now."""
        held, companions = self.held, self._parts.companions
        each = [self.traffic, *(companion.traffic(self.relay.url) for companion in companions)]
        warnings = [self._warning, *(companion.warning(self.relay.url) for companion in companions)]
        return Status(
            state=self._state,
            url=held.url if held else "",
            since=self._since,
            error=self._error,
            relay=self.relay.url,
            hostname=held.hostname if held else "",
            tcp_addr=held.tcp_addr if held else "",
            udp_addr=held.udp_addr if held else "",
            ready=self._pool.ready,
            warning=next(filter(None, warnings), ""),
            received=sum(one.received for one in each),
            sent=sum(one.sent for one in each),
            connections=sum(one.connections for one in each),
            open=sum(one.open for one in each),
        )

    async def run(self) -> None:
        """Until it is cancelled, or hopeless."""
        # What costs a file's worth of certificates to set up is made when it is used.
        client = await asyncio.to_thread(RelayClient, self.relay, self._parts.identity, self._parts.clock)
        try:
            while True:
                began = self._parts.clock.monotonic()
                try:
                    await self._hold(client)
                except LeaseLost as problem:
                    log.info("the lease is lost: registering anew", relay=self.relay.url, reason=problem.message)
                except RelayUnreachable as problem:
                    if self.held is None and isinstance(problem, RelayUntrusted):
                        raise  # a person has to say whom to trust
                    self._fell(problem)
                except RelayRefused as problem:
                    if problem.code in HOPELESS:
                        raise
                    self._fell(problem)
                if self._parts.clock.monotonic() - began > LASTING_SECONDS:
                    self._backoff.reset()
                await self._parts.clock.sleep(self._backoff.next())
        except Problem as problem:
            self.failure = problem
            self._become("failed", problem.message)
        except Exception:
            log.exception("a tunnel broke", relay=self.relay.url)
            self.failure = RelayIncompatible(f"The tunnel at {self.relay.url} broke; the agent's log says why.")
            self._become("failed", self.failure.message)
        finally:
            await self._leave(client)

    def end(self, state: Literal["expired", "stopped"]) -> None:
        """Say how it ended, once nothing runs any more."""
        if self._state != "failed":
            self._become(state)

    async def _hold(self, client: RelayClient) -> None:
        """One lease, from its registration until it is lost; always ends by an exception."""
        protocol = await client.protocol()
        held = self.held = await client.register(self._parts.wish, protocol)
        log.info("registered", relay=self.relay.url, hostname=held.hostname, protocol=protocol)
        held.traffic = self.traffic
        self._has_sessions = False
        self._parts.changed()
        await together(
            f"tunnel:{held.hostname}",
            self._pool.run(held),
            self._renew(client, held),
            self._certify(client, held),
            *(companion.run(held, self._parts.changed) for companion in self._parts.companions),
        )

    async def _renew(self, client: RelayClient, held: Held) -> None:
        clock, backoff = self._parts.clock, Backoff(self._parts.random, first=1.0, longest=10.0)
        while True:
            left = (held.expires_at - clock.now()).total_seconds()
            await clock.sleep(max(1.0, left - RENEW_BEFORE if left > 2 * RENEW_BEFORE else left / 2))
            while True:
                try:
                    await client.renew(held, self._parts.wish)
                except (RelayUnreachable, RelayRefused) as problem:
                    # The sessions tell whether the relay is there, and it whether the lease still is.
                    log.info("not renewed", relay=self.relay.url, reason=problem.message)
                    await clock.sleep(backoff.next())
                else:
                    backoff.reset()
                    break

    async def _certify(self, client: RelayClient, held: Held) -> None:
        """Always a certificate to show, soon; a new one long before it ends."""
        clock = self._parts.clock
        soon = Backoff(self._parts.random, longest=5.0)
        backoff = Backoff(self._parts.random, first=60.0, longest=3600.0)  # authorities count failures
        while True:
            try:
                shown = await self._parts.certificates.obtain(held, client)
            except (RelayUnreachable, RelayRefused) as problem:
                log.info("no certificate yet", hostname=held.hostname, reason=problem.message)
                await clock.sleep(soon.next())
            except CertificateUnavailable as problem:
                self._warn(problem.message)
                only_tls = not (self._parts.wish.tcp or self._parts.wish.udp)
                if self._context is None and only_tls and is_local_name(held.hostname):
                    raise
                log.warning("no certificate", hostname=held.hostname, reason=problem.message)
                await clock.sleep(30.0 + backoff.next())
            else:
                self._context = shown.context
                self._context_there.set()
                self._warn(shown.warning)
                if self._has_sessions:
                    self._heard(None)
                await clock.sleep(max(60.0, (shown.renew_at - clock.now()).total_seconds()))

    def _claimed(self, connection: Connection, kind: Literal["tls", "tcp"], early: bytes) -> None:
        parts = self._parts
        if len(self._streams) >= MOST_VISITORS:
            connection.close()
            return
        hostname = self.held.hostname if self.held else ""
        visitor = Visitor(next(parts.visitors), kind, hostname, self.relay.url)
        proofs = self.held.answers if self.held else {}
        stream = Stream(
            connection, visitor, parts.target, self.traffic, parts.buffers, self._shown, proofs, parts.observer
        )
        task = asyncio.create_task(stream.run(early), name=f"visitor:{hostname}")
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    async def _shown(self) -> ssl.SSLContext:
        """What visitors are shown; waits for the first certificate, which is on its way."""
        await self._context_there.wait()
        assert self._context is not None
        return self._context

    def _heard(self, problem: Problem | None) -> None:
        """Of the sessions: why there are none, or that there are."""
        self._has_sessions = problem is None
        if problem is not None:
            self._fell(problem)
        elif self._context is None and not (self._parts.wish.tcp or self._parts.wish.udp):
            self._become("connecting", self._warning or "The certificate is on its way.")
        else:
            self._become("online")

    def _fell(self, problem: Problem) -> None:
        if problem.code == "lease_rejected":
            self._become("waiting", f"The administrator of {self.relay.url} has not approved this tunnel.")
        else:
            self._become("connecting" if self.held is None else "offline", problem.message)

    def _warn(self, text: str) -> None:
        if text != self._warning:
            self._warning = text
            self._parts.changed()

    def _become(self, state: State, error: str = "") -> None:
        if (state, error) == (self._state, self._error):
            return
        if state != self._state:
            self._since = self._parts.clock.now()
            log.info("the tunnel's state", relay=self.relay.url, state=state, reason=error)
        self._state, self._error = state, error
        self._parts.changed()

    async def _leave(self, client: RelayClient) -> None:
        """End what visitors use, and give the name back."""
        streams = list(self._streams)
        for task in streams:
            task.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        if self.held is not None and self.failure is None:
            with contextlib.suppress(Problem, TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await client.unregister(self.held)
        await client.close()
