"""What a portal should not have left behind: instances, processes and folders that belong to no service."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

APP = "HOMEPORT_SERVICE"  # in the environment of every app's process


def leftovers(data_dir: Path, services: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence for each. `services` is the API's directory; no deploy may be under way."""
    known = {service["id"]: service for service in services}
    found = []
    live: dict[str, str] = {}
    for state in data_dir.glob("instances/*/state.json"):
        told = json.loads(state.read_text())
        owner = told["service_id"]
        if owner not in known:
            found.append(f"instance {state.parent.name} of the unknown service {owner}")
        elif owner in live:
            found.append(f"two instances of {known[owner]['name']}: {live[owner]} and {state.parent.name}")
        live[owner] = state.parent.name
    folders = (folder.name for folder in (data_dir / "services").iterdir())
    found += [f"folder of the unknown service {name}" for name in folders if name not in known]
    unfinished = [*data_dir.glob("services/*/releases/.*"), *data_dir.glob("uploads/*.partial")]
    found += [f"unfinished: {path.relative_to(data_dir)}" for path in unfinished]
    names = sorted(name for name in map(_app_of, _processes(data_dir)) if name)
    expected = sorted(service["name"] for service in services if service["status"] == "running")
    if names != expected:
        found.append(f"app processes of {names}, expected {expected}")
    return found


def _processes(data_dir: Path) -> list[psutil.Process]:
    """Main processes of apps whose folder is below the data directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd().startswith(str(data_dir / "services")):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    pids = {process.pid for process in found}
    return [process for process in found if process.ppid() not in pids]


def _app_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(APP)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
