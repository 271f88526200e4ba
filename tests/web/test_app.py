"""The rules of the house: who may come in, what every failure looks like, what stands around each answer."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Query, Request, WebSocket
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from homeport.identity import Identity, Role, Verb
from homeport.identity.guard import CurrentActor, require
from homeport.identity.problems import PermissionUndeclared
from homeport.kit.problems import Conflict, NotFound
from homeport.storage import Database
from homeport.testing.door import BASE_URL, Door, open_door
from homeport.web.permissions import verb_of
from homeport.web.shell import MAX_BODY_BYTES


class Thing(BaseModel):
    name: str
    size: int = 1


def things(_identity: Identity) -> Sequence[APIRouter]:
    """One route of each kind that a part may have."""
    router = APIRouter(prefix="/api/things", tags=["things"])

    @router.get("", dependencies=[require(Verb.SERVICES_READ)])
    async def list_things(actor: CurrentActor, page: Annotated[int, Query(ge=1)] = 1) -> dict[str, Any]:
        return {"data": ["x" * 4000], "page": page, "by": actor.name}

    @router.post("", status_code=201, dependencies=[require(Verb.SERVICES_WRITE)])
    async def create_thing(thing: Thing) -> Thing:
        return thing

    @router.post("/{ref}/touch", dependencies=[require(Verb.SERVICES_WRITE)])
    async def touch_thing(ref: str) -> dict[str, str]:
        if ref == "busy":
            raise Conflict("It is busy.", details={"job": "job_1"}, extra={"hint": "wait"})
        raise NotFound(f"There is no thing {ref}.")

    @router.post("/break", dependencies=[require(Verb.SERVICES_WRITE)])
    async def break_thing() -> None:
        raise ZeroDivisionError("with a secret: hunter2")

    @router.get("/stream", dependencies=[require(Verb.SERVICES_READ)])
    async def stream_things() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            for number in range(3):
                yield f'{{"line":{number}}}\n'.encode()

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    @router.websocket("/{ref}/logs", dependencies=[require(Verb.SERVICES_READ)])
    async def follow(websocket: WebSocket, ref: str) -> None:
        raise NotFound(f"There is no thing {ref}.")

    uploads = APIRouter()

    @uploads.post("/api/uploads", dependencies=[require(Verb.SERVICES_DEPLOY)])
    async def upload(request: Request) -> dict[str, int]:
        return {"size": sum([len(chunk) async for chunk in request.stream()])}

    return [router, uploads]


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(database, tmp_path, things) as opened:
        yield opened


@pytest.fixture
async def admin(house: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with house.client(await house.admin_token()) as client:
        yield client


def shape(answer: httpx.Response) -> tuple[int, str]:
    """Status and code, after checking that the body is the one error body."""
    body = answer.json()
    assert body["error"] == body["message"]
    assert body["status"] == answer.status_code
    assert body["details"] is None or isinstance(body["details"], dict)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, body["code"]


async def test_every_route_but_the_public_ones_refuses_a_stranger(house: Door) -> None:
    asked = 0
    async with house.client() as client:
        for route in iter_route_contexts(house.app.routes):
            if verb_of(route) is Verb.PUBLIC or route.methods is None:
                continue
            for method in route.methods:
                path = str(route.path).replace("{ref}", "a").replace("{key_id}", "a")
                assert shape(await client.request(method, path)) == (401, "unauthenticated"), path
                malformed = await client.request(
                    method, path, content=b"{", headers={"content-type": "application/json"}
                )
                assert malformed.status_code == 401, path
                asked += 1
    assert asked >= 10


async def test_a_viewer_is_refused_what_changes_something_before_the_body_is_judged(house: Door) -> None:
    async with house.client(await house.add_user("ann", Role.USER)) as viewer:
        assert (await viewer.get("/api/things")).json()["by"] == "ann"
        for path in ("/api/things", "/api/things/a/touch", "/api/things/break", "/api/uploads"):
            answer = await viewer.post(path, content=b"{", headers={"content-type": "application/json"})
            assert shape(answer) == (403, "forbidden"), path
            assert answer.json()["details"]["role"] == "user"


async def test_management_waits_for_set_up_and_says_so_as_the_host_door_does(
    database: Database, tmp_path: Path
) -> None:
    async with open_door(database, tmp_path, things, administrator=False) as house, house.client() as client:
        answer = await client.get("/api/things")
        assert shape(answer) == (503, "onboarding_incomplete")
        assert answer.json()["error"] == "Onboarding not complete"
        assert answer.json()["onboardingStatus"] == "FRESH"
        await house.identity.machine.ensure_administrator()
        assert (await client.get("/api/things")).status_code == 401


@pytest.mark.parametrize("kind", ["http", "websocket", "twice"])
async def test_a_route_that_declares_no_permission_stops_the_start(
    database: Database, tmp_path: Path, kind: str
) -> None:
    def bare(_identity: Identity) -> Sequence[APIRouter]:
        router = APIRouter()
        if kind == "http":
            router.add_api_route("/api/bare", _nothing)
        elif kind == "websocket":
            router.add_api_websocket_route("/api/bare", _nothing)
        else:
            router.add_api_route(
                "/api/bare", _nothing, dependencies=[require(Verb.PUBLIC), require(Verb.SERVICES_READ)]
            )
        return [router]

    with pytest.raises(PermissionUndeclared, match="/api/bare"):
        async with open_door(database, tmp_path, bare):
            pass


async def _nothing() -> None:
    """A handler."""


async def test_a_problem_is_the_one_error_body_and_what_it_puts_beside(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/things/busy/touch")
    assert shape(answer) == (409, "conflict")
    assert answer.json()["details"] == {"job": "job_1"}
    assert answer.json()["hint"] == "wait"
    assert shape(await admin.post("/api/things/a/touch")) == (404, "not_found")


async def test_an_empty_body_with_a_json_content_type_is_fine_where_no_body_is_used(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/things/busy/touch", headers={"content-type": "application/json"})
    assert answer.status_code == 409


@pytest.mark.parametrize("body", [b"{", b'{"name": }', b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_no_json_is_malformed(admin: httpx.AsyncClient, body: bytes) -> None:
    answer = await admin.post("/api/things", content=body, headers={"content-type": "application/json"})
    assert shape(answer) == (400, "malformed_body")


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"null", b"1"])
async def test_a_body_that_is_no_object_is_invalid(admin: httpx.AsyncClient, body: bytes) -> None:
    answer = await admin.post("/api/things", content=body, headers={"content-type": "application/json"})
    assert shape(answer) == (422, "validation_error")
    assert list(answer.json()["details"]["fields"]) == ["body"]


async def test_every_field_that_does_not_fit_is_named(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/things", json={"size": "much"})
    assert shape(answer) == (422, "validation_error")
    assert answer.json()["details"]["fields"].keys() == {"name", "size"}
    assert answer.json()["details"]["fields"]["name"] == "is required"


async def test_json_is_taken_without_a_content_type(admin: httpx.AsyncClient) -> None:
    assert (await admin.post("/api/things", content=b'{"name":"a"}')).json() == {"name": "a", "size": 1}


async def test_a_parameter_that_does_not_fit_is_invalid(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/api/things?page=0")
    assert shape(answer) == (400, "invalid_parameter")
    assert list(answer.json()["details"]["fields"]) == ["page"]


async def test_unknown_paths_and_methods_under_api_are_json(admin: httpx.AsyncClient) -> None:
    assert shape(await admin.get("/api/nothing")) == (404, "not_found")
    assert shape(await admin.post("/api/nothing")) == (404, "not_found")
    assert shape(await admin.get("/api")) == (404, "not_found")
    assert shape(await admin.get("/api/things/")) == (404, "not_found")
    answer = await admin.delete("/api/things")
    assert shape(answer) == (405, "method_not_allowed")
    assert "allow" in answer.headers


async def test_a_bug_is_answered_with_an_id_and_nothing_else(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/things/break")
    assert shape(answer) == (500, "internal")
    assert answer.json()["details"] == {"id": answer.headers["x-request-id"]}
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_body_over_a_mebibyte_is_too_large_announced_or_not(admin: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield b"x" * 65536

    headers = {"content-type": "application/json"}
    announced = await admin.post("/api/things", content=b"x" * (MAX_BODY_BYTES + 1), headers=headers)
    assert shape(announced) == (413, "too_large")
    assert shape(await admin.post("/api/things", content=chunks(), headers=headers)) == (413, "too_large")
    uploaded = await admin.post("/api/uploads", content=b"x" * (MAX_BODY_BYTES + 1))
    assert uploaded.json() == {"size": MAX_BODY_BYTES + 1}


async def test_what_can_be_got_can_be_asked_about(admin: httpx.AsyncClient) -> None:
    answer = await admin.head("/api/things")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_every_answer_is_dressed_for_safety(admin: httpx.AsyncClient) -> None:
    for path in ("/api/things", "/api/nothing", "/", "/docs"):
        headers = (await admin.get(path, headers={"x-request-id": "mine-1"})).headers
        assert headers["x-request-id"] == "mine-1"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script-src 'unsafe" not in headers["content-security-policy"]
    assert "wss://localhost:8443" in (await admin.get("/")).headers["content-security-policy"]
    assert (await admin.get("/api/things")).headers["cache-control"] == "no-store"
    strange = await admin.get("/api/things", headers={"x-request-id": "a b"})
    assert strange.headers["x-request-id"].startswith("req_")


async def test_large_json_is_compressed_and_streams_are_not(admin: httpx.AsyncClient) -> None:
    async with admin.stream("GET", "/api/things", headers={"accept-encoding": "gzip"}) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) < 500 < len(gzip.decompress(raw))
    streamed = await admin.get("/api/things/stream", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in streamed.headers
    assert streamed.text.count("\n") == 3


async def test_the_portal_says_where_it_is(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/api/portal")).json() == {
        "version": "0.1.0",
        "domain": "localhost",
        "base_url": BASE_URL,
        "port": 8443,
        "app_domain": "localhost",
        "ca_path": "/ca.pem",
    }


async def test_requests_side_by_side_keep_their_actors_apart(house: Door) -> None:
    tokens = {name: await house.add_user(name, Role.USER) for name in ("ann", "bob", "cy")}

    async def name_of(token: str) -> str:
        async with house.client(token) as client:
            return str((await client.get("/api/things")).json()["by"])

    names = list(tokens) * 5
    assert await asyncio.gather(*(name_of(tokens[name]) for name in names)) == names
