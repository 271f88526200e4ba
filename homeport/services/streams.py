"""Logs and job streams: plain replies for clients that poll, WebSockets for those that follow."""

from __future__ import annotations

from datetime import datetime

import orjson
from fastapi import APIRouter, Response, WebSocket

from homeport.identity import Identity, Verb
from homeport.identity.guard import CurrentActor, require
from homeport.identity.sockets import POLICY, Socket
from homeport.kit.clock import parse_rfc3339
from homeport.kit.parameters import whole_number
from homeport.kit.problems import InvalidParameter
from homeport.kit.routes import Router
from homeport.services import schemas
from homeport.services.http import MAX_TAIL, answers, reply
from homeport.services.parts import Services
from homeport.services.units.problems import UnknownUnit

DEFAULT_TAIL = 100
MAX_GREP = 200  # characters


def _since(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return parse_rfc3339(text.replace(" ", "+"))  # a + in a query that nobody encoded
    except ValueError as problem:
        raise InvalidParameter(
            "since must be a time like 2026-03-29T10:00:00Z.", details={"fields": {"since": text[:80]}}
        ) from problem


def _tail(text: str | None) -> int:
    return whole_number(text, "tail", DEFAULT_TAIL, highest=MAX_TAIL)


def router(services: Services, identity: Identity) -> APIRouter:
    routes = Router()

    @routes.get(
        "/api/services/{ref}/logs",
        tags=["apps"],
        dependencies=[require(Verb.SERVICES_READ)],
        **answers(schemas.LogsOut),
    )
    async def get_logs(
        actor: CurrentActor,
        ref: str,
        tail: str | None = None,
        lines: str | None = None,
        since: str | None = None,
        grep: str | None = None,
        follow: str | None = None,  # noqa: ARG001 - without an upgrade it is the buffered tail, so that curl works
    ) -> Response:
        """The last lines of the log, oldest first; of a unit's journal, those that contain `grep`."""
        if unit := services.units.find(actor, ref):
            journals, number = services.units.units.journals, _tail(tail or lines)
            found = await journals.tail(unit, lines=number, since=_since(since), grep=(grep or "")[:MAX_GREP])
            return reply({"logs": [entry.body() for entry in found]})
        service_id = await services.catalogue.service_id(actor, ref)
        entries = await services.logs.tail(service_id, lines=_tail(tail or lines), since=_since(since))
        return reply({"logs": [orjson.Fragment(entry.json()) for entry in entries]})

    @routes.websocket("/api/services/{ref}/logs", dependencies=[require(Verb.SERVICES_READ)])
    async def follow_logs(
        websocket: WebSocket,
        actor: CurrentActor,
        ref: str,
        tail: str | None = None,
        lines: str | None = None,
        since: str | None = None,
        grep: str | None = None,
    ) -> None:
        """One JSON entry a message; a viewer that was too slow is told how many lines it missed."""
        wanted, oldest = _tail(tail or lines), _since(since)
        if unit := services.units.find(actor, ref):
            async with identity.socket(websocket, actor) as socket:
                await follow_journal(socket, unit, wanted, oldest, (grep or "")[:MAX_GREP])
            return
        try:
            service_id = await services.units.app(ref, lambda: services.catalogue.service_id(actor, ref))
        except UnknownUnit as unknown:  # a name: told after the upgrade (seed 000)
            async with identity.socket(websocket, actor) as socket:
                await socket.leave(POLICY, unknown.message)
            return
        async with (
            identity.socket(websocket, actor) as socket,
            services.logs.follow(service_id, lines=wanted, since=oldest) as entries,
        ):
            async for entry in entries:
                await socket.send(entry.text())

    async def follow_journal(socket: Socket, unit: str, lines: int, since: datetime | None, grep: str) -> None:
        journals = services.units.units.journals
        async with journals.follow(unit, lines=lines, since=since, grep=grep) as following:
            async for entry in following:
                await socket.send(entry.text())
        ending = following.ending
        await socket.send(ending.text())
        await socket.leave(ending.code, ending.reason)

    @routes.websocket("/api/jobs/{job_id}/stream", dependencies=[require(Verb.JOBS_READ)])
    async def follow_job(
        websocket: WebSocket,
        actor: CurrentActor,
        job_id: str,
        since: str | None = None,
        since_seq: str | None = None,
    ) -> None:
        """Every message after `since`, then each new one; closes with 1000 after the last."""
        await services.job(actor, job_id)
        after = whole_number(since or since_seq, "since", 0, lowest=0)
        async with identity.socket(websocket, actor) as socket:
            async for message in services.job_streams.follow(job_id, after):
                await socket.send(orjson.dumps(message).decode())

    return routes
