"""What happened: the audit log for moderators and up, everybody's own activity."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter

from homeport.identity import Identity
from homeport.identity.access import Verb, allowed
from homeport.identity.audit import AuditQuery
from homeport.identity.guard import CurrentActor, require
from homeport.identity.models import AuditRecord
from homeport.identity.retention import ACTIVITY_RULE
from homeport.kit.clock import parse_rfc3339, rfc3339_ms
from homeport.kit.parameters import whole_number
from homeport.kit.problems import InvalidParameter
from homeport.kit.routes import Router

READ = require(Verb.AUDIT_READ)


def routes(identity: Identity) -> APIRouter:
    router = Router(prefix="/api", tags=["audit"])
    audit, options = identity.audit, identity.options

    @router.get("/admin/audit-log", dependencies=[READ])
    async def list_audit_log(
        limit: str | None = None,
        offset: str | None = None,
        action: str | None = None,
        actor_id: str | None = None,
        target_type: str | None = None,
        result: str | None = None,
        since: str | None = None,
        channel_id: str | None = None,
    ) -> dict[str, Any]:
        """Who did what, the newest first; `limit` 50, 200 at most."""
        wanted = AuditQuery(action=action, actor=actor_id, target_type=target_type, result=result, since=_since(since))
        if channel_id:  # a channel's own acts; there are no others that concern it
            wanted = AuditQuery(action=action, actor=actor_id, target_type="channel", target=channel_id)
        entries, total = await audit.page(wanted, *_window(limit, offset, 50, 200))
        return {"entries": [_entry(record) for record in entries], "total": total}

    @router.get("/admin/audit-log/verify", dependencies=[READ])
    async def verify_audit_log() -> dict[str, Any]:
        """Read every record and check that none was changed, removed or put in."""
        verdict = await audit.verify()
        return {"intact": verdict.intact, "records": verdict.records, "problems": list(verdict.problems)}

    @router.get("/activity", dependencies=[require(Verb.ACCOUNT_SELF)])
    async def list_activity(actor: CurrentActor, limit: str | None = None, offset: str | None = None) -> dict[str, Any]:
        """The latest acts: all of them for administrators, one's own for everybody else."""
        everybodys = actor.role.is_admin and allowed(actor, Verb.AUDIT_READ)
        wanted = AuditQuery(actor=None if everybodys else actor.id, result="done")
        wished, start = _window(limit, offset, 20, 50)
        reach = int(options.get(ACTIVITY_RULE.key, ACTIVITY_RULE.default))  # an administrator says how far back
        found, total = await audit.page(wanted, max(0, min(wished, reach - start)), start)
        return {"activities": [_activity(record) for record in found], "total": min(total, reach)}

    return router


def _window(limit: str | None, offset: str | None, default: int, most: int) -> tuple[int, int]:
    return (
        whole_number(limit, "limit", default, highest=most),
        whole_number(offset, "offset", 0, lowest=0, highest=1_000_000_000),
    )


def _since(text: str | None) -> str | None:
    if not text:
        return None
    try:
        return rfc3339_ms(parse_rfc3339(text))
    except ValueError as problem:
        raise InvalidParameter("since is a time such as 2026-11-21T08:00:00Z.") from problem


def _entry(record: AuditRecord) -> dict[str, Any]:
    is_channel = record.target_type == "channel"
    return {
        "id": record.id,
        "created_at": record.created_at,
        "actor_id": record.actor_number,
        "actor_username": record.actor_name,
        "user_id": record.actor_id,
        "credential": record.credential,
        "ip_address": record.address,
        "action": record.action,
        "target_type": record.target_type,
        "target_id": record.target_id,
        "target_name": record.target_id,
        "result": record.result,
        "status": record.status,
        "details": json.loads(record.details),
        "channel_id": record.target_id if is_channel else None,
        "channel_name": record.target_id if is_channel else None,
    }


def _activity(record: AuditRecord) -> dict[str, Any]:
    sentence = _sentence(record)
    return {
        "id": record.id,
        "user_id": record.actor_number,
        "username": record.actor_name,
        "action": record.action,
        "details": sentence,
        "detail": sentence,
        "ip_address": record.address,
        "created_at": record.created_at,
    }


def _sentence(record: AuditRecord) -> str:
    """`Create api key` and what it was done to: the route's name in words."""
    words = record.action.replace("_", " ").replace(".", " ")
    return f"{words[:1].upper()}{words[1:]} {record.target_id}".rstrip()
