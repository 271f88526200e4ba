"""The relay's API for those who tunnel: every answer and every refusal of seed 004 that these paths can give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport import __version__
from homeport.identity.access import Role
from homeport.identity.audit import AuditQuery
from homeport.kit.clock import rfc3339
from homeport.relay.lease import Lease
from homeport.relay.policy import PortPolicy
from homeport.storage import Database
from homeport.testing.relay_door import OTHER_WALLET, WALLET, CountedSessions, RelayDoor, open_relay_door
from homeport.wire.ethereum import address_of
from homeport.wire.siwe import parse

HEADER = "x-portal-access-token"
PEER = "127.0.0.1"  # where these requests come from

# What is written is tested with the leases, on each engine.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def relay(database: Database, tmp_path: Path) -> AsyncIterator[RelayDoor]:
    async with open_relay_door(database, tmp_path, administrator=False) as relay:
        yield relay


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Status and code, of an answer that is the envelope and nothing else."""
    body = answer.json()
    assert set(body) == {"ok", "error"}, body
    assert body["ok"] is False
    assert set(body["error"]) == {"code", "message"}
    assert body["error"]["message"]
    assert answer.text.endswith("\n")
    return answer.status_code, body["error"]["code"]


def data(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["ok"] is True
    assert set(body) == {"ok", "data"}
    assert answer.headers["content-type"] == "application/json"
    return body["data"]


def lease_of(relay: RelayDoor, name: str = "demo") -> Lease:
    lease = relay.leases.at(f"{name}.localhost")
    assert lease is not None
    return lease


# R01


async def test_the_relay_says_what_it_speaks_to_pages_of_every_site(relay: RelayDoor) -> None:
    answer = await relay.get("/sdk/domain")  # R01
    assert data(answer) == {
        "protocol_version": "7",
        "release_version": f"v{__version__}",
        "ens": {"enabled": False, "verified": False},
    }
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_older_clients_may_be_told_what_they_want_to_hear(database: Database, tmp_path: Path) -> None:
    async with open_relay_door(database, tmp_path, settings={"relay_protocol": "5"}) as relay:
        assert data(await relay.get("/sdk/domain"))["protocol_version"] == "5"  # R01


WRONG_METHODS = [
    *[(method, "/sdk/domain") for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD")],
    *[(method, "/sdk/register/challenge") for method in ("GET", "OPTIONS", "HEAD")],
    ("GET", "/sdk/register"),
    ("GET", "/sdk/renew"),
    ("DELETE", "/sdk/unregister"),
    ("POST", "/sdk/connect"),
    ("HEAD", "/sdk/connect"),
    ("POST", "/tunnel/status"),
    ("HEAD", "/tunnel/status"),
]


async def test_a_wrong_method_is_405_in_the_envelope(relay: RelayDoor) -> None:
    async with relay.door.client() as client:  # relay A.0
        for method, path in WRONG_METHODS:
            answer = await client.request(method, path)
            assert answer.status_code == 405, (method, path)
            assert "allow" not in answer.headers
            if method == "HEAD":
                assert answer.content == b""
            else:
                assert refusal(answer) == (405, "method_not_allowed")
            assert ("access-control-allow-origin" in answer.headers) is (path == "/sdk/domain")


async def test_unknown_paths_are_plain_text(relay: RelayDoor) -> None:
    async with relay.door.client() as client:  # relay A.0
        for path in ("/sdk/", "/sdk/register/", "/sdk/domain/", "/sdk/hop/x", "/v1/other", "/sdk/x.json"):
            for method in ("GET", "POST"):
                answer = await client.request(method, path)
                assert (answer.status_code, answer.text) == (404, "404 page not found\n"), (method, path)
                assert answer.headers["content-type"].startswith("text/plain")


async def test_a_portal_without_a_relay_registers_nobody(database: Database, tmp_path: Path) -> None:
    async with open_relay_door(database, tmp_path, administrator=False, settings={"relay": False}) as relay:
        for path in ("/sdk/domain", "/tunnel/status?hostname=x", "/sdk/connect"):
            assert refusal(await relay.get(path)) == (503, "feature_unavailable")
        for path in ("/sdk/register/challenge", "/sdk/register", "/sdk/renew", "/sdk/unregister"):
            assert refusal(await relay.post(path, {})) == (503, "feature_unavailable")
        data(await relay.get("/healthz"))


# R02


async def test_a_challenge_is_a_message_to_sign(relay: RelayDoor) -> None:
    found = data(await relay.ask("My_App.v2", metadata={"description": "d"}, ttl=60), 201)  # R02
    assert set(found) == {"challenge_id", "expires_at", "siwe_message"}
    assert found["expires_at"] == rfc3339(relay.door.clock.now() + timedelta(minutes=2))
    message = parse(found["siwe_message"])
    assert (message.domain, message.uri) == ("localhost:8443", "https://localhost:8443/sdk/register")
    assert message.address == address_of(WALLET)
    assert message.request_id == found["challenge_id"]


async def test_the_host_of_the_request_stands_in_the_message(relay: RelayDoor) -> None:
    async with relay.door.client() as client:  # relay B.2
        client.headers["host"] = "127.0.0.1:4017"
        assert parse(data(await relay.ask(client=client), 201)["siwe_message"]).domain == "127.0.0.1:4017"
        client.headers["host"] = "user@host"
        assert refusal(await relay.ask(client=client)) == (400, "invalid_request")


async def test_what_is_no_json_of_ours_is_invalid_json(relay: RelayDoor) -> None:
    too_much = b" " * (4 * 1024 * 1024 + 1)
    async with relay.door.client() as client:  # relay A.0
        for content in (
            b"", b"{", b"[]", b'"text"', b'{"identity":"demo"}', b'{"identity":{"name":1}}',
            b'{"identity":{},"ttl":"1"}', b'{"identity":{},"ech_config_list":"%"}', too_much,
        ):  # fmt: skip
            answer = await client.post("/sdk/register/challenge", content=content)
            assert refusal(answer) == (400, "invalid_json"), content[:40]
        for path in ("/sdk/register", "/sdk/renew", "/sdk/unregister"):
            assert refusal(await client.post(path, content=b"{")) == (400, "invalid_json")
            assert refusal(await client.post(path, content=too_much)) == (400, "invalid_json")


async def test_a_body_of_four_megabytes_is_read(relay: RelayDoor) -> None:
    body = f'{{"identity":{{"name":"demo","address":"{address_of(WALLET)}"}}}}'.encode()
    async with relay.door.client() as client:  # relay A.0
        answer = await client.post("/sdk/register/challenge", content=body.ljust(4 * 1024 * 1024))
    data(answer, 201)


async def test_keys_in_any_case_what_follows_and_any_content_type_are_accepted(relay: RelayDoor) -> None:
    body = f'{{"Identity":{{"NAME":"demo","Address":"{address_of(WALLET)}"}},"new":1}} trailing'
    async with relay.door.client() as client:  # relay A.0
        answer = await client.post("/sdk/register/challenge", content=body, headers={"content-type": "text/plain"})
    data(answer, 201)


async def test_values_that_cannot_be_are_invalid_requests(relay: RelayDoor) -> None:
    who = {"name": "demo", "address": address_of(WALLET)}
    for body in (
        {"identity": {**who, "name": "!!!"}},
        {"identity": {**who, "name": ""}},
        {"identity": {**who, "address": "0x12"}},
        {"identity": who, "metadata": {"description": "x" * 5000}},  # relay L.3
        {"identity": who, "ech_config_list": "AAAA", "route_hostname": "ech-a.localhost"},
    ):
        assert refusal(await relay.post("/sdk/register/challenge", body)) == (400, "invalid_request"), body


async def test_what_the_relay_does_not_have_is_said_before_a_bad_name_is(relay: RelayDoor) -> None:
    relay.plane.udp.configured = relay.plane.tcp.configured = False
    for wish in ({"hop_token": "hpt_1"}, {"udp_enabled": True}, {"tcp_enabled": True}):
        body = {"identity": {"name": "", "address": ""}, **wish}  # relay A.2
        assert refusal(await relay.post("/sdk/register/challenge", body)) == (503, "feature_unavailable")


async def test_an_address_has_32_open_challenges(relay: RelayDoor) -> None:
    for _ in range(32):  # relay L.3
        data(await relay.ask(), 201)
    answer = await relay.ask()
    assert refusal(answer) == (429, "rate_limited")
    assert int(answer.headers["retry-after"]) > 0
    relay.door.clock.advance(121)
    data(await relay.ask(), 201)


async def test_many_tunnels_behind_one_address_register_one_after_the_other(relay: RelayDoor) -> None:
    for number in range(40):
        data(await relay.register(f"t{number}"), 201)
    assert len(relay.leases.all()) == 40


async def test_challenges_by_the_thousand_from_one_address_are_too_many(
    relay: RelayDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.relay.http.REGISTRATIONS_A_MINUTE", 2)
    for _ in range(2):
        data(await relay.register(), 201)
    answer = await relay.ask()
    assert refusal(answer) == (429, "rate_limited")
    assert answer.headers["retry-after"]


# R03


async def test_a_registration_is_answered_with_all_that_any_client_looks_for(relay: RelayDoor) -> None:
    found = data(await relay.register("My_App.v2", ttl=60), 201)  # R03
    lease = lease_of(relay, "my-app-v2")
    assert found.pop("access_token")
    assert found == {
        "identity": {"name": "my-app-v2", "address": address_of(WALLET)},
        "expires_at": rfc3339(lease.expires_at),
        "hostname": "my-app-v2.localhost",
        "sni_port": 8443,
    }
    assert lease.client_ip == PEER


async def test_ports_are_told_where_there_are_some(relay: RelayDoor) -> None:
    found = data(await relay.register(udp_enabled=True, tcp_enabled=True), 201)  # R03
    lease = lease_of(relay)
    assert (found["udp_enabled"], found["udp_addr"]) == (True, f"localhost:{lease.udp_port}")
    assert (found["tcp_enabled"], found["tcp_addr"]) == (True, f"localhost:{lease.tcp_port}")


async def test_the_true_end_of_a_lease_is_told(relay: RelayDoor) -> None:
    found = data(await relay.register(ttl=10**9), 201)  # relay L.2
    lease = lease_of(relay)
    assert found["expires_at"] == rfc3339(lease.expires_at)
    assert (lease.expires_at - relay.door.clock.now()).total_seconds() <= 3600


async def test_an_answer_that_is_wrong_is_refused_and_may_be_mended(relay: RelayDoor) -> None:
    good = relay.signed(await relay.ask())
    for changes, expected in (
        ({"challenge_id": ""}, (400, "invalid_request")),
        ({"challenge_id": "rch_0000000000000000"}, (400, "invalid_request")),
        ({"siwe_message": "another text"}, (400, "invalid_request")),
        ({"siwe_message": ""}, (400, "invalid_request")),
        ({"siwe_signature": ""}, (403, "unauthorized")),
        ({"siwe_signature": "0x00"}, (403, "unauthorized")),  # relay L.11
        ({"siwe_signature": "0x" + "00" * 64}, (403, "unauthorized")),
        ({"siwe_signature": "0x" + "11" * 65}, (403, "unauthorized")),
        ({"siwe_signature": 7}, (400, "invalid_json")),
    ):
        assert refusal(await relay.post("/sdk/register", {**good, **changes})) == expected, changes
    data(await relay.post("/sdk/register", good), 201)
    assert refusal(await relay.post("/sdk/register", good)) == (400, "invalid_request")  # once


async def test_another_wallet_s_signature_is_refused(relay: RelayDoor) -> None:
    asked = await relay.ask()
    assert refusal(await relay.post("/sdk/register", relay.signed(asked, OTHER_WALLET))) == (403, "unauthorized")


async def test_an_expired_challenge_is_an_invalid_request(relay: RelayDoor) -> None:
    good = relay.signed(await relay.ask())
    relay.door.clock.advance(121)
    assert refusal(await relay.post("/sdk/register", good)) == (400, "invalid_request")


async def test_somebody_else_s_name_is_a_conflict(relay: RelayDoor) -> None:
    await relay.token()
    assert refusal(await relay.register(wallet=OTHER_WALLET)) == (409, "hostname_conflict")
    relay.plane.apps.add("blog")
    assert refusal(await relay.register("blog")) == (409, "hostname_conflict")


async def test_a_hidden_name_with_ports_is_a_mismatch(relay: RelayDoor) -> None:
    answer = await relay.register(route_hostname="ech-a.localhost", tcp_enabled=True)
    assert refusal(answer) == (409, "transport_mismatch")


async def test_a_hidden_name_elsewhere_is_an_invalid_request(relay: RelayDoor) -> None:
    assert refusal(await relay.register(route_hostname="ech-a.example.org")) == (400, "invalid_request")
    assert refusal(await relay.register(hostname_hash="x")) == (400, "invalid_request")


async def test_policy_on_ports_has_codes_of_its_own(relay: RelayDoor) -> None:
    policy = relay.plane.policy
    await policy.set_udp(PortPolicy(False))
    await policy.set_tcp_port(PortPolicy(False))
    assert refusal(await relay.register(udp_enabled=True)) == (403, "udp_disabled")
    assert refusal(await relay.register(tcp_enabled=True)) == (403, "tcp_port_disabled")
    await policy.set_udp(PortPolicy(True, 1))
    await policy.set_tcp_port(PortPolicy(True, 1))
    await relay.token(udp_enabled=True, tcp_enabled=True)
    assert refusal(await relay.register("other", udp_enabled=True)) == (503, "udp_capacity_exceeded")
    assert refusal(await relay.register("other", tcp_enabled=True)) == (503, "tcp_port_capacity_exceeded")


async def test_no_port_left_is_a_code_of_its_own(database: Database, tmp_path: Path) -> None:
    ports = {"relay_port_first": 40000, "relay_port_last": 40000}
    async with open_relay_door(database, tmp_path, settings=ports) as relay:
        await relay.token(udp_enabled=True, tcp_enabled=True)
        assert refusal(await relay.register("other", udp_enabled=True)) == (503, "udp_port_exhausted")
        assert refusal(await relay.register("other", tcp_enabled=True)) == (503, "tcp_port_exhausted")


async def test_too_many_leases_of_one_address_are_rate_limited(database: Database, tmp_path: Path) -> None:
    async with open_relay_door(database, tmp_path, settings={"relay_leases_per_address": 1}) as relay:
        await relay.token()
        assert refusal(await relay.register("other")) == (429, "rate_limited")  # relay L.2
        await relay.token()


async def test_a_tunnel_that_waits_for_approval_is_registered(database: Database, tmp_path: Path) -> None:
    async with open_relay_door(database, tmp_path, settings={"relay_approval": "manual"}) as relay:
        token = await relay.token()  # relay E
        assert refusal(await relay.get("/sdk/connect", headers={HEADER: token})) == (403, "lease_rejected")


async def test_a_banned_identity_neither_registers_nor_renews(relay: RelayDoor) -> None:
    token = await relay.token()
    await relay.plane.policy.ban(lease_of(relay).key)  # relay L.12
    assert refusal(await relay.register()) == (403, "lease_rejected")
    assert refusal(await relay.post("/sdk/renew", {"access_token": token})) == (403, "lease_rejected")


async def test_a_signed_in_person_s_tunnel_is_theirs_and_approved(database: Database, tmp_path: Path) -> None:
    async with open_relay_door(database, tmp_path, settings={"relay_approval": "manual"}) as relay:
        token = await relay.door.add_user("olga", Role.ADMIN)
        async with relay.door.client(token) as client:
            data(await relay.register(client=client), 201)
        lease = lease_of(relay)
        assert lease.owner_id is not None
        assert relay.plane.policy.routable(lease.key)


async def test_who_may_not_tunnel_and_a_credential_that_is_none_are_refused(database: Database, tmp_path: Path) -> None:
    async with open_relay_door(database, tmp_path) as relay:
        viewer = await relay.door.add_user("vera", Role.USER)
        for token, status in ((viewer, 403), ("portal_" + "0" * 64, 401)):
            async with relay.door.client(token) as client:
                assert refusal(await relay.register(client=client))[0] == status
        assert relay.leases.all() == []


# R04


async def test_a_token_may_come_by_header_or_by_body(relay: RelayDoor) -> None:
    token = await relay.token(ttl=60)  # R04
    lease = lease_of(relay)
    async with relay.door.client() as client:
        for given, headers in (({}, {HEADER: token}), ({"access_token": f" {token} "}, {})):
            relay.door.clock.advance(10)
            found = data(await client.post("/sdk/renew", json={"ttl": 90, **given}, headers=headers))
            assert set(found) == {"expires_at", "access_token"}
            assert found["expires_at"] == rfc3339(lease.expires_at)
            assert (lease.expires_at - relay.door.clock.now()).total_seconds() == 90
            assert relay.leases.holder(found["access_token"]) is relay.leases.holder(token) is lease


async def test_a_renewal_may_say_something_else_of_the_tunnel(relay: RelayDoor) -> None:
    token = await relay.token(metadata={"description": "first"})
    await relay.post("/sdk/renew", {"access_token": token})
    assert lease_of(relay).metadata.description == "first"
    await relay.post("/sdk/renew", {"access_token": token, "metadata": {"tags": ["x"]}, "reported_ip": "2001:db8::1"})
    assert (lease_of(relay).metadata.description, lease_of(relay).metadata.tags) == ("", ("x",))
    assert lease_of(relay).reported_ip == "2001:db8::1"
    answer = await relay.post("/sdk/renew", {"access_token": token, "metadata": {"owner": "x" * 201}})
    assert refusal(answer) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["/sdk/renew", "/sdk/unregister"])
async def test_a_token_that_is_none_is_unauthorized(relay: RelayDoor, path: str) -> None:
    for body in ({}, {"access_token": ""}, {"access_token": "x.y.z"}):
        assert refusal(await relay.post(path, body)) == (403, "unauthorized")


@pytest.mark.parametrize("path", ["/sdk/renew", "/sdk/unregister"])
async def test_a_good_token_whose_lease_is_gone_is_told_so(relay: RelayDoor, path: str) -> None:
    token = await relay.token(ttl=60)  # relay L.16
    relay.door.clock.advance(61)
    assert refusal(await relay.post(path, {"access_token": token})) == (404, "lease_not_found")


async def test_a_stale_token_does_not_attach_to_the_next_lease(relay: RelayDoor) -> None:
    stale = await relay.token()  # relay L.21
    await relay.token()
    for path in ("/sdk/renew", "/sdk/unregister"):
        assert refusal(await relay.post(path, {"access_token": stale})) == (404, "lease_not_found")
    answer = await relay.get("/sdk/connect", headers={HEADER: stale})
    assert refusal(answer) == (404, "lease_not_found")


# R05


async def test_leaving_is_answered_with_nothing(relay: RelayDoor) -> None:
    token = await relay.token()  # R05
    assert data(await relay.post("/sdk/unregister", {"access_token": token})) == {}
    assert relay.leases.all() == []
    assert refusal(await relay.post("/sdk/unregister", {"access_token": token})) == (404, "lease_not_found")


# R06, where the application sees it


async def test_a_session_has_to_be_the_first_request_of_its_connection(relay: RelayDoor) -> None:
    token = await relay.token()
    answer = await relay.get("/sdk/connect", headers={HEADER: token})
    assert refusal(answer) == (500, "hijack_unsupported")
    assert refusal(await relay.get("/sdk/connect")) == (403, "unauthorized")


async def test_a_session_needs_http_1(relay: RelayDoor) -> None:
    received: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        received.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "2", "method": "GET", "scheme": "https",
        "path": "/sdk/connect", "raw_path": b"/sdk/connect", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost:8443")], "client": (PEER, 1), "server": (PEER, 8443), "state": {},
    }  # fmt: skip
    await relay.door.app(scope, receive, send)
    assert received[0]["status"] == 505
    assert b'"http11_only"' in received[1]["body"]


async def test_hops_of_an_overlay_are_unavailable(relay: RelayDoor) -> None:
    async with relay.door.client() as client:  # relay C.9
        for method in ("POST", "DELETE"):
            assert refusal(await client.request(method, "/sdk/hop", content=b"{}")) == (503, "feature_unavailable")
        assert refusal(await client.get("/sdk/hop")) == (405, "method_not_allowed")


async def test_a_banned_address_is_turned_away_before_its_body_is_read(relay: RelayDoor) -> None:
    token = await relay.token()
    await relay.plane.policy.ban_network("127.0.0.0/8")
    async with relay.door.client() as client:  # relay A.0
        for path in ("/sdk/register/challenge", "/sdk/register", "/sdk/renew"):
            assert refusal(await client.post(path, content=b"{")) == (403, "ip_banned")
        assert refusal(await client.get("/sdk/connect")) == (403, "ip_banned")
        assert refusal(await client.post("/sdk/hop")) == (403, "ip_banned")
        data(await client.get("/sdk/domain"))
        data(await client.get("/tunnel/status", params={"hostname": "demo.localhost"}))
        data(await client.post("/sdk/unregister", json={"access_token": token}))


# R26


async def test_health_is_answered_to_every_method(relay: RelayDoor) -> None:
    async with relay.door.client() as client:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert data(await client.request(method, "/healthz")) == {"status": "ok"}  # R26
        assert (await client.head("/healthz")).status_code == 200


# R31


async def status(relay: RelayDoor, hostname: str, token: str = "") -> tuple[bool, bool]:
    headers = {HEADER: token} if token else {}
    found = data(await relay.get("/tunnel/status", params={"hostname": hostname}, headers=headers))
    assert found["hostname"] == hostname.lower()
    return found["registered"], found["service_alive"]


async def test_anybody_may_ask_whether_a_public_tunnel_is_alive(relay: RelayDoor) -> None:
    assert await status(relay, "demo.localhost") == (False, False)  # R31
    await relay.token()
    assert await status(relay, "Demo.localhost") == (True, False)
    sessions = lease_of(relay).sessions
    assert isinstance(sessions, CountedSessions)
    sessions.ready = 1
    assert await status(relay, "demo.localhost") == (True, True)


async def test_hidden_and_unroutable_tunnels_are_not_registered_for_others(relay: RelayDoor) -> None:
    token = await relay.token(metadata={"hide": True})  # R31
    other = await relay.token("other")
    assert await status(relay, "demo.localhost") == (False, False)
    assert await status(relay, "demo.localhost", other) == (False, False)
    assert await status(relay, "demo.localhost", token) == (True, False)
    await relay.plane.policy.deny(lease_of(relay, "other").key)
    assert await status(relay, "other.localhost") == (False, False)
    assert await status(relay, "other.localhost", other) == (True, False)


async def test_a_status_needs_a_name_and_a_token_has_to_be_good(relay: RelayDoor) -> None:
    assert refusal(await relay.get("/tunnel/status")) == (400, "invalid_request")  # R31
    asked = {"hostname": "demo.localhost"}
    answer = await relay.get("/tunnel/status", params=asked, headers={HEADER: "x.y.z"})
    assert refusal(answer) == (403, "unauthorized")
    token = await relay.token()
    await relay.post("/sdk/unregister", {"access_token": token})
    answer = await relay.get("/tunnel/status", params=asked, headers={HEADER: token})
    assert refusal(answer) == (404, "lease_not_found")


# What surrounds them


async def test_registering_and_leaving_are_acts_and_renewing_is_none(relay: RelayDoor) -> None:
    token = await relay.token()
    await relay.post("/sdk/renew", {"access_token": token})
    await relay.post("/sdk/unregister", {"access_token": token})
    records, _ = await relay.door.identity.audit.page(AuditQuery(target_type="tunnel"), 10, 0)
    assert [(one.action, one.target_id, one.result) for one in records] == [
        ("unregister_tunnel", "demo.localhost", "done"),
        ("register_tunnel", "demo.localhost", "done"),
    ]


async def test_a_defect_is_an_envelope_with_an_id_and_no_more(
    relay: RelayDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_name: str) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(relay.leases, "at", broken)
    answer = await relay.get("/tunnel/status", params={"hostname": "demo.localhost"})
    assert refusal(answer) == (500, "internal")
    assert "the inside" not in answer.text
