"""The same two by way of the application: what a client meets whose connection went there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from homeport.relay import Authority
from homeport.relay.signing import TunnelCertificates, routes
from homeport.storage import Database
from homeport.testing.door import open_door
from tests.relay.signing.conftest import TOKEN, Desk
from tests.relay.signing.test_issuing import HOST, chain_of, request_for


@dataclass
class Place:
    desk: Desk
    api: httpx.AsyncClient

    async def sign(self, method: str = "POST", **given: Any) -> httpx.Response:
        if method == "POST" and not given.keys() & {"content", "json"}:
            given["json"] = self.desk.wanted()
        headers = {"X-Portal-Access-Token": TOKEN, **given.pop("headers", {})}
        return await self.api.request(method, "/v1/sign", headers=headers, **given)


@pytest.fixture
async def place(database: Database, tmp_path: Path, desk: Desk) -> AsyncIterator[Place]:
    authority = Authority(tmp_path / "ca", desk.clock, domain="portal.test")
    await asyncio.to_thread(authority.open)
    certificates = TunnelCertificates(lambda: authority, desk.holder, lambda key: key not in desk.unroutable)
    async with (
        open_door(database, tmp_path, lambda _: routes(desk.signing, certificates)) as door,
        door.client() as api,
    ):
        yield Place(desk, api)


# R29
async def test_the_application_answers_as_the_front_does(place: Place) -> None:
    answer = await place.sign()
    assert (answer.status_code, list(answer.json())) == (200, ["key_id", "algorithm", "signature"])
    assert answer.headers["content-type"] == "application/json"
    refused = await place.sign(headers={"X-Portal-Access-Token": "wrong"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "unauthorized")
    assert (await place.sign(content=b"x" * 5000)).status_code == 400


# R29
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_answered_here_too(place: Place, method: str) -> None:
    answer = await place.sign(method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_an_rsa_key_answers_from_a_thread(place: Place, desk: Desk, rsa_pair: Any) -> None:
    desk.pair = rsa_pair
    answer = await place.sign(json=desk.wanted(algorithm="RSA_PSS_SHA256"))
    assert answer.status_code == 200


async def test_a_signing_request_is_answered_in_the_envelope(place: Place) -> None:
    answer = await place.api.post(
        "/sdk/certificate", json={"csr": request_for(HOST)}, headers={"X-Portal-Access-Token": TOKEN}
    )
    assert answer.status_code == 200
    assert answer.json()["ok"] is True
    assert len(chain_of(answer.json()["data"]["certificate"])) == 2


async def test_a_token_in_the_body_counts_too(place: Place) -> None:
    answer = await place.api.post("/sdk/certificate", json={"csr": request_for(HOST), "access_token": TOKEN})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("token", "body", "status", "code"),
    [
        ("wrong", {"csr": "x"}, 403, "unauthorized"),
        (TOKEN, {"csr": "x"}, 400, "invalid_request"),
        (TOKEN, {}, 400, "invalid_request"),
        (TOKEN, {"csr": 7}, 400, "invalid_json"),
        (TOKEN, [], 400, "invalid_json"),
    ],
)
async def test_refusals_come_in_the_envelope(place: Place, token: str, body: Any, status: int, code: str) -> None:
    answer = await place.api.post("/sdk/certificate", json=body, headers={"X-Portal-Access-Token": token})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
