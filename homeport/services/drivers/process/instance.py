"""One instance as it stands on disk and in the kernel: what its supervisor says, and the proof that it lives."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeport.services.drivers import InstanceState, Observation

MARKER = "HOMEPORT_INSTANCE"  # the variable by which every process of an instance is known to be ours
_FLOCK = "hhqqi"  # struct flock: type, whence, start, length, pid


@dataclass(frozen=True)
class Instance:
    """A directory below `data_dir/instances`. Everything here blocks: call it in a thread."""

    id: str
    directory: Path

    def exists(self) -> bool:
        return (self.directory / "state.json").exists()

    def holder(self) -> int | None:
        """The pid of the supervisor, which the kernel names as the holder of the lock; None when it is dead."""
        try:
            fd = os.open(self.directory / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, question))
        finally:
            os.close(fd)
        return pid if kind != fcntl.F_UNLCK and pid > 0 else None

    def supervisor(self) -> tuple[int, int] | None:
        """A pidfd and the pid of the supervisor: asked again after opening, so it can be nobody else."""
        pid = self.holder()
        if pid is None:
            return None
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        if self.holder() != pid:
            os.close(fd)
            return None
        return fd, pid

    def read(self) -> dict[str, Any]:
        """What the supervisor wrote last; empty when it wrote nothing, or a crash of the machine tore it."""
        try:
            state = json.loads((self.directory / "state.json").read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def look(self) -> tuple[bool, dict[str, Any]]:
        """Whether the supervisor lives, and its state; in this order, so that a dead one has said its last."""
        alive = self.holder() is not None
        return alive, self.read()

    def write(self, state: dict[str, Any]) -> None:
        """Speak for a supervisor that is dead."""
        new = self.directory / f"state.{secrets.token_hex(4)}"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(state, file)
        new.replace(self.directory / "state.json")

    def ask_to_stop(self, grace: float) -> None:
        """Have the supervisor end the app and itself; does nothing when it is dead."""
        found = self.supervisor()
        if found is None:
            return
        fd, _ = found
        try:
            new = self.directory / "grace.new"
            new.write_text(str(grace))
            new.replace(self.directory / "grace")
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(fd, signal.SIGTERM)
        finally:
            os.close(fd)

    def kill_leftovers(self, nonce: str, groups: list[Path], patience: float = 10.0) -> int:
        """After the supervisor's death: SIGKILL whatever bears the instance's mark or sits in its groups.

        Each process is held by a pidfd while it is checked. Returns how many were killed.
        """
        killed: set[int] = set()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            found = False
            for pid in [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]:
                if self._kill_ours(pid, nonce, groups):
                    killed.add(pid)
                    found = True
            if not found:
                break
            time.sleep(0.01)
        return len(killed)

    def _kill_ours(self, pid: int, nonce: str, groups: list[Path]) -> bool:
        if pid == os.getpid():
            return False
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            if not self._is_ours(pid, nonce, groups):
                return False
            signal.pidfd_send_signal(fd, signal.SIGKILL)
        except ProcessLookupError:
            return False
        else:
            return True
        finally:
            os.close(fd)

    def _is_ours(self, pid: int, nonce: str, groups: list[Path]) -> bool:
        try:
            if Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in {b"Z", b"X"}:
                return False
            memberships = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
            if any(line.endswith(f"/{group.parent.name}/{group.name}") for line in memberships for group in groups):
                return True
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # ended meanwhile, or another user's: then it is not ours
            return False
        return bool(nonce) and f"{MARKER}={self.id}.{nonce}".encode() in environ.split(b"\0")

    def observation(self, state: dict[str, Any]) -> Observation:
        return Observation(
            id=self.id,
            service_id=str(state.get("service_id", "")),
            state=InstanceState(state.get("state", "lost")),
            pid=state.get("pid"),
            port=state.get("port"),
            started_at=_instant(state.get("started_at")),
            restarts=state.get("restarts", 0),
            exit_code=state.get("exit_code"),
            reason=state.get("reason"),
            retry_at=_instant(state.get("retry_at")),
        )


def _instant(nanoseconds: int | None) -> datetime | None:
    return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / 1e9, UTC)
