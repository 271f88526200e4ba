"""What systemd says about units, read from one `systemctl show` of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homeport.kit.durations import spell

PROPERTIES = (
    "Id", "Description", "LoadState", "ActiveState", "SubState", "ActiveEnterTimestampMonotonic", "MainPID",
    "MemoryCurrent", "CPUUsageNSec", "NRestarts", "ExecMainStatus", "Result", "UnitFileState", "CanStart", "CanStop",
    "CanReload",
)  # fmt: skip
# The words of seed 000. A reloading unit serves, and `systemctl is-active` counts it as active.
_WORDS = {"active": "active", "reloading": "active", "inactive": "inactive", "failed": "failed"}
_LARGEST = 2**64 - 1  # systemd's "not set"


@dataclass(frozen=True)
class UnitStatus:
    """One unit. `active_since` is in seconds of CLOCK_MONOTONIC, None unless active; memory is bytes, CPU seconds."""

    name: str
    status: str = "unknown"
    active_state: str | None = None
    sub_state: str | None = None
    load_state: str | None = None
    description: str | None = None
    file_state: str | None = None
    result: str | None = None
    active_since: float | None = None
    pid: int | None = None
    memory_bytes: int | None = None
    cpu_seconds: float | None = None
    restarts: int = 0
    exit_code: int | None = None
    can_reload: bool = False

    def uptime_seconds(self, now: float) -> int | None:
        """`now` in seconds of CLOCK_MONOTONIC: no time zone and no clock that is set can make it wrong."""
        return None if self.active_since is None else max(0, int(now - self.active_since))

    def uptime(self, now: float) -> str | None:
        """`5d 3h 20m`; None unless active."""
        seconds = self.uptime_seconds(now)
        return None if seconds is None else spell(seconds)


def read_show(output: str, names: Sequence[str]) -> list[UnitStatus]:
    """One status a name, in order. systemctl answers a block a unit in the order asked; what is missing is unknown."""
    blocks = [_block(text) for text in output.strip("\n").split("\n\n")] if output.strip() else []
    if len(blocks) != len(names):
        return [UnitStatus(name) for name in names]
    return [_status(name, block) for name, block in zip(names, blocks, strict=True)]


def _block(text: str) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}


def _status(name: str, shown: Mapping[str, str]) -> UnitStatus:
    state = shown.get("ActiveState", "")
    status = _WORDS.get(state, "unknown")
    entered = _number(shown, "ActiveEnterTimestampMonotonic")  # microseconds
    cpu = _number(shown, "CPUUsageNSec")
    return UnitStatus(
        name,
        status,
        active_state=state or None,
        sub_state=shown.get("SubState") or None,
        load_state=shown.get("LoadState") or None,
        description=shown.get("Description") or None,
        file_state=shown.get("UnitFileState") or None,
        result=shown.get("Result") or None,
        active_since=entered / 1e6 if status == "active" and entered else None,
        pid=_number(shown, "MainPID") or None,
        memory_bytes=_number(shown, "MemoryCurrent"),
        cpu_seconds=None if cpu is None else cpu / 1e9,
        restarts=_number(shown, "NRestarts") or 0,
        exit_code=_number(shown, "ExecMainStatus"),
        can_reload=shown.get("CanReload") == "yes",
    )


def _number(shown: Mapping[str, str], name: str) -> int | None:
    text = shown.get(name, "")
    return int(text) if text.isdecimal() and int(text) != _LARGEST else None
