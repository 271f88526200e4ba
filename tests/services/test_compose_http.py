"""POST /api/compose/check: what a document would be, for whoever may deploy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from homeport.identity import Role
from homeport.services import compose_http
from homeport.settings import Settings
from homeport.storage import Database
from homeport.testing.door import Door, open_door

DOCUMENT = """
services:
  web:
    image: nginx:${TAG:-1}
    depends_on: [db]
    expose: [8080]
  db:
    image: postgres
    volumes: [data:/var/lib/postgresql/data]
    mem_limit: ${MEMORY}
volumes:
  data:
"""


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings(data_dir=tmp_path, app_memory_mb=100)
    async with open_door(database, tmp_path, lambda _: [compose_http.router(settings)]) as opened:
        yield opened


@pytest.fixture
async def admin(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.client(await door.admin_token()) as client:
        yield client


async def test_an_admitted_document_is_shown_as_it_would_run(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/api/compose/check", json={"compose": DOCUMENT, "variables": {"MEMORY": 1073741824}})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "ok": True,
        "violations": [],
        "services": [
            {
                "name": "db",
                "image": "postgres",
                "build": None,
                "ports": [],
                "volumes": ["data:/var/lib/postgresql/data"],
                "depends_on": [],
            },
            {"name": "web", "image": "nginx:1", "build": None, "ports": [8080], "volumes": [], "depends_on": ["db"]},
        ],
        "volumes": ["data"],
        "routed": "web",
        "port": 8080,
        "reason": "Requests go to web: it is the only one with a port; to port 8080: the first that it exposes.",
        "variables": ["TAG", "MEMORY"],
        "notes": ["services.db.mem_limit is capped at 100 MB."],
    }


async def test_every_violation_comes_with_its_path_reason_and_line(admin: httpx.AsyncClient) -> None:
    text = DOCUMENT.replace("    expose: [8080]", "    privileged: true\n    ports: ['80:80']")
    body = (await admin.post("/api/compose/check", json={"compose": text})).json()
    assert body["ok"] is False
    assert [(one["path"], one["line"]) for one in body["violations"]] == [
        ("services.web.privileged", 6),
        ("services.web.ports", 7),
        ("services.db.mem_limit", 11),
    ]
    assert all(one["reason"] for one in body["violations"])


async def test_what_the_portal_gives_every_app_need_not_be_set(admin: httpx.AsyncClient) -> None:
    text = "services: {web: {image: x, environment: {A: '${HOMEPORT_URL}', B: '$HOMEPORT_SERVICE'}}}"
    assert (await admin.post("/api/compose/check", json={"compose": text, "name": "shop"})).json()["ok"] is True


@pytest.mark.parametrize("text", ["", "a: [", "#" * 300_000, "a: &a [*a]", "\x00"])
async def test_any_text_is_answered_with_200(admin: httpx.AsyncClient, text: str) -> None:
    answer = await admin.post("/api/compose/check", json={"compose": text})
    assert answer.status_code == 200
    assert answer.json()["ok"] is False


async def test_half_of_a_character_is_told_in_words(admin: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/json"}
    answer = await admin.post("/api/compose/check", content=b'{"compose": "a: \\ud800"}', headers=headers)
    assert answer.status_code in (200, 400, 422)
    assert answer.json()


async def test_who_may_not_deploy_may_not_check_either(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as ann:
        answer = await ann.post("/api/compose/check", json={"compose": DOCUMENT})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
