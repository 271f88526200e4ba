"""What the engine says of a container (ContainerInspect), as the portal's own words: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from homeport.services.docker import labels
from homeport.services.drivers import InstanceState, Observation, Part

Inspected = Mapping[str, Any]

_FIRST_DELAY = timedelta(milliseconds=100)  # the engine's own back-off: doubles to a minute
_LONGEST_DELAY = timedelta(minutes=1)
_SIGNALS = 128  # an exit code beyond it stands for a signal, as shells write it


def instant(text: str | None) -> datetime | None:
    """The engine's time, with up to nanoseconds; None for never (year 1)."""
    if not text or text.startswith("0001-"):
        return None
    cut = re.sub(r"(\.\d{6})\d*", r"\1", text)
    return datetime.fromisoformat(cut).astimezone(UTC)


def exit_code(code: int) -> int:
    """Negative: killed by that signal."""
    return _SIGNALS - code if _SIGNALS < code < _SIGNALS + 65 else code


def why(code: int, *, over_memory: bool = False, memory: int = 0) -> str:
    """Why it ended; `memory` is its limit in bytes."""
    if over_memory:
        return f"killed: over its memory limit of {memory >> 20} MB"
    return f"exited with code {code}" if code >= 0 else f"killed by signal {-code}"


def observation(told: Inspected, *, wanted: bool, last_exit: int | None = None) -> Observation:
    """Of a routed container. `wanted`: nobody asked for it to stop; `last_exit` is of the run before this one."""
    state, found = told["State"], told["Config"]["Labels"]
    restarts = int(told["RestartCount"])
    code: int | None = exit_code(int(state["ExitCode"]))
    reason: str | None = why(code or 0, over_memory=state["OOMKilled"], memory=told["HostConfig"]["Memory"])
    retry_at = None
    if state["Restarting"]:
        kind = InstanceState.BACKOFF
        ended = instant(state["FinishedAt"])
        delay = min(_FIRST_DELAY * 2 ** min(max(0, restarts - 1), 10), _LONGEST_DELAY)
        retry_at = ended + delay if ended else None
    elif state["Running"]:
        kind, code, reason = InstanceState.RUNNING, last_exit, None
    elif wanted and instant(state["StartedAt"]) is not None:
        kind, reason = InstanceState.LOST, f"lost: stopped by somebody else ({reason})"
    else:
        kind, reason = InstanceState.STOPPED, "stopped"
        if instant(state["StartedAt"]) is None:
            code = None
    running = kind is InstanceState.RUNNING
    return Observation(
        id=found[labels.RELEASE],
        service_id=found[labels.SERVICE],
        state=kind,
        pid=int(state["Pid"]) or None if running else None,
        port=int(found[labels.PORT]),
        started_at=instant(state["StartedAt"]),
        restarts=restarts,
        exit_code=code,
        reason=reason,
        retry_at=retry_at,
    )


def part(told: Inspected, *, cpu: float | None, memory_bytes: int | None) -> Part:
    """Of any container of ours."""
    state, found = told["State"], told["Config"]["Labels"]
    running = bool(state["Running"]) and not state["Restarting"]
    name = "backoff" if state["Restarting"] else "running" if running else "exited"
    if state["Status"] == "created":
        name = "created"
    elif name == "exited" and found.get(labels.RELEASE):
        name = "stopped"
    port = found.get(labels.PORT)
    return Part(
        name=told["Name"].lstrip("/"),
        part=found.get(labels.PART, ""),
        state=name,
        image=told["Config"]["Image"],
        health=(state.get("Health") or {}).get("Status"),
        started_at=instant(state["StartedAt"]),
        restarts=int(told["RestartCount"]),
        exit_code=None if running or name == "created" else exit_code(int(state["ExitCode"])),
        cpu=cpu,
        memory_bytes=memory_bytes,
        ports=(int(port),) if port else (),
        release_id=found.get(labels.RELEASE),
    )
