"""What the reference product is weak in, on the wire of a whole portal; each has a test somewhere. # relay L"""

from __future__ import annotations

import contextlib
import re
import resource
import select
import time
from pathlib import Path

import psutil
import pytest

from homeport.testing.relay_client import RAW, RelayClient, Tunnel, answer_http, echo
from homeport.testing.relay_portal import DOMAIN, RelayPortal
from tests.relay.contract.test_sessions import closed, hello_for, ready, within

CONCERN_A_RELAY = range(1, 22)  # L.22 is a list of wishes


def test_each_weak_point_is_named_by_a_test() -> None:
    tests = Path(__file__).parents[2]
    named = {int(number) for file in tests.rglob("test_*.py") for number in re.findall(r"\bL\.(\d+)", file.read_text())}
    assert not set(CONCERN_A_RELAY) - named


def test_sockets_that_send_half_a_hello_occupy_no_session(portal: RelayPortal, client: RelayClient) -> None:
    # relay L.4
    with Tunnel(client, answer_http(b"served")) as tunnel, contextlib.ExitStack() as stack:
        hello = hello_for(f"{client.name}.{DOMAIN}")
        for _ in range(6):
            stack.enter_context(portal.knock()).sendall(hello[: len(hello) // 2])
        for _ in range(6):
            stack.enter_context(portal.knock())
        time.sleep(0.3)
        assert tunnel.waiting == 2
        assert portal.page(f"{client.name}.{DOMAIN}").body == b"served"


@pytest.mark.timeout(90)
def test_sockets_that_stall_after_their_hello_block_a_tunnel_for_seconds_only(
    portal: RelayPortal, client: RelayClient
) -> None:
    # relay L.4: in the reference two of them block it for 15 s each
    with Tunnel(client, answer_http(b"served")), contextlib.ExitStack() as stack:
        hello = hello_for(f"{client.name}.{DOMAIN}")
        for _ in range(4):
            stack.enter_context(portal.knock(source="127.0.2.1")).sendall(hello)
        began = time.monotonic()
        assert portal.page(f"{client.name}.{DOMAIN}", source="127.0.2.2").body == b"served"
        assert time.monotonic() - began < 12


def test_visitors_who_wait_are_bounded_for_one_address_and_others_still_come(
    portal: RelayPortal, client: RelayClient
) -> None:
    # relay L.5
    hello = hello_for(f"{client.name}.{DOMAIN}")
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(portal.knock(source="127.0.2.3")) for _ in range(100)]
        for one in greedy:
            one.sendall(hello)
        within(5, lambda: len(select.select(greedy, [], [], 0)[0]) >= 36)  # closed: 64 may wait
        other = stack.enter_context(portal.knock(source="127.0.2.4"))
        other.sendall(hello)
        time.sleep(0.3)
        for _ in range(2):  # each address in its turn: the second session at the latest is the other's
            session = stack.enter_context(contextlib.closing(client.connect()))
            session.wait(5)
            session.sendall(b"!")
        assert other.recv(1) == b"!"


def test_running_out_of_descriptors_ends_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    # relay L.9: in the reference any accept error stops the whole server
    with RelayPortal(tmp_path_factory.mktemp("descriptors")) as portal:
        client = portal.agent()
        client.register(tcp_enabled=True)
        process = psutil.Process(portal.pid)
        with Tunnel(client, answer_http(b"still here")), contextlib.ExitStack() as stack:
            limit = process.rlimit(psutil.RLIMIT_NOFILE)
            resource.prlimit(portal.pid, resource.RLIMIT_NOFILE, (process.num_fds() + 12, limit[1]))
            crowd = [stack.enter_context(portal.knock(source=f"127.0.3.{number + 1}")) for number in range(40)]
            time.sleep(1.5)
            resource.prlimit(portal.pid, resource.RLIMIT_NOFILE, limit)
            for one in crowd:
                one.close()
            within(15, lambda: portal.page(f"{client.name}.{DOMAIN}").body == b"still here")
            assert portal.agent().probe()["protocol_version"] == "7"


def raw_port(client: RelayClient) -> int:
    given = client.register(tcp_enabled=True)
    assert given.answer["tcp_enabled"] is True
    return int(str(given.answer["tcp_addr"]).rpartition(":")[2])


def test_a_raw_port_carries_what_speaks_first_and_the_name_still_works(portal: RelayPortal) -> None:
    # relay C.7
    client = portal.agent()
    port = raw_port(client)
    assert portal.ports_from <= port < portal.ports_from + 100
    session = client.connect()
    visitor = portal.raw_visitor(port)
    assert session.wait(5) == RAW
    session.sendall(b"220 speaks first\r\n")
    assert visitor.recv(100) == b"220 speaks first\r\n"
    visitor.sendall(b"QUIT\r\n")
    assert session.recv(100) == b"QUIT\r\n"
    visitor.half_close()
    assert session.recv(1) == b""
    session.sendall(b"bye")
    assert visitor.recv(3) == b"bye"
    session.close()
    assert visitor.recv(1) == b""
    with Tunnel(client, answer_http(b"by name")):
        assert portal.page(f"{client.name}.{DOMAIN}").body == b"by name"
    client.unregister()
    with pytest.raises(ConnectionRefusedError):
        portal.raw_visitor(port)


@pytest.mark.parametrize("action", ["ban", "deny"])
def test_a_ban_closes_raw_ports_and_connections_that_are_open(portal: RelayPortal, action: str) -> None:
    # relay L.12
    client = portal.agent()
    port = raw_port(client)
    with Tunnel(client, echo, keyless=False) as tunnel:
        visitor = portal.raw_visitor(port)
        visitor.sendall(b"before")
        assert visitor.recv(6) == b"before"
        tunnel.wait_ready()
        portal.judge(client, "POST", action)
        assert closed(visitor.sock)
        late = None
        with contextlib.suppress(ConnectionRefusedError):
            late = portal.raw_visitor(port)
        assert late is None or closed(late.sock)
        portal.judge(client, "DELETE", action)


def test_a_banned_address_reaches_no_raw_port(portal: RelayPortal) -> None:
    # relay L.12, L.15: and nobody else suffers
    client = portal.agent()
    port = raw_port(client)
    with Tunnel(client, echo, keyless=False):
        open_before = portal.raw_visitor(port, source="127.0.4.7")
        open_before.sendall(b"x")
        assert open_before.recv(1) == b"x"
        assert portal.administer("POST", "/admin/ips/127.0.4.7/ban").status_code == 200
        try:
            assert closed(open_before.sock)
            assert closed(portal.raw_visitor(port, source="127.0.4.7").sock)
            other = portal.raw_visitor(port, source="127.0.4.8")
            other.sendall(b"y")
            assert other.recv(1) == b"y"
            other.close()
        finally:
            portal.administer("DELETE", "/admin/ips/127.0.4.7/ban")


def test_a_limit_outlives_registering_again_and_holds_on_a_raw_port(portal: RelayPortal) -> None:
    # relay L.13: bytes a second, of both directions together
    client = portal.agent()
    port = raw_port(client)
    portal.judge(client, "POST", "bps", {"bps": 50_000})
    port = raw_port(client)
    with Tunnel(client, echo, keyless=False):
        visitor = portal.raw_visitor(port)
        began = time.monotonic()
        visitor.sendall(bytes(75_000))
        received = 0
        while received < 75_000:
            received += len(visitor.recv(65536))
        assert time.monotonic() - began > 1.5  # 150,000 bytes at 50,000 a second, of which a second's worth is free
        portal.judge(client, "DELETE", "bps")
        began = time.monotonic()
        visitor.sendall(bytes(75_000))
        received = 0
        while received < 75_000:
            received += len(visitor.recv(65536))
        assert time.monotonic() - began < 1.5
        visitor.close()


def test_a_lease_that_fails_for_its_tcp_port_leaves_its_udp_port_free(tmp_path_factory: pytest.TempPathFactory) -> None:
    # relay L.14
    with RelayPortal(tmp_path_factory.mktemp("leak"), ports=1) as portal:
        holder = portal.agent()
        holder.register(tcp_enabled=True)
        both = portal.agent()
        for _ in range(3):
            challenge = both.challenge(tcp_enabled=True, udp_enabled=True)
            assert both.post("/sdk/register", both.signed(challenge)).code == "tcp_port_exhausted"
        assert portal.agent().register(udp_enabled=True).answer["udp_enabled"] is True


def test_the_relay_sees_where_agents_really_come_from(portal: RelayPortal) -> None:
    # relay L.15
    client = portal.agent(source="127.0.4.21")
    client.register()
    session = client.connect()
    within(5, lambda: ready(portal, client) == 1)
    leases = portal.administer("GET", "/admin/snapshot").json()["data"]["leases"]
    assert next(lease["ClientIP"] for lease in leases if lease["name"] == client.name) == "127.0.4.21"
    session.close()


def test_nobody_makes_the_relay_take_a_picture_by_asking_for_it(portal: RelayPortal, client: RelayClient) -> None:
    # R30, relay L.20
    began = time.monotonic()
    answer = portal.agent().request("GET", f"/thumbnail/{client.name}.{DOMAIN}")
    assert answer.status == 404
    assert time.monotonic() - began < 5
