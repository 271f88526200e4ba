"""The agent's service with the small relay of the tests, a service to make public, and a client of its local API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.relay.agent.daemon import AgentState, Daemon
from homeport.testing.fake_relay import FakeRelay
from homeport.wire import ethereum

WALLET_KEY = bytes([7]) * 32
WALLET = ethereum.address_of(WALLET_KEY)


class LocalApi:
    """Calls of the local API; `token` goes along where it is set, and the client keeps the wallet's cookie."""

    def __init__(self, port: int, token: str) -> None:
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/v1/agent", trust_env=False)
        self.token = token

    async def call(self, method: str, path: str, body: object = None, *, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.http.request(method, path, json=body, headers=headers)

    async def change(self, method: str, path: str, body: object = None) -> httpx.Response:
        return await self.call(method, path, body, token=self.token)

    async def sign_in(self, key: bytes = WALLET_KEY) -> httpx.Response:
        wallet = ethereum.address_of(key)
        challenge = (await self.call("POST", "/auth/challenge", {"address": wallet})).json()["data"]
        return await self.call("POST", "/auth/login", signed(challenge, key))


def signed(challenge: dict[str, Any], key: bytes) -> dict[str, str]:
    return {
        "challenge_id": challenge["challenge_id"],
        "siwe_message": challenge["siwe_message"],
        "siwe_signature": ethereum.sign_message(key, challenge["siwe_message"]),
    }


@pytest.fixture
async def relay() -> AsyncIterator[FakeRelay]:
    async with FakeRelay() as relay:
        yield relay


@pytest.fixture
async def service() -> AsyncIterator[int]:
    """The port of something that answers every connection with `hello`."""

    async def hello(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(hello, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = Daemon(AgentState(tmp_path / "state"), wallets=[WALLET])
    yield daemon
    await daemon.close()


@pytest.fixture
async def api(daemon: Daemon) -> AsyncIterator[LocalApi]:
    api = LocalApi(await daemon.open(0), daemon.token)
    yield api
    await api.http.aclose()


def tunnel(relay: FakeRelay, port: int, name: str = "demo") -> dict[str, Any]:
    return {"name": name, "target": str(port), "relays": [{"url": relay.url, "ca": relay.ca_pem}]}
