"""A certificate for a tunnel from a real ACME directory, which comes through the relay to see that the name is ours."""

from __future__ import annotations

import asyncio
import socket
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.kit.clock import SystemClock
from homeport.kit.guard import OutboundGuard
from homeport.relay.agent import Agent, FromAcme, Relay, Wish, client_context
from homeport.relay.agent.identity import new_identity
from homeport.testing.pebble import Pebble, pebble_is_installed
from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_ports

from .conftest import Serve, echo, until

DOMAIN = "portal.test"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    with PortalProcess(tmp_path_factory.mktemp("portal"), {"domain": DOMAIN}) as process:
        yield process


@pytest.fixture(scope="module")
def pebble(portal: PortalProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    if not pebble_is_installed():
        pytest.skip("Pebble is not installed (Debian package pebble): `make test` says how")
    [unused] = free_ports(1)
    with Pebble(tmp_path_factory.mktemp("pebble"), http_port=unused, tls_port=portal.port) as process:
        yield process


def _agent(portal: PortalProcess, pebble: Pebble, folder: Path, target: object) -> Agent:
    guard = OutboundGuard(("127.0.0.0/8",))
    relay = Relay(
        f"https://{DOMAIN}:{portal.port}", client_context(str(portal.ca_path)), portal.key, address="127.0.0.1"
    )
    return Agent(
        new_identity("acme"),
        [relay],
        target,  # type: ignore[arg-type]
        Wish(),
        FromAcme(folder, SystemClock(), guard, directory_url=pebble.directory_url, ca_file=pebble.ca_file),
    )


def _shown(port: int, trusted: str) -> bytes:
    context = ssl.create_default_context(cadata=trusted)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=15) as sock,
        context.wrap_socket(sock, server_hostname=f"acme.{DOMAIN}") as tls,
    ):
        tls.sendall(b"hello")
        assert tls.recv(100) == b"hello"
        leaf = tls.getpeercert(binary_form=True)
    assert leaf is not None
    return leaf


async def test_the_authority_comes_through_the_tunnel_and_what_it_gives_is_kept(
    portal: PortalProcess, pebble: Pebble, serve: Serve, tmp_path: Path
) -> None:
    target = await serve(echo)
    first = _agent(portal, pebble, tmp_path / "kept", target)
    await first.start()
    try:
        await until(first, "online", 60)
        leaf = await asyncio.to_thread(_shown, portal.port, pebble.root())
    finally:
        await first.stop()
    [file] = (tmp_path / "kept").glob("*.pem")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    again = _agent(portal, pebble, tmp_path / "kept", target)
    await again.start()
    try:
        await until(again, "online", 30)
        assert await asyncio.to_thread(_shown, portal.port, pebble.root()) == leaf
    finally:
        await again.stop()
