"""A real systemd with journald and D-Bus, in namespaces of its own over this machine's /usr: nothing is downloaded.

It needs root, the Debian packages systemd and dbus, and util-linux. Its tools are reached by `tools`, a command prefix.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

START_SECONDS = 20.0
_ETC = (
    "passwd", "group", "shadow", "nsswitch.conf", "ld.so.conf", "ld.so.conf.d", "ld.so.cache", "dbus-1",
    "login.defs", "sudoers", "sudoers.d", "debian_version",
    "alternatives", "default", "mime.types", "pam.d", "security", "ssl",
)  # fmt: skip
_BOOT = r"""
set -e
mount --make-rprivate /
mount --bind "$R" "$R"
mount --bind /usr "$R/usr"; mount -o remount,bind,ro "$R/usr"
mount -t proc proc "$R/proc"; mount -t sysfs -o ro sysfs "$R/sys" || true
mount -t tmpfs -o mode=755 tmpfs "$R/run"; mount -t tmpfs tmpfs "$R/tmp"; mount -t tmpfs -o mode=755 tmpfs "$R/dev"
while IFS=: read -r from to; do
    [ -n "$from" ] || continue
    mkdir -p "$R$to"; mount --bind "$from" "$R$to"; mount -o remount,bind,ro "$R$to"
done <<<"$FOLDERS"
for d in null zero full random urandom tty; do touch "$R/dev/$d"; mount --bind "/dev/$d" "$R/dev/$d"; done
mkdir "$R/dev/pts" "$R/dev/shm"; mount -t devpts -o newinstance,ptmxmode=0666 devpts "$R/dev/pts"
ln -s pts/ptmx "$R/dev/ptmx"; mount -t tmpfs tmpfs "$R/dev/shm"
ln -s /proc/self/fd "$R/dev/fd"; ln -s fd/1 "$R/dev/stdout"; ln -s fd/2 "$R/dev/stderr"; ln -s fd/0 "$R/dev/stdin"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup"
else
    mount -t tmpfs -o mode=755 tmpfs "$R/sys/fs/cgroup"
    mkdir "$R/sys/fs/cgroup/unified" "$R/sys/fs/cgroup/systemd"
    mount -t cgroup2 cgroup2 "$R/sys/fs/cgroup/unified"
    mount -t cgroup -o none,name=systemd systemd "$R/sys/fs/cgroup/systemd"
fi
cd "$R"; mkdir -p mnt; pivot_root . mnt; umount -l mnt
exec env -i container=unshare PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system
"""


def systemd_can_run() -> bool:
    """Whether this user on this machine can start one: root with systemd, D-Bus and unshare."""
    needed = all(map(shutil.which, ("unshare", "nsenter", "journalctl", "dbus-daemon")))
    return os.geteuid() == 0 and needed and Path("/lib/systemd/systemd").exists()


class SystemdHost:
    """Lives in `folder`, in the time zone `zone`; leaving the context ends it and every process in it.

    `tools` is what to put in front of `systemctl` and `journalctl`. `folders` maps paths of this machine to where they
    are to be read there.
    """

    def __init__(self, folder: Path, *, zone: str = "Etc/UTC", folders: Mapping[Path, str] | None = None) -> None:
        self.root = folder / "root"
        self._folders = dict(folders or {})
        self._zone = zone
        self._log = folder / "systemd.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._init = 0

    @property
    def tools(self) -> tuple[str, ...]:
        """nsenter into it."""
        return ("nsenter", "--target", str(self._init), "--mount", "--pid", "--uts", "--ipc", "--net", "--")

    def __enter__(self) -> Self:
        self._make_root()
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._init and psutil.pid_exists(self._init):
            os.kill(self._init, signal.SIGKILL)  # the kernel ends everything in its PID namespace
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def unit(self, name: str, service: str, *, unit: str = "") -> None:
        """Write `name`.service with these lines and make systemd know it; nothing is started."""
        path = self.root / "etc/systemd/system" / f"{name}.service"
        path.write_text(f"[Unit]\n{unit}\n[Service]\n{service}\n")
        self.systemctl("daemon-reload")

    def script(self, name: str, text: str) -> str:
        """An executable in it; its path there."""
        path = self.root / "opt" / name
        path.write_text(text)
        path.chmod(0o755)
        return f"/opt/{name}"

    def wrappers(self, folder: Path) -> Path:
        """`folder`, made, with a systemctl and a journalctl for PATH that reach into it; `folder`/calls notes each.

        The one that `folder`/hold names in full waits until that file is gone.
        """
        folder.mkdir()
        for name in ("systemctl", "journalctl"):
            path = folder / name
            path.write_text(
                f'#!/bin/sh\necho "{name} $*" >>{folder}/calls\n'
                f'while [ -e {folder}/hold ] && [ "$(cat {folder}/hold)" = "{name} $*" ]; do sleep 0.05; done\n'
                f'exec {" ".join(self.tools)} {name} "$@"\n'
            )
            path.chmod(0o755)
        return folder

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> str:
        """A command in it: its output. Raises RuntimeError with what it said when it fails."""
        done = subprocess.run(
            [*self.tools, *argv], capture_output=True, text=True, timeout=timeout, check=False, env=_ENVIRONMENT
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def systemctl(self, *words: str, check: bool = True) -> str:
        return self.run("systemctl", *words, check=check)

    def processes(self, name: str) -> list[psutil.Process]:
        """The processes in it that are called `name`."""
        found = []
        for process in psutil.process_iter():
            try:
                alive = process.status() != psutil.STATUS_ZOMBIE
                if process.name() == name and alive and self._is_inside(process.pid):
                    found.append(process)
            except (psutil.NoSuchProcess, OSError):
                continue
        return found

    def _is_inside(self, pid: int) -> bool:
        here = Path(f"/proc/{self._init}/ns/pid").stat().st_ino
        return Path(f"/proc/{pid}/ns/pid").stat().st_ino == here

    def _make_root(self) -> None:
        root = self.root
        for folder in (
            "usr", "var/lib/dbus", "var/lib/systemd", "var/log/journal", "var/cache", "var/tmp", "tmp", "run", "proc",
            "sys", "dev", "root", "home", "opt", "etc/systemd/system/multi-user.target.wants",
            "etc/systemd/journald.conf.d",
        ):  # fmt: skip
            (root / folder).mkdir(parents=True, exist_ok=True)
        for link in ("bin", "sbin", "lib", "lib64", "lib32"):
            if Path("/", link).exists():
                (root / link).symlink_to(f"usr/{link}")
        (root / "var/run").symlink_to("../run")
        (root / "var/lock").symlink_to("../run/lock")
        for name in _ETC:
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, root / "etc" / name, symlinks=True)
            elif source.exists():
                shutil.copy2(source, root / "etc" / name)
        shutil.copy(Path("/etc/os-release").resolve(), root / "etc/os-release")
        (root / "etc/machine-id").write_text("")
        (root / "etc/hostname").write_text("testhost\n")
        (root / "etc/localtime").symlink_to(f"/usr/share/zoneinfo/{self._zone}")
        (root / "etc/systemd/system/default.target").symlink_to("/lib/systemd/system/multi-user.target")
        # Rate limits would drop what the tests print; units of the machine have no business here.
        (root / "etc/systemd/journald.conf.d/tests.conf").write_text(
            "[Journal]\nStorage=persistent\nRateLimitIntervalSec=0\nRateLimitBurst=0\nSyncIntervalSec=1s\n"
        )
        for name in (
            "systemd-logind", "systemd-networkd", "systemd-resolved", "systemd-timesyncd", "getty@", "console-getty",
            "systemd-update-utmp", "systemd-user-sessions", "e2scrub_reap", "systemd-udevd",
            "systemd-networkd-wait-online",
            "systemd-binfmt", "systemd-pstore", "systemd-tmpfiles-clean", "systemd-sysctl", "systemd-sysusers",
        ):  # fmt: skip
            (root / "etc/systemd/system" / f"{name}.service").symlink_to("/dev/null")

    def _start(self) -> None:
        argv = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "--kill-child", "--")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*argv, "bash", "-c", _BOOT],
                env={
                    **_ENVIRONMENT,
                    "R": str(self.root),
                    "FOLDERS": "\n".join(f"{path}:{place}" for path, place in self._folders.items()),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"systemd did not start:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        assert self._process is not None
        if not self._init:
            children = psutil.Process(self._process.pid).children()
            if not children or children[0].name() != "systemd":
                return False
            self._init = children[0].pid
        state = self.run("systemctl", "is-system-running", check=False).strip()
        return state in ("running", "degraded")


_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
