"""Signed descriptors: canonical bytes, nanoseconds, numbers, signatures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire.ethereum import address_of
from homeport.wire.relay_descriptor import (
    Descriptor,
    InvalidDescriptor,
    instant,
    nanoseconds,
    normal_url,
    number,
    read,
)

KEY = b"\x11" * 32
# The vector of relay G.3.
GIVEN = Descriptor(
    address=address_of(KEY),
    version="7",
    issued_ns=1777593600123456789,
    expires_ns=1777593900123456789,
    url="https://relay.example.com",
    supports_tcp=True,
    connections=3,
    bps=1024.5,
)


def test_the_canonical_bytes_are_those_that_others_sign() -> None:  # relay G.3
    digest = hashlib.sha256(GIVEN.canonical()).hexdigest()
    assert digest == "c020bfc3a2cc6a5aef8b21d224766499ccf16d6bc33e045f746b404874944285"


def test_the_signature_is_that_of_the_vector() -> None:  # relay G.3
    assert GIVEN.signed(KEY).signature == (
        "IJJ8lvunHZ3llHWFjN4LAURSwLWttbRHjWms53M/S5c4MuRyPI6axt9byAUE4ImUqtUiM0k5F11RzoZI7I59nmM="
    )


def test_what_is_signed_is_read_back_and_verifies() -> None:
    signed = GIVEN.signed(KEY)
    again = read(json.loads(json.dumps(dict(signed.raw))))
    assert again == signed
    again.verify()
    assert "wireguard_port" not in signed.raw  # what says nothing is left out


def test_unknown_members_are_passed_on() -> None:
    members = {**GIVEN.signed(KEY).raw, "novelty": [1]}
    again = read(members)
    again.verify()
    assert again.raw["novelty"] == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"connections": 4},
        {"issued_ns": GIVEN.issued_ns + 1},
        {"url": "https://other.example.com"},
        {"bps": 1024.25},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "?"},
        {"address": "0x" + "1" * 40},
    ],
)
def test_a_change_breaks_the_signature(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidDescriptor):
        replace(GIVEN.signed(KEY), **change).verify()


@pytest.mark.parametrize(
    "members",
    [
        None,
        [],
        {},
        {"address": 5},
        {"issued_at": "yesterday"},
        {"issued_at": "2026-13-01T00:00:00Z"},
        {"api_https_addr": "http://relay.example.com"},
        {"api_https_addr": "https://user@relay.example.com"},
        {"api_https_addr": "https://relay.example.com:99999"},
        {"active_connections": -1},
        {"active_connections": True},
        {"active_connections": 1.5},
        {"tcp_bps": "fast"},
        {"tcp_bps": 10**400},
        {"wireguard_port": 70000},
        {"supports_tcp": "yes"},
        {"version": "7" * 500},
        {"version": "\ud800"},
    ],
)
def test_what_is_no_descriptor_is_refused(members: Any) -> None:
    given = {**GIVEN.signed(KEY).raw, **members} if isinstance(members, dict) and members else members
    with pytest.raises(InvalidDescriptor):
        read(given)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-05-01T00:00:00.123456789Z", 1777593600123456789),
        ("2026-05-01T02:00:00.5+02:00", 1777593600500000000),
        ("2026-04-30T23:30:00-00:30", 1777593600000000000),
        ("2026-05-01t00:00:00.1234567899z", 1777593600123456789),
    ],
)
def test_instants_keep_their_nanoseconds(text: str, ns: int) -> None:
    assert nanoseconds(text) == ns
    assert nanoseconds(instant(ns)) == ns


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3.0, "3"),
        (1024.5, "1024.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e22, "1.5e+22"),
        (1e-6, "0.000001"),
        (1.25e-5, "0.0000125"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (123456789.125, "123456789.125"),
        (0.1, "0.1"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_are_written_as_others_do(value: float, text: str) -> None:  # relay G.3
    assert number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_means_the_same_when_it_is_read(value: float) -> None:
    assert float(number(value)) == value


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("relay.example.com", "https://relay.example.com"),
        ("https://Relay.Example.com:8443/x/relay/?q#f", "https://relay.example.com:8443/x"),
        ("https://[::1]:4017/", "https://[::1]:4017"),
    ],
)
def test_urls_are_normalised(text: str, url: str) -> None:  # relay B.1
    assert normal_url(text) == url


def test_letters_that_pages_stumble_over_are_escaped() -> None:  # relay G.3
    assert b"\\u003cb\\u003e\\u0026\\u2028" in replace(GIVEN, version="<b>&\u2028").canonical()
