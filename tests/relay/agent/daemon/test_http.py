"""The agent's local API (R32, R33; relay A.16)."""

from __future__ import annotations

import stat

import psutil
import pytest

from homeport.relay.agent.daemon import Daemon
from homeport.relay.agent.daemon.wallets import AgentWallets
from homeport.testing.clock import ManualClock
from homeport.testing.fake_relay import FakeRelay
from homeport.testing.waiting import eventually
from homeport.wire import ethereum
from tests.relay.agent.daemon.conftest import WALLET, WALLET_KEY, LocalApi, signed, tunnel

# How wallets sign in, R32


async def test_a_wallet_signs_in_and_out(api: LocalApi) -> None:
    # R32
    challenge = await api.call("POST", "/auth/challenge", {"address": WALLET.lower()})
    assert challenge.status_code == 201
    data = challenge.json()["data"]
    assert data["challenge_id"].startswith("wac_")
    assert f"\n{WALLET}\n" in data["siwe_message"]
    assert "URI: http://127.0.0.1:" in data["siwe_message"]
    login = await api.call("POST", "/auth/login", signed(data, WALLET_KEY))
    assert login.json() == {"ok": True, "data": {"wallet_address": WALLET}}
    cookie = login.headers["set-cookie"]
    assert cookie.startswith("portal_agent=was_")
    assert all(part in cookie for part in ("Path=/v1/agent", "HttpOnly", "SameSite=Strict", "Max-Age=86400"))
    status = (await api.call("GET", "/auth/status")).json()["data"]
    assert (status["authenticated"], status["wallet_address"]) == (True, WALLET)
    assert (await api.call("POST", "/auth/logout")).json() == {"ok": True, "data": {}}
    assert (await api.call("GET", "/auth/status")).json()["data"] == {"authenticated": False}


async def test_a_challenge_is_used_once(api: LocalApi) -> None:
    # R32
    challenge = (await api.call("POST", "/auth/challenge", {"address": WALLET})).json()["data"]
    assert (await api.call("POST", "/auth/login", signed(challenge, WALLET_KEY))).status_code == 200
    again = await api.call("POST", "/auth/login", signed(challenge, WALLET_KEY))
    assert (again.status_code, again.json()["error"]["code"]) == (401, "unauthorized")


async def test_a_signature_of_another_wallet_is_refused(api: LocalApi) -> None:
    # R32
    challenge = (await api.call("POST", "/auth/challenge", {"address": WALLET})).json()["data"]
    answer = await api.call("POST", "/auth/login", signed(challenge, bytes([9]) * 32))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


async def test_a_wallet_that_nobody_named_gets_no_challenge(api: LocalApi) -> None:
    # R32
    stranger = ethereum.address_of(bytes([9]) * 32)
    answer = await api.call("POST", "/auth/challenge", {"address": stranger})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "unauthorized")


async def test_what_is_no_address_is_said_so(api: LocalApi) -> None:
    # R32
    answer = await api.call("POST", "/auth/challenge", {"address": "0x12"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


async def test_open_challenges_are_bounded(api: LocalApi) -> None:
    # R32
    codes = [(await api.call("POST", "/auth/challenge", {"address": WALLET})).status_code for _ in range(33)]
    assert codes == [201] * 32 + [429]


async def test_the_key_of_a_tunnel_may_look_too(api: LocalApi, daemon: Daemon, relay: FakeRelay, service: int) -> None:
    # R32
    assert (await api.change("POST", "/tunnels", tunnel(relay, service))).status_code == 201
    key = daemon.state.identity("demo").key
    await eventually(lambda: daemon.rows()[0]["address"])
    assert (await api.sign_in(key)).status_code == 200
    assert (await api.call("GET", "/status")).status_code == 200


async def test_a_session_ends_after_a_day() -> None:
    # R32
    clock = ManualClock()
    wallets = AgentWallets([WALLET], set, clock)
    challenge = wallets.challenge(WALLET, "localhost:4018")
    token, _ = wallets.sign_in(challenge.id, challenge.message, ethereum.sign_message(WALLET_KEY, challenge.message))
    assert wallets.find(token) is not None
    clock.advance(24 * 3600)
    assert wallets.find(token) is None


# What they may read, R33


async def test_a_wallet_session_reads_the_status(api: LocalApi, relay: FakeRelay, service: int) -> None:
    # R33
    await api.change("POST", "/tunnels", tunnel(relay, service))
    await api.sign_in()
    answer = await api.call("GET", "/status")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["status"] == "running"
    assert [row["name"] for row in data["tunnels"]] == ["demo"]
    assert api.token not in answer.text


async def test_the_status_is_for_nobody_else(api: LocalApi) -> None:
    # R33
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "portal_agent=was_00"}):
        answer = await api.http.get("/status", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


async def test_the_token_reads_it_too(api: LocalApi) -> None:
    # R33
    assert (await api.call("GET", "/status", token=api.token)).status_code == 200


# What changes something wants the token


@pytest.mark.parametrize(("method", "path"), [("POST", "/tunnels"), ("DELETE", "/tunnels/demo"), ("POST", "/shutdown")])
async def test_a_wallet_may_look_and_not_touch(api: LocalApi, daemon: Daemon, method: str, path: str) -> None:
    await api.sign_in()
    answer = await api.call(method, path, {"name": "demo", "target": "1", "relay": "https://relay.test"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
    assert daemon.rows() == []
    assert not daemon.stopping.is_set()


async def test_a_tunnel_is_added_served_kept_and_removed(
    api: LocalApi, daemon: Daemon, relay: FakeRelay, service: int
) -> None:
    added = await api.change("POST", "/tunnels", tunnel(relay, service))
    assert added.status_code == 201
    await eventually(lambda: daemon.rows()[0]["state"] == "online", 20)
    row = (await api.change("GET", "/tunnels/demo")).json()["data"]
    assert (row["name"], row["target"], row["state"]) == ("demo", str(service), "online")
    visitor = await relay.visit("demo.localhost")
    assert await visitor.receive_all() == b"hello"
    assert list(daemon.state.tunnels()) == ["demo"]
    assert (await api.change("DELETE", "/tunnels/demo")).json() == {"ok": True, "data": {}}
    assert daemon.state.tunnels() == {}
    assert relay.asked("/sdk/unregister") == 1
    gone = await api.change("GET", "/tunnels/demo")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "tunnel_not_found")


async def test_the_answers_have_no_secrets(api: LocalApi, relay: FakeRelay, service: int) -> None:
    wish = tunnel(relay, service)
    wish["relays"][0]["key"] = "hp_s3cret"
    answer = await api.change("POST", "/tunnels", wish)
    listed = await api.change("GET", "/tunnels")
    assert "s3cret" not in answer.text + listed.text


async def test_a_name_is_taken_once(api: LocalApi, relay: FakeRelay, service: int) -> None:
    await api.change("POST", "/tunnels", tunnel(relay, service))
    again = await api.change("POST", "/tunnels", tunnel(relay, service, name="DEMO"))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "tunnel_exists")


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"target": "nonsense"},
        {"target": None},
        {"relays": []},
        {"relays": ["ftp://relay.test"]},
        {"relays": [{"url": "https://relay.test", "ca": "no certificate"}]},
        {"relays": [{"url": "https://relay.test", "port": 70000}]},
        {"tcp": "yes"},
        {"tags": "one"},
        {"description": "x" * 5000},
    ],
)
async def test_what_does_not_fit_is_refused(api: LocalApi, daemon: Daemon, change: dict[str, object]) -> None:
    wish = {"name": "demo", "target": "3000", "relays": ["https://relay.test"], **change}
    answer = await api.change("POST", "/tunnels", wish)
    assert answer.status_code == 400
    assert answer.json()["ok"] is False
    assert daemon.rows() == []


async def test_shutdown_answers_and_then_ends(api: LocalApi, daemon: Daemon) -> None:
    answer = await api.change("POST", "/shutdown")
    assert answer.status_code == 202
    await eventually(daemon.stopping.is_set)


# The envelope, and who may ask at all


async def test_unknown_paths_and_methods_are_answered_as_the_relay_does(api: LocalApi) -> None:
    wrong = await api.call("DELETE", "/status")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")
    unknown = await api.call("GET", "/nothing")
    assert (unknown.status_code, unknown.text) == (404, "404 page not found\n")
    malformed = await api.http.post("/auth/challenge", content=b"{")
    assert (malformed.status_code, malformed.json()["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "agent.evil.test"}, 421),
        ({"Origin": "https://evil.test"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_pages_of_other_sites_are_refused(api: LocalApi, headers: dict[str, str], status: int) -> None:
    sent = {"Authorization": f"Bearer {api.token}", **headers}
    assert (await api.http.get("/status", headers=sent)).status_code == status
    assert (await api.http.post("/shutdown", headers=sent)).status_code == status


async def test_it_listens_on_loopback_only(api: LocalApi, daemon: Daemon) -> None:
    assert daemon._server is not None
    here = psutil.Process().net_connections("tcp")  # others may have the number at other addresses
    ports = [found.laddr for found in here if found.laddr and found.status == "LISTEN"]
    assert [place.ip for place in ports if place.port == daemon._server.port] == ["127.0.0.1"]


async def test_what_the_state_directory_holds_is_for_its_owner_only(
    api: LocalApi, daemon: Daemon, relay: FakeRelay, service: int
) -> None:
    await api.change("POST", "/tunnels", tunnel(relay, service))
    files = [path for path in daemon.state.folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"token", "tunnels.json", "demo.json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
