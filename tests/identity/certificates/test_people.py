"""A person's own certificates."""

from __future__ import annotations

import httpx

from homeport.identity import Actor, Role
from homeport.testing.client_certificates import signing_request
from homeport.testing.door import Door
from tests.identity.certificates.conftest import holding, own


async def test_rotation_revokes_the_certificate_that_it_replaces(
    door: Door, admin: httpx.AsyncClient
) -> None:  # host B.3
    made = await own(admin)
    async with holding(door, made) as old:
        body = {"format": "pem"}
        rotated = (await old.post("/api/certs/mtls/rotate", json=body)).json()
        assert (rotated["replaced"], rotated["label"]) == (made["id"], "laptop")
        assert (await old.get("/api/services")).json()["error"] == "Certificate has been revoked"
    async with holding(door, rotated) as new:
        assert (await new.get("/api/auth/me")).json()["username"] == "admin"
        other = (await new.post(f"/api/me/certificates/{rotated['id']}/rotate", json=body)).json()
        assert other["replaced"] == rotated["id"]
        assert (await new.get("/api/services")).status_code == 403


async def test_a_p12_is_what_a_rotation_gives_by_itself(admin: httpx.AsyncClient) -> None:  # host C mtls/rotate
    first = (await admin.post("/api/certs/mtls/rotate")).json()
    assert (first["replaced"], len(first["p12Password"])) == (None, 32)
    assert (await admin.post("/api/certs/mtls/rotate", json={})).json()["replaced"] == first["id"]
    assert (await admin.get("/api/certs/mtls/download")).status_code == 410


async def test_a_limited_certificate_does_not_rotate_into_a_wider_one(door: Door, admin: httpx.AsyncClient) -> None:
    wide = await own(admin)
    me = (await admin.get("/api/auth/me")).json()
    narrow = Actor(me["id"], "key", "admin", Role.SUPERADMIN, within=("account:security",))
    issued, old = await door.identity.certificates.own.rotate(narrow, wide["id"])
    assert (issued.row.scopes, old) == ("account:security", wide["id"])


async def test_one_sees_and_revokes_only_ones_own(door: Door, admin: httpx.AsyncClient) -> None:
    made = await own(admin)
    async with door.client(await door.add_user("anna", Role.USER)) as anna:
        assert (await anna.get("/api/me/certificates")).json()["certificates"] == []
        assert (await anna.delete(f"/api/me/certificates/{made['id']}")).status_code == 404
        assert (await anna.post(f"/api/me/certificates/{made['id']}/rotate")).status_code == 404
    [row] = (await admin.get("/api/me/certificates")).json()["certificates"]
    assert (row["label"], row["revoked"], row["current"]) == ("laptop", False, False)
    async with holding(door, made) as client:
        assert (await client.get("/api/me/certificates")).json()["certificates"][0]["current"] is True
        assert (await admin.delete(f"/api/me/certificates/{made['id']}")).status_code == 204
        assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"
    assert (await admin.delete(f"/api/me/certificates/{made['id']}")).status_code == 404


async def test_twenty_good_ones_are_enough(door: Door, admin: httpx.AsyncClient) -> None:
    for number in range(20):
        await own(admin, label=f"l{number}", days=1)
    more = await admin.post("/api/me/certificates", json={"label": "more"})
    assert (more.status_code, more.json()["code"]) == (409, "conflict")
    door.clock.advance(86_400)
    async with door.client(await door.admin_token()) as later:
        await own(later)


async def test_administrators_see_everybodys_and_revoke_those_of_whom_they_outrank(
    door: Door, admin: httpx.AsyncClient
) -> None:
    highest = await own(admin)
    async with (
        door.client(await door.add_user("anna", Role.USER)) as anna,
        door.client(await door.add_user("adam", Role.ADMIN)) as adam,
    ):
        made = await own(anna)
        shown = {row["id"]: row for row in (await adam.get("/api/certs/agent")).json()["agents"]}
        row = shown[made["id"]]
        assert (row["kind"], row["username"], row["capabilities"]) == ("person", "anna", [])
        assert (await adam.delete(f"/api/certs/agent/{highest['id']}")).json()["code"] == "forbidden"
        assert (await adam.delete(f"/api/certs/agent/{made['id']}")).json()["revoked"] == ["laptop"]
        assert (await adam.delete("/api/certs/agent/laptop")).status_code == 404  # a label names machines only
        async with holding(door, made) as client:
            assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"


async def test_a_key_that_never_leaves_its_hardware(door: Door, admin: httpx.AsyncClient) -> None:  # host C
    made = await own(admin)
    assert (await admin.get("/api/certs/admin/auth-mode")).json()["mode"] == "p12"
    async with holding(door, made) as client:
        path, csr = "/api/certs/admin/upgrade-to-hardware-bound", signing_request(common_name="agent:x")
        assert (await client.post(path, json={"csr": "nonsense"})).json()["code"] == "csr_invalid"
        bound = (await client.post(path, json={"csr": csr})).json()
        assert (bound["replaced"], bound["key"], bound["p12"]) == (made["id"], None, None)
        assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"
    async with holding(door, bound) as client:
        assert (await client.get("/api/auth/me")).json()["username"] == "admin"
        assert (await client.get("/api/certs/admin/auth-mode")).json()["adminAuthMode"] == "hardware-bound"
    another = await own(admin, csr=signing_request())
    assert (another["key"], another["pem"]) == (None, None)


async def test_a_new_password_ends_ones_certificates_but_not_the_one_in_use(
    door: Door, admin: httpx.AsyncClient
) -> None:
    async with door.client(await door.add_user("anna", Role.USER)) as anna:
        stolen, used = await own(anna), await own(anna, label="phone")
    body = {"current_password": "anna", "new_password": "another word"}
    async with holding(door, stolen) as thief, holding(door, used) as client:
        assert (await thief.get("/api/auth/me")).status_code == 200
        changed = (await client.post("/api/me/password", json=body)).json()
        assert changed["certificates_revoked"] == 1
        assert (await thief.get("/api/services")).json()["error"] == "Certificate has been revoked"
        assert (await client.get("/api/auth/me")).status_code == 200
        assert (await admin.post("/api/users/2/reset-password")).status_code == 200
        assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"
    highest = await own(admin)
    await door.identity.machine.reset_password("admin")
    async with holding(door, highest) as client:
        assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"


async def test_what_a_ban_ended_stays_ended(door: Door, admin: httpx.AsyncClient) -> None:
    async with door.client(await door.add_user("anna", Role.USER)) as anna:
        made = await own(anna)
    async with holding(door, made) as client:
        assert (await admin.post("/api/users/2/ban")).status_code == 200
        assert (await client.get("/api/services")).status_code == 403
        assert (await admin.post("/api/users/2/unban")).status_code == 200
        assert (await client.get("/api/services")).json()["error"] == "Certificate has been revoked"


async def test_whoever_may_do_less_lets_no_machine_in_by_a_token_of_before(
    door: Door, admin: httpx.AsyncClient
) -> None:
    wanted = {"label": "press", "capabilities": ["services:write"]}
    async with door.client(await door.add_user("adam", Role.ADMIN)) as adam, door.client() as machine:
        token = (await adam.post("/api/certs/agent/enroll", json=wanted)).json()["token"]
        assert (await admin.put("/api/users/2/role", json={"role": "user"})).status_code == 200
        answer = await machine.post("/api/enroll", json={"token": token, "csr": signing_request()})
    assert answer.status_code in {401, 403}, answer.text
