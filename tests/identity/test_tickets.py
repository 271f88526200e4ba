"""One-use tickets for WebSockets, and sockets that end with what opened them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from homeport.identity import Role
from homeport.identity.access import Actor
from homeport.identity.tickets import EACH, LASTS, Tickets
from homeport.testing.clock import ManualClock
from homeport.testing.door import Door
from homeport.testing.waiting import within
from homeport.web import public_stats


@pytest.fixture
async def address(door: Door) -> AsyncIterator[str]:
    async with door.listen() as listening:
        yield listening


def actor(credential_id: str = "ses_1") -> Actor:
    return Actor(id="usr_1", kind="user", name="ann", role=Role.USER, credential_id=credential_id)


async def ticket_of(client: httpx.AsyncClient) -> str:
    answer = await client.post("/api/auth/ticket")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["expires_in"] == LASTS
    return str(answer.json()["ticket"])


async def refused(address: str, ticket: str) -> str:
    with pytest.raises(InvalidStatus) as answer:
        await connect(f"ws://{address}/api/live?ticket={ticket}")
    return str(json.loads(answer.value.response.body or b"")["code"])


async def close_code(socket: ClientConnection) -> int:
    await socket.wait_closed()
    return socket.close_code or 0


async def test_a_ticket_opens_one_socket_once(door: Door, address: str) -> None:
    async with door.client(await door.admin_token()) as client:
        ticket = await ticket_of(client)
        async with connect(f"ws://{address}/api/live?ticket={ticket}") as socket:
            assert json.loads(await socket.recv())["type"] == "hello"
            assert await refused(address, ticket) == "unauthenticated"
        assert (await client.get(f"/api/me?ticket={ticket}", headers={"authorization": ""})).status_code == 401


async def test_a_ticket_is_good_for_thirty_seconds(door: Door, address: str) -> None:
    async with door.client(await door.admin_token()) as client:
        ticket = await ticket_of(client)
        door.clock.advance(LASTS)
        assert await refused(address, ticket) == "unauthenticated"


async def test_a_ticket_ends_with_the_session_that_asked_for_it(door: Door, address: str) -> None:
    async with door.client(await door.admin_token()) as client:
        ticket = await ticket_of(client)
        await client.post("/api/auth/logout")
    assert await refused(address, ticket) == "unauthenticated"


def test_one_credential_holds_twenty_tickets_at_most() -> None:
    tickets = Tickets(ManualClock())
    given = [tickets.give(actor()) for _ in range(EACH + 1)]
    other = tickets.give(actor("ses_2"))
    assert tickets.use(given[0]) is None
    assert all(tickets.use(one) == actor() for one in given[1:])
    assert tickets.use(other) == actor("ses_2")
    assert tickets.use(other) is None


End = Callable[[Door, httpx.AsyncClient], Awaitable[object]]


async def _logout(_door: Door, own: httpx.AsyncClient) -> None:
    await own.post("/api/auth/logout")


async def _password(_door: Door, own: httpx.AsyncClient) -> None:
    await _elsewhere(own, "/api/me/password", {"current_password": "ann", "new_password": "correct horse"})


async def _other_sessions(_door: Door, own: httpx.AsyncClient) -> None:
    answer = await own.post("/api/token", json={"username": "ann", "password": "ann"})
    await own.delete("/api/me/sessions", headers={"authorization": f"Bearer {answer.json()['token']}"})


async def _elsewhere(own: httpx.AsyncClient, path: str, body: dict[str, str]) -> None:
    answer = await own.post("/api/token", json={"username": "ann", "password": "ann"})
    await own.post(path, json=body, headers={"authorization": f"Bearer {answer.json()['token']}"})


async def _by_admin(door: Door, method: str, path: str, body: dict[str, str]) -> None:
    async with door.client(await door.admin_token()) as admin:
        answer = await admin.request(method, f"/api/users/2{path}", json=body)
    assert answer.status_code == 200


async def _ban(door: Door, _own: httpx.AsyncClient) -> None:
    await _by_admin(door, "POST", "/ban", {})


async def _role(door: Door, _own: httpx.AsyncClient) -> None:
    await _by_admin(door, "PUT", "/role", {"role": "user"})


async def _reset(door: Door, _own: httpx.AsyncClient) -> None:
    await _by_admin(door, "POST", "/reset-password", {})


async def _delete(door: Door, _own: httpx.AsyncClient) -> None:
    await _by_admin(door, "DELETE", "", {})


@pytest.mark.parametrize("end", [_logout, _password, _other_sessions, _ban, _role, _reset, _delete])
async def test_what_ends_a_session_closes_its_sockets_within_a_second(door: Door, address: str, end: End) -> None:
    # portal E2.11
    token = await door.add_user("ann", Role.MODERATOR)
    async with door.client(token) as own, connect(f"ws://{address}/api/live?ticket={await ticket_of(own)}") as socket:
        await socket.recv()
        await end(door, own)
        assert await within(1, close_code(socket)) == 4401


async def test_the_sockets_of_a_key_close_with_the_demotion_of_its_owner(door: Door, address: str) -> None:
    # portal E2.11
    async with door.client(await door.add_user("ann", Role.MODERATOR)) as client:
        key = (await client.post("/api/api-keys", json={"name": "ci"})).json()["api_key"]
    headers = {"authorization": f"Bearer {key}"}
    async with connect(f"ws://{address}/api/live", additional_headers=headers) as socket:
        await socket.recv()
        await _by_admin(door, "PUT", "/role", {"role": "user"})
        assert await within(1, close_code(socket)) == 4401


async def test_public_statistics_count_people_and_not_their_tabs(door: Door, address: str) -> None:  # P009
    async def services(_actor: Actor) -> int:
        return 7

    door.app.include_router(public_stats.routes(door.identity, services))
    ann = await door.add_user("ann", Role.USER, "cust_1")
    door.clock.advance(5)
    async with (
        door.client(await door.admin_token()) as client,
        connect(f"ws://{address}/api/live?token={ann}"),
        connect(f"ws://{address}/api/live?token={ann}"),
        connect(f"ws://{address}/api/live?ticket={await ticket_of(client)}"),
    ):
        assert (await client.get("/api/stats/public")).json() == {
            "live_streams": 0,
            "online_users": 2,
            "total_services": 7,
            "total_users": 2,
            "active_sessions": 2,
            "uptime": 5,
        }
        own = (await client.get("/api/stats/public", headers={"authorization": f"Bearer {ann}"})).json()
        assert (own["online_users"], own["total_users"], own["active_sessions"]) == (1, 1, 1)
        assert (await client.get("/api/stats/public", headers={"authorization": ""})).status_code == 401
