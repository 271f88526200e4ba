"""A portal with certificates handed out, on each database in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, WebSocket

from homeport.identity import Identity
from homeport.identity.access import Verb
from homeport.identity.guard import CurrentActor, require
from homeport.storage import Database
from homeport.testing.client_certificates import der_of
from homeport.testing.door import Door, open_door


def services(identity: Identity) -> APIRouter:
    """Routes with the permissions of seed 000's, and what they saw."""
    router = APIRouter()

    @router.get("/api/services", dependencies=[require(Verb.SERVICES_READ)])
    async def listservices(actor: CurrentActor) -> dict[str, Any]:
        return {"kind": actor.kind, "name": actor.name, "id": actor.id, "role": actor.role}

    @router.post("/api/services/{name}/restart", dependencies=[require(Verb.SERVICES_WRITE)])
    async def restart(name: str, actor: CurrentActor) -> dict[str, Any]:
        return {"ok": True, "name": name, "by": actor.name}

    @router.websocket("/api/services/{name}/logs", dependencies=[require(Verb.SERVICES_READ)])
    async def follow(websocket: WebSocket, actor: CurrentActor, name: str) -> None:
        async with identity.socket(websocket, actor) as socket:
            await socket.send(name)
            await asyncio.Event().wait()

    return router


@pytest.fixture
async def door(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    settings = {"certificate_proxies": ("10.9.0.0/16",)}
    async with open_door(database, tmp_path, lambda identity: [services(identity)], settings=settings) as opened:
        yield opened


@pytest.fixture
async def admin(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.client(await door.admin_token()) as client:
        yield client


async def issue(admin: httpx.AsyncClient, label: str, capabilities: Sequence[str], **more: Any) -> Mapping[str, Any]:
    """What the portal answers to an administrator who wants a certificate (PEM) for a machine."""
    body = {"label": label, "capabilities": list(capabilities), "format": "pem", **more}
    answer = await admin.post("/api/certs/agent", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def own(client: httpx.AsyncClient, **body: Any) -> Mapping[str, Any]:
    """A certificate of a person's own."""
    answer = await client.post("/api/me/certificates", json={"label": "laptop", "format": "pem", **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def holding(door: Door, made: Mapping[str, Any], token: str | None = None) -> httpx.AsyncClient:
    """A client with that certificate at the port that asks for one."""
    return door.certificate_client(der_of(str(made["cert"])), token)
