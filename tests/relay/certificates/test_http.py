"""The routes of server certificates, for an administrator and for others. # portal B3, host B"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.identity import Role
from homeport.relay.certificates import certificates as part
from homeport.relay.certificates import routes
from homeport.storage import Database
from homeport.testing.certificates import Pem
from homeport.testing.door import Door, open_door
from tests.relay.certificates.conftest import DIRECTORY, Bench

DAY = timedelta(days=1)


@dataclass
class Place:
    bench: Bench
    door: Door
    api: httpx.AsyncClient

    def pair(self, *names: str) -> Pem:
        return self.bench.signer.sign(names, begins=self.bench.clock.now() - DAY)

    async def post(self, path: str, **body: Any) -> httpx.Response:
        return await self.api.post(f"/api/certs/{path}", json=body)

    async def get(self, path: str) -> Any:
        return (await self.api.get(f"/api/certs{path}")).json()


@pytest.fixture
async def place(database: Database, tmp_path: Path, bench: Bench) -> AsyncIterator[Place]:
    async with (
        open_door(database, tmp_path, lambda _: [routes(bench.certificates)]) as door,
        door.client(await door.admin_token()) as api,
    ):
        yield Place(bench, door, api)


async def test_an_uploaded_pair_is_in_use_at_once_and_its_key_never_comes_back(place: Place) -> None:
    pem = place.pair("portal.test")
    answer = await place.post("upload", cert=pem.cert, key=pem.key)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["domain"], body["cert_info"]["sans"]) == ("installed", "portal.test", ["portal.test"])
    info, rows = await place.get("/info"), await place.get("")
    assert (info["method"], info["fingerprint_sha256"]) == ("custom", body["cert_info"]["fingerprint_sha256"])
    for shown in (answer.text, str(info), str(rows)):
        assert "PRIVATE" not in shown
        assert pem.key.splitlines()[1] not in shown


async def test_a_mismatched_pair_is_refused_in_one_sentence(place: Place) -> None:
    answer = await place.post("upload", cert=place.pair("a.test").cert, key=place.pair("a.test").key)
    assert (answer.status_code, answer.json()["code"]) == (422, "certificate_refused")
    assert answer.json()["error"] == "The key does not belong to the certificate."


async def test_a_refused_body_does_not_repeat_the_key(place: Place) -> None:
    answer = await place.post("upload", key=place.pair("a.test").key)
    assert answer.status_code == 400
    assert "PRIVATE" not in answer.text


async def test_the_list_begins_with_the_own_authority_and_speaks_both_spellings(place: Place) -> None:
    pem = place.pair("portal.test")
    await place.post("upload", cert=pem.cert, key=pem.key)
    own, kept = (await place.get(""))["certs"]
    assert own["type"] == "authority"
    assert own["path"].endswith("/ca/ca.pem")
    assert kept["type"] == "custom"
    assert kept["domain"] == "portal.test"
    assert kept["daysUntilExpiry"] == kept["days_until_expiry"] == 89
    assert kept["expiresAt"] == kept["expires_at"]
    assert kept["expiringSoon"] is kept["expiring_soon"] is False
    assert kept["path"].endswith("/tls/portal.test.pem")


@pytest.mark.parametrize("days", [29, 3651])
async def test_a_self_signed_one_lasts_between_thirty_days_and_ten_years(place: Place, days: int) -> None:
    assert (await place.post("self-signed", hostname="portal.test", validity_days=days)).status_code == 400


async def test_a_self_signed_one_lasts_a_year_unless_it_is_told_otherwise(place: Place) -> None:
    body = (await place.post("self-signed", hostname="portal.test")).json()
    assert body["cert_info"]["is_self_signed"]
    assert body["cert_info"]["days_until_expiry"] == 365
    assert (await place.get("/info"))["method"] == "selfsigned"


@pytest.mark.parametrize("path", ["letsencrypt", "acme"])
async def test_an_acme_certificate_serves_when_the_answer_comes(place: Place, path: str) -> None:
    answer = await place.post(path, hostname="portal.test", email="ops@portal.test")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["order"]["status"]) == ("installed", "valid")
    assert (await place.get("/info"))["method"] == "letsencrypt"
    status = await place.get("/auto-renew-status")
    assert status["active"] is True
    assert status["nextRun"] == status["next_run"] is not None
    assert place.bench.issuer.wishes[0].directory_url == DIRECTORY


async def test_an_order_that_takes_long_is_told_by_202_and_can_be_asked_about(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "ANSWER_SECONDS", 0.05)
    place.bench.issuer.hold = asyncio.Event()
    answer = await place.post("letsencrypt", hostname="portal.test", email="ops@portal.test")
    assert answer.status_code == 202
    order_id = answer.json()["order"]["id"]
    assert (await place.get(f"/orders/{order_id}"))["status"] == "pending"
    again = await place.post("letsencrypt", hostname="portal.test", email="ops@portal.test")
    assert (again.status_code, again.json()["code"]) == (409, "order_open")
    place.bench.issuer.hold.set()
    await place.bench.certificates.orders.wait(place.bench.certificates.orders.get(order_id), 5)
    shown = await place.get(f"/orders/{order_id}")
    assert (shown["status"], shown["error"]) == ("valid", None)
    assert [order["id"] for order in (await place.get("/orders"))["orders"]] == [order_id]


async def test_records_for_a_person_come_with_the_answer(place: Place) -> None:
    place.bench.issuer.asks = True
    body = {"hostname": "*.portal.test", "email": "ops@portal.test", "dns": {"provider": "manual"}}
    answer = await place.post("letsencrypt", **body)
    assert answer.status_code == 202
    order = answer.json()["order"]
    assert (order["status"], order["challenge"]) == ("waiting", "dns-01")
    assert order["records"] == [{"name": "_acme-challenge.*.portal.test", "type": "TXT", "value": "value"}]
    done = await place.post(f"orders/{order['id']}/continue")
    assert (done.status_code, done.json()["status"]) == (200, "installed")


async def test_a_directory_that_refuses_is_told_with_its_words(place: Place) -> None:
    place.bench.issuer.failure = "The directory refused (429): too many certificates."
    answer = await place.post("letsencrypt", hostname="portal.test", email="ops@portal.test")
    assert (answer.status_code, answer.json()["code"]) == (502, "acme_failed")
    assert "too many certificates" in answer.json()["error"]


@pytest.mark.parametrize(
    "body",
    [
        {"email": "ops@portal.test"},
        {"hostname": "portal.test", "email": "nobody"},
        {"hostname": "portal.test", "email": "ops@portal.test", "agree_tos": False},
        {"hostname": "portal.test", "email": "ops@portal.test", "directory_url": "http://acme.test"},
        {"hostname": "portal.test", "email": "ops@portal.test", "challenge": "tls-sni-01"},
        {"hostname": "portal.test", "email": "ops@portal.test", "dns": {"provider": "unknown"}},
    ],
)
async def test_wishes_that_make_no_sense_are_refused(place: Place, body: dict[str, Any]) -> None:
    assert (await place.post("letsencrypt", **body)).status_code == 400
    assert place.bench.issuer.wishes == []


async def test_apply_says_that_it_is_in_use_already(place: Place) -> None:
    body = (await place.post("apply")).json()
    assert body["status"] == "applied"
    assert "in use already" in body["message"]


async def test_renewing_and_removing(place: Place) -> None:
    await place.post("letsencrypt", hostname="portal.test", email="ops@portal.test")
    before = (await place.get("/info"))["serial"]
    assert (await place.post("portal.test/renew")).json()["status"] == "installed"
    assert (await place.get("/info"))["serial"] != before
    assert (await place.api.delete("/api/certs/portal.test")).status_code == 204
    assert (await place.get("/info"))["source"] == "authority"
    gone = await place.api.delete("/api/certs/portal.test")
    assert (gone.status_code, gone.json()["code"]) == (404, "certificate_not_found")


async def test_what_was_done_is_in_the_audit_log_without_the_key(place: Place) -> None:
    pem = place.pair("portal.test")
    await place.post("upload", cert=pem.cert, key=pem.key)
    entries = (await place.api.get("/api/admin/audit-log?action=upload_certificate")).json()["entries"]
    assert [(entry["target_type"], entry["target_id"]) for entry in entries] == [("certificate", "portal.test")]
    assert "PRIVATE" not in str(entries)


@pytest.mark.parametrize("role", [Role.USER, Role.MODERATOR])
async def test_nobody_below_an_administrator_sees_or_changes_them(place: Place, role: Role) -> None:
    token = await place.door.add_user("somebody", role)
    async with place.door.client(token) as api:
        assert (await api.get("/api/certs")).status_code == 403
        assert (await api.get("/api/certs/info")).status_code == 403
        assert (await api.post("/api/certs/apply")).status_code == 403
        assert (await api.delete("/api/certs/portal.test")).status_code == 403


async def test_the_pair_of_keyless_tunnels_is_shown_uploaded_ordered_and_removed(place: Place) -> None:
    assert (await place.get("/keyless"))["source"] == "authority"
    pem = place.pair("portal.test", "*.portal.test")
    answer = await place.post("keyless/upload", cert=pem.cert, key=pem.key)
    assert (answer.status_code, answer.json()["domain"]) == (200, "_keyless")
    assert pem.key.splitlines()[1] not in answer.text
    found = await place.get("/keyless")
    assert (found["source"], found["certificate"]["sans"]) == ("kept", ["portal.test", "*.portal.test"])
    assert (await place.get("/info"))["source"] == "authority"
    ordered = await place.post("keyless/acme", dns={"provider": "webhook", "url": "https://hook.test"})
    assert (ordered.status_code, ordered.json()["order"]["names"]) == (200, ["portal.test", "*.portal.test"])
    assert (await place.api.delete("/api/certs/_keyless")).status_code == 204
    assert (await place.get("/keyless"))["source"] == "authority"


async def test_a_pair_for_the_portals_name_alone_is_refused_for_keyless_tunnels(place: Place) -> None:
    pem = place.pair("portal.test")
    answer = await place.post("keyless/upload", cert=pem.cert, key=pem.key)
    assert (answer.status_code, answer.json()["code"]) == (422, "certificate_refused")
