"""/api/settings: the portal's own address, what people may make, how often they may ask (portal B4)."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from homeport.identity import Verb
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.kit.clock import Clock
from homeport.kit.problems import ValidationFailed
from homeport.kit.routes import Router
from homeport.settings import Settings, shown
from homeport.storage import Options
from homeport.web.config_file import COMMAND_LINE, ENVIRONMENT, ConfigFile

_HOSTNAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
# Seed 002's word for a setting, and ours.
_ADDRESS = {"hostname": "domain", "stream_hostname": "stream_domain", "port": "port"}
PERMISSIONS = ("allow_user_connections", "allow_user_streams", "allow_registration")


class SettingRow(BaseModel):
    """`value` is what the portal runs with; `next` what it would start with, where that is something else."""

    name: str
    value: Any
    next: Any = None
    changes_at_restart: bool = False
    source: str
    description: str


class SettingRows(BaseModel):
    settings: list[SettingRow]


class PortalAddress(BaseModel):
    """What the next start will use. `overruled` names those that the command line or the environment decides."""

    hostname: str
    stream_hostname: str
    port: int
    restart_required: bool
    overruled: list[str]
    base_url: str


class NewAddress(BaseModel):
    """What is not given stays; an empty `stream_hostname` is the portal's own."""

    hostname: str | None = Field(None, max_length=253)
    stream_hostname: str | None = Field(None, max_length=253)
    port: int | None = Field(None, ge=1, le=65535)


class UserPermissions(BaseModel):
    """What people who are no administrators may do."""

    allow_user_connections: bool
    allow_user_streams: bool
    allow_registration: bool


class NewUserPermissions(BaseModel):
    """What is not given stays."""

    allow_user_connections: bool | None = None
    allow_user_streams: bool | None = None
    allow_registration: bool | None = None


class RateLimitSettings(BaseModel):
    """Requests a minute, 0 for no limit; `sockets_per_user` is open WebSockets."""

    api: int
    pages: int
    auth: int
    sockets_per_user: int
    storage: Literal["memory", "redis"]


def routes(settings: Settings, file: ConfigFile, options: Options, clock: Clock) -> APIRouter:
    router = Router(prefix="/api/settings", tags=["administration"])
    read, write = require(Verb.SETTINGS_READ), require(Verb.SETTINGS_WRITE)

    async def address() -> PortalAddress:
        coming = await asyncio.to_thread(file.at_next_start)
        values: dict[str, Any] = {word: coming[name].value for word, name in _ADDRESS.items()}
        return PortalAddress(
            **values,
            restart_required=any(coming[name].value != getattr(settings, name) for name in _ADDRESS.values()),
            overruled=[
                word for word, name in _ADDRESS.items() if coming[name].source.startswith((COMMAND_LINE, ENVIRONMENT))
            ],
            base_url=settings.base_url,
        )

    @router.get("", dependencies=[read])
    async def list_settings() -> SettingRows:
        """Every setting as `homeport config` shows it: with its source, without secrets."""
        rows = []
        for name, coming in (await asyncio.to_thread(file.at_next_start)).items():
            value, after = shown(name, getattr(settings, name)), shown(name, coming.value)
            changes = getattr(settings, name) != coming.value
            rows.append(
                SettingRow(
                    name=name,
                    value=value,
                    next=after if changes else None,
                    changes_at_restart=changes,
                    source=coming.source,
                    description=coming.description,
                )
            )
        return SettingRows(settings=rows)

    @router.get("/hostname", dependencies=[read])
    async def get_hostname() -> PortalAddress:
        """The portal's host names and port."""
        return await address()

    @router.put("/hostname", dependencies=[write])
    async def set_hostname(body: NewAddress, call: CurrentCall) -> PortalAddress:
        """Write them to homeport.toml; they count from the next start on."""
        before = await address()
        given = {
            word: value for word, value in body.model_dump(exclude_none=True).items() if value != getattr(before, word)
        }
        wrong: dict[str, str] = {}
        for word, value in given.items():
            if word in before.overruled:
                wrong[word] = "the command line or the environment of the portal decides this"
            elif word != "port" and not _HOSTNAME.fullmatch(value) and (value or word == "hostname"):
                wrong[word] = "letters, digits, '.', '_' and '-', beginning and ending with a letter or digit"
        if wrong:
            raise ValidationFailed(wrong)
        values = {_ADDRESS[word]: _lower(value) for word, value in given.items()}
        if values:
            await asyncio.to_thread(file.write, values)
        call.concerns("setting", "hostname", changed=values)
        return await address()

    @router.get("/permissions", dependencies=[read])
    async def get_permissions() -> UserPermissions:
        """What people who are no administrators may do."""
        return _permissions(options)

    @router.put("/permissions", dependencies=[write])
    async def set_permissions(body: NewUserPermissions, actor: CurrentActor, call: CurrentCall) -> UserPermissions:
        """Change it; it counts at once."""
        given = body.model_dump(exclude_none=True)
        if given:
            await options.set(given, now=clock.now(), by=actor.id)
        call.concerns("setting", "permissions", changed=given)
        return _permissions(options)

    @router.get("/rate-limits", dependencies=[read])
    async def get_rate_limits() -> RateLimitSettings:
        """How often somebody may ask; set in homeport.toml."""
        return RateLimitSettings(
            api=settings.rate_limit_api,
            pages=settings.rate_limit_pages,
            auth=settings.rate_limit_auth,
            sockets_per_user=settings.sockets_per_user,
            storage="redis" if settings.redis_url.get_secret_value() else "memory",
        )

    return router


def _permissions(options: Options) -> UserPermissions:
    return UserPermissions(**{name: bool(options.get(name, True)) for name in PERMISSIONS})


def _lower(value: str | int) -> str | int:
    return value.lower() if isinstance(value, str) else value
