"""What administrators decide, as agents and visitors meet it: on connections that are open as well."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from homeport.testing.relay_client import ByteStream, Refused, RelayClient, Tunnel, Wallet, answer_http, echo
from homeport.testing.relay_portal import RelayPortal

SLOW_BYTES_A_SECOND = 200_000
DOWNLOAD = b"x" * 600_000  # three seconds' worth


@pytest.fixture
def served(portal: RelayPortal, client: RelayClient) -> Iterator[Tunnel]:
    """A tunnel of the client's that echoes, and nothing is decided of it afterwards."""
    with Tunnel(client, echo) as tunnel:
        yield tunnel
    for decision in ("ban", "deny", "approve", "bps"):
        portal.judge(client, "DELETE", decision)


def hostname(portal: RelayPortal, client: RelayClient) -> str:
    return f"{client.name}.{portal.relay().host}"


def greeted(stream: ByteStream) -> bool:
    stream.sendall(b"hello")
    return stream.recv(5) == b"hello"


def is_cut(stream: ByteStream) -> bool:
    """Whether the other side ends the connection, however it does; TimeoutError when it goes on."""
    try:
        return stream.recv(1) == b""
    except (ConnectionError, EOFError):
        return True


def within(seconds: float, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def download(stream: ByteStream) -> float:
    """Seconds that DOWNLOAD takes there."""
    began, left = time.monotonic(), len(DOWNLOAD)
    stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
    while left > 0:
        data = stream.recv(65536)
        assert data, "it ended early"
        left -= len(data)
    return time.monotonic() - began


@pytest.mark.parametrize("decision", ["ban", "deny"])
def test_who_is_being_served_is_cut_off(
    portal: RelayPortal, client: RelayClient, served: Tunnel, decision: str
) -> None:
    # relay L.12
    visitor = portal.visitor(hostname(portal, client))
    assert greeted(visitor)
    portal.judge(client, "POST", decision)
    assert is_cut(visitor)
    with pytest.raises(Refused) as refused:
        client.connect()
    assert (refused.value.status, refused.value.code) == (403, "lease_rejected")

    portal.judge(client, "DELETE", decision)
    served.wait_ready()  # the same lease: the agent comes back by itself
    again = portal.visitor(hostname(portal, client))
    assert greeted(again)
    again.close()


def test_visitors_of_a_raw_port_are_cut_off_too(portal: RelayPortal) -> None:
    # relay L.12
    client = portal.agent()
    port = int(client.register(tcp_enabled=True).answer["tcp_addr"].rpartition(":")[2])
    with Tunnel(client, echo):
        visitor = portal.raw_visitor(port)
        assert greeted(visitor)
        portal.judge(client, "POST", "ban")
        assert is_cut(visitor)
        assert is_cut(portal.raw_visitor(port))
    portal.judge(client, "DELETE", "ban")
    client.unregister()


def test_a_banned_address_is_cut_off_and_others_are_not(
    portal: RelayPortal, client: RelayClient, served: Tunnel
) -> None:
    # relay L.12, L.15
    name = hostname(portal, client)
    banned, other = portal.visitor(name, source="127.0.3.1"), portal.visitor(name)
    assert greeted(banned)
    assert greeted(other)
    assert portal.administer("POST", "/admin/ips/127.0.3.0%2F24/ban").status_code == 200
    try:
        assert is_cut(banned)
        with pytest.raises((OSError, EOFError)):
            portal.visitor(name, source="127.0.3.9")
        assert greeted(other)
    finally:
        portal.administer("DELETE", "/admin/ips/127.0.3.0%2F24/ban")


def test_a_banned_identity_neither_renews_nor_registers(portal: RelayPortal, client: RelayClient) -> None:
    # relay L.12
    portal.judge(client, "POST", "ban")
    for act in (client.renew, client.register):
        with pytest.raises(Refused) as refused:
            act()
        assert (refused.value.status, refused.value.code) == (403, "lease_rejected")
    portal.judge(client, "DELETE", "ban")


def test_a_limit_slows_an_open_connection_and_lasts_over_a_new_lease(portal: RelayPortal) -> None:
    # relay L.13
    client = portal.agent()
    client.register()
    with Tunnel(client, answer_http(DOWNLOAD)):
        visitor = portal.visitor(hostname(portal, client))
        free = download(visitor)
        portal.judge(client, "POST", "bps", {"bps": SLOW_BYTES_A_SECOND})
        limited = download(visitor)
        portal.judge(client, "DELETE", "bps")
        visitor.close()
    assert limited > 1.5  # less than the three seconds: a second's worth may have been saved up
    assert free < limited

    portal.judge(client, "POST", "bps", {"bps": SLOW_BYTES_A_SECOND})
    client.unregister()
    client.register()
    with Tunnel(client, answer_http(DOWNLOAD)):
        visitor = portal.visitor(hostname(portal, client))
        assert download(visitor) > 1.5
        visitor.close()
    portal.judge(client, "DELETE", "bps")


def test_two_connections_share_the_limit(portal: RelayPortal) -> None:
    # relay L.13
    client = portal.agent()
    port = int(client.register(tcp_enabled=True).answer["tcp_addr"].rpartition(":")[2])
    portal.judge(client, "POST", "bps", {"bps": SLOW_BYTES_A_SECOND})
    began = time.monotonic()
    with Tunnel(client, answer_http(DOWNLOAD[: len(DOWNLOAD) // 2])):
        streams: list[ByteStream] = [portal.visitor(hostname(portal, client)), portal.raw_visitor(port)]
        for stream in streams:
            stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
        for stream in streams:
            left = len(DOWNLOAD) // 2
            while left > 0:
                left -= len(stream.recv(65536))
        for stream in streams:
            stream.close()
    assert time.monotonic() - began > 1.5
    portal.judge(client, "DELETE", "bps")


def test_decisions_outlive_a_restart(tmp_path: Path) -> None:
    # relay L.13, F.5
    banned, limited, wallet = Wallet(), Wallet(), Wallet()
    with RelayPortal(tmp_path) as portal:
        portal.judge(portal.agent("one", banned), "POST", "ban")
        portal.judge(portal.agent("two", limited), "POST", "bps", {"bps": 9000})
        portal.judge(portal.agent("three", wallet), "POST", "approve")
        for path, content in (
            ("/admin/ips/2001:DB8::1/ban", None),
            ("/admin/settings/approval-mode", {"mode": "manual"}),
            ("/admin/settings/udp", {"enabled": False, "max_leases": 2}),
            ("/admin/settings/landing-page", {"enabled": False}),
        ):
            assert portal.administer("POST", path, content).status_code == 200
        portal.stop()
        portal.start()
        portal.agent("two", limited).register()
        portal.agent("three", wallet).register()
        with pytest.raises(Refused):
            portal.agent("one", banned).register()
        kept = portal.administer("GET", "/admin/snapshot").json()["data"]
        assert portal.ask("relay")["banned_networks"] == ["2001:db8::1"]
    leases = {lease["name"]: lease for lease in kept["leases"]}
    assert (leases["two"]["BPS"], leases["two"]["IsApproved"]) == (9000, False)
    assert leases["three"]["IsApproved"] is True
    assert kept["approval_mode"] == "manual"
    assert kept["udp"] == {"enabled": False, "max_leases": 2}
    assert kept["landing_page_enabled"] is False


def test_in_manual_mode_a_tunnel_serves_once_it_is_approved(tmp_path: Path) -> None:
    with RelayPortal(tmp_path, {"relay_approval": "manual"}) as portal:
        client = portal.agent()
        client.register()
        with pytest.raises(Refused) as refused:
            client.connect()
        assert (refused.value.status, refused.value.code) == (403, "lease_rejected")
        portal.judge(client, "POST", "approve")
        with Tunnel(client, answer_http(b"approved")):
            assert portal.page(hostname(portal, client)).body == b"approved"


def test_the_relays_own_wallet_administers_by_its_cookie(portal: RelayPortal, client: RelayClient) -> None:
    # R07, R08, R09, R10, R11
    key = json.loads((portal.data_dir / "relay" / "identity.json").read_text())["private_key"]
    own = Wallet(bytes.fromhex(key.removeprefix("0x")))
    connection = http.client.HTTPSConnection("127.0.0.1", portal.port, context=portal.tls, timeout=20)
    cookie = ""

    def ask(method: str, path: str, content: object = None) -> tuple[int, Any, str]:
        head = {"Host": portal.relay().authority, "Content-Type": "application/json", "Cookie": cookie}
        connection.request(method, path, json.dumps(content) if content is not None else None, head)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers.get("Set-Cookie", "")

    status, body, _ = ask("POST", "/admin/auth/challenge", {"address": own.address})
    assert (status, body["ok"]) == (201, True)
    text = body["data"]["siwe_message"]
    assert f"URI: https://{portal.relay().authority}/admin/auth/login" in text
    sent = {
        "challenge_id": body["data"]["challenge_id"],
        "siwe_message": text,
        "siwe_signature": own.sign(text),
    }
    status, body, given = ask("POST", "/admin/auth/login", sent)
    assert (status, body["data"]) == (200, {"wallet_address": own.address})
    cookie = given.partition(";")[0]
    assert client.name in [lease["name"] for lease in ask("GET", "/admin/snapshot")[1]["data"]["leases"]]
    assert ask("GET", "/admin/auth/status")[1]["data"] == {"authenticated": True, "wallet_address": own.address}
    assert ask("POST", "/admin/logout")[:2] == (200, {"ok": True, "data": {}})
    status, body, _ = ask("GET", "/admin/snapshot")
    assert (status, body["error"]["code"]) == (401, "unauthorized")
    connection.close()
