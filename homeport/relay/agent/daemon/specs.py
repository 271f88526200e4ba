"""What the agent was told to keep public: tunnels as they are written down and sent over its API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from homeport.relay.agent.relay_client import Wish
from homeport.relay.agent.relays import Relay, client_context, relay_url
from homeport.relay.agent.targets import parse_target
from homeport.relay.identities import normal_name
from homeport.relay.problems import InvalidRequest

MOST_RELAYS = 8
MOST_TAGS = 16
LONGEST_TEXT = 2000
LONGEST_CA = 64 * 1024


@dataclass(frozen=True)
class RelaySpec:
    """`ca` is PEM of whom to trust besides the system's authorities, `key` an API key of the portal that the relay is
    part of, `address` and `port` where to connect if not where `url` says."""

    url: str
    ca: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    address: str = ""
    port: int = 0

    def relay(self) -> Relay:
        """Loads authorities: some milliseconds. Raises TargetInvalid when the CA cannot be used."""
        return Relay(self.url, client_context(self.ca), self.key, self.address, self.port)


@dataclass(frozen=True)
class TunnelSpec:
    """One name and one target at one or several relays."""

    name: str
    target: str
    relays: tuple[RelaySpec, ...]
    tcp: bool = False
    udp: bool = False
    description: str = ""
    tags: tuple[str, ...] = ()
    thumbnail: str = ""
    hide: bool = False

    def wish(self) -> Wish:
        """What to ask the relays for."""
        return Wish(
            description=self.description, tags=self.tags, thumbnail=self.thumbnail, hide=self.hide,
            tcp=self.tcp, udp=self.udp,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """With its secrets: for the state file, and for the agent's own API on the way in."""
        return asdict(self)


def read_spec(given: Mapping[str, Any]) -> TunnelSpec:
    """What `as_json` wrote, or somebody else who knows it; `relay` may stand for `relays`, and be an address alone.

    Raises InvalidRequest, TargetInvalid.
    """
    target = _text(given, "target")
    parse_target(target)
    relays = given.get("relays", given.get("relay"))
    if isinstance(relays, str | Mapping):
        relays = [relays]
    if not isinstance(relays, list | tuple) or not 1 <= len(relays) <= MOST_RELAYS:
        raise InvalidRequest(f"`relays` has to be a list of one to {MOST_RELAYS} relays.")
    tags = given.get("tags") or ()
    if not isinstance(tags, list | tuple) or len(tags) > MOST_TAGS or not all(isinstance(tag, str) for tag in tags):
        raise InvalidRequest(f"`tags` has to be a list of at most {MOST_TAGS} texts.")
    return TunnelSpec(
        normal_name(_text(given, "name")),
        target.strip(),
        tuple(_relay(each) for each in relays),
        _flag(given, "tcp"),
        _flag(given, "udp"),
        _text(given, "description"),
        tuple(tag[:100] for tag in tags),
        _text(given, "thumbnail"),
        _flag(given, "hide"),
    )


def _relay(given: object) -> RelaySpec:
    if isinstance(given, str):
        return RelaySpec(relay_url(given))
    if not isinstance(given, Mapping):
        raise InvalidRequest("A relay is an address (https://…), or an object with its `url`.")
    port = given.get("port") or 0
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise InvalidRequest("A relay's `port` has to be a port.")
    ca, key = _text(given, "ca", LONGEST_CA), _text(given, "key")
    if ca and "-----BEGIN CERTIFICATE-----" not in ca:
        raise InvalidRequest("A relay's `ca` has to be PEM text.")
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise InvalidRequest("A relay's `key` fits no header.")
    return RelaySpec(relay_url(_text(given, "url")), ca, key, _text(given, "address"), port)


def _text(given: Mapping[str, Any], name: str, longest: int = LONGEST_TEXT) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool) and name == "target":
        return str(value)
    if not isinstance(value, str) or len(value) > longest:
        raise InvalidRequest(f"`{name}` has to be a text of at most {longest} characters.")
    return value


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(f"`{name}` has to be true or false.")
    return bool(value)
