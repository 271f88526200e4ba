"""Certificates of machines: what is issued, how it is packed, changed, delegated, renewed and revoked."""

from __future__ import annotations

import base64
from datetime import timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeport.identity import Role
from homeport.testing.client_certificates import signing_request
from homeport.testing.door import Door
from tests.identity.certificates.conftest import holding, issue

AES_256 = b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a"  # its object identifier, aes256-CBC-PAD (RFC 8018)


class TestIssue:
    @pytest.mark.parametrize("legacy", [False, True])
    async def test_a_p12_opens_with_the_password_shown_once(  # host B.2
        self, admin: httpx.AsyncClient, legacy: bool
    ) -> None:
        made = await issue(admin, "box", ["services:read"], format="p12", legacy=legacy)
        packed = base64.b64decode(made["p12"])
        assert (AES_256 in packed) != legacy
        key, certificate, authorities = pkcs12.load_key_and_certificates(packed, made["p12Password"].encode())
        assert key is not None
        assert certificate is not None
        assert key.public_key() == certificate.public_key()
        assert authorities[0].public_bytes(serialization.Encoding.PEM).decode() == made["caCert"]
        assert (made["key"], made["pem"], len(made["p12Password"])) == (None, None, 32)
        shown = (await admin.get("/api/certs/agent")).text
        assert made["p12Password"] not in shown
        gone = await admin.get("/api/certs/agent/box/download")
        assert (gone.status_code, gone.json()["code"]) == (410, "shown_once")

    async def test_a_certificate_is_for_clients_and_lasts_two_years_or_less(  # host B.2
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        long, short = await issue(admin, "long", ["*"]), await issue(admin, "short", ["*"], days=7)
        certificate = x509.load_pem_x509_certificate(long["cert"].encode())
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        names = {attribute.oid: attribute.value for attribute in certificate.subject}
        assert (names[NameOID.COMMON_NAME], names[NameOID.ORGANIZATION_NAME]) == ("agent:long", "Homeport")
        assert certificate.not_valid_after_utc - door.clock.now() == timedelta(days=730)
        assert x509.load_pem_x509_certificate(short["cert"].encode()).not_valid_after_utc == (
            door.clock.now() + timedelta(days=7)
        )
        for days in (0, 731):
            body = {"label": "x", "days": days}
            assert (await admin.post("/api/certs/agent", json=body)).json()["code"] == "validation_error"

    async def test_the_list_tells_everything_but_keys(self, door: Door, admin: httpx.AsyncClient) -> None:  # host C
        made = await issue(admin, "box", ["services:read"], allowedSites=["blog"])
        async with holding(door, made) as client:
            await client.get("/api/services")
        [row] = (await admin.get("/api/certs/agent")).json()["agents"]
        assert row == {
            "id": made["id"],
            "label": "box",
            "serial": made["serial"],
            "kind": "agent",
            "capabilities": ["services:read"],
            "allowedSites": ["blog"],
            "enrollmentMethod": "pem",
            "createdAt": "2026-03-29T10:00:00Z",
            "expiresAt": made["expiresAt"],
            "revoked": False,
            "revokedAt": None,
            "delegatedBy": None,
            "lastUsedAt": "2026-03-29T10:00:00Z",
            "username": None,
        }

    async def test_a_label_has_one_good_certificate(self, door: Door, admin: httpx.AsyncClient) -> None:
        await issue(admin, "box", ["services:read"], days=1)
        again = await admin.post("/api/certs/agent", json={"label": "box"})
        assert (again.status_code, again.json()["code"]) == (409, "label_taken")
        door.clock.advance(86_400 * 2)
        async with door.client(await door.admin_token()) as later:
            assert (await issue(later, "box", ["services:read"]))["label"] == "box"  # the first has expired
            await later.delete("/api/certs/agent/box")
            await issue(later, "box", ["services:read"])
            assert len((await later.get("/api/certs/agent")).json()["agents"]) == 3

    @pytest.mark.parametrize("label", ["", "a b", "a,CN=admin", "../x", "-x", "x" * 51, "plugin-agent:a:b"])
    async def test_a_label_is_a_plain_word(self, admin: httpx.AsyncClient, label: str) -> None:
        answer = await admin.post("/api/certs/agent", json={"label": label})
        assert answer.json()["code"] == "validation_error"

    async def test_nobody_gives_what_they_do_not_have(self, door: Door) -> None:
        narrow = await door.add_user("nora", Role.ADMIN, scopes="certificates:*,services:read")
        async with door.client(narrow) as client:
            refused = await client.post("/api/certs/agent", json={"label": "box", "capabilities": ["*"]})
            assert refused.json()["details"]["fields"] == {"capabilities": "exceed your own"}
            assert (await issue(client, "box", ["services:read"]))["capabilities"] == ["services:read"]
            wider = await client.patch("/api/certs/agent/box/capabilities", json={"capabilities": ["users:write"]})
            assert wider.json()["code"] == "validation_error"

    async def test_only_administrators_have_a_say(self, door: Door) -> None:
        async with door.client(await door.add_user("mona", Role.MODERATOR)) as client:
            for method, path in (("GET", ""), ("POST", ""), ("POST", "/enroll"), ("DELETE", "/box")):
                answer = await client.request(method, f"/api/certs/agent{path}", json={"label": "box"})
                assert answer.status_code == 403, (method, path)


class TestChange:
    async def test_capabilities_count_from_the_next_request_on(self, door: Door, admin: httpx.AsyncClient) -> None:
        made = await issue(admin, "box", ["services:read"])
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).status_code == 200
            body = {"capabilities": ["services:write"]}
            changed = await admin.patch("/api/certs/agent/box/capabilities", json=body)
            assert changed.json() == {
                "ok": True,
                "label": "box",
                "capabilities": ["services:write"],
                "allowedSites": [],
            }
            assert (await client.get("/api/services")).status_code == 403
            assert (await client.post("/api/services/web/restart")).status_code == 200

    async def test_sites_are_changed_by_themselves(self, admin: httpx.AsyncClient) -> None:
        await issue(admin, "box", ["sites:read"])
        changed = await admin.patch("/api/certs/agent/box/allowed-sites", json={"allowedSites": ["a", "b", "a"]})
        assert changed.json()["allowedSites"] == ["a", "b"]

    async def test_what_is_revoked_or_unknown_cannot_be_changed(self, admin: httpx.AsyncClient) -> None:
        await issue(admin, "box", ["sites:read"])
        await admin.delete("/api/certs/agent/box")
        for ref in ("box", "nobody"):
            for answer in (
                await admin.patch(f"/api/certs/agent/{ref}/capabilities", json={"capabilities": ["*"]}),
                await admin.delete(f"/api/certs/agent/{ref}"),
            ):
                assert (answer.status_code, answer.json()["code"]) == (404, "certificate_not_found")


class TestDelegation:
    async def test_what_an_agent_delegates_does_no_more_and_ends_with_it(  # host B.2 B.3
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made = await issue(admin, "box", ["services:*"])
        async with holding(door, made) as agent:
            wide = await agent.post("/api/certs/agent/enroll-delegated", json={"label": "p", "capabilities": ["*"]})
            assert wide.json()["code"] == "validation_error"
            invited = (await agent.post("/api/certs/agent/enroll-delegated", json={"label": "p"})).json()
            pending = (await agent.post("/api/certs/agent/enroll-delegated", json={"label": "late"})).json()
        async with door.client() as machine:
            enrolled = (
                await machine.post("/api/enroll", json={"token": invited["token"], "csr": signing_request()})
            ).json()
        assert enrolled["label"] == "plugin-agent:box:p"
        async with holding(door, enrolled) as plugin:
            assert (await plugin.get("/api/services")).json()["name"] == "plugin-agent:box:p"
            twice = await plugin.post("/api/certs/agent/enroll-delegated", json={"label": "q"})
            assert twice.json()["details"] == {"required": ["admin"], "current": "plugin-agent"}
            await admin.patch("/api/certs/agent/box/capabilities", json={"capabilities": ["services:write"]})
            assert (await plugin.get("/api/services")).status_code == 403  # whatever its agent loses
            assert (await plugin.post("/api/services/web/restart")).status_code == 200
            ended = (await admin.delete("/api/certs/agent/box")).json()
            assert ended["revoked"] == ["box", "plugin-agent:box:p"]
            assert (await plugin.get("/api/services")).json()["error"] == "Certificate has been revoked"
        async with door.client() as machine:
            late = await machine.post("/api/enroll", json={"token": pending["token"], "csr": signing_request()})
            assert (late.status_code, late.json()["code"]) == (401, "enrolment_refused")

    async def test_an_agent_renews_its_certificate_and_the_old_one_is_refused(  # host C
        self, door: Door, admin: httpx.AsyncClient
    ) -> None:
        made = await issue(admin, "box", ["services:read"])
        async with holding(door, made) as old:
            renewed = (await old.post("/api/certs/agent/upgrade-cert", json={"csr": signing_request()})).json()
            assert (renewed["label"], renewed["capabilities"]) == ("box", ["services:read"])
            assert (await old.get("/api/services")).json()["error"] == "Certificate has been revoked"
        async with holding(door, renewed) as new:
            assert (await new.get("/api/services")).status_code == 200
        refused = await admin.post("/api/certs/agent/upgrade-cert", json={"csr": signing_request()})
        assert refused.json()["code"] == "insufficient_certificate_scope"

    async def test_of_an_agents_renewals_ten_are_remembered(self, door: Door, admin: httpx.AsyncClient) -> None:
        first = made = await issue(admin, "box", ["services:read"])
        for _ in range(12):
            door.clock.advance(1)
            async with holding(door, made) as client:
                made = (await client.post("/api/certs/agent/upgrade-cert", json={"csr": signing_request()})).json()
        assert len((await admin.get("/api/certs/agent")).json()["agents"]) == 11
        async with holding(door, first) as oldest, holding(door, made) as newest:
            assert (await oldest.get("/api/services")).status_code == 403
            assert (await newest.get("/api/services")).status_code == 200

    async def test_an_agent_delegates_to_fifty_and_no_more(self, door: Door, admin: httpx.AsyncClient) -> None:
        made = await issue(admin, "box", ["services:read"])
        async with holding(door, made) as client:
            path = "/api/certs/agent/enroll-delegated"
            codes = [(await client.post(path, json={"label": f"p{n}"})).status_code for n in range(51)]
            assert codes == [200] * 50 + [409]
            assert (await client.post(path, json={"label": "p0"})).status_code == 200  # in place of its own
