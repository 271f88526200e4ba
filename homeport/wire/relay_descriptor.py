"""What relays tell about themselves, signed by each relay's wallet (seed 004 "GET /discovery").

Times are nanoseconds since the epoch: other relays' carry more digits than a datetime holds, and the signature is over
all of them. A descriptor is passed on as it came: `raw` is its JSON object.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from homeport.wire.ethereum import InvalidAddress, InvalidSignature, checksum_address, recover, sign

SECOND = 1_000_000_000  # nanoseconds
MOST_BYTES = 16 * 1024  # of one descriptor's JSON
_INSTANT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d{2}):(\d{2}))\Z", re.ASCII
)
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_LARGEST = (1 << 63) - 1


class InvalidDescriptor(ValueError):
    """A field is missing or of another kind, or the signature is not that of its address; the message says which."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """`url` is normalised, `address` in EIP-55; `connections` and `bps` (bytes a second) are what the relay claims."""

    address: str
    version: str
    issued_ns: int
    expires_ns: int
    url: str
    wireguard_public_key: str = ""
    wireguard_port: int = 0
    supports_overlay: bool = False
    supports_udp: bool = False
    supports_tcp: bool = False
    connections: int = 0
    bps: float = 0.0
    signature: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def host(self) -> str:
        """Of the URL, in lower case."""
        return urlsplit(self.url).hostname or ""

    def canonical(self) -> bytes:
        """What is signed: JSON without spaces, every member, in this order."""
        members = (
            ("address", _text(self.address)),
            ("version", _text(self.version)),
            ("issued_at_unix_nano", str(self.issued_ns)),
            ("expires_at_unix_nano", str(self.expires_ns)),
            ("api_https_addr", _text(self.url)),
            ("wireguard_public_key", _text(self.wireguard_public_key)),
            ("wireguard_port", str(self.wireguard_port)),
            ("supports_overlay", _flag(self.supports_overlay)),
            ("supports_udp", _flag(self.supports_udp)),
            ("supports_tcp", _flag(self.supports_tcp)),
            ("active_connections", str(self.connections)),
            ("tcp_bps", number(self.bps)),
        )
        return ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}").encode()

    def signed(self, key: bytes) -> Descriptor:
        """With the signature of `key`, and its JSON as `raw`; members that say nothing are left out of that."""
        signature = sign(key, hashlib.sha256(self.canonical()).digest())
        header = bytes([signature[64] + 31])  # 27, which key it was, and 4: its address is of the compressed key
        text = base64.b64encode(header + signature[:64]).decode()
        members: dict[str, Any] = {
            "address": self.address,
            "version": self.version,
            "issued_at": instant(self.issued_ns),
            "expires_at": instant(self.expires_ns),
            "api_https_addr": self.url,
            "wireguard_public_key": self.wireguard_public_key,
            "wireguard_port": self.wireguard_port,
            "supports_overlay": self.supports_overlay,
            "supports_udp": self.supports_udp,
            "supports_tcp": self.supports_tcp,
            "active_connections": self.connections,
            "tcp_bps": self.bps,
            "signature": text,
        }
        return replace(self, signature=text, raw={name: value for name, value in members.items() if value})

    def verify(self) -> None:
        """Raises InvalidDescriptor when the signature is not of `address`."""
        try:
            raw = base64.b64decode(self.signature, validate=True)
        except (binascii.Error, ValueError) as problem:
            raise InvalidDescriptor("the signature is not base64") from problem
        if len(raw) != 65 or not 27 <= raw[0] <= 34:
            raise InvalidDescriptor("the signature is not 65 bytes with a header of 27 to 34")
        digest = hashlib.sha256(self.canonical()).digest()
        try:
            signer = recover(digest, raw[1:] + bytes([(raw[0] - 27) % 4]))
        except InvalidSignature as problem:
            raise InvalidDescriptor("nobody made this signature") from problem
        if signer.lower() != self.address.lower():
            raise InvalidDescriptor("the signature is not of this address")


def read(value: Any) -> Descriptor:
    """A descriptor from its JSON object; the signature is not looked at. Raises InvalidDescriptor."""
    if not isinstance(value, Mapping):
        raise InvalidDescriptor("a descriptor is an object")
    try:
        address = checksum_address(_member(value, "address", str, ""))
    except InvalidAddress as problem:
        raise InvalidDescriptor(f"the address is none: {problem}") from problem
    return Descriptor(
        address=address,
        version=_short(value, "version").strip(),
        issued_ns=nanoseconds(_member(value, "issued_at", str, "")),
        expires_ns=nanoseconds(_member(value, "expires_at", str, "")),
        url=normal_url(_short(value, "api_https_addr")),
        wireguard_public_key=_short(value, "wireguard_public_key").strip(),
        wireguard_port=_count(value, "wireguard_port", 65535),
        supports_overlay=_member(value, "supports_overlay", bool, False),
        supports_udp=_member(value, "supports_udp", bool, False),
        supports_tcp=_member(value, "supports_tcp", bool, False),
        connections=_count(value, "active_connections", _LARGEST),
        bps=_amount(value, "tcp_bps"),
        signature=_short(value, "signature").strip(),
        raw=value,
    )


def normal_url(text: str) -> str:
    """`https://host[:port]/path` without query, fragment, slashes at the end, or a last segment `relay`.

    Raises InvalidDescriptor for anything that is no https address.
    """
    text = text.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as problem:
        raise InvalidDescriptor("the address of the relay's API is no URL") from problem
    if parts.scheme.lower() != "https" or not host or parts.username is not None or len(text) > 300:
        raise InvalidDescriptor("the address of the relay's API is not an https URL")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidDescriptor("the address of the relay's API has characters that no URL has")
    path = parts.path.rstrip("/").removesuffix("/relay").rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}{'' if port is None else f':{port}'}{path}"


def nanoseconds(text: str) -> int:
    """Of an RFC 3339 instant, with all its digits. Raises InvalidDescriptor."""
    found = _INSTANT.match(text.strip()[:64])
    if found is None:
        raise InvalidDescriptor("an instant is not in RFC 3339")
    day, time, fraction, way, hours, minutes = found.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{time}+00:00")
    except ValueError as problem:
        raise InvalidDescriptor("an instant names no day or time") from problem
    offset = 0 if way is None else (int(hours) * 60 + int(minutes)) * 60 * (1 if way == "+" else -1)
    seconds = (whole - datetime(1970, 1, 1, tzinfo=UTC)).days * 86400
    seconds += whole.hour * 3600 + whole.minute * 60 + whole.second - offset
    return seconds * SECOND + int((fraction or "").ljust(9, "0"))


def instant(ns: int) -> str:
    """RFC 3339 in UTC, with up to nine digits and no zeros behind them."""
    seconds, rest = divmod(ns, SECOND)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def number(value: float) -> str:
    """As canonical JSON has it: the fewest digits that mean this number, an exponent below 1e-6 and from 1e21 only."""
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    sign_, size = ("-", -value) if value < 0 else ("", value)
    mantissa, _, power = f"{size!r}".partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    exponent = int(power or 0) + len(whole) - (len(whole + part) - len((whole + part).lstrip("0")))
    digits = digits.rstrip("0") or "0"
    # the number is 0.digits times ten to the exponent
    if 1e-6 <= size < 1e21:
        if exponent <= 0:
            return f"{sign_}0.{'0' * -exponent}{digits}"
        if len(digits) <= exponent:
            return f"{sign_}{digits}{'0' * (exponent - len(digits))}"
        return f"{sign_}{digits[:exponent]}.{digits[exponent:]}"
    shown = exponent - 1
    mark = f"e-{-shown}" if shown < 0 else f"e+{shown:02d}"
    return f"{sign_}{digits[0]}{f'.{digits[1:]}' if digits[1:] else ''}{mark}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPED)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _member(value: Mapping[str, Any], name: str, kind: type, default: Any) -> Any:
    found = value.get(name)
    if found is None:
        return default
    if not isinstance(found, kind):
        raise InvalidDescriptor(f"{name} is of another kind")
    return found


def _short(value: Mapping[str, Any], name: str) -> str:
    text = str(_member(value, name, str, ""))
    if len(text) > 400 or any(ord(letter) < 0x20 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise InvalidDescriptor(f"{name} is too long or holds control characters")
    return text


def _count(value: Mapping[str, Any], name: str, most: int) -> int:
    found = value.get(name)
    if found is None:
        return 0
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= most:
        raise InvalidDescriptor(f"{name} is not a count")
    return found


def _amount(value: Mapping[str, Any], name: str) -> float:
    found = value.get(name)
    if found is None:
        return 0.0
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise InvalidDescriptor(f"{name} is not a number")
    try:
        amount = float(found)
    except OverflowError as problem:
        raise InvalidDescriptor(f"{name} is too large") from problem
    if not math.isfinite(amount):
        raise InvalidDescriptor(f"{name} is not a number")
    return amount
