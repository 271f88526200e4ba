"""What the portal's own pages and its shell ask of the relay: how it stands, and its tunnels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from homeport.identity import Identity, Verb
from homeport.identity.guard import require
from homeport.kit.clock import rfc3339_ms
from homeport.kit.routes import Router
from homeport.relay.lease import Traffic
from homeport.relay.leases import Leases
from homeport.relay.policy import ApprovalMode, Policy, PortPolicy
from homeport.relay.policy_store import Decision
from homeport.relay.snapshot import both_spellings, tunnel
from homeport.relay.wallets import Wallets

MOST_IDENTITIES = 500  # in one answer


class Ports(BaseModel):
    """Of one kind. `configured`: whether the settings give any; `taken`: leases that have one."""

    configured: bool
    enabled: bool
    max_leases: int = Field(description="0 is no limit.")
    taken: int


class DecidedIdentity(BaseModel):
    """What was decided about an identity, with or without a lease; `bps` is bytes a second, 0 no limit."""

    identity_key: str
    name: str
    address: str
    approved: bool
    denied: bool
    banned: bool
    bps: int
    changed_at: str | None


class RelayCounts(BaseModel):
    """`waiting` are leases that wait for an approval; `open` visitors' connections now, the rest since the start."""

    tunnels: int
    ready: int
    waiting: int
    open: int
    connections: int
    received_bytes: int
    sent_bytes: int


class RelayStatus(BaseModel):
    domain: str
    url: str
    address: str = Field(description="The relay's own wallet.")
    protocol_version: str
    wallets: list[str] = Field(description="Wallets that may administer, the relay's own first.")
    approval_mode: ApprovalMode
    landing_page_enabled: bool
    udp: Ports
    tcp_port: Ports
    counts: RelayCounts
    identities: list[DecidedIdentity] = Field(description=f"The {MOST_IDENTITIES} decided last.")
    identities_total: int
    banned_networks: list[str]


class RelayTunnels(BaseModel):
    tunnels: list[dict[str, Any]] = Field(description="As in /admin/snapshot, every field in both spellings.")
    total: int


def routes(
    identity: Identity,
    policy: Policy,
    wallets: Wallets,
    leases: Leases,
    *,
    base_url: Callable[[], str],
    total: Traffic,
) -> APIRouter:
    """`total` counts what moved through all tunnels since the start."""
    router = Router(prefix="/api/relay", tags=["relay"])
    settings = identity.settings

    @router.get("", dependencies=[require(Verb.RELAY_READ)])
    async def get_relay() -> RelayStatus:
        """The relay's settings, counts and what was decided."""
        current = leases.all()
        return RelayStatus(
            domain=settings.domain,
            url=base_url(),
            address=wallets.allowed[0],
            protocol_version=settings.relay_protocol,
            wallets=wallets.allowed,
            approval_mode=policy.approval_mode,
            landing_page_enabled=policy.landing_page_enabled,
            udp=_ports(policy.udp, settings.relay_udp, sum(lease.udp_enabled for lease in current)),
            tcp_port=_ports(policy.tcp_port, settings.relay_tcp, sum(lease.tcp_enabled for lease in current)),
            counts=RelayCounts(
                tunnels=len(current),
                ready=sum(lease.sessions.ready for lease in current if lease.sessions is not None),
                waiting=sum(policy.waits(lease.key) for lease in current),
                open=sum(len(lease.bridges) for lease in current),
                connections=total.connections,
                received_bytes=total.received,
                sent_bytes=total.sent,
            ),
            identities=_newest(policy),
            identities_total=len(policy.decisions),
            banned_networks=policy.banned_networks,
        )

    @router.get("/tunnels", dependencies=[require(Verb.RELAY_READ)])
    async def list_relay_tunnels() -> RelayTunnels:
        """Every lease that runs, hidden ones too."""
        rows = [both_spellings(tunnel(lease, policy, settings.domain)) for lease in leases.all()]
        return RelayTunnels(tunnels=rows, total=len(rows))

    return router


def _ports(policy: PortPolicy, configured: bool, taken: int) -> Ports:
    return Ports(configured=configured, enabled=policy.enabled, max_leases=policy.max_leases, taken=taken)


def _newest(policy: Policy) -> list[DecidedIdentity]:
    newest = sorted(policy.decisions.items(), key=lambda one: (str(one[1].changed_at), one[0]), reverse=True)
    return [_decided(key, decision) for key, decision in newest[:MOST_IDENTITIES]]


def _decided(key: str, decision: Decision) -> DecidedIdentity:
    name, _, address = key.partition(":")
    return DecidedIdentity(
        identity_key=key,
        name=name,
        address=address,
        approved=decision.approved,
        denied=decision.denied,
        banned=decision.banned,
        bps=decision.bps or 0,
        changed_at=rfc3339_ms(decision.changed_at) if decision.changed_at else None,
    )
