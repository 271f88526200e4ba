"""Signed descriptions of relays, as they tell each other: the canonical bytes, signing and verifying."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from coincurve import PublicKey

from homeport.testing.relay_client.wallet import Wallet, address_of

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def nanoseconds(instant: str) -> int:
    """Since 1970, of an RFC 3339 instant with up to nine digits of fraction."""
    found = _INSTANT.fullmatch(instant)
    if found is None:
        raise ValueError(f"not an instant: {instant!r}")
    whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).astimezone(UTC)
    return int(whole.timestamp()) * 1_000_000_000 + int((found[2] or "0").ljust(9, "0"))


def canonical(descriptor: Mapping[str, Any]) -> bytes:
    """What is signed: every member, in this order, without spaces, as Go writes JSON."""
    rate = float(descriptor.get("tcp_bps", 0))
    members = {
        "address": descriptor["address"],
        "version": descriptor["version"],
        "issued_at_unix_nano": nanoseconds(descriptor["issued_at"]),
        "expires_at_unix_nano": nanoseconds(descriptor["expires_at"]),
        "api_https_addr": descriptor["api_https_addr"],
        "wireguard_public_key": descriptor.get("wireguard_public_key", ""),
        "wireguard_port": descriptor.get("wireguard_port", 0),
        "supports_overlay": descriptor.get("supports_overlay", False),
        "supports_udp": descriptor.get("supports_udp", False),
        "supports_tcp": descriptor.get("supports_tcp", False),
        "active_connections": descriptor.get("active_connections", 0),
        "tcp_bps": int(rate) if rate.is_integer() and abs(rate) < 1e21 else rate,
    }
    text = json.dumps(members, separators=(",", ":"), ensure_ascii=False)
    for mark in "<>&\u2028\u2029":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text.encode()


def sign(wallet: Wallet, descriptor: Mapping[str, Any]) -> dict[str, Any]:
    """The descriptor with its signature."""
    digest = hashlib.sha256(canonical(descriptor)).digest()
    raw = wallet.sign_digest(digest)
    return {**descriptor, "signature": base64.b64encode(bytes([31 + raw[64]]) + raw[:64]).decode()}


def signer_of(descriptor: Mapping[str, Any]) -> str:
    """The address whose key signed it. Raises ValueError for a signature of another shape."""
    raw = base64.b64decode(descriptor["signature"], validate=True)
    if len(raw) != 65 or not 27 <= raw[0] <= 34:
        raise ValueError("a signature is a header of 27 to 34, r and s")
    digest = hashlib.sha256(canonical(descriptor)).digest()
    key = PublicKey.from_signature_and_message(raw[1:] + bytes([(raw[0] - 27) % 4]), digest, hasher=None)
    return address_of(key.format(compressed=False))
