"""Who gets in by a client certificate, in which order the gates stand, and what each says (spec/host.md A.0, B, F)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import event, update
from sqlalchemy.engine import Engine
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from homeport.identity import Actor, Role
from homeport.identity.certificates.authority import ClientAuthority
from homeport.identity.certificates.bundles import new_key
from homeport.identity.models import ClientCertificate, User
from homeport.storage import Database
from homeport.testing.client_certificates import der_of
from homeport.testing.door import BASE_URL, Door, open_door
from tests.identity.certificates.conftest import holding, issue, own, services

REQUIRED = {"hint": "Access to this port requires a valid client certificate."}


class TestGates:
    async def test_without_a_certificate_everything_but_health_and_enrolment_is_refused(  # H01 H02 host H11
        self, door: Door
    ) -> None:
        async with door.certificate_client(None) as client:
            for method, path in (
                ("GET", "/api/services"),
                ("POST", "/api/services/web/restart"),
                ("GET", "/api/onboarding/status"),
                ("POST", "/api/auth/login"),
                ("GET", "/api/there-is-no-such-path"),
            ):
                answer = await client.request(method, path, json={"username": "a", "password": "b"})
                assert (answer.status_code, answer.json()["error"]) == (403, "mTLS certificate required"), path
                assert answer.json()["details"] == REQUIRED
            assert (await client.get("/api/health")).status_code == 200
            assert (await client.post("/api/enroll", json={"token": "x", "csr": "y"})).status_code == 401
            assert (await client.get("/")).status_code != 403

    async def test_reading_and_writing_are_independent(self, door: Door, admin: httpx.AsyncClient) -> None:  # H01 H02
        reader, writer = (
            await issue(admin, "reader", ["services:read"]),
            await issue(admin, "writer", ["services:write"]),
        )
        async with holding(door, reader) as reads, holding(door, writer) as writes:
            seen = (await reads.get("/api/services")).json()
            assert (seen["kind"], seen["name"], seen["id"]) == ("agent", "agent:reader", reader["id"])
            assert (await writes.post("/api/services/web/restart")).json()["by"] == "agent:writer"
            refused = await writes.get("/api/services")
            assert refused.status_code == 403
            assert refused.json()["error"] == "Insufficient certificate capability"
            assert refused.json()["details"] == {"required": "services:read", "granted": ["services:write"]}
            assert (await reads.post("/api/services/web/restart")).json()["details"] == {
                "required": "services:write",
                "granted": ["services:read"],
            }

    async def test_a_machine_is_no_person_and_no_administrator(self, door: Door, admin: httpx.AsyncClient) -> None:
        # host B.2
        everything = await issue(admin, "box", ["*"])
        async with holding(door, everything) as client:
            for path in ("/api/auth/me", "/api/certs/agent", "/api/me/certificates"):
                answer = await client.get(path)
                assert answer.status_code == 403, path
                assert answer.json()["error"] == "Insufficient certificate scope"
                assert answer.json()["details"] == {"required": ["admin"], "current": "agent"}

    async def test_a_revoked_certificate_is_told_so_before_anything_else(  # host A.0 B.3
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made = await issue(admin, "box", ["sites:read"])
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).json()["error"] == "Insufficient certificate capability"
            assert (await admin.delete("/api/certs/agent/box")).json()["revoked"] == ["box"]
            answer = await client.get("/api/services")
            assert (answer.status_code, answer.json()["error"]) == (403, "Certificate has been revoked")

    async def test_set_up_comes_before_capability(  # host A.0
        self, database: Database, tmp_path: Path
    ) -> None:
        async with open_door(database, tmp_path, administrator=False) as door:
            await door.identity.open()
            actor = _administrator()
            issued = await door.identity.certificates.agents.issue(actor, "box", capabilities=["sites:read"])
            async with door.certificate_client(issued.certificate.public_bytes(Encoding.DER)) as client:
                answer = await client.get("/api/plans")
                assert (answer.status_code, answer.json()["onboardingStatus"]) == (503, "FRESH")
                assert (await client.get("/api/onboarding/status")).json()["status"] == "FRESH"
                await door.identity.certificates.agents.revoke("box")
                assert (await client.get("/api/plans")).json()["error"] == "Certificate has been revoked"

    async def test_too_many_requests_come_before_capability(self, database: Database, tmp_path: Path) -> None:
        # host A.0 F22: certificates are counted like everybody
        async with open_door(database, tmp_path, settings={"rate_limit_api": 2}) as door:
            issued = await door.identity.certificates.agents.issue(_administrator(), "box", capabilities=["sites:read"])
            async with door.certificate_client(issued.certificate.public_bytes(Encoding.DER)) as client:
                statuses = [(await client.get("/api/plans")).status_code for _ in range(3)]
                assert statuses == [403, 403, 429]

    async def test_an_expired_certificate_is_none(self, door: Door, admin: httpx.AsyncClient) -> None:
        made = await issue(admin, "box", ["services:read"], days=1)
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).status_code == 200
            door.clock.advance(86_400)
            assert (await client.get("/api/services")).json()["error"] == "mTLS certificate required"


class TestPeople:
    async def test_a_persons_certificate_is_the_person_of_that_moment(self, door: Door) -> None:  # host B.2
        async with door.client(await door.add_user("anna", Role.ADMIN)) as anna:
            made = await own(anna)
            async with holding(door, made) as client:
                assert (await client.get("/api/auth/me")).json()["username"] == "anna"
                assert (await client.get("/api/certs/agent")).status_code == 200
                user_id = (await client.get("/api/services")).json()["id"]
                async with door.database.write() as db:
                    await db.execute(update(User).where(User.id == user_id).values(role=Role.USER))
                door.identity.changed(user_id)
                assert (await client.get("/api/certs/agent")).json()["code"] == "forbidden"

    async def test_somebody_banned_is_refused(self, door: Door) -> None:
        async with door.client(await door.add_user("anna", Role.USER)) as anna:
            made = await own(anna)
            async with holding(door, made) as client:
                user_id = (await client.get("/api/services")).json()["id"]
                async with door.database.write() as db:
                    await db.execute(update(User).where(User.id == user_id).values(banned_at=door.clock.now()))
                door.identity.changed(user_id)
                assert (await client.get("/api/services")).json()["error"] == "mTLS certificate required"

    async def test_a_bearer_token_counts_beyond_the_certificate_and_not_instead_of_it(
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        token = await door.admin_token()
        made = await issue(admin, "box", ["services:read"])
        async with door.certificate_client(None, token) as bare:
            assert (await bare.get("/api/services")).json()["error"] == "mTLS certificate required"
        async with holding(door, made, token) as both:
            assert (await both.get("/api/auth/me")).json()["username"] == "admin"
            await admin.delete("/api/certs/agent/box")
            assert (await both.get("/api/auth/me")).json()["error"] == "Certificate has been revoked"

    async def test_a_certificate_made_by_a_limited_key_is_as_limited(
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        actor = await _actor_of(admin)
        token = (await door.identity.api_keys.create(actor, "narrow", within=("account:security",))).secret
        async with door.client(token) as narrow:
            made = await own(narrow)
        assert made["capabilities"] == ["account:security"]
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).json()["code"] == "forbidden"

    async def test_a_second_factor_is_asked_for_beside_the_certificate(  # host B.5
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made, agent = await own(admin), await issue(admin, "box", ["services:read"])
        secret = (await admin.post("/api/user/2fa/setup")).json()["secret"]
        code = pyotp.TOTP(secret).at(door.clock.now())
        assert (await admin.post("/api/user/2fa/verify", json={"code": code})).status_code == 200
        door.clock.advance(60)
        async with holding(door, made) as client, holding(door, agent) as machine:
            refused = await client.get("/api/services")
            assert (refused.status_code, refused.json()["error"]) == (401, "2fa_required")
            assert (await machine.get("/api/services")).status_code == 200
            assert (await client.get("/api/settings/2fa")).json()["satisfied"] is False
            code = pyotp.TOTP(secret).at(door.clock.now())
            assert (await client.post("/api/settings/2fa/verify", json={"code": code})).status_code == 200
            assert (await client.get("/api/services")).status_code == 200
            door.clock.advance(12 * 3600 + 1)
            assert (await client.get("/api/services")).json()["error"] == "2fa_required"
            await door.identity.certificates.own.revoke(str(made["id"]), (await _actor_of(admin)).id)
            assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"


async def test_a_certificate_costs_one_query_and_then_none(door: Door, admin: httpx.AsyncClient) -> None:
    made, statements = await issue(admin, "box", ["services:read"]), list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "SELECT" in statement:
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).status_code == 200
            assert len(statements) == 1
            assert (await client.get("/api/services")).status_code == 200
            assert len(statements) == 1
    finally:
        event.remove(Engine, "before_cursor_execute", note)


class TestFaults:
    """The faults of access that the reference product has (spec/host.md F)."""

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "https://app.localhost:8443"])
    async def test_f16_another_sites_page_cannot_act_by_the_browsers_certificate(  # host F16
        self, door: Door, admin: httpx.AsyncClient, origin: str
    ) -> None:
        made = await issue(admin, "box", ["services:*"])
        async with holding(door, made) as client:
            for headers in ({"origin": origin}, {"origin": origin, "content-type": "text/plain"}):
                answer = await client.post("/api/services/web/restart", headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
            assert (await client.post("/api/services/web/restart")).status_code == 200
            for ours in (BASE_URL, "https://localhost:9292"):
                headers = {"origin": ours, "host": "localhost:9292"}
                assert (await client.post("/api/services/web/restart", headers=headers)).status_code == 200
            sent_by_browser = {"sec-fetch-site": "cross-site"}
            assert (await client.post("/api/services/web/restart", headers=sent_by_browser)).status_code == 403

    async def test_f18_headers_from_whoever_is_no_listed_proxy_are_nothing(  # host F18
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made = await issue(admin, "box", ["services:read"])
        headers = {
            "x-ssl-client-verify": "SUCCESS",
            "x-ssl-client-dn": "CN=agent:box,OU=agents,O=Homeport",
            "x-ssl-client-serial": made["serial"],
        }
        async with door.client() as client:  # from 127.0.0.1
            assert (await client.get("/api/services", headers=headers)).status_code == 401
        async with door.certificate_client(None) as client:
            assert (await client.get("/api/services", headers=headers)).json()["error"] == "mTLS certificate required"

    async def test_f19_a_certificate_that_nobody_issued_is_nobody(self, door: Door) -> None:  # host F19
        authority = door.identity.certificates.authority
        for name in ("admin", "Homeport Client", "agent:box", "person:laptop", "x"):
            forged = authority.issue(
                new_key().public_key(), name=name, unit="agents", expires_at=authority.certificate.not_valid_after_utc
            )
            async with door.certificate_client(forged.public_bytes(Encoding.DER)) as client:
                assert (await client.get("/api/services")).json()["error"] == "mTLS certificate required"

    async def test_f19_the_serial_of_an_agent_on_another_certificate_is_nobody(
        self, door: Door, admin: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        made = await issue(admin, "box", ["services:read"])
        other = ClientAuthority(tmp_path / "other", door.clock)
        other.open()
        key = new_key()
        real = x509.load_der_x509_certificate(der_of(made["cert"]))
        twin = (
            x509.CertificateBuilder()
            .subject_name(real.subject)
            .issuer_name(other.certificate.subject)
            .public_key(key.public_key())
            .serial_number(real.serial_number)
            .not_valid_before(real.not_valid_before_utc)
            .not_valid_after(real.not_valid_after_utc)
            .sign(key, real.signature_hash_algorithm)  # type: ignore[arg-type]
        )
        async with door.certificate_client(twin.public_bytes(Encoding.DER)) as client:
            assert (await client.get("/api/services")).json()["error"] == "mTLS certificate required"
        async with holding(door, made) as client:  # now it is remembered
            assert (await client.get("/api/services")).status_code == 200
        async with door.certificate_client(twin.public_bytes(Encoding.DER)) as client:
            assert (await client.get("/api/services")).json()["error"] == "mTLS certificate required"

    async def test_f19_a_kind_that_there_is_not_is_nobody(self, door: Door, admin: httpx.AsyncClient) -> None:
        made = await issue(admin, "box", ["*"])
        async with door.database.write() as db:
            await db.execute(update(ClientCertificate).where(ClientCertificate.id == made["id"]).values(kind="admin"))
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).status_code == 403

    async def test_f22_sockets_by_a_certificate_are_counted_like_everybodys(  # host F22
        self, database: Database, tmp_path: Path
    ) -> None:
        routers = lambda identity: [services(identity)]  # noqa: E731
        async with open_door(database, tmp_path, routers, settings={"sockets_per_user": 2}) as door:
            issued = await door.identity.certificates.agents.issue(
                _administrator(), "box", capabilities=["services:read"]
            )
            der = issued.certificate.public_bytes(Encoding.DER)
            async with door.listen(der) as address:
                url = f"ws://{address}/api/services/web/logs"
                async with connect(url, proxy=None) as first, connect(url, proxy=None) as second:
                    assert [await first.recv(), await second.recv()] == ["web", "web"]
                    with pytest.raises(InvalidStatus) as refused:
                        await connect(url, proxy=None)
                    assert refused.value.response.status_code == 429

    async def test_f20_rotation_ends_what_the_old_certificate_has_open(  # host F20
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made = await own(admin)
        async with (
            door.listen(der_of(made["cert"])) as address,
            connect(f"ws://{address}/api/services/web/logs", proxy=None) as log,
        ):
            assert await log.recv() == "web"
            assert (await admin.post(f"/api/me/certificates/{made['id']}/rotate")).status_code == 200
            with pytest.raises(ConnectionClosed) as closed:
                await log.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401

    async def test_f21_every_act_by_a_certificate_is_on_record_with_its_credential(  # host F21
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made = await issue(admin, "box", ["services:write"])
        async with holding(door, made) as client:
            await client.post("/api/services/web/restart")
        entries = (await admin.get("/api/admin/audit-log")).json()["entries"]
        found = next(entry for entry in entries if entry["action"] == "restart")
        assert (found["actor_username"], found["credential"]) == ("agent:box", made["id"])
        assert (found["target_id"], found["result"]) == ("web", "done")

    async def test_f23_what_a_machine_may_do_is_any_scope(self, door: Door, admin: httpx.AsyncClient) -> None:
        # host F23: agents may read, and logs too
        made = await issue(admin, "box", ["services:read", "plugin:do"])
        assert made["capabilities"] == ["services:read", "plugin:do"]
        refused = await admin.post("/api/certs/agent", json={"label": "x", "capabilities": ["no scope"]})
        assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")


def _administrator() -> Actor:
    return Actor("usr_0", "user", "admin", Role.SUPERADMIN)


async def _actor_of(admin: httpx.AsyncClient) -> Actor:
    return replace(_administrator(), id=(await admin.get("/api/auth/me")).json()["id"])
