"""Signing out, here and at a real provider, and what the provider ends by itself."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from homeport.identity import COOKIE
from homeport.testing.door import BASE_URL
from homeport.testing.oidc_provider import query_of, sign_out_there
from homeport.testing.waiting import within
from tests.identity.openid.conftest import House

OWN = {"origin": BASE_URL}


async def close_code(socket: ClientConnection) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.recv()
    assert socket.close_code is not None
    return socket.close_code


async def logout(house: House, token: str) -> dict[str, object]:
    async with house.door.client() as client:
        answer = await client.post("/api/auth/logout", headers={"cookie": f"{COOKIE}={token}", **OWN})
    assert answer.status_code == 200
    return dict(answer.json())


async def test_signing_out_says_where_to_end_the_providers_session_and_it_does(house: House) -> None:
    async with house.provider.browser() as browser:
        url = str((await logout(house, await house.token("vera", browser)))["logout_url"])
        assert url.startswith(f"{house.provider.issuer}/protocol/openid-connect/logout?")
        assert {"client_id", "post_logout_redirect_uri", "id_token_hint"} <= query_of(url).keys()
        assert await sign_out_there(browser, url) == f"{BASE_URL}/"


async def test_a_session_by_password_has_no_provider_to_sign_out_of(house: House) -> None:
    answer = await logout(house, await house.door.admin_token())
    assert answer == {"success": True, "message": "Signed out.", "logout_url": None}


async def test_signing_out_answers_200_whatever_was_sent(house: House) -> None:
    """fleet G.5: a refused token is success false."""
    async with house.door.client() as client:
        for answer in (
            await client.post("/api/auth/logout"),
            await client.post("/api/auth/logout", json={"refresh_token": "unknown"}),
            await client.post("/api/auth/logout", headers={"authorization": "Bearer nonsense"}),
        ):
            assert (answer.status_code, answer.json()["success"]) == (200, False)


async def test_a_refresh_token_alone_signs_its_session_out(house: House) -> None:
    """fleet C.2"""
    async with house.door.client() as client:
        body = {"username": "admin", "password": house.door.password}
        session = (await client.post("/api/auth/login", json=body)).json()
        client.cookies.clear()
        answer = await client.post("/api/auth/logout", json={"refresh_token": session["refresh_token"]})
        assert answer.json()["success"] is True
        bearer = {"authorization": f"Bearer {session['token']}"}
        assert (await client.get("/api/auth/me", headers=bearer)).status_code == 401


async def test_a_logout_at_the_provider_ends_sessions_sockets_and_tokens_here_within_a_second(house: House) -> None:
    async with house.provider.browser() as browser:
        watching = await house.token("vera", browser)
        leaving = await house.token("vera", browser)  # the same session there, as another window has
        bearer = (await house.access("vera", browser=browser))["access_token"]
        unused = (await house.access("vera", browser=browser))["access_token"]
        other = await house.token("vera")  # at another machine
        live = f"ws://{house.address}/api/live"
        async with (
            connect(live, additional_headers={"authorization": f"Bearer {watching}"}, close_timeout=1) as socket,
            connect(f"{live}?token={bearer}", close_timeout=1) as by_bearer,
            connect(live, additional_headers={"authorization": f"Bearer {other}"}, close_timeout=1) as untouched,
        ):
            url = str((await logout(house, leaving))["logout_url"])
            await sign_out_there(browser, url)
            codes = await within(1, asyncio.gather(close_code(socket), close_code(by_bearer)))
            assert set(codes) == {4401}
            assert "hello" in str(await untouched.recv())
    for token, status in ((watching, 401), (bearer, 401), (unused, 401), (other, 200)):
        async with house.door.client(token) as client:
            assert (await client.get("/api/auth/me")).status_code == status
