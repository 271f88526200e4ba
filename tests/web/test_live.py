"""/api/live and every other WebSocket: who gets in, what is told, how it resumes, when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from homeport.identity import COOKIE, Identity, Role, Verb
from homeport.identity import sockets as identity_sockets
from homeport.identity.guard import CurrentActor, require
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.problems import Conflict
from homeport.storage import Database
from homeport.testing.door import Door, open_door
from homeport.testing.waiting import eventually, within
from homeport.web import LiveFeed


def sockets(identity: Identity) -> Sequence[APIRouter]:
    """Sockets as other parts write them."""
    router = APIRouter()

    @router.websocket("/api/jobs/{ref}/stream", dependencies=[require(Verb.JOBS_WRITE)])
    async def stream(websocket: WebSocket, actor: CurrentActor, ref: str) -> None:
        if ref == "busy":
            raise Conflict("It is busy.")
        async with identity.socket(websocket, actor) as socket:
            await socket.send("begun")
            if ref == "problem":
                raise Conflict("It became busy.")
            if ref == "bug":
                raise ZeroDivisionError
            if ref == "wait":
                await asyncio.Event().wait()

    return [router]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(database, tmp_path, sockets) as opened:
        yield opened


@pytest.fixture
async def address(house: Door) -> AsyncIterator[str]:
    async with house.listen() as listening:
        yield listening


@asynccontextmanager
async def open_socket(address: str, path: str, token: str) -> AsyncIterator[ClientConnection]:
    headers = {"authorization": f"Bearer {token}"}
    async with connect(f"ws://{address}{path}", additional_headers=headers, close_timeout=1) as socket:
        yield socket


async def message(socket: ClientConnection) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 5))
    return body


async def close_code(socket: ClientConnection) -> int:
    """How the server ended it."""
    async with asyncio.timeout(30):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006


def change(number: int, topic: str = "service", customer_id: str | None = None) -> Change:
    return Change(topic, "changed", f"svc_{number}", {"number": number}, customer_id)


async def test_a_tab_is_greeted_with_a_cursor_and_told_each_change(house: Door, address: str) -> None:
    async with open_socket(address, "/api/live", await house.admin_token()) as socket:
        hello = await message(socket)
        assert hello == {"type": "hello", "cursor": house.feed.cursor(0)}
        house.bus.publish(change(1))
        assert await message(socket) == {
            "type": "change",
            "cursor": house.feed.cursor(1),
            "topic": "service",
            "action": "changed",
            "id": "svc_1",
            "data": {"number": 1},
        }


async def test_a_tab_that_was_cut_off_resumes_without_loss_or_repetition(house: Door, address: str) -> None:
    token = await house.admin_token()
    async with open_socket(address, "/api/live", token) as socket:
        cursor = (await message(socket))["cursor"]
        for number in range(1, 4):
            house.bus.publish(change(number))
        for number in (1, 2):
            told = await message(socket)
            cursor = told["cursor"]
            assert told["data"] == {"number": number}
    house.bus.publish(change(4))
    async with open_socket(address, f"/api/live?cursor={cursor}", token) as socket:
        assert await message(socket) == {"type": "hello", "cursor": cursor}
        house.bus.publish(change(5))
        assert [(await message(socket))["data"]["number"] for _ in range(3)] == [3, 4, 5]


@pytest.mark.parametrize("cursor", ["0123abcd.4", "x", "%00", "1.2.3"])
async def test_an_unknown_cursor_starts_afresh(house: Door, address: str, cursor: str) -> None:
    house.bus.publish(change(1))
    async with open_socket(address, f"/api/live?cursor={cursor}", await house.admin_token()) as socket:
        assert await message(socket) == {"type": "reset", "cursor": house.feed.cursor(1)}


async def test_a_tab_is_told_only_what_its_user_may_see(house: Door, address: str) -> None:
    token = await house.add_user("ann", Role.USER, "cust_1")
    async with open_socket(address, "/api/live", token) as socket:
        await message(socket)
        house.bus.publish(change(1, customer_id="cust_2"))
        house.bus.publish(change(2))
        house.bus.publish(change(3, "no such topic", "cust_1"))
        house.bus.publish(change(4, "job", "cust_1"))
        assert (await message(socket))["id"] == "svc_4"


@pytest.mark.parametrize(("changes", "size"), [(10, 10_000), (1000, 1000)])
async def test_the_feed_keeps_a_bounded_past_and_says_what_it_no_longer_has(changes: int, size: int) -> None:
    bus = Bus()
    feed = LiveFeed(bus, kept_changes=changes, kept_bytes=size)
    assert feed.place_of(feed.cursor(0)) == 0
    for number in range(50):
        bus.publish(change(number))
    kept = [number for number in range(51) if feed.place_of(feed.cursor(number)) is not None]
    assert kept[-1] == 50
    assert 5 < len(kept) < 50
    assert kept == list(range(kept[0], 51))
    assert feed.place_of(feed.cursor(51)) is None


async def test_a_tab_that_falls_out_of_the_kept_past_is_sent_away_and_loses_nothing_silently(
    house: Door, address: str
) -> None:
    async with open_socket(address, "/api/live", await house.admin_token()) as socket:
        await message(socket)
        for number in range(10_500):  # more at once than are kept, before the socket's task runs again
            house.feed.publish(change(number))
        assert await close_code(socket) == 1013


async def test_a_tab_that_takes_nothing_any_more_is_let_go(
    house: Door, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_sockets, "SEND_TIMEOUT", 0.2)
    monkeypatch.setattr(identity_sockets, "CLOSE_TIMEOUT", 0.2)
    async with open_socket(address, "/api/live", await house.admin_token()) as socket:
        await message(socket)
        socket.transport.pause_reading()
        for number in range(100):
            house.bus.publish(Change("service", "changed", f"svc_{number}", {"text": "x" * 200_000}))
        await let_go(house)
        socket.transport.abort()


async def let_go(house: Door) -> None:
    """Until no socket is open any more."""
    await eventually(lambda: not len(house.identity.sockets), 5)


async def test_a_stranger_is_refused_in_plain_http_before_the_upgrade(house: Door, address: str) -> None:
    for headers in ({}, {"authorization": "Bearer nonsense"}, {"cookie": f"{COOKIE}=nonsense"}):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}/api/live", additional_headers=headers, origin=Origin(f"http://{address}"))
        assert refused.value.response.status_code == 401
        body = json.loads(refused.value.response.body or b"")
        assert (body["code"], body["status"]) == ("unauthenticated", 401)
        assert refused.value.response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [("/api/nothing", 404, "not_found"), ("/api/jobs/busy/stream", 409, "conflict"), ("/elsewhere", 404, "not_found")],
)
async def test_what_goes_wrong_before_the_upgrade_is_json_as_well(
    house: Door, address: str, path: str, status: int, code: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(address, path, await house.admin_token()):
            pass
    assert refused.value.response.status_code == status
    assert json.loads(refused.value.response.body or b"")["code"] == code


async def test_a_viewer_is_refused_a_socket_that_needs_more(house: Door, address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with open_socket(address, "/api/jobs/wait/stream", await house.add_user("ann", Role.USER)):
            pass
    assert json.loads(refused.value.response.body or b"")["code"] == "forbidden"


async def test_a_cookie_opens_a_socket_for_our_own_page_only(house: Door, address: str) -> None:
    headers = {"cookie": f"{COOKIE}={await house.admin_token()}"}
    for origin in (None, "https://hello.localhost:8443", "null"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(
                f"ws://{address}/api/live", additional_headers=headers, origin=Origin(origin) if origin else None
            )
        assert json.loads(refused.value.response.body or b"")["code"] == "origin_refused"
    own = Origin(f"http://{address}")
    async with connect(f"ws://{address}/api/live", additional_headers=headers, origin=own) as socket:
        assert (await message(socket))["type"] == "hello"


async def test_a_page_of_another_site_opens_no_socket_even_with_a_token(house: Door, address: str) -> None:  # host F17
    token = await house.admin_token()
    for foreign in ("https://evil.example", "https://hello.localhost:8443", "null"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}/api/live?token={token}", origin=Origin(foreign))
        assert json.loads(refused.value.response.body or b"")["code"] == "origin_refused"
    async with connect(f"ws://{address}/api/live?token={token}", origin=Origin(f"http://{address}")) as socket:
        assert (await message(socket))["type"] == "hello"


async def test_a_token_in_the_address_opens_a_socket_and_reads_but_changes_nothing(house: Door, address: str) -> None:
    token = await house.admin_token()
    async with connect(f"ws://{address}/api/live?token={token}") as socket:
        assert (await message(socket))["type"] == "hello"
    async with house.client() as client:
        assert (await client.get(f"/api/auth/me?token={token}")).status_code == 200  # seed 002
        assert (await client.post(f"/api/auth/logout?token={token}")).json()["success"] is False
        assert (await client.get(f"/api/auth/me?token={token}")).status_code == 200


async def test_signing_out_and_revoking_a_key_close_their_sockets_within_a_second(house: Door, address: str) -> None:
    token = await house.admin_token()
    async with house.client(token) as client:
        key = (await client.post("/api/auth/api-keys", json={"name": "ci"})).json()
        async with (
            open_socket(address, "/api/live", token) as by_session,
            open_socket(address, "/api/jobs/wait/stream", key["key"]) as by_key,
            open_socket(address, "/api/live", await house.admin_token()) as untouched,
        ):
            await message(by_session)
            assert await by_key.recv() == "begun"
            await message(untouched)
            await client.delete(f"/api/auth/api-keys/{key['id']}")
            assert await within(1, close_code(by_key)) == 4401
            await client.post("/api/auth/logout")
            assert await within(1, close_code(by_session)) == 4401
            house.bus.publish(change(1))
            assert (await message(untouched))["type"] == "change"
    await within(1, let_go(house))


async def test_a_socket_whose_session_another_process_ended_is_closed(house: Door, address: str) -> None:
    async with open_socket(address, "/api/live", await house.admin_token()) as socket:
        await message(socket)
        await house.identity.end_stale_sockets()
        async with open_door(house.database, house.settings.data_dir) as other:
            await other.identity.machine.reset_password("admin")
        await house.identity.end_stale_sockets()
        assert await close_code(socket) == 4401


async def test_a_socket_ends_with_its_session(house: Door, address: str) -> None:
    token = await house.admin_token()
    house.clock.advance(timedelta(hours=house.settings.session_hours).total_seconds() - 0.2)
    async with open_socket(address, "/api/live", token) as socket:
        await message(socket)
        house.clock.advance(1)
        assert await within(2, close_code(socket)) == 4401


async def test_the_portal_going_down_tells_its_sockets_to_come_back(house: Door, address: str) -> None:
    async with open_socket(address, "/api/live", await house.admin_token()) as socket:
        await message(socket)
        await house.identity.close()
        assert await close_code(socket) == 1012


@pytest.mark.parametrize(("ref", "code"), [("done", 1000), ("problem", 1011), ("bug", 1011)])
async def test_how_a_socket_ends_says_why(house: Door, address: str, ref: str, code: int) -> None:
    async with open_socket(address, f"/api/jobs/{ref}/stream", await house.admin_token()) as socket:
        assert await socket.recv() == "begun"
        assert await close_code(socket) == code
    if ref == "problem":
        assert socket.close_reason == "conflict"


async def test_a_client_that_leaves_ends_its_handler(house: Door, address: str) -> None:
    async with open_socket(address, "/api/jobs/wait/stream", await house.admin_token()) as socket:
        await socket.recv()
        assert len(house.identity.sockets) == 1
    await let_go(house)


async def test_one_person_has_so_many_sockets_and_no_more_until_one_ends(database: Database, tmp_path: Path) -> None:
    """Seed 002: ten at the same time; three here. (portal A17)"""
    async with (
        open_door(database, tmp_path, settings={"sockets_per_user": 3}) as door,
        door.listen() as address,
    ):
        token = await door.admin_token()
        ann = await door.add_user("ann", Role.USER)
        async with open_socket(address, "/api/live", token), open_socket(address, "/api/live", token):
            async with open_socket(address, "/api/live", token):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(f"ws://{address}/api/live?token={token}")
                assert refused.value.response.status_code == 429
                assert json.loads(refused.value.response.body or b"")["code"] == "rate_limited"
                async with open_socket(address, "/api/live", ann) as other:
                    assert (await message(other))["type"] == "hello"
            await eventually(lambda: len(door.identity.sockets) == 2)
            async with open_socket(address, "/api/live", token) as again:
                assert (await message(again))["type"] == "hello"


async def test_of_many_sockets_that_come_at_once_no_more_are_let_in(database: Database, tmp_path: Path) -> None:
    past = 0

    def slow(identity: Identity) -> list[APIRouter]:
        router = APIRouter()

        @router.websocket("/api/slow", dependencies=[require(Verb.ACCOUNT_SELF)])
        async def wait(websocket: WebSocket, actor: CurrentActor) -> None:
            nonlocal past
            past += 1
            await eventually(lambda: past == 8)  # all of them are past the guard
            async with identity.socket(websocket, actor):
                await asyncio.Event().wait()

        return [router]

    async with open_door(database, tmp_path, slow, settings={"sockets_per_user": 3}) as door, door.listen() as address:
        url = f"ws://{address}/api/slow?token={await door.admin_token()}"
        came = await asyncio.gather(*(connect(url, proxy=None) for _ in range(8)), return_exceptions=True)
        opened = [one for one in came if not isinstance(one, BaseException)]
        refused = [one.response.status_code for one in came if isinstance(one, InvalidStatus)]
        assert (len(opened), refused) == (3, [429] * 5)
        for one in opened:
            await one.close()
