"""Access tokens of the provider as credentials of a fleet's clients, from a real provider."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.identity.openid.conftest import Fake, House, signed

# fleet C.3: what each role may, as far as the verbs of services go. True: allowed.
MATRIX = {
    "alice": {"services.read": True, "services.write": True, "services.deploy": True, "settings.write": True},
    "dora": {"services.read": True, "services.write": True, "services.deploy": True, "settings.write": False},
    "oscar": {"services.read": True, "services.write": True, "services.deploy": False, "settings.write": False},
    "vera": {"services.read": True, "services.write": False, "services.deploy": False, "settings.write": False},
    "ann": {"services.read": False, "services.write": False, "services.deploy": False, "settings.write": False},
}


async def test_a_token_of_the_provider_is_a_credential_here(house: House) -> None:
    token = (await house.access("vera"))["access_token"]
    async with house.door.client(token) as client:
        me = (await client.get("/api/auth/me")).json()
        assert (me["username"], me["roles"]) == ("vera", ["viewer"])
        sessions = (await client.get("/api/me/sessions")).json()["sessions"]
    assert [session["method"] for session in sessions] == ["bearer"]
    async with house.door.client(await house.token("vera")) as browser:
        assert (await browser.get("/api/auth/me")).json()["id"] == me["id"]


async def test_a_token_for_another_audience_is_refused(house: House) -> None:
    """fleet C.1: the audience of the reference product is not verified."""
    token = (await house.access("alice", client="other"))["access_token"]
    async with house.door.client(token) as client:
        answer = await client.get("/api/auth/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")


async def test_an_id_token_is_no_access_token(house: House) -> None:
    async with house.door.client((await house.access("alice"))["id_token"]) as client:
        assert (await client.get("/api/auth/me")).status_code == 401


@pytest.mark.parametrize("name", MATRIX)
async def test_roles_of_the_realm_are_what_the_token_may(house: House, name: str) -> None:
    """fleet C.3, H.2: with the reference product a viewer deploys and deletes."""
    async with house.door.client((await house.access(name))["access_token"]) as client:
        seen = {verb: (await client.post(f"/api/try/{verb}")).status_code for verb in MATRIX[name]}
    assert seen == {verb: 200 if may else 403 for verb, may in MATRIX[name].items()}


async def test_a_viewer_may_not_deploy(house: House) -> None:
    """fleet H.2"""
    async with house.door.client((await house.access("vera"))["access_token"]) as client:
        answer = await client.post("/api/try/services.deploy")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["details"]["scope"] == "services:deploy"


async def test_a_renewed_token_tells_the_roles_of_now_and_the_older_one_does_not_bring_them_back(house: House) -> None:
    tokens = await house.access("dora")
    unused = (await house.access("dora"))["access_token"]
    async with house.door.client(tokens["access_token"]) as old:
        assert (await old.post("/api/try/services.deploy")).status_code == 200
        await asyncio.sleep(1.1)  # tokens know whole seconds
        await house.provider.change("dora", roles=["viewer"])
        async with house.door.client(await house.renew(tokens["refresh_token"])) as new:
            assert (await new.post("/api/try/services.deploy")).status_code == 403
        assert (await old.post("/api/try/services.deploy")).status_code == 403
    async with house.door.client(unused) as late:  # issued before, first seen now
        assert (await late.post("/api/try/services.deploy")).status_code == 403


async def test_a_token_opens_a_socket_by_address_header_or_sub_protocol(house: House) -> None:
    """fleet B: header, then sub-protocol, then `token` or `access_token`."""
    token = (await house.access("vera"))["access_token"]
    url = f"ws://{house.address}/api/live"
    for query in ("token", "access_token"):
        async with connect(f"{url}?{query}={token}", close_timeout=1) as socket:
            assert "hello" in str(await asyncio.wait_for(socket.recv(), 5))
    offered = Subprotocol(f"bearer.{token}")
    async with connect(url, subprotocols=[offered], close_timeout=1) as socket:
        assert socket.subprotocol == offered
        assert "hello" in str(await asyncio.wait_for(socket.recv(), 5))
    headers = {"authorization": "Bearer nothing"}
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{url}?token={token}", additional_headers=headers).__aenter__()
    assert refused.value.response.status_code == 401


async def test_a_token_stops_when_it_expires(house: House) -> None:
    async with house.door.client((await house.access("vera"))["access_token"]) as client:
        assert (await client.get("/api/auth/me")).status_code == 200
        house.door.clock.advance(330)
        assert (await client.get("/api/auth/me")).status_code == 401


async def test_a_token_that_a_person_has_signed_out_does_not_come_back(house: House) -> None:
    async with house.door.client((await house.access("vera"))["access_token"]) as client:
        assert (await client.get("/api/auth/me")).status_code == 200
        answer = (await client.post("/api/auth/logout")).json()
        assert (answer["success"], answer["logout_url"]) == (True, None)
        assert (await client.get("/api/auth/me")).status_code == 401


async def test_the_same_token_twice_at_once_is_one_session(house: House) -> None:
    token = (await house.access("vera"))["access_token"]
    async with house.door.client(token) as client:
        answers = await asyncio.gather(*(client.get("/api/auth/me") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert len((await client.get("/api/me/sessions")).json()["sessions"]) == 1


async def test_a_token_that_comes_again_while_it_is_first_written_down_is_let_in(fake: Fake) -> None:
    async def me(token: str, after: int) -> int:
        for _ in range(after):
            await asyncio.sleep(0)
        return (await fake.me(token)).status_code

    assert await me(signed(fake.claims(jti="first")), 0) == 200  # the account is there, and the provider's keys
    for turn in range(60):  # each a little further into what the first request does
        token = signed(fake.claims(jti=str(turn)))
        assert set(await asyncio.gather(me(token, 0), me(token, turn), me(token, 2 * turn))) == {200}, turn


async def test_whoever_is_no_administrator_there_any_more_has_no_invites_here(fake: Fake) -> None:
    async with fake.door.client(signed(fake.claims(realm_access={"roles": ["admin"]}))) as client:
        made = await client.post("/api/admin/invite-codes", json={"type": "timed", "role": "moderator"})
    assert made.status_code == 201, made.text
    fake.door.clock.advance(1)
    assert (await fake.me(signed(fake.claims()))).json()["rank"] == "user"
    async with fake.door.client(await fake.door.admin_token()) as admin:
        [code] = (await admin.get("/api/invite-code")).json()["codes"]
    assert (code["id"], code["active"]) == (made.json()["id"], False)
