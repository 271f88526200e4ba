"""The relay's administration as its clients call it: R07 to R25 (digest A.0, F)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from homeport.identity import Role
from homeport.identity.audit import AuditQuery
from homeport.relay.lease import Metadata
from homeport.storage import Database
from homeport.testing.door import BASE_URL
from homeport.testing.relay_admin import ADMIN_WALLET, STRANGER, AdminDoor, open_admin_door
from homeport.testing.relay_door import CountedSessions, RelayDoor
from homeport.wire.ethereum import address_of, sign_message

ADDRESS = address_of(STRANGER)
SHOP = f"shop:{ADDRESS.lower()}"


@pytest.fixture
async def relay(database: Database, tmp_path: Path) -> AsyncIterator[AdminDoor]:
    async with open_admin_door(database, tmp_path) as relay:
        yield relay


@pytest.fixture
async def admin(relay: AdminDoor) -> AsyncIterator[httpx.AsyncClient]:
    client = await relay.by_wallet()
    yield client
    await client.aclose()


@pytest.fixture
async def anybody(relay: AdminDoor) -> AsyncIterator[httpx.AsyncClient]:
    async with relay.door.client() as client:
        yield client


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal, which has to be in the envelope."""
    body = answer.json()
    assert body["ok"] is False
    assert set(body["error"]) == {"code", "message"}
    return answer.status_code, body["error"]["code"]


def data(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.text.endswith("\n")
    assert answer.json()["ok"] is True
    return answer.json()["data"]


async def challenge(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/admin/auth/challenge", json={"address": address_of(ADMIN_WALLET)})


def unpadded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def padded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


def path(name: str, act: str, spell: Callable[[str], str] = unpadded, address: str = ADDRESS) -> str:
    return f"/admin/leases/{spell(name)}/{spell(address)}/{act}"


class TestSigningIn:
    async def test_a_challenge_is_a_message_for_the_wallet(self, anybody: httpx.AsyncClient) -> None:  # R07
        answer = data(await anybody.post("/admin/auth/challenge", json={"address": address_of(ADMIN_WALLET)}), 201)

        assert answer["challenge_id"].startswith("wac_")
        assert len(answer["challenge_id"]) == 20
        assert answer["expires_at"] == "2026-03-29T10:02:00Z"
        lines = answer["siwe_message"].split("\n")
        assert lines[0] == "localhost:8443 wants you to sign in with your Ethereum account:"
        assert lines[1] == address_of(ADMIN_WALLET)
        assert lines[3] == "Sign in to Portal relay admin"
        assert lines[5] == "URI: https://localhost:8443/admin/auth/login"

    async def test_the_relays_own_wallet_may_sign_in(self, relay: AdminDoor) -> None:
        client = await relay.by_wallet(relay.own_wallet.key)
        answer = data(await client.get("/admin/auth/status"))
        await client.aclose()

        assert answer == {"authenticated": True, "wallet_address": relay.own_wallet.address}

    async def test_any_other_wallet_is_refused_at_once(self, anybody: httpx.AsyncClient) -> None:
        assert code(await anybody.post("/admin/auth/challenge", json={"address": ADDRESS})) == (403, "unauthorized")

    async def test_an_address_that_is_none_is_refused(self, anybody: httpx.AsyncClient) -> None:
        for address in ("", "0x12", "19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"):
            answer = await anybody.post("/admin/auth/challenge", json={"address": address})
            assert code(answer) == (400, "invalid_request")

    async def test_a_body_that_is_none_is_refused(self, anybody: httpx.AsyncClient) -> None:
        for body in (b"", b"{", b"[]", b'{"address": 7}', b'{"address": "' + b"x" * 70_000 + b'"}'):
            answer = await anybody.post("/admin/auth/challenge", content=body)
            assert code(answer) == (400, "invalid_request")

    async def test_keys_in_other_cases_and_what_follows_the_body_do_not_matter(
        self, anybody: httpx.AsyncClient
    ) -> None:
        content = f'{{"ADDRESS": "{address_of(ADMIN_WALLET)}", "more": 1}} and more'.encode()

        data(await anybody.post("/admin/auth/challenge", content=content), 201)

    async def test_signing_in_sets_the_cookie_and_names_the_wallet(self, anybody: httpx.AsyncClient) -> None:  # R08
        asked = await challenge(anybody)
        answer = await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET))

        assert data(answer) == {"wallet_address": address_of(ADMIN_WALLET)}
        cookie, _, rules = answer.headers["set-cookie"].partition("; ")
        assert rules == "Path=/admin; Max-Age=86400; HttpOnly; Secure; SameSite=Strict"
        assert cookie.startswith("portal_admin=was_")

    async def test_a_session_cannot_be_guessed(self, anybody: httpx.AsyncClient) -> None:  # relay L.19
        asked = await challenge(anybody)
        answer = await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET))

        token = answer.cookies["portal_admin"].removeprefix("was_")
        assert len(bytes.fromhex(token)) * 8 >= 128

    async def test_signing_in_again_and_again_is_slowed_down(  # relay L.19
        self, database: Database, tmp_path: Path
    ) -> None:
        async with open_admin_door(database, tmp_path, rate_limit_auth=3) as relay, relay.door.client() as client:
            answers = [await client.post("/admin/auth/login", json={}) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
        assert code(answers[-1]) == (429, "rate_limited")
        assert int(answers[-1].headers["retry-after"]) > 0

    async def test_a_signature_of_another_wallet_is_refused(self, anybody: httpx.AsyncClient) -> None:
        asked = await challenge(anybody)

        assert code(await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, STRANGER))) == (
            401,
            "unauthorized",
        )
        data(await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET)))

    async def test_a_signature_that_is_none_is_refused(self, anybody: httpx.AsyncClient) -> None:  # relay L.11
        asked = await challenge(anybody)

        for signature in ("", "0x", "0x1234", "0x" + "00" * 65, "0x" + "zz" * 65):
            sent = RelayDoor.signed(asked, ADMIN_WALLET) | {"siwe_signature": signature}
            assert code(await anybody.post("/admin/auth/login", json=sent)) == (401, "unauthorized")

    async def test_a_challenge_works_once(self, anybody: httpx.AsyncClient) -> None:
        asked = await challenge(anybody)
        data(await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET)))

        assert code(await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET))) == (
            401,
            "unauthorized",
        )

    async def test_a_challenge_works_for_two_minutes(self, relay: AdminDoor, anybody: httpx.AsyncClient) -> None:
        asked = await challenge(anybody)
        relay.door.clock.advance(120)

        assert code(await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET))) == (
            401,
            "unauthorized",
        )

    async def test_a_challenge_for_a_registration_does_not_sign_anybody_in(self, anybody: httpx.AsyncClient) -> None:
        identity = {"name": "shop", "address": address_of(ADMIN_WALLET)}
        asked = await anybody.post("/sdk/register/challenge", json={"identity": identity})

        assert code(await anybody.post("/admin/auth/login", json=RelayDoor.signed(asked, ADMIN_WALLET))) == (
            401,
            "unauthorized",
        )

    async def test_another_message_than_the_one_given_is_refused(self, anybody: httpx.AsyncClient) -> None:
        asked = await challenge(anybody)
        given = data(asked, 201)
        message = given["siwe_message"].replace("localhost:8443", "elsewhere.example")
        sent = {
            "challenge_id": given["challenge_id"],
            "siwe_message": message,
            "siwe_signature": sign_message(ADMIN_WALLET, message),
        }

        assert code(await anybody.post("/admin/auth/login", json=sent)) == (401, "unauthorized")

    async def test_the_status_says_who_is_signed_in(  # R10
        self, admin: httpx.AsyncClient, anybody: httpx.AsyncClient
    ) -> None:
        assert data(await anybody.get("/admin/auth/status")) == {"authenticated": False}
        assert data(await admin.get("/admin/auth/status")) == {
            "authenticated": True,
            "wallet_address": address_of(ADMIN_WALLET),
        }

    async def test_signing_out_ends_the_session_and_clears_the_cookie(self, admin: httpx.AsyncClient) -> None:  # R09
        token = admin.cookies["portal_admin"]
        answer = await admin.post("/admin/logout")

        assert data(answer) == {}
        assert (
            answer.headers["set-cookie"] == "portal_admin=; Path=/admin; Max-Age=0; HttpOnly; Secure; SameSite=Strict"
        )
        again = await admin.get("/admin/snapshot", headers={"cookie": f"portal_admin={token}"})
        assert code(again) == (401, "unauthorized")

    async def test_signing_out_works_without_a_session(self, anybody: httpx.AsyncClient) -> None:
        assert data(await anybody.post("/admin/logout")) == {}

    async def test_a_session_ends_after_a_day(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        token = admin.cookies["portal_admin"]
        relay.door.clock.advance(24 * 3600 - 1)
        data(await admin.get("/admin/snapshot", headers={"cookie": f"portal_admin={token}"}))
        relay.door.clock.advance(1)

        answer = await admin.get("/admin/snapshot", headers={"cookie": f"portal_admin={token}"})
        assert code(answer) == (401, "unauthorized")

    async def test_paths_that_sign_in_take_post_only(self, anybody: httpx.AsyncClient) -> None:
        for path in ("/admin/auth/challenge", "/admin/auth/login", "/admin/logout"):
            assert code(await anybody.get(path)) == (405, "method_not_allowed")
            assert code(await anybody.delete(path)) == (405, "method_not_allowed")


class TestWhoMay:
    async def test_nobody_is_unauthorized_before_path_and_method(self, anybody: httpx.AsyncClient) -> None:
        for method, asked in (
            ("GET", "/admin/snapshot"),
            ("DELETE", "/admin/snapshot"),
            ("POST", "/admin/settings/udp"),
            ("POST", "/admin/leases/a/b/ban"),
            ("DELETE", "/admin/ips/nonsense/ban"),
            ("GET", "/admin/whatever"),
            ("PUT", "/admin/whatever/there/is"),
            ("POST", "/admin"),
        ):
            assert code(await anybody.request(method, asked)) == (401, "unauthorized")

    async def test_a_cookie_that_is_none_of_ours_is_unauthorized(self, anybody: httpx.AsyncClient) -> None:
        for token in ("", "was_", "was_" + "0" * 64, "x" * 9000):
            answer = await anybody.get("/admin/snapshot", headers={"cookie": f"portal_admin={token}"})
            assert code(answer) == (401, "unauthorized")

    async def test_an_administrator_of_the_portal_may_do_it_all(self, relay: AdminDoor) -> None:
        async with relay.door.client(await relay.door.admin_token()) as client:
            data(await client.get("/admin/snapshot"))
            data(await client.post(path("shop", "ban")))
            assert data(await client.get("/admin/auth/status")) == {"authenticated": True}

        assert relay.policy.decision(SHOP).banned

    async def test_other_people_of_the_portal_may_not(self, relay: AdminDoor) -> None:
        async with relay.door.client(await relay.door.add_user("ida", Role.USER)) as client:
            assert code(await client.get("/admin/snapshot")) == (403, "unauthorized")
            assert code(await client.post(path("shop", "ban"))) == (403, "unauthorized")
            assert data(await client.get("/admin/auth/status")) == {"authenticated": False}

    async def test_a_wallet_administers_the_relay_and_nothing_else(self, admin: httpx.AsyncClient) -> None:
        cookie = {"cookie": f"portal_admin={admin.cookies['portal_admin']}"}

        assert (await admin.get("/api/users", headers=cookie)).status_code == 401
        assert (await admin.get("/api/relay", headers=cookie)).status_code == 401

    async def test_a_cookie_of_the_name_that_somebody_else_set_hides_nothing(self, admin: httpx.AsyncClient) -> None:
        ours = admin.cookies["portal_admin"]
        for header in (f"portal_admin=x; portal_admin={ours}", f"portal_admin={ours}; portal_admin=x"):
            data(await admin.get("/admin/snapshot", headers={"cookie": header}))

    async def test_pages_of_other_sites_change_nothing_by_the_cookie(self, admin: httpx.AsyncClient) -> None:
        for origin in ("https://evil.example", "https://app.localhost:8443", "null"):
            answer = await admin.post(path("shop", "ban"), headers={"origin": origin})
            assert code(answer) == (403, "unauthorized")
        answer = await admin.post(path("shop", "ban"), headers={"sec-fetch-site": "same-site"})
        assert code(answer) == (403, "unauthorized")

        data(await admin.post(path("shop", "ban"), headers={"origin": BASE_URL}))

    async def test_pages_of_other_sites_sign_nobody_in_or_out(self, admin: httpx.AsyncClient) -> None:
        for asked in ("/admin/auth/login", "/admin/logout"):
            answer = await admin.post(asked, json={}, headers={"origin": "https://evil.example"})
            assert code(answer) == (403, "unauthorized")

    async def test_pages_below_admin_go_on_being_pages(self, anybody: httpx.AsyncClient) -> None:
        page = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for asked in ("/admin", "/admin/users", "/admin/snapshot-of-something"):
            answer = await anybody.get(asked, headers=page)
            assert answer.headers["content-type"].startswith("text/html")
        assert (await anybody.get("/admin")).headers["content-type"].startswith("text/html")


class TestPaths:
    async def test_unknown_paths_are_not_found_in_plain_text(self, admin: httpx.AsyncClient) -> None:
        for asked in ("/admin/whatever", "/admin/leases/a/b", "/admin/leases/a/b/c/ban", "/admin/leases/a/b/bless"):
            answer = await admin.post(asked)
            assert answer.status_code == 404
            assert answer.headers["content-type"].startswith("text/plain")
            assert answer.text.strip() == "404 page not found"

    async def test_known_paths_refuse_other_methods(self, admin: httpx.AsyncClient) -> None:
        asked = [
            ("POST", "/admin/snapshot"),
            ("OPTIONS", "/admin/snapshot"),
            ("GET", "/admin/settings/udp"),
            ("PUT", path("shop", "ban")),
            ("GET", path("shop", "bps")),
            ("GET", "/admin/ips/192.0.2.1/ban"),
        ]
        for method, one in asked:
            answer = await admin.request(method, one)
            assert code(answer) == (405, "method_not_allowed")
            assert "allow" not in answer.headers

    async def test_one_slash_at_the_end_does_not_matter(self, admin: httpx.AsyncClient) -> None:
        data(await admin.get("/admin/snapshot/"))
        data(await admin.post(path("shop", "ban") + "/"))
        data(await admin.get("/admin/auth/status/"))
        assert (await admin.get("/admin/snapshot//")).status_code == 404


class TestSettings:
    async def test_the_landing_page_is_switched(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:  # R12
        assert data(await admin.post("/admin/settings/landing-page", json={"enabled": False})) == {"enabled": False}
        assert not relay.policy.landing_page_enabled
        assert data(await admin.get("/admin/snapshot"))["landing_page_enabled"] is False

    async def test_ports_are_switched_and_limited(self, admin: httpx.AsyncClient) -> None:  # R13, R14
        wanted = {"enabled": False, "max_leases": 5}

        for asked, name in (("udp", "udp"), ("tcp-port", "tcp_port")):
            assert data(await admin.post(f"/admin/settings/{asked}", json=wanted)) == wanted
            assert data(await admin.get("/admin/snapshot"))[name] == wanted

    async def test_a_number_of_leases_that_is_none_is_refused(self, admin: httpx.AsyncClient) -> None:
        for asked in ("udp", "tcp-port"):
            for most in (-1, "many", True, 1.5, 10**30):
                answer = await admin.post(f"/admin/settings/{asked}", json={"enabled": True, "max_leases": most})
                assert code(answer) == (400, "invalid_request")

    async def test_the_approval_mode_is_set(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:  # R15
        answer = await admin.post("/admin/settings/approval-mode", json={"mode": "manual"})

        assert data(answer) == {"approval_mode": "manual"}
        assert relay.policy.approval_mode == "manual"

    async def test_a_mode_that_is_none_is_refused(self, admin: httpx.AsyncClient) -> None:
        for mode in ("", "sometimes", "AUTO"):
            answer = await admin.post("/admin/settings/approval-mode", json={"mode": mode})
            assert code(answer) == (400, "invalid_mode")

    async def test_a_body_that_is_no_json_is_refused(self, admin: httpx.AsyncClient) -> None:
        for name in ("landing-page", "udp", "tcp-port", "approval-mode"):
            answer = await admin.post(f"/admin/settings/{name}", content=b"{")
            assert code(answer) == (400, "invalid_request")
            assert answer.json()["error"]["message"] == "invalid request body"


class TestDecisions:
    async def test_an_identity_is_written_in_four_ways(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        for spell in (unpadded, padded, str, lambda text: quote(padded(text), safe="")):
            assert data(await admin.post(path("shop", "ban", spell))) == {}  # R16
            assert relay.policy.decision(SHOP).banned
            assert data(await admin.delete(path("shop", "ban", spell))) == {}  # R17
            assert not relay.policy.decision(SHOP).banned

    async def test_names_and_addresses_are_normalised(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        data(await admin.post(path("  My_Shop ", "ban", address=ADDRESS.lower())))

        assert relay.policy.decision(f"my-shop:{ADDRESS.lower()}").banned

    async def test_approve_and_deny_take_each_other_back(  # R20, R21, R22, R23
        self, relay: AdminDoor, admin: httpx.AsyncClient
    ) -> None:
        def decided() -> tuple[bool, bool]:
            return relay.policy.decision(SHOP).approved, relay.policy.decision(SHOP).denied

        data(await admin.post(path("shop", "approve")))
        assert decided() == (True, False)
        data(await admin.post(path("shop", "deny")))
        assert decided() == (False, True)
        data(await admin.delete(path("shop", "deny")))
        assert decided() == (False, False)
        data(await admin.post(path("shop", "approve")))
        data(await admin.delete(path("shop", "approve")))
        assert decided() == (False, False)

    async def test_a_limit_is_set_and_taken_back(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        bucket = relay.policy.bucket(SHOP)

        assert data(await admin.post(path("shop", "bps"), json={"bps": 125_000})) == {}  # R18
        assert bucket.rate == 125_000
        assert data(await admin.delete(path("shop", "bps"))) == {}  # R19
        assert bucket.rate is None

    async def test_a_limit_that_is_none_is_refused(self, admin: httpx.AsyncClient) -> None:
        for body in ({}, {"bps": 0}, {"bps": -5}, {"bps": "fast"}, {"bps": 10**13}, {"bps": True}):
            assert code(await admin.post(path("shop", "bps"), json=body)) == (400, "invalid_request")

    async def test_what_is_no_identity_is_refused(self, admin: httpx.AsyncClient) -> None:
        for name, address, wanted in (
            ("!!!", unpadded(ADDRESS), "invalid_request"),
            (unpadded("shop"), "!!!", "invalid_address"),
            (unpadded("shop"), unpadded("0x1234"), "invalid_request"),
            (unpadded("---"), unpadded(ADDRESS), "invalid_request"),
            ("---", ADDRESS, "invalid_request"),
            ("shop", ADDRESS.swapcase().replace("0X", "0x"), "invalid_request"),
            ("a" * 3000, unpadded(ADDRESS), "invalid_request"),
        ):
            assert code(await admin.post(f"/admin/leases/{name}/{address}/ban")) == (400, wanted)

    async def test_addresses_and_networks_are_banned(  # R24, R25
        self, relay: AdminDoor, admin: httpx.AsyncClient
    ) -> None:
        for ip in ("192.0.2.1", "2001:db8::1", "10.0.0.0/8", "2001:DB8::/32"):
            for spelt in (ip, quote(ip, safe="")):
                assert data(await admin.post(f"/admin/ips/{spelt}/ban")) == {}
                assert len(relay.policy.banned_networks) == 1
                assert data(await admin.delete(f"/admin/ips/{spelt}/ban")) == {}
                assert relay.policy.banned_networks == []

    async def test_what_is_no_address_is_refused(self, admin: httpx.AsyncClient) -> None:
        for ip in ("nonsense", "192.0.2.1:80", "300.1.1.1", "10.0.0.0/99"):
            assert code(await admin.post(f"/admin/ips/{ip}/ban")) == (400, "invalid_ip")
            assert code(await admin.delete(f"/admin/ips/{ip}/ban")) == (400, "invalid_ip")

    async def test_every_change_is_recorded_with_the_wallet(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        await admin.post(path("shop", "ban"))
        await admin.post(path("shop", "bps"), json={"bps": 9})
        await admin.post("/admin/ips/2001:DB8::1/ban")
        await admin.post("/admin/settings/approval-mode", json={"mode": "manual"})

        rows, _ = await relay.door.identity.audit.page(AuditQuery(), 50, 0)
        told = [(row.action, row.target_type, row.target_id) for row in reversed(rows)]
        assert told == [
            ("relay_login", "wallet", address_of(ADMIN_WALLET)),
            ("ban_tunnel", "tunnel", SHOP),
            ("limit_tunnel", "tunnel", SHOP),
            ("ban_relay_address", "network", "2001:db8::1"),
            ("set_relay_approval_mode", "relay", "approval-mode"),
        ]
        assert {row.actor_name for row in rows} == {address_of(ADMIN_WALLET)}
        assert all("was_" not in row.credential for row in rows)

    async def test_a_refused_sign_in_is_recorded(self, relay: AdminDoor, anybody: httpx.AsyncClient) -> None:
        await anybody.post("/admin/auth/login", json={"challenge_id": "wac_1"})

        rows, _ = await relay.door.identity.audit.page(AuditQuery(), 50, 0)
        assert [(row.action, row.result) for row in rows] == [("relay_login", "refused")]


class TestSnapshot:
    async def test_an_empty_relay_has_no_leases(self, admin: httpx.AsyncClient) -> None:  # R11
        assert data(await admin.get("/admin/snapshot")) == {
            "approval_mode": "auto",
            "landing_page_enabled": True,
            "udp": {"enabled": True, "max_leases": 0},
            "tcp_port": {"enabled": True, "max_leases": 0},
        }

    async def test_a_lease_is_shown_in_both_spellings(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        lease = await relay.lease(metadata=Metadata(description="Things", tags=("a",), hide=True), tcp_enabled=True)
        assert isinstance(lease.sessions, CountedSessions)
        lease.sessions.ready = 3
        await relay.policy.set_bps(SHOP, 9000)

        (row,) = data(await admin.get("/admin/snapshot"))["leases"]

        assert row["identity_key"] == SHOP
        assert (row["name"], row["address"]) == ("shop", ADDRESS)
        for plain, other, value in (
            ("hostname", "Hostname", "shop.localhost"),
            ("first_seen_at", "FirstSeenAt", "2026-03-29T10:00:00.000Z"),
            ("last_seen_at", "LastSeenAt", "2026-03-29T10:00:00.000Z"),
            ("expires_at", "ExpiresAt", "2026-03-29T10:02:00.000Z"),
            ("metadata", "Metadata", {"description": "Things", "tags": ["a"], "hide": True}),
            ("ready", "Ready", 3),
            ("bps", "BPS", 9000),
            ("client_ip", "ClientIP", "203.0.113.5"),
            ("reported_ip", "ReportedIP", ""),
            ("udp_enabled", "UDPEnabled", False),
            ("tcp_enabled", "TCPEnabled", True),
            ("tcp_addr", "TCPAddr", f"localhost:{lease.tcp_port}"),
            ("is_approved", "IsApproved", True),
            ("is_banned", "IsBanned", False),
            ("is_denied", "IsDenied", False),
            ("is_ip_banned", "IsIPBanned", False),
        ):
            assert row[plain] == row[other] == value, plain
        assert row["udp_addr"] == ""

    async def test_a_lease_says_what_was_decided(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        await relay.lease()
        await relay.policy.deny(SHOP)
        await relay.policy.ban(SHOP)
        await relay.policy.ban_network("203.0.113.0/24")

        (row,) = data(await admin.get("/admin/snapshot"))["leases"]

        assert (row["IsApproved"], row["IsDenied"], row["IsBanned"], row["IsIPBanned"]) == (False, True, True, True)

    async def test_manual_mode_shows_who_waits(self, relay: AdminDoor, admin: httpx.AsyncClient) -> None:
        await relay.lease()
        await relay.policy.set_approval_mode("manual")

        (row,) = data(await admin.get("/admin/snapshot"))["leases"]
        assert (row["is_approved"], row["waits"]) == (False, True)

        await relay.policy.approve(SHOP)
        (row,) = data(await admin.get("/admin/snapshot"))["leases"]
        assert (row["is_approved"], row["waits"]) == (True, False)
