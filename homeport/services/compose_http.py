"""A look at a compose document before anything is deployed."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from homeport.identity import Verb
from homeport.identity.guard import require
from homeport.kit.routes import Router
from homeport.services import compose
from homeport.services.http import answers, reply
from homeport.settings import Settings

MAX_TEXT = 1_048_576  # characters; what is larger than a document may be is told as a violation up to here
DEPLOY = require(Verb.SERVICES_DEPLOY)


class ComposeCheckIn(BaseModel):
    """`name` is the app that it would become, which helps to find the service that gets the requests."""

    compose: str = Field(max_length=MAX_TEXT)
    variables: dict[str, str | bool | int | float | None] = Field(default_factory=dict, max_length=1000)
    name: Annotated[str, Field(max_length=63)] = ""


class ViolationOut(BaseModel):
    path: str
    reason: str
    line: int | None


class CheckedServiceOut(BaseModel):
    name: str
    image: str | None
    build: str | None
    ports: list[int]
    volumes: list[str]
    depends_on: list[str]


class ComposeCheckOut(BaseModel):
    """`services` stand in the order in which they start; `variables` are the names that the document asks for."""

    ok: bool
    violations: list[ViolationOut]
    services: list[CheckedServiceOut]
    volumes: list[str]
    routed: str | None
    port: int | None
    reason: str | None
    variables: list[str]
    notes: list[str]


def router(settings: Settings) -> APIRouter:
    routes = Router(tags=["apps"])

    @routes.post("/api/compose/check", dependencies=[DEPLOY], **answers(ComposeCheckOut))
    async def check_compose(wanted: ComposeCheckIn) -> Response:
        """What a compose document would be, and everything in it that is not accepted, with lines. Deploys nothing."""
        return reply(await asyncio.to_thread(_checked, wanted, settings))

    return routes


def _checked(wanted: ComposeCheckIn, settings: Settings) -> dict[str, Any]:
    name = wanted.name or "app"
    given = {"HOMEPORT_SERVICE": name, "HOMEPORT_URL": settings.app_url(name)}
    variables = {key: _text(value) for key, value in wanted.variables.items() if value is not None}
    limits = compose.StackLimits(memory_mb=settings.app_memory_mb, cpu=settings.app_cpu)
    return compose.inspect(wanted.compose, {**variables, **given}, name=wanted.name, limits=limits).body()


def _text(value: str | float) -> str:
    """People write PORT=1 and DEBUG=true."""
    return str(value).lower() if isinstance(value, bool) else str(value)
