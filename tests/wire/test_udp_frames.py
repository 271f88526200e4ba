"""Frames of UDP tunnels (relay C.8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire.udp_frames import MAX_FLOW, Frame, decode, encode


@pytest.mark.parametrize(
    ("flow", "prefix"),
    [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (MAX_FLOW, "ffffffffffffffffff01")],
)
def test_a_flows_number_is_leb128(flow: int, prefix: str) -> None:
    assert encode(flow, b"") == bytes.fromhex(prefix)
    assert decode(bytes.fromhex(prefix)) == Frame(flow, b"")


@given(st.integers(0, MAX_FLOW), st.binary(max_size=1500))
def test_what_goes_in_comes_out(flow: int, payload: bytes) -> None:
    assert decode(encode(flow, payload)) == (flow, payload)


@pytest.mark.parametrize("data", ["", "80", "ff" * 9, "ff" * 9 + "02", "ff" * 10 + "01", "80" * 10 + "00"])
def test_a_number_without_an_end_or_beyond_64_bits_is_no_frame(data: str) -> None:
    assert decode(bytes.fromhex(data)) is None


@pytest.mark.parametrize("flow", [-1, MAX_FLOW + 1])
def test_a_number_that_does_not_fit_is_our_own_mistake(flow: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode(flow, b"")


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_frame_or_none(data: bytes) -> None:
    frame = decode(data)
    assert frame is None or (0 <= frame.flow <= MAX_FLOW and data.endswith(frame.payload))
