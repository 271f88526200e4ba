"""What may be written for a target and for a relay. Relay B.1."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from homeport.relay.agent import TcpTarget, Visitor, client_context, parse_target, relay_url
from homeport.relay.agent.held import Held
from homeport.relay.agent.problems import TargetInvalid, TargetUnreachable
from homeport.relay.agent.relays import Relay, is_local_name
from homeport.testing.clock import ManualClock
from homeport.testing.ports import free_ports


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("3000", TcpTarget("127.0.0.1", 3000)),
        ("localhost:8080", TcpTarget("localhost", 8080)),
        ("192.168.1.5:80", TcpTarget("192.168.1.5", 80)),
        ("http://box.lan:81/", TcpTarget("box.lan", 81)),
        ("[::1]:5432", TcpTarget("::1", 5432)),
    ],
)
def test_a_target_is_a_port_or_an_address(text: str, target: TcpTarget) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["", "web", "0", "65536", "1:2:3", "https://box:443", "box:80/path", "-1"])
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(TargetInvalid):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("relay.example.org", "https://relay.example.org"),
        ("https://Relay.Example.org.:443/relay/?x#y", "https://relay.example.org"),
        ("https://relay.example.org:4017/", "https://relay.example.org:4017"),
        ("https://[::1]:4017", "https://[::1]:4017"),
    ],
)
def test_a_relays_address_has_one_spelling(text: str, url: str) -> None:
    assert relay_url(text) == url


@pytest.mark.parametrize(
    "text", ["http://relay.example.org", "https://", "https://me@relay.example.org", "https://r:x"]
)
def test_relays_are_spoken_to_by_https_alone(text: str) -> None:
    with pytest.raises(TargetInvalid):
        relay_url(text)


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1", "::1", "demo.home.arpa", "x.portal.test"])
def test_no_public_authority_is_asked_for_local_names(host: str) -> None:
    assert is_local_name(host)


def test_public_names_are_public() -> None:
    assert not is_local_name("demo.relay.example.org")
    assert not is_local_name("notlocalhost")


def test_a_tunnels_address_names_the_port_that_visitors_come_to() -> None:
    relay = Relay("https://relay.example.org:4017", ssl.create_default_context())
    held = Held(relay, "7", "demo.relay.example.org", "token", ManualClock().now(), sni_port=443)

    assert held.url == "https://demo.relay.example.org"
    held.sni_port = 0
    assert held.url == "https://demo.relay.example.org:4017"


def test_a_relay_is_always_verified(tmp_path: Path) -> None:
    context = client_context()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    with pytest.raises(TargetInvalid, match=r"nothing\.pem"):
        client_context(str(tmp_path / "nothing.pem"))


async def test_a_target_that_does_not_answer_is_named() -> None:
    [port] = free_ports(1)

    with pytest.raises(TargetUnreachable, match=f"127.0.0.1:{port} cannot be reached"):
        async with asyncio.timeout(10):
            await TcpTarget("127.0.0.1", port).open(Visitor(1, "tls", "demo.localhost", ""))
