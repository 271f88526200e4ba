"""The keys that seal secrets at rest: what needs which, and a new one."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from homeport.identity import Verb
from homeport.identity.guard import CurrentCall, require
from homeport.kit.clock import rfc3339
from homeport.kit.routes import Router
from homeport.storage import KeyRotation, KeyUse, Rotated


class RotateBody(BaseModel):
    """`drop_old`: forget older keys that nothing needs any more."""

    drop_old: bool = False


class KeyRow(BaseModel):
    id: str
    made_at: str | None
    current: bool
    values: int


class KeyList(BaseModel):
    keys: list[KeyRow]


class RotatedBody(BaseModel):
    """As `storage.Rotated` has it."""

    key: str
    resumed: bool
    rewrapped: int
    broken: list[str]
    dropped: list[str]
    kept: list[str]


def key_row(use: KeyUse) -> KeyRow:
    made: datetime | None = use.made_at
    return KeyRow(id=use.id, made_at=rfc3339(made) if made else None, current=use.current, values=use.values)


def rotated_body(rotated: Rotated) -> RotatedBody:
    return RotatedBody(
        key=rotated.key,
        resumed=rotated.resumed,
        rewrapped=rotated.rewrapped,
        broken=list(rotated.broken),
        dropped=list(rotated.dropped),
        kept=list(rotated.kept),
    )


def routes(rotation: KeyRotation) -> APIRouter:
    router = Router(prefix="/api/admin/keys", tags=["settings"])

    @router.get("", dependencies=[require(Verb.SETTINGS_READ)])
    async def list_keys() -> KeyList:
        """The keys that seal, the current one first, and how many values need each; never the keys themselves."""
        return KeyList(keys=[key_row(use) for use in await rotation.uses()])

    @router.post("/rotate", dependencies=[require(Verb.SETTINGS_WRITE, action="rotate_keys")])
    async def rotate_keys(call: CurrentCall, body: RotateBody | None = None) -> RotatedBody:
        """Seal with a new key from now on, and wrap every value anew under it."""
        rotated = await rotation.rotate(drop_old=body is not None and body.drop_old)
        call.concerns(
            "key", rotated.key, rewrapped=rotated.rewrapped, broken=len(rotated.broken), dropped=list(rotated.dropped)
        )
        return rotated_body(rotated)

    return router
