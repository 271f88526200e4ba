"""Whose word counts about where a request comes from."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from homeport.identity.client_address import Proxies, network_of


def connection(peer: str, **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "client": (peer, 1234), "headers": raw})


@pytest.mark.parametrize("header", ["x_forwarded_for", "x_real_ip", "cf_connecting_ip", "forwarded", "true_client_ip"])
def test_a_stranger_cannot_forge_its_address(header: str) -> None:  # portal E2.9
    proxies = Proxies(["10.0.0.0/8"])
    assert proxies.client_of(connection("192.0.2.1", **{header: "203.0.113.9"})) == "192.0.2.1"


def test_without_a_list_nobody_is_believed() -> None:  # portal E2.9
    assert Proxies([]).client_of(connection("127.0.0.1", x_forwarded_for="203.0.113.9")) == "127.0.0.1"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.7, 203.0.113.9", "203.0.113.9"),  # what the client itself sent comes first, and is not believed
        ("203.0.113.9, 10.1.1.1", "203.0.113.9"),
        ("10.1.1.2, 10.1.1.1", "10.1.1.2"),
        ("203.0.113.9, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_behind_a_listed_proxy_the_last_unlisted_address_is_the_client(chain: str, client: str) -> None:
    assert Proxies(["10.0.0.0/8"]).client_of(connection("10.0.0.1", x_forwarded_for=chain)) == client


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("", ""),
    ],
)
def test_one_caller_is_an_address_or_a_sixty_four(address: str, network: str) -> None:
    assert network_of(address) == network
