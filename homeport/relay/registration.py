"""What a client asks for when it registers a tunnel, as it came in and with its bounds (digest A.2, C.10, L.3)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from homeport.relay.envelope import Body
from homeport.relay.identities import hostname_hash, identity_of, is_label, normal_host
from homeport.relay.lease import Metadata, TunnelIdentity
from homeport.relay.problems import InvalidJson, InvalidRequest
from homeport.wire.ech import InvalidConfigList, check_config_list

# Characters; of tags how many, and how long each is. Longer ones are refused with invalid_request.
MOST_DESCRIPTION = 4000
MOST_OWNER = 200
MOST_THUMBNAIL = 16_000  # a longer one is left out: tunnels do without a picture, but not without a name
MOST_TAGS = 32
MOST_TAG = 64
MOST_ECH_CONFIG = 4096  # bytes
NOTHING_SAID = Metadata()


class Wishes(NamedTuple):
    """What not every relay has."""

    tcp_enabled: bool
    udp_enabled: bool
    hop_token: str


@dataclass(frozen=True, slots=True)
class RegisterRequest:
    """`ttl` in seconds, 0 or less is the relay's own choice. The route name, the hash and the ECH configurations belong
    to clients that hide their public name; `hop_token` to an overlay that this relay is no part of."""

    identity: TunnelIdentity
    metadata: Metadata = NOTHING_SAID
    ttl: int = 0
    tcp_enabled: bool = False
    udp_enabled: bool = False
    hop_token: str = ""
    route_hostname: str = ""
    hostname_hash: str = ""
    ech_config_list: bytes = b""

    @classmethod
    def read(cls, body: Body, require: Callable[[Wishes], None]) -> RegisterRequest:
        """`require` is asked after the types and before the values, as clients expect: it says what is not to be had.

        Raises InvalidJson for wrong types, InvalidRequest for values that cannot be.
        """
        who = body.inner("identity")
        encoded = body.text("ech_config_list")
        given = who.text("name"), who.text("address"), metadata_of(body), body.number("ttl")
        wishes = Wishes(body.flag("tcp_enabled"), body.flag("udp_enabled"), body.text("hop_token").strip())
        hidden = normal_host(body.text("route_hostname")), body.text("hostname_hash").strip()
        try:
            config = b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidJson("ech_config_list has to be base64.") from None
        require(wishes)
        name, address, metadata, ttl = given
        return cls(identity_of(name, address), _bounded(metadata), ttl, *wishes, *hidden, _checked(config))

    def check_hidden(self, hostname: str, root: str) -> None:
        """That the route name is a child of the relay's, and that what needs one has one. Raises InvalidRequest."""
        if not self.route_hostname:
            if self.hostname_hash or self.ech_config_list:
                raise InvalidRequest("hostname_hash and ech_config_list need a route_hostname.")
            return
        label, _, parent = self.route_hostname.partition(".")
        if parent != root or not is_label(label):
            raise InvalidRequest(f"route_hostname has to be one label below {root}.")
        if self.hostname_hash and self.hostname_hash != hostname_hash(hostname):
            raise InvalidRequest("hostname_hash is not that of the tunnel's name.")


def metadata_of(body: Body) -> Metadata:
    """The `metadata` of a request, nothing where there is none. Raises InvalidJson."""
    given = body.inner("metadata")
    return Metadata(
        given.text("description"),
        given.text("owner"),
        given.text("thumbnail"),
        given.texts("tags"),
        given.flag("hide"),
    )


def renewed_metadata(body: Body) -> Metadata | None:
    """The same of a renewal: None leaves what was said before. Raises InvalidJson, InvalidRequest."""
    return None if body.get("metadata") is None else _bounded(metadata_of(body))


def _bounded(metadata: Metadata) -> Metadata:
    if any("\0" in text for text in (metadata.description, metadata.owner, metadata.thumbnail, *metadata.tags)):
        raise InvalidRequest("metadata holds a NUL character.")
    for name, most in (("description", MOST_DESCRIPTION), ("owner", MOST_OWNER)):
        if len(getattr(metadata, name)) > most:
            raise InvalidRequest(f"metadata.{name} is longer than {most} characters.")
    if len(metadata.tags) > MOST_TAGS or any(len(tag) > MOST_TAG for tag in metadata.tags):
        raise InvalidRequest(f"metadata.tags are at most {MOST_TAGS}, of at most {MOST_TAG} characters each.")
    return metadata if len(metadata.thumbnail) <= MOST_THUMBNAIL else replace(metadata, thumbnail="")


def _checked(config: bytes) -> bytes:
    if len(config) > MOST_ECH_CONFIG:
        raise InvalidRequest(f"ech_config_list is longer than {MOST_ECH_CONFIG} bytes.")
    try:
        if config:
            check_config_list(config)
    except InvalidConfigList as problem:
        raise InvalidRequest(f"ech_config_list is invalid: {problem}.") from None
    return config
