"""Relays that tell of each other, as one written from the description alone sees it. # relay G"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeport.testing.relay_client import Wallet
from homeport.testing.relay_client.descriptor import canonical, nanoseconds, sign, signer_of
from homeport.testing.relay_portal import RelayPortal


@pytest.fixture(scope="module")
def meshed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayPortal]:
    with RelayPortal(tmp_path_factory.mktemp("mesh"), {"relay_discovery": "true"}) as portal:
        yield portal


def descriptor(wallet: Wallet, url: str, *, age: timedelta = timedelta()) -> dict[str, Any]:
    """Of a relay that needs not exist, with nanoseconds in its times."""
    issued = datetime.now(UTC) - age
    return sign(
        wallet,
        {
            "address": wallet.address,
            "version": "7",
            "issued_at": f"{issued:%Y-%m-%dT%H:%M:%S}.123456789Z",
            "expires_at": f"{issued + timedelta(minutes=4):%Y-%m-%dT%H:%M:%S}.987654321Z",
            "api_https_addr": url,
            "supports_tcp": True,
            "active_connections": 3,
            "tcp_bps": 1024.5,
        },
    )


def test_the_canonical_bytes_and_the_signature_are_those_of_the_known_vector() -> None:
    # relay G.3
    wallet = Wallet(b"\x11" * 32)
    told = sign(
        wallet,
        {
            "address": wallet.address,
            "version": "7",
            "issued_at": "2026-05-01T00:00:00.123456789Z",
            "expires_at": "2026-05-01T00:05:00.123456789Z",
            "api_https_addr": "https://relay.example.com",
            "supports_tcp": True,
            "active_connections": 3,
            "tcp_bps": 1024.5,
        },
    )
    assert nanoseconds(told["issued_at"]) == 1777593600123456789
    assert hashlib.sha256(canonical(told)).hexdigest() == (
        "c020bfc3a2cc6a5aef8b21d224766499ccf16d6bc33e045f746b404874944285"
    )
    assert told["signature"] == (
        "IJJ8lvunHZ3llHWFjN4LAURSwLWttbRHjWms53M/S5c4MuRyPI6axt9byAUE4ImUqtUiM0k5F11RzoZI7I59nmM="
    )
    assert signer_of(told) == wallet.address


def test_the_relay_tells_of_itself_first_and_signs_it(meshed: RelayPortal) -> None:
    # R27, relay G.2
    data = meshed.agent().request("GET", "/discovery").data
    own = data["relays"][0]
    assert data["protocol_version"] == own["version"] == "7"
    assert own["api_https_addr"] == f"https://{meshed.relay().authority}"
    assert signer_of(own) == own["address"]
    assert not own.get("supports_overlay")
    left = nanoseconds(own["expires_at"]) - datetime.now(UTC).timestamp() * 1e9
    assert 0 < left <= 301e9


def test_an_announcement_is_told_on_to_the_byte(meshed: RelayPortal) -> None:
    # R28, relay A.10, G.3: a peer's nanoseconds survive
    told = descriptor(Wallet(), "https://other.relay-of-tests.com")
    answer = meshed.agent(source="127.0.5.1").post("/discovery/announce", {"protocol_version": "7", "descriptor": told})
    assert (answer.status, answer.data) == (202, {"protocol_version": "7", "accepted": True})
    relays = meshed.agent().request("GET", "/discovery").data["relays"]
    found = next(one for one in relays if one["address"] == told["address"])
    assert {name: value for name, value in found.items() if value} == told


@pytest.mark.parametrize("fault", ["signature", "stale", "own", "protocol", "local"])
def test_an_announcement_that_breaks_a_rule_is_invalid(meshed: RelayPortal, fault: str) -> None:
    # relay G.4
    url = {"own": f"https://{meshed.relay().authority}", "local": "https://localhost:1234"}.get(
        fault, "https://broken.relay-of-tests.com"
    )
    told = descriptor(Wallet(), url, age=timedelta(hours=1) if fault == "stale" else timedelta())
    if fault == "signature":
        told["active_connections"] = 4
    body = {"protocol_version": "6" if fault == "protocol" else "7", "descriptor": told}
    answer = meshed.agent(source=f"127.0.6.{len(fault)}").post("/discovery/announce", body)
    assert (answer.status, answer.code) == (400, "invalid_request")


def test_a_flood_of_announcements_is_held_back(meshed: RelayPortal) -> None:
    # relay G.4: a burst of ten
    flood = meshed.agent(source="127.0.7.1")
    codes = [flood.post("/discovery/announce", {"descriptor": {}}).code for _ in range(14)]
    assert codes.count("rate_limited") >= 3
    assert codes[0] != "rate_limited"


def test_without_discovery_there_is_no_such_path(portal: RelayPortal) -> None:
    # relay A.9
    answer = portal.agent().request("GET", "/discovery")
    assert (answer.status, answer.fields["content-type"].split(";")[0]) == (404, "text/plain")
