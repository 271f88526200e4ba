"""Which control groups we may use, and what an instance's limits are in them.

A controller is used where nobody else rules: at the root of its hierarchy, or below a group that was delegated to us
(systemd's CGROUP_DELEGATION: `Delegate=yes` with `DelegateSubgroup=`). Elsewhere the supervisor watches instead.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homeport.services.drivers import Limits

PERIOD = 100_000  # microseconds
CONTROLLERS = ("memory", "pids", "cpu")


@dataclass(frozen=True)
class ControlGroups:
    """`homes` maps a directory of ours to the controllers that it has; each instance gets a group in every home."""

    homes: tuple[tuple[Path, frozenset[str]], ...] = ()
    unified: Path | None = None  # the one of `homes` that is cgroup v2

    @property
    def controllers(self) -> frozenset[str]:
        """Those of memory, pids and cpu that the kernel holds for us."""
        return frozenset().union(*(names for _, names in self.homes))

    def of(self, instance_id: str, limits: Limits) -> list[tuple[str, list[tuple[str, str]]]]:
        """The instance's groups, each with the files to write in it."""
        return [
            (str(home / instance_id), [value for name in sorted(names) for value in self._values(home, name, limits)])
            for home, names in self.homes
        ]

    def directories(self, instance_id: str) -> list[Path]:
        return [home / instance_id for home, _ in self.homes]

    def _values(self, home: Path, controller: str, limits: Limits) -> list[tuple[str, str]]:
        memory, quota = str(limits.memory_mb << 20), str(max(1000, int(limits.cpu * PERIOD)))
        if controller == "pids":
            return [("pids.max", str(limits.pids))]
        if home == self.unified:
            if controller == "memory":
                return [("memory.max", memory), ("memory.oom.group", "1")]
            return [("cpu.max", f"{quota} {PERIOD}")]
        if controller == "memory":
            return [("memory.limit_in_bytes", memory)]
        return [("cpu.cfs_period_us", str(PERIOD)), ("cpu.cfs_quota_us", quota)]

    def remove(self, instance_id: str) -> None:
        """Remove the instance's groups; those in which something still runs stay."""
        for directory in self.directories(instance_id):
            with suppress(OSError):
                directory.rmdir()

    def close(self) -> None:
        """Remove our homes where no instance is left in them."""
        for home, _ in self.homes:
            with suppress(OSError):
                home.rmdir()


def find_groups(
    label: str, *, mount: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> ControlGroups:
    """Make a home called `label` in each hierarchy that is ours to use. Never raises: none is a fine answer."""
    homes: list[tuple[Path, frozenset[str]]] = []
    unified: Path | None = None
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return ControlGroups()
    for line in lines:
        _, names, path = line.split(":", 2)
        if not names:
            at = mount / "unified" if (mount / "unified").is_dir() else mount
            if (at / "cgroup.procs").exists() and (home := _make_home(at, path, label)):
                homes.append((home, _enable(home)))
                unified = home
            continue
        wanted = frozenset(names.split(",")) & frozenset(CONTROLLERS)
        at = mount / names
        if wanted and at.is_dir() and (home := _make_home(at, path, label)):
            homes.append((home, wanted))
    return ControlGroups(tuple(homes), unified)


def _make_home(mount: Path, path: str, label: str) -> Path | None:
    own = mount / path.lstrip("/")
    if path == "/":
        base = own
    elif _delegated(own.parent):
        base = own.parent
    else:
        return None
    home = base / label
    try:
        home.mkdir(exist_ok=True)
    except OSError:
        return None
    return home if os.access(home, os.W_OK) else None


def _delegated(directory: Path) -> bool:
    for attribute in ("user.delegate", "trusted.delegate"):
        with suppress(OSError):
            if os.getxattr(directory, attribute) == b"1":
                return True
    try:
        owner = directory.stat().st_uid
    except OSError:
        return False
    return os.geteuid() != 0 and owner == os.geteuid()


def _enable(home: Path) -> frozenset[str]:
    """Hand the controllers down to `home` and to the groups in it (v2); those that did not come are left out."""
    enabled = set()
    for controller in CONTROLLERS:
        with suppress(OSError):
            for directory in (home.parent, home):
                (directory / "cgroup.subtree_control").write_text(f"+{controller}")
            enabled.add(controller)
    return frozenset(enabled)
