"""/api/admin/retention: what is kept how long, what a run would delete, and running it (portal B5)."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, RootModel

from homeport.identity import Verb
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.kit.clock import rfc3339
from homeport.kit.routes import Router
from homeport.web.retention import Retention


class RetentionSetting(BaseModel):
    """`limits` is the name of what it limits in previews and runs. Days: 0 keeps for ever; records: 0 keeps none."""

    key: str
    limits: str
    unit: Literal["days", "records"]
    value: int
    default: int
    maximum: int
    meaning: str


class RetentionRun(BaseModel):
    at: str
    deleted: dict[str, int]
    errors: list[str]
    freed_bytes: int


class RetentionState(BaseModel):
    """Seed 002's keys, as text, stand at the top; `config` has them once more."""

    model_config = {"extra": "allow"}

    config: dict[str, str]
    settings: list[RetentionSetting]
    cleanup_interval_hours: str
    auto_vacuum: str
    last_run: RetentionRun | None
    next_run_at: str


class RetentionChanged(BaseModel):
    updated: list[str]
    config: dict[str, str]


class RetentionPreview(BaseModel):
    preview: dict[str, int]
    total: int


class RetentionDone(BaseModel):
    cleanup_complete: bool
    deleted: dict[str, int]
    errors: list[str]
    freed_bytes: int


class RetentionValues(RootModel[dict[str, int | str | bool]]):
    """Key to value; numbers may come as text."""


def routes(retention: Retention) -> APIRouter:
    router = Router(prefix="/api/admin/retention", tags=["administration"])

    @router.get("", dependencies=[require(Verb.SETTINGS_READ)])
    async def get_retention() -> RetentionState:
        """What is kept and for how long, the last run and the next."""
        config = retention.config()
        settings = [
            RetentionSetting(
                key=rule.key,
                limits=name,
                unit=rule.unit,
                value=retention.kept(rule),
                default=rule.default,
                maximum=rule.most,
                meaning=rule.meaning,
            )
            for name, rule in retention.rules
        ]
        state: dict[str, Any] = {
            **config,
            "config": config,
            "settings": settings,
            "last_run": retention.last_run,
            "next_run_at": rfc3339(retention.due_at),
        }
        return RetentionState(**state)

    @router.put("", dependencies=[require(Verb.RETENTION_WRITE)])
    async def set_retention(values: RetentionValues, actor: CurrentActor, call: CurrentCall) -> RetentionChanged:
        """Change some of the values; all of them or, when one does not fit, none."""
        updated = await retention.change(values.root, by=actor.id)
        config = retention.config()
        call.concerns("retention", "", changed={key: config[key] for key in updated})
        return RetentionChanged(updated=updated, config=config)

    @router.get("/preview", dependencies=[require(Verb.SETTINGS_READ)])
    async def preview_retention() -> RetentionPreview:
        """How many of each a run would delete now."""
        counts = await retention.preview()
        return RetentionPreview(preview=counts, total=sum(counts.values()))

    @router.post("/run", dependencies=[require(Verb.RETENTION_WRITE, action="retention_run")])
    async def run_retention(call: CurrentCall) -> RetentionDone:
        """Delete it now."""
        outcome = await retention.clean()
        deleted = {name: count for name, count in outcome.deleted.items() if count}
        call.concerns("retention", "", deleted=deleted)
        return RetentionDone(
            cleanup_complete=not outcome.errors,
            deleted=outcome.deleted,
            errors=outcome.errors,
            freed_bytes=outcome.freed_bytes,
        )

    return router
