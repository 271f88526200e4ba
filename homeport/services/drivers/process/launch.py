"""Starts a supervisor: no child of ours, everything it needs to know through a pipe."""

from __future__ import annotations

import marshal
import math
import os
import subprocess
import zlib
from pathlib import Path
from typing import Any, cast

from homeport.kit.masking import Masker
from homeport.services.drivers import InstanceSpec
from homeport.services.drivers.process.groups import ControlGroups
from homeport.services.drivers.process.instance import MARKER
from homeport.services.drivers.process.supervisor.spec import Spec
from homeport.services.problems import StartFailed

PROGRAM = Path(__file__).parent / "supervisor" / "run.py"
PATIENCE = 30  # seconds until the app's process exists


def launch(spec: InstanceSpec, directory: Path, python: str, groups: ControlGroups, nonce: str) -> None:
    """Returns when the app's process exists. Raises StartFailed. Blocks: call it in a thread."""
    spec.log_dir.mkdir(parents=True, exist_ok=True)
    (directory / "grace").unlink(missing_ok=True)
    errors = os.open(directory / "supervisor.err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        child = subprocess.Popen(
            [python, "-I", "-S", str(PROGRAM), str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={},
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(errors)
    try:
        answer, _ = child.communicate(_words(spec, groups, nonce), timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise StartFailed(f"{spec.argv[0]} did not start within {PATIENCE} s") from None
    if answer != b"ok":
        why = answer.decode("utf-8", "replace") or (directory / "supervisor.err").read_text(errors="replace")[-500:]
        raise StartFailed(f"{spec.argv[0]} could not be started: {Masker(spec.secrets).mask(why)}")


def _words(spec: InstanceSpec, groups: ControlGroups, nonce: str) -> bytes:
    """The spec as the supervisor reads it: plain types only."""
    env = {**spec.env, MARKER: f"{spec.id}.{nonce}"}
    held = groups.controllers
    words: Spec = {
        "id": spec.id,
        "service_id": spec.service_id,
        "nonce": nonce,
        "argv": [os.fsencode(word) for word in spec.argv],
        "env": {os.fsencode(name): os.fsencode(value) for name, value in env.items()},
        "cwd": os.fsencode(spec.cwd),
        "port": spec.port,
        "uid": spec.uid if os.geteuid() == 0 else None,
        "log": str(spec.log_dir / f"{spec.id}.log"),
        "log_limit": spec.log_limit_mb << 20,
        "needles": [needle.encode() for needle in Masker(spec.secrets).needles],
        "restart_delay": spec.restart_delay.total_seconds(),
        "groups": groups.of(spec.id, spec.limits),
        "memory_mb": spec.limits.memory_mb,
        "pids": spec.limits.pids,
        "watch_memory": "memory" not in held,
        "watch_pids": "pids" not in held,
        "confinement": spec.confinement.as_lists() if spec.confinement else None,
        "cpus": [] if "cpu" in held else some_cpus(spec.id, spec.limits.cpu),
    }
    return marshal.dumps(cast(Any, words))  # a TypedDict of plain types is a dict to marshal


def some_cpus(instance_id: str, cores: float) -> list[int]:
    """As many of our CPUs as `cores` asks for, spread over instances; empty when that is all of them."""
    ours = sorted(os.sched_getaffinity(0))
    count = max(1, math.ceil(cores))
    if count >= len(ours):
        return []
    first = zlib.crc32(instance_id.encode()) % len(ours)
    return [ours[(first + step) % len(ours)] for step in range(count)]
