"""Datagrams of a UDP tunnel inside QUIC's: a flow's number, and what its visitor sent or is to get, word for word.

The number is an unsigned LEB128 of at most 64 bits (as Go's `binary.Uvarint` reads it, which is not QUIC's own varint).
"""

from __future__ import annotations

from typing import NamedTuple

MAX_FLOW = 2**64 - 1
MAX_FLOW_BYTES = 10


class Frame(NamedTuple):
    """One datagram of one flow; `payload` may be empty, as UDP's may."""

    flow: int
    payload: bytes


def encode(flow: int, payload: bytes) -> bytes:
    """Raises ValueError for a flow that 64 bits do not hold."""
    if not 0 <= flow <= MAX_FLOW:
        raise ValueError("a flow's number has 64 bits")
    prefix = bytearray()
    while flow > 0x7F:
        prefix.append(flow & 0x7F | 0x80)
        flow >>= 7
    prefix.append(flow)
    return bytes(prefix) + payload


def decode(data: bytes) -> Frame | None:
    """None for what is no frame: no number, one without an end, or one beyond 64 bits."""
    flow = 0
    for at, byte in enumerate(data[:MAX_FLOW_BYTES]):
        flow |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return Frame(flow, data[at + 1 :]) if flow <= MAX_FLOW else None
    return None
