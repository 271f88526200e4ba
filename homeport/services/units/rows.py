"""Units as the API shows them: the superset row of a service, null where a field means nothing for a unit."""

from __future__ import annotations

from typing import Any

from homeport.services.units.status import UnitStatus
from homeport.services.units.units import ACTIONS, ID_PREFIX

# Fields of other kinds of services.
_NOTHING = (
    "url", "customer_id", "template", "deploy_method", "created_at", "updated_at", "plugin", "path", "icon", "hostname",
    "current_host", "machine_name", "port", "deploy_job_id", "release", "error",
)  # fmt: skip


def unit_row(status: UnitStatus, now: float, *, own: str) -> dict[str, Any]:
    """One unit; `now` in seconds of CLOCK_MONOTONIC."""
    return {
        "id": f"{ID_PREFIX}{status.name}",
        "name": status.name,
        "kind": "unit",
        "status": status.status,
        "uptime": status.uptime(now),
        "uptime_seconds": status.uptime_seconds(now),
        **dict.fromkeys(_NOTHING),
        "display_name": status.name,
        "description": status.description,
        "resources": {
            "cpu_usage": None,
            "memory_usage_mb": None if status.memory_bytes is None else round(status.memory_bytes / 1048576),
            "memory_limit_mb": None,
        },
        "category": "system",
        "enabled": status.file_state in ("enabled", "enabled-runtime"),
        "deployment_type": "systemd",
        "dependencies": [],
        "tls_enabled": False,
        "requires_auth": False,
        "health_status": "unknown",
        "active_state": status.active_state,
        "sub_state": status.sub_state,
        "load_state": status.load_state,
        "unit_file_state": status.file_state,
        "result": status.result,
        "pid": status.pid,
        "cpu_seconds": status.cpu_seconds,
        "restarts": status.restarts,
        "exit_code": status.exit_code,
        "can_reload": status.can_reload,
        "actions": [
            action
            for action in ACTIONS
            if not (action == "stop" and status.name == own) and (action != "reload" or status.can_reload)
        ],
    }


def action_reply(status: UnitStatus, action: str, now: float, *, own: str) -> dict[str, Any]:
    """What a successful action answers: the echo of seed 000, and the state after it."""
    itself = status.name == own and action == "restart"
    row = unit_row(status, now, own=own)
    return {
        "ok": True,
        "success": True,
        "id": row["id"],
        "name": status.name,
        "action": action,
        "status": status.status,
        "message": "The portal restarts; it is back in a moment" if itself else f"{action}: {status.status}",
        **{name: row[name] for name in ("uptime", "uptime_seconds", "active_state", "sub_state")},
    }
