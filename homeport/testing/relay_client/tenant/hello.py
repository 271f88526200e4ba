"""What a visitor's ClientHello offers."""

from __future__ import annotations

from dataclasses import dataclass

from homeport.testing.relay_client.tenant.records import TlsFault


@dataclass(frozen=True)
class Offer:
    """`raw` is the whole message; `shares` are key shares by group, `name` the server name ("" for none)."""

    raw: bytes
    random: bytes
    session: bytes
    ciphers: frozenset[int]
    versions: frozenset[int]
    groups: tuple[int, ...]
    schemes: frozenset[int]
    shares: dict[int, bytes]
    protocols: tuple[str, ...]
    name: str


def parse_offer(raw: bytes) -> Offer:
    """`raw` with its four bytes of header. Raises TlsFault."""
    body = _Reader(raw[4:])
    legacy = body.number(2)
    random = body.take(32)
    session = body.vector(1)
    ciphers = _numbers(body.vector(2))
    body.vector(1)
    extensions: dict[int, bytes] = {}
    rest = _Reader(body.vector(2))
    while rest.left:
        kind = rest.number(2)
        extensions[kind] = rest.vector(2)
    versions = frozenset(_numbers(extensions[43][1:])) if 43 in extensions else frozenset({legacy})
    name = extensions[0][5:].decode() if 0 in extensions else ""
    shares: dict[int, bytes] = {}
    offered = _Reader(extensions[51][2:] if 51 in extensions else b"")
    while offered.left:
        group = offered.number(2)
        shares[group] = offered.vector(2)
    protocols = []
    names = _Reader(extensions[16][2:] if 16 in extensions else b"")
    while names.left:
        protocols.append(names.vector(1).decode())
    return Offer(
        raw,
        random,
        session,
        frozenset(ciphers),
        versions,
        tuple(_numbers(extensions.get(10, b"")[2:])),
        frozenset(_numbers(extensions.get(13, b"")[2:])),
        shares,
        tuple(protocols),
        name,
    )


def _numbers(raw: bytes) -> list[int]:
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise TlsFault("a length points past the end")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> bytes:
        return self.take(self.number(width))
