"""Networks that users may make the portal connect to: those of the settings, and those that an administrator adds."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from homeport.identity import Verb
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.problems import ValidationFailed
from homeport.kit.routes import Router
from homeport.storage import Options

OPTION = "outbound_allow"
MOST = 200
# Public addresses need no permission, and no private range is wider (fc00::/7): more could only be a slip that opens
# this machine and its cloud's metadata to every user.
WIDEST = 7
_DANGERS = (
    # 0.0.0.0 and :: are dialled as loopback; mapped addresses are the IPv4 ones within.
    ("this machine itself (loopback)", ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "::ffff:127.0.0.0/104")),
    (
        "link-local addresses, with the metadata that a cloud keeps there",
        ("169.254.0.0/16", "fe80::/10", "::ffff:169.254.0.0/112"),
    ),
)

Network = IPv4Network | IPv6Network


class OutboundBody(BaseModel):
    allow: list[str] = Field(max_length=MOST, examples=[["192.168.0.0/16"]])


class OutboundAllowed(BaseModel):
    """`allow` is what an administrator added, `settings` what homeport.toml opens; `warnings` are sentences."""

    allow: list[str]
    settings: list[str]
    warnings: list[str]


class Outbound:
    """Keeps the guard and the option together. `open()` once the options are."""

    def __init__(self, guard: OutboundGuard, options: Options, clock: Clock, always: Sequence[str]) -> None:
        self._guard = guard
        self._options = options
        self._clock = clock
        self._always = tuple(always)

    def open(self) -> None:
        """What was allowed before counts again."""
        self._guard.also_allow(self._added())

    def shown(self) -> OutboundAllowed:
        added = self._added()
        return OutboundAllowed(
            allow=added, settings=list(self._always), warnings=warnings_about((*self._always, *added))
        )

    async def replace(self, wanted: Sequence[str], *, by: str) -> OutboundAllowed:
        """Exactly these from the next connection on, besides those of the settings. Raises ValidationFailed."""
        networks = checked(wanted)
        await self._options.set({OPTION: networks}, now=self._clock.now(), by=by)
        self._guard.also_allow(networks)
        return self.shown()

    def _added(self) -> list[str]:
        return list(self._options.get(OPTION, []))


def checked(wanted: Sequence[str]) -> list[str]:
    """The networks as CIDR, each once, in the order given. Raises ValidationFailed with everything that is wrong."""
    wrong: dict[str, str] = {}
    found: dict[str, None] = {}
    for place, text in enumerate(wanted):
        try:
            network = ip_network(text.strip())
        except ValueError as problem:
            wrong[f"allow.{place}"] = f"{text[:80]!r} is no network: {str(problem)[:160]}"
            continue
        if network.prefixlen < WIDEST:
            wrong[f"allow.{place}"] = f"{network} is wider than any private network: name the ones that you mean"
        found[str(network)] = None
    if wrong:
        raise ValidationFailed(wrong)
    return list(found)


def warnings_about(networks: Sequence[str]) -> list[str]:
    """A sentence for each open network that somebody could misuse against the portal's own machine."""
    sentences = []
    for text in networks:
        network = ip_network(text)
        for what, ranges in _DANGERS:
            if any(_overlap(network, ip_network(one)) for one in ranges):
                sentences.append(f"{network} lets every user who may deploy reach {what}.")
    return sentences


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def routes(outbound: Outbound) -> APIRouter:
    router = Router(prefix="/api/settings/outbound", tags=["settings"])

    @router.get("", dependencies=[require(Verb.SETTINGS_READ)])
    async def get_outbound() -> OutboundAllowed:
        """Networks that are open although they are private, local or reserved."""
        return outbound.shown()

    @router.put("", dependencies=[require(Verb.SETTINGS_WRITE, action="allow_outbound")])
    async def put_outbound(body: OutboundBody, actor: CurrentActor, call: CurrentCall) -> OutboundAllowed:
        """Replace the list; it counts for the next connection."""
        before = outbound.shown().allow
        shown = await outbound.replace(body.allow, by=actor.id)
        call.concerns("setting", OPTION, **_changes(before, shown.allow))
        return shown

    return router


def _changes(before: Sequence[str], after: Sequence[str]) -> dict[str, Any]:
    return {
        "added": [network for network in after if network not in before],
        "removed": [network for network in before if network not in after],
    }
