"""What a registration may ask for."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
import pytest

from homeport.relay.envelope import Body
from homeport.relay.identities import hostname_hash
from homeport.relay.lease import Metadata
from homeport.relay.problems import InvalidJson, InvalidRequest
from homeport.relay.registration import RegisterRequest, Wishes, renewed_metadata

ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
ECH = b"\0\x07\xfe\x0d\0\x03abc"


def read(**more: Any) -> RegisterRequest:
    asked: list[Wishes] = []
    body = Body(orjson.loads(orjson.dumps({"identity": {"name": "demo", "address": ADDRESS}, **more})))
    found = RegisterRequest.read(body, asked.append)
    assert asked == [(found.tcp_enabled, found.udp_enabled, found.hop_token)]
    return found


def test_a_request_says_who_for_how_long_and_what_of_it() -> None:
    found = read(
        ttl=60, tcp_enabled=True, metadata={"Description": "d", "owner": "o", "tags": ["a", "b"], "hide": True, "x": 1}
    )
    assert (found.identity.name, found.ttl, found.tcp_enabled, found.udp_enabled) == ("demo", 60, True, False)
    assert found.metadata == Metadata("d", "o", "", ("a", "b"), True)


def test_nothing_has_to_be_said_and_null_is_nothing() -> None:
    assert read() == read(metadata=None, ttl=None, tcp_enabled=None, ech_config_list=None, route_hostname=None)


@pytest.mark.parametrize(
    "more",
    [
        {"ttl": "60"},
        {"ttl": True},
        {"ttl": 1.5},
        {"tcp_enabled": 1},
        {"metadata": "text"},
        {"metadata": {"tags": "a"}},
        {"metadata": {"tags": [1]}},
        {"identity": []},
        {"ech_config_list": "%%%"},
    ],
)
def test_other_types_are_no_json_of_ours(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidJson):
        read(**more)


@pytest.mark.parametrize(
    "metadata",
    [
        {"description": "x" * 4001},  # relay L.3
        {"owner": "x" * 201},
        {"tags": ["x"] * 33},
        {"tags": ["x" * 65]},
        {"description": "a\0b"},
    ],
)
def test_what_is_said_of_a_tunnel_has_a_size(metadata: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        read(metadata=metadata)
    with pytest.raises(InvalidRequest):
        renewed_metadata(Body(metadata=metadata))


def test_a_picture_that_is_too_large_is_left_out() -> None:
    assert read(metadata={"thumbnail": "x" * 16_000}).metadata.thumbnail
    assert read(metadata={"thumbnail": "x" * 16_001, "owner": "Ann"}).metadata == Metadata(owner="Ann")


def test_a_renewal_without_metadata_says_nothing_of_them() -> None:
    assert renewed_metadata(Body()) is None
    assert renewed_metadata(Body(metadata={})) == Metadata()


def test_a_hidden_name_is_one_label_below_the_relay_s() -> None:
    found = read(
        route_hostname="ECH-abc.localhost.",
        hostname_hash=hostname_hash("demo.localhost"),
        ech_config_list=b64encode(ECH).decode(),
    )
    assert found.route_hostname == "ech-abc.localhost"
    assert found.ech_config_list == ECH
    found.check_hidden("demo.localhost", "localhost")


@pytest.mark.parametrize(
    "more",
    [
        {"hostname_hash": hostname_hash("demo.localhost")},
        {"ech_config_list": b64encode(ECH).decode()},
        {"route_hostname": "ech-abc.elsewhere"},
        {"route_hostname": "a.b.localhost"},
        {"route_hostname": "localhost"},
        {"route_hostname": ".localhost"},
        {"route_hostname": "a\0.localhost"},
        {"route_hostname": "ech-abc.localhost", "hostname_hash": hostname_hash("other.localhost")},
    ],
)
def test_a_hidden_name_that_does_not_fit_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):  # relay A.3
        read(**more).check_hidden("demo.localhost", "localhost")


@pytest.mark.parametrize("config", [ECH[:-1], b"x", b"\0" * 5000])
def test_ech_configurations_that_are_none_are_refused(config: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(route_hostname="ech-abc.localhost", ech_config_list=b64encode(config).decode())
