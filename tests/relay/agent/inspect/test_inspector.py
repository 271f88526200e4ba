"""The inspector's server: only for this machine, live, and able to send a request again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from homeport.relay.agent.inspect import Inspector
from homeport.relay.agent.observer import Visitor
from homeport.relay.agent.targets import TcpTarget
from homeport.testing.waiting import eventually, within

REQUEST = (
    b"POST /orders?token=abc HTTP/1.1\r\nHost: demo.test\r\nAuthorization: Bearer s3cret\r\n"
    b"Content-Length: 5\r\n\r\nhello"
)
ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
VISITOR = Visitor(1, "tls", "demo.test", "https://relay.test")


class Target:
    """An HTTP server that answers everything in the same way, and keeps what it was sent."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answer = ANSWER

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def target() -> AsyncIterator[tuple[Target, int]]:
    target = Target()
    server = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    yield target, server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def inspector(target: tuple[Target, int]) -> AsyncIterator[Inspector]:
    inspector = Inspector(TcpTarget("127.0.0.1", target[1]), port=0)
    await inspector.open()
    yield inspector
    await inspector.close()


@pytest.fixture
async def client(inspector: Inspector) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=inspector.url, trust_env=False) as client:
        yield client


def pass_through(inspector: Inspector) -> None:
    tap = inspector.opened(VISITOR)
    assert tap is not None
    tap.received(memoryview(REQUEST))
    tap.sent(memoryview(ANSWER))
    tap.closed()


async def test_the_page_runs_nothing_but_its_own_script(client: httpx.AsyncClient) -> None:
    page = await client.get("")
    rules = page.headers["content-security-policy"]
    nonce = rules.split("script-src 'nonce-")[1].split("'")[0]
    assert page.text.count(f'nonce="{nonce}"') == 2
    assert "default-src 'none'" in rules
    assert "unsafe" not in rules
    assert "://" not in page.text.split("<script")[1]  # nothing of it comes from elsewhere
    again = await client.get("")
    assert nonce not in again.text


async def test_the_list_has_no_secrets_and_one_request_has_them_on_demand(
    inspector: Inspector, client: httpx.AsyncClient
) -> None:
    pass_through(inspector)
    listed = (await client.get("requests")).json()
    assert [(row["method"], row["status"], row["replayable"]) for row in listed["requests"]] == [("POST", 201, True)]
    assert "s3cret" not in json.dumps(listed)
    assert "s3cret" not in (await client.get("requests/1")).text
    assert "s3cret" in (await client.get("requests/1", params={"reveal": 1})).text


async def test_a_request_is_sent_again_as_it_came(
    inspector: Inspector, client: httpx.AsyncClient, target: tuple[Target, int]
) -> None:
    pass_through(inspector)
    answer = await client.post("requests/1/replay")
    assert answer.status_code == 200
    assert (answer.json()["number"], answer.json()["replay_of"], answer.json()["status"]) == (2, 1, 201)
    sent = target[0].requests[0]
    assert sent.startswith(b"POST /orders?token=abc HTTP/1.1\r\nHost: demo.test\r\nAuthorization: Bearer s3cret\r\n")
    assert sent.endswith(b"\r\n\r\nhello")
    assert sent.lower().count(b"content-length") == 1


async def test_a_target_that_is_gone_is_said_so(inspector: Inspector, client: httpx.AsyncClient) -> None:
    pass_through(inspector)
    dead = Inspector(TcpTarget("127.0.0.1", 1), port=0)
    dead.log = inspector.log
    await dead.open()
    async with httpx.AsyncClient(base_url=dead.url, trust_env=False) as other:
        answer = await other.post("requests/1/replay")
    await dead.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "target_unreachable")


async def test_changes_arrive_while_the_page_is_open(inspector: Inspector, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "live") as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        pass_through(inspector)
        async with asyncio.timeout(10):
            async for line in lines:
                if line.startswith("data: "):
                    row = json.loads(line[6:])
                    break
    assert (row["number"], row["status"], row["state"]) == (1, 201, "complete")


async def test_what_is_cleared_is_gone(inspector: Inspector, client: httpx.AsyncClient) -> None:
    pass_through(inspector)
    assert (await client.delete("requests")).status_code == 204
    assert (await client.get("requests")).json()["requests"] == []
    assert (await client.get("requests/1")).status_code == 404


async def test_another_path_than_the_secret_one_shows_nothing(inspector: Inspector, client: httpx.AsyncClient) -> None:
    pass_through(inspector)
    base = inspector.url.rsplit("/", 2)[0]
    for path in ("/", "/requests", "/wrong/requests"):
        assert (await client.get(f"{base}{path}")).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.test"}, 421),
        ({"Host": "127.0.0.1.evil.test"}, 421),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_pages_of_other_sites_get_nothing(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    assert (await client.get("requests", headers=headers)).status_code == status


async def test_the_number_of_open_pages_is_bounded(inspector: Inspector, client: httpx.AsyncClient) -> None:
    opened = [client.stream("GET", "live") for _ in range(8)]
    for stream in opened:
        assert (await stream.__aenter__()).status_code == 200
    await eventually(lambda: len(inspector.log._listeners) == 8)
    refused = await client.get("live")
    assert refused.status_code == 503
    for stream in opened:
        await stream.__aexit__(None, None, None)
    await within(0.2, eventually(lambda: not inspector.log._listeners))
    async with client.stream("GET", "live") as answer:
        assert answer.status_code == 200


async def test_raw_connections_are_not_looked_at(inspector: Inspector) -> None:
    assert inspector.opened(Visitor(2, "tcp", "demo.test", "https://relay.test")) is None
