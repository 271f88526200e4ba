"""An agent that is looked at: what its visitors say stands on the page, and reaches the target unchanged."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from homeport.relay.agent.inspect import Inspector
from homeport.testing.fake_relay import FakeRelay
from homeport.testing.waiting import eventually
from tests.relay.agent.conftest import Serve, Start, until

REQUEST = b"POST /orders HTTP/1.1\r\nHost: demo.localhost\r\nCookie: sid=s3cret\r\nContent-Length: 3\r\n\r\nabc"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def test_a_visitors_request_is_shown_and_can_be_sent_again(relay: FakeRelay, start: Start, serve: Serve) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"abc"))
        writer.write(ANSWER)
        writer.close()

    target = await serve(answer)
    inspector = Inspector(target, port=0)
    await inspector.open()
    agent = await start(target, relay, observer=inspector)
    await until(agent, "online")
    visitor = await relay.visit("demo.localhost")
    await visitor.send(REQUEST)
    assert await visitor.receive_all() == ANSWER
    await eventually(lambda: len(inspector.log) == 1 and inspector.log.list()[0].state == "complete")
    async with httpx.AsyncClient(base_url=inspector.url, trust_env=False) as client:
        row = (await client.get("requests")).json()["requests"][0]
        assert (row["method"], row["path"], row["host"], row["status"]) == ("POST", "/orders", "demo.localhost", 200)
        assert (await client.post("requests/1/replay")).json()["status"] == 200
    assert heard[0] == REQUEST
    assert heard[1].startswith(b"POST /orders HTTP/1.1\r\nHost: demo.localhost\r\nCookie: sid=s3cret\r\n")
    await inspector.close()


async def test_expose_says_where_the_page_is(relay: FakeRelay, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(relay.ca_pem)
    words = ["expose", "9", "--name", "demo", "--relay", relay.url, "--ca", str(tmp_path / "ca.pem")]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "homeport", *words, "--inspect", "--inspect-port", "0", "--json",
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(60):
        told = json.loads(await process.stdout.readline())
        assert told["event"] == "inspect"
        async with httpx.AsyncClient(trust_env=False) as client:
            assert "<title>Requests" in (await client.get(told["url"])).text
        process.terminate()
        await process.communicate()
    assert process.returncode == 0
