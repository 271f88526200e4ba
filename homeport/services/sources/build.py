"""Carries out a plan's build: scrubbed environment, bounded time, output, memory and disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

from homeport.kit.commands import CommandFailed, CommandFlooded, CommandTimedOut, OnLine, Result, run
from homeport.kit.confinement import Confinement
from homeport.kit.files import Tree, measure
from homeport.services.problems import BuildFailed
from homeport.services.sources.disk import GrewTooLarge, watched
from homeport.services.sources.plan import OWN_FOLDER, Command, Plan, path_of

_CACHES = {
    "PIP_CACHE_DIR": "pip",
    "npm_config_cache": "npm",
    "YARN_CACHE_FOLDER": "yarn",
    "BUN_INSTALL_CACHE_DIR": "bun",
}
_QUIET = {"CI": "1", "NO_COLOR": "1", "npm_config_progress": "false", "npm_config_update_notifier": "false"}
_FREE_MB = 200
_FREE_INODES = 10_000


@dataclass(frozen=True)
class BuildResult:
    """`size_bytes` is the whole release on disk."""

    size_bytes: int
    duration: timedelta


class Step(Protocol):
    """Runs one command of a build; everything but argv and environment is settled."""

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str]) -> Awaitable[Result]: ...


def preflight(directory: Path, *, free_mb: int = _FREE_MB, free_inodes: int = _FREE_INODES) -> None:
    """Raises BuildFailed while it is still cheap: when the disk has too little space or too few inodes left."""
    disk = os.statvfs(directory)
    free = disk.f_bavail * disk.f_frsize // (1024 * 1024)
    if free < free_mb:
        raise BuildFailed(
            f"The disk is nearly full: {free} MB are free and a build needs {free_mb} MB. Make room first."
        )
    if disk.f_files and disk.f_favail < free_inodes:
        raise BuildFailed(
            f"The disk has only {disk.f_favail} inodes left and a build needs {free_inodes}: make room first."
        )


async def build(
    plan: Plan,
    directory: Path,
    *,
    env: Mapping[str, str],
    on_line: OnLine,
    timeout: float,  # seconds
    cache: Path,
    uid: int | None = None,
    memory_mb: int | None = 4096,
    disk_mb: int = 4096,
    confinement: Confinement | None = None,
) -> BuildResult:
    """Run the plan's commands in `directory`, one after the other, `timeout` seconds in all.

    `env` is what the app's variables add; nothing of the portal's own environment gets in. `cache` holds what package
    managers keep between builds. Built a second time (after a crash), it starts from what is there.
    Raises BuildFailed; its message names the command and never its output.
    """
    started = time.monotonic()
    await asyncio.to_thread(preflight, directory)
    if plan.build:
        home = directory / OWN_FOLDER / "home"
        await asyncio.to_thread(_prepare, directory, home, cache, uid)
        step = partial(
            run,
            cwd=directory,
            timeout=timeout,
            on_line=on_line,
            uid=uid,
            memory_mb=memory_mb,
            file_mb=disk_mb,
            confinement=confinement,
        )
        carried_out = _run_all(plan.build, directory, _environment(env, home, cache), on_line, step)
        try:
            async with asyncio.timeout(timeout):
                await watched(directory, carried_out, max_bytes=disk_mb * 1024 * 1024, max_entries=1_000_000)
        except TimeoutError:
            raise BuildFailed(f"The build was stopped: it took longer than {timeout:g} seconds.") from None
        except GrewTooLarge as problem:
            raise BuildFailed(f"The build was stopped: {problem.message}") from None
        finally:
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
    if plan.root is not None and not await asyncio.to_thread(_has_pages, directory, plan.root):
        raise BuildFailed(f"There is nothing to serve: the folder {plan.root} does not exist or has no files.")
    size = await asyncio.to_thread(measure, directory)
    return BuildResult(size.bytes, timedelta(seconds=time.monotonic() - started))


def _prepare(directory: Path, home: Path, cache: Path, uid: int | None) -> None:
    shutil.rmtree(directory / OWN_FOLDER, ignore_errors=True)
    home.mkdir(parents=True)
    for name in _CACHES.values():
        (cache / name).mkdir(parents=True, exist_ok=True)
    if uid is not None:
        for top in (directory, *(cache / name for name in _CACHES.values())):
            os.chown(top, uid, uid)
            for folder, folders, files in os.walk(top):
                for name in (*folders, *files):
                    os.chown(Path(folder) / name, uid, uid, follow_symlinks=False)


def _environment(env: Mapping[str, str], home: Path, cache: Path) -> dict[str, str]:
    own = {"HOME": str(home), "TMPDIR": str(home), "PATH": path_of(), "LANG": "C.UTF-8"}
    return {**_QUIET, **env, **{name: str(cache / folder) for name, folder in _CACHES.items()}, **own}


async def _run_all(
    commands: Sequence[Command], directory: Path, env: Mapping[str, str], on_line: OnLine, step: Step
) -> None:
    for command in commands:
        shown = _shown(command, directory)
        on_line(f"$ {shown}")
        try:
            await step(command.argv, env={**env, **command.env})
        except (CommandTimedOut, CommandFlooded) as problem:
            raise BuildFailed(f"The build was stopped: {problem.message}") from None
        except CommandFailed as problem:
            raise BuildFailed(
                f"The build failed: '{shown}' ended with exit code {problem.exit_code}; see the log.",
                details={"exit_code": problem.exit_code},
            ) from None


def _shown(command: Command, directory: Path) -> str:
    """For people: the program by its name alone, paths from the release on."""
    return " ".join([Path(command.argv[0]).name, *(part.replace(f"{directory}/", "") for part in command.argv[1:])])


def _has_pages(directory: Path, root: str) -> bool:
    return bool(Tree(directory).names(root, limit=1))
