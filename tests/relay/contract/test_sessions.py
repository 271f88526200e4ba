"""Reverse sessions and visitors, byte by byte. # relay C"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable

import pytest

from homeport.testing.relay_client import TLS, RelayClient, ReverseSession, Tunnel, Wallet, answer_http, echo
from homeport.testing.relay_client.answers import read_answer
from homeport.testing.relay_client.session import ACCEPTED, request_session
from homeport.testing.relay_portal import DOMAIN, RelayPortal, distrusting


def hello_for(hostname: str) -> bytes:
    """The first flight of a visitor, as OpenSSL writes it."""
    context = ssl.create_default_context()
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=hostname)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(hello: bytes, size: int) -> bytes:
    """The same message in records of `size` bytes."""
    message = hello[5:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(hello[:3] + len(part).to_bytes(2, "big") + part for part in parts)


def read_exactly(session: ReverseSession, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = session.recv(count - len(data))
        assert piece, "the relay ended the session"
        data += piece
    return data


def closed(visitor: socket.socket) -> bool:
    """Whether the relay ends the connection without a byte: by FIN, or by RST where it never read the hello."""
    try:
        return visitor.recv(1) == b""
    except ConnectionResetError:
        return True


def within(seconds: float, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def ready(portal: RelayPortal, client: RelayClient) -> int:
    """Sessions that wait, as the administrator sees it."""
    data = portal.administer("GET", "/admin/snapshot").json()["data"]
    return next(int(lease["ready"]) for lease in data["leases"] if lease["name"] == client.name)


def test_success_is_these_bytes_and_no_other(client: RelayClient) -> None:
    # R26, relay C.4
    stream, head, rest = request_session(client.relay, client.token)
    assert head + b"\r\n\r\n" == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
    assert head == ACCEPTED
    assert rest == b""
    stream.sock.settimeout(1)
    with pytest.raises(TimeoutError):
        stream.recv(1)
    stream.close()


@pytest.mark.timeout(90)
def test_a_waiting_session_hears_a_keepalive_every_15_seconds(client: RelayClient) -> None:
    # relay C.4
    session = client.connect()
    began = time.monotonic()
    session.settimeout(25)
    assert session.recv(16) == b"\x00"
    assert 13 < time.monotonic() - began < 22
    began = time.monotonic()
    assert session.recv(16) == b"\x00"
    assert 13 < time.monotonic() - began < 22
    session.close()


def test_the_marker_is_followed_by_the_visitors_hello_as_it_was_sent(portal: RelayPortal, client: RelayClient) -> None:
    # relay C.4
    session = client.connect()
    hello = hello_for(f"{client.name}.{DOMAIN}")
    with portal.knock() as visitor:
        visitor.sendall(hello)
        assert session.wait(5) == TLS
        assert read_exactly(session, len(hello)) == hello
    session.close()


@pytest.mark.parametrize("size", [1, 5, 40, 200])
def test_a_hello_over_several_records_finds_its_tunnel(portal: RelayPortal, client: RelayClient, size: int) -> None:
    # relay L.10
    session = client.connect()
    hello = in_records(hello_for(f"{client.name}.{DOMAIN}"), size)
    with portal.knock() as visitor:
        for at in range(0, len(hello), 97):
            visitor.sendall(hello[at : at + 97])
        assert session.wait(5) == TLS
        assert read_exactly(session, len(hello)) == hello
    session.close()


def test_the_session_that_waits_longest_serves_first(portal: RelayPortal, client: RelayClient) -> None:
    # relay C.5
    sessions = [client.connect() for _ in range(3)]
    hello = hello_for(f"{client.name}.{DOMAIN}")
    visitors = []
    for session in sessions:
        visitor = portal.knock()
        visitor.sendall(hello)
        visitors.append(visitor)
        assert session.wait(5) == TLS
    for visitor, session in zip(visitors, sessions, strict=True):
        visitor.close()
        session.close()


def test_a_ninth_session_is_accepted_and_closed(client: RelayClient) -> None:
    # relay C.5
    sessions = [client.connect() for _ in range(8)]
    ninth = client.connect()
    with pytest.raises(EOFError):
        ninth.wait(5)
    sessions[0].settimeout(0.5)
    with pytest.raises(TimeoutError):
        sessions[0].recv(1)
    for session in sessions:
        session.close()


def test_a_visitor_waits_for_a_session_that_comes_within_ten_seconds(portal: RelayPortal, client: RelayClient) -> None:
    # relay C.3
    hello = hello_for(f"{client.name}.{DOMAIN}")
    with portal.knock() as visitor:
        visitor.sendall(hello)
        time.sleep(3)
        session = client.connect()
        assert session.wait(2) == TLS
        assert read_exactly(session, len(hello)) == hello
    session.close()


def test_a_visitor_whom_nobody_serves_is_let_go_after_ten_seconds(portal: RelayPortal, client: RelayClient) -> None:
    # relay C.3
    with portal.knock(timeout=25) as visitor:
        visitor.sendall(hello_for(f"{client.name}.{DOMAIN}"))
        began = time.monotonic()
        assert closed(visitor)
        assert 8 < time.monotonic() - began < 16


def test_no_wake_up_is_lost_among_many_that_wait(portal: RelayPortal, client: RelayClient) -> None:
    # relay L.6
    hello = hello_for(f"{client.name}.{DOMAIN}")
    visitors = [portal.knock(source=f"127.0.1.{number + 1}") for number in range(24)]
    for visitor in visitors:
        visitor.sendall(hello)
    time.sleep(0.5)
    sessions = []
    for _ in visitors:
        session = client.connect()
        assert session.wait(3) == TLS
        sessions.append(session)
    for visitor, session in zip(visitors, sessions, strict=True):
        visitor.close()
        session.close()


@pytest.mark.parametrize("end", ["cut", "close"])
def test_a_dead_session_is_noticed_and_not_given_to_a_visitor(
    portal: RelayPortal, client: RelayClient, end: str
) -> None:
    # relay L.7
    dead, alive = client.connect(), client.connect()
    dead.cut() if end == "cut" else dead.close()
    within(5, lambda: ready(portal, client) == 1)
    with portal.knock() as visitor:
        visitor.sendall(hello_for(f"{client.name}.{DOMAIN}"))
        assert alive.wait(5) == TLS
    alive.close()


def test_a_session_that_speaks_while_it_waits_is_ended(portal: RelayPortal, client: RelayClient) -> None:
    # relay C.4, C.5: clients never write while idle
    session = client.connect()
    session.sendall(b"x")
    with pytest.raises((EOFError, ConnectionError)):
        session.wait(5)
    within(5, lambda: ready(portal, client) == 0)


def test_a_name_nobody_has_reaches_no_tunnel(portal: RelayPortal, client: RelayClient) -> None:
    # relay C.2, C.3
    session = client.connect()
    with portal.knock() as visitor:
        visitor.sendall(hello_for("nobody-has-this." + DOMAIN))
        session.settimeout(1)
        with pytest.raises(TimeoutError):
            session.recv(1)
    session.close()


@pytest.mark.parametrize("name", [DOMAIN, None])
def test_the_root_name_and_no_name_reach_the_api(portal: RelayPortal, name: str | None) -> None:
    # relay C.3
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(portal.knock(), server_hostname=name) as sock:
        sock.sendall(b"GET /sdk/domain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert read_answer(_Socket(sock)).data["protocol_version"] == "7"


class _Socket:
    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self.recv = sock.recv
        self.sendall = sock.sendall

    def half_close(self) -> None:
        self._sock.unwrap()

    def close(self) -> None:
        self._sock.close()


def test_the_visitors_end_is_the_sessions_close_notify_and_the_answer_still_comes(
    portal: RelayPortal, client: RelayClient
) -> None:
    # relay C.6, L.8
    session = client.connect()
    hello = hello_for(f"{client.name}.{DOMAIN}")
    with portal.knock() as visitor:
        visitor.sendall(hello)
        assert session.wait(5) == TLS
        assert read_exactly(session, len(hello)) == hello
        visitor.shutdown(socket.SHUT_WR)
        assert session.recv(1) == b""
        assert session.stream.ended == "notice"
        session.sendall(b"said after the visitor's end")
        assert visitor.recv(100) == b"said after the visitor's end"
        session.half_close()
        assert visitor.recv(1) == b""
    session.close()


def test_the_sessions_close_notify_is_the_visitors_end_and_they_may_go_on(
    portal: RelayPortal, client: RelayClient
) -> None:
    # relay C.6, L.8
    session = client.connect()
    hello = hello_for(f"{client.name}.{DOMAIN}")
    with portal.knock() as visitor:
        visitor.sendall(hello)
        assert session.wait(5) == TLS
        read_exactly(session, len(hello))
        session.sendall(b"all there is")
        session.half_close()
        assert visitor.recv(100) == b"all there is"
        assert visitor.recv(1) == b""
        visitor.sendall(b"more from the visitor")
        assert read_exactly(session, 21) == b"more from the visitor"
    session.close()


def test_unregistering_ends_waiting_sessions_and_leaves_visitors_alone(portal: RelayPortal) -> None:
    # relay A.5, C.5
    client = portal.agent()
    client.register()
    with Tunnel(client, echo) as tunnel:
        visitor = portal.visitor(f"{client.name}.{DOMAIN}")
        visitor.sendall(b"before")
        assert visitor.recv(100) == b"before"
        tunnel.wait_ready()
        client.unregister()
        visitor.sendall(b"after")
        assert visitor.recv(100) == b"after"
        visitor.half_close()
        assert visitor.recv(100) == b""
        visitor.cut()


def test_a_route_name_and_the_public_name_lead_to_the_same_tunnel(portal: RelayPortal) -> None:
    # relay C.10
    client = portal.agent()
    route = f"ech-{'abcdefghijklmnopqrstuvwxyz234567'}.{DOMAIN}"
    client.register(route_hostname=route)
    for name in (route, f"{client.name}.{DOMAIN}"):
        session = client.connect()
        hello = hello_for(name)
        with portal.knock() as visitor:
            visitor.sendall(hello)
            assert session.wait(5) == TLS
            assert read_exactly(session, len(hello)) == hello
        session.close()
    client.unregister()


def test_a_megabyte_each_way_at_once_arrives_whole(portal: RelayPortal, client: RelayClient) -> None:
    size = 8 * 1024 * 1024
    with Tunnel(client, echo) as tunnel:
        visitor = portal.visitor(f"{client.name}.{DOMAIN}")
        sent = bytes(range(256)) * (size // 256)

        def send() -> None:
            visitor.sendall(sent)
            visitor.half_close()

        writer = threading.Thread(target=send)
        writer.start()
        received = bytearray()
        while piece := visitor.recv(1 << 18):
            received += piece
        writer.join(20)
        assert bytes(received) == sent
        visitor.cut()
    assert not tunnel.faults


def test_tunnel_status_follows_the_sessions(portal: RelayPortal, client: RelayClient) -> None:
    # R31, relay A.13
    path = f"/tunnel/status?hostname={client.name}.{DOMAIN}"
    ask = portal.agent()
    assert ask.request("GET", path).data == {
        "hostname": f"{client.name}.{DOMAIN}",
        "registered": True,
        "service_alive": False,
    }
    session = client.connect()
    assert ask.request("GET", path).data["service_alive"] is True
    session.close()
    unknown = ask.request("GET", "/tunnel/status?hostname=nobody." + DOMAIN).data
    assert (unknown["registered"], unknown["service_alive"]) == (False, False)
    assert ask.request("GET", "/tunnel/status").code == "invalid_request"


def test_visitors_who_wait_behind_an_unapproved_lease_are_closed(portal: RelayPortal) -> None:
    # relay C.3, E
    client = portal.agent()
    client.register()
    session = client.connect()
    portal.judge(client, "POST", "deny")
    with portal.knock() as visitor:
        visitor.sendall(hello_for(f"{client.name}.{DOMAIN}"))
        began = time.monotonic()
        assert closed(visitor)
        assert time.monotonic() - began < 5
    with pytest.raises((EOFError, ConnectionError)):
        session.wait(5)


def test_somebody_elses_token_serves_only_its_own_name(portal: RelayPortal, client: RelayClient) -> None:
    # relay B.4
    other = portal.agent(wallet=Wallet())
    other.register()
    session = other.connect()
    with portal.knock(timeout=2) as visitor:
        visitor.sendall(hello_for(f"{client.name}.{DOMAIN}"))
        session.settimeout(1)
        with pytest.raises(TimeoutError):
            session.recv(1)
    session.close()
    other.unregister()


def test_a_page_is_served_to_tls_that_looks_at_nothing(portal: RelayPortal, client: RelayClient) -> None:
    with Tunnel(client, answer_http(b"hello from afar")):
        assert portal.page(f"{client.name}.{DOMAIN}").body == b"hello from afar"
        with distrusting(portal.knock(), f"{client.name}.{DOMAIN}") as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"hello from afar" in sock.recv(4096)
