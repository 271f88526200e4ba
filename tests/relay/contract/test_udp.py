"""UDP leases over the wire, with a client that shares nothing with the relay (relay C.8, L.12 to L.14)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from homeport.testing.relay_client import RelayClient
from homeport.testing.relay_client.datagrams import DatagramTunnel
from homeport.testing.relay_portal import RelayPortal


class Visitor:
    """A UDP socket of somebody on the internet."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((source, 0))
        self._sock.connect(("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self._sock.send(data)

    def hears(self, seconds: float = 10.0) -> bytes | None:
        self._sock.settimeout(seconds)
        try:
            return self._sock.recv(65535)
        except TimeoutError:
            return None

    def asks(self, data: bytes, seconds: float = 10.0) -> bytes | None:
        self.send(data)
        return self.hears(seconds)

    def close(self) -> None:
        self._sock.close()


Visit = Callable[..., Visitor]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """Visitors' sockets, closed after the test."""
    with contextlib.ExitStack() as stack:

        def opened(port: int, source: str = "127.0.0.1") -> Visitor:
            visitor = Visitor(port, source)
            stack.callback(visitor.close)
            return visitor

        yield opened


@pytest.fixture
def game(portal: RelayPortal) -> Iterator[tuple[RelayClient, int]]:
    """A client with a lease with UDP, and its public port."""
    client = portal.agent()
    given = client.register(udp_enabled=True)
    assert given.answer["udp_enabled"] is True
    yield client, int(given.answer["udp_addr"].rpartition(":")[2])
    client.post("/sdk/unregister", {"access_token": client.token})


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_datagrams_come_on_numbered_flows_and_answers_find_back(
    portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit
) -> None:
    client, port = game
    one, two = visit(port), visit(port)
    with DatagramTunnel(portal.relay(), client.token) as tunnel:
        assert tunnel.said == {"ok": True}
        assert [one.asks(b"one"), two.asks(b"two"), one.asks(b""), one.asks(b"x" * 1200)] == [
            b"one", b"two", b"", b"x" * 1200,
        ]  # fmt: skip
        assert tunnel.frames == [(1, b"one"), (2, b"two"), (1, b""), (1, b"x" * 1200)]
        tunnel.send(99, b"nobody")  # a flow that there is not
        assert one.asks(b"still here") == b"still here"
        assert two.hears(0.3) is None


def test_a_large_datagram_from_either_side_holds_nothing_up(
    portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit
) -> None:
    client, port = game
    visitor = visit(port)
    answers: Callable[[bytes], bytes] = lambda asked: b"y" * 1280 if asked == b"large" else asked  # noqa: E731
    with DatagramTunnel(portal.relay(), client.token, answering=answers) as tunnel:
        visitor.send(b"x" * 1350)
        visitor.send(b"x" * 9000)
        assert visitor.asks(b"small") == b"small"
        assert visitor.asks(b"large") == b"y" * 1280  # what an agent gets into a packet, its visitor gets
        assert [payload for _, payload in tunnel.frames] == [b"small", b"large"]


@pytest.mark.parametrize(("token", "error"), [("nonsense", "unauthorized"), ("", "invalid_request")])
def test_others_are_turned_away_with_a_reason_and_code_one(
    portal: RelayPortal, game: tuple[RelayClient, int], token: str, error: str
) -> None:
    with DatagramTunnel(portal.relay(), token) as tunnel:
        assert tunnel.said == {"ok": False, "error": error}
        until(lambda: tunnel.ended)
        assert tunnel.ended == (1, error)


def test_a_lease_that_is_gone_or_has_no_udp_is_told_so(portal: RelayPortal, game: tuple[RelayClient, int]) -> None:
    assert game[1] > 0  # QUIC is listened for
    plain = portal.agent()
    plain.register()
    with DatagramTunnel(portal.relay(), plain.token) as tunnel:
        assert tunnel.said["error"] == "transport_mismatch"
    plain.post("/sdk/unregister", {"access_token": plain.token})
    with DatagramTunnel(portal.relay(), plain.token) as tunnel:
        assert tunnel.said["error"] == "lease_not_found"


def test_a_newer_connection_replaces_the_older(
    portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit
) -> None:
    client, port = game
    relay = portal.relay()
    with DatagramTunnel(relay, client.token) as older, DatagramTunnel(relay, client.token) as newer:
        until(lambda: older.ended)
        assert older.ended == (0, "replaced")
        assert visit(port).asks(b"hello") == b"hello"
        assert newer.frames == [(1, b"hello")]
        assert older.frames == []


def test_a_denied_tunnel_is_cut_and_not_taken_again_until_it_may(
    portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit
) -> None:
    # relay L.12
    client, port = game
    visitor = visit(port)
    with DatagramTunnel(portal.relay(), client.token) as tunnel:
        assert visitor.asks(b"hello") == b"hello"
        portal.judge(client, "POST", "deny")
        until(lambda: tunnel.ended)
        assert tunnel.ended == (1, "lease_rejected")
        assert visitor.asks(b"anybody?", 0.4) is None
    with DatagramTunnel(portal.relay(), client.token) as tunnel:
        assert tunnel.said == {"ok": False, "error": "lease_rejected"}
    portal.judge(client, "DELETE", "deny")
    with DatagramTunnel(portal.relay(), client.token) as tunnel:
        assert tunnel.said == {"ok": True}
        assert visitor.asks(b"hello again") == b"hello again"


def test_a_banned_address_is_heard_no_more(portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit) -> None:
    # relay L.12
    client, port = game
    good, bad = visit(port), visit(port, "127.0.0.77")
    with DatagramTunnel(portal.relay(), client.token):
        assert bad.asks(b"hello") == b"hello"
        assert portal.administer("POST", "/admin/ips/127.0.0.77/ban").status_code == 200
        try:
            assert bad.asks(b"hello?", 0.4) is None
            assert good.asks(b"hello") == b"hello"
        finally:
            portal.administer("DELETE", "/admin/ips/127.0.0.77/ban")


def test_bytes_per_second_count_for_datagrams(portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit) -> None:
    # relay L.13
    client, port = game
    visitor = visit(port)
    with DatagramTunnel(portal.relay(), client.token, answering=lambda _: None) as tunnel:
        portal.judge(client, "POST", "bps", {"bps": 5000})
        began = time.monotonic()
        for _ in range(200):
            visitor.send(b"x" * 1000)
        time.sleep(0.5)
        passed = len(tunnel.frames) * 1000
        assert passed <= 5000 * (time.monotonic() - began + 1) + 1000
        portal.judge(client, "DELETE", "bps")


def test_nobody_is_flooded_who_only_lent_their_address(
    portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit
) -> None:
    # relay L.13
    client, port = game
    victim = visit(port)
    with DatagramTunnel(portal.relay(), client.token, answering=lambda _: None) as tunnel:
        victim.send(b"a")
        until(lambda: tunnel.frames)
        for _ in range(100):
            tunnel.send(1, b"b" * 1000)
        assert [victim.hears() for _ in range(4)] == [b"b" * 1000] * 4  # 4 KiB
        assert victim.hears(0.5) is None


def test_an_unregistered_leases_port_is_closed(portal: RelayPortal, visit: Visit) -> None:
    # relay L.14
    client = portal.agent()
    port = int(client.register(udp_enabled=True).answer["udp_addr"].rpartition(":")[2])
    with DatagramTunnel(portal.relay(), client.token) as tunnel:
        assert visit(port).asks(b"hello") == b"hello"
        client.post("/sdk/unregister", {"access_token": client.token})
        until(lambda: tunnel.ended)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", port))


def test_registering_again_keeps_the_port(portal: RelayPortal, game: tuple[RelayClient, int], visit: Visit) -> None:
    client, port = game
    again = client.register(udp_enabled=True)
    assert int(again.answer["udp_addr"].rpartition(":")[2]) == port
    with DatagramTunnel(portal.relay(), client.token) as tunnel:
        assert tunnel.said == {"ok": True}
        assert visit(port).asks(b"hello") == b"hello"


def test_a_relay_that_starts_again_listens_where_it_did(tmp_path_factory: pytest.TempPathFactory, visit: Visit) -> None:
    with RelayPortal(tmp_path_factory.mktemp("restart")) as portal:
        client = portal.agent()
        port = int(client.register(udp_enabled=True).answer["udp_addr"].rpartition(":")[2])
        portal.stop()
        portal.start()
        with DatagramTunnel(portal.relay(), client.token) as tunnel:
            assert tunnel.said == {"ok": True}
            assert visit(port).asks(b"hello") == b"hello"
