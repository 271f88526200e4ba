"""Builds of a stack against the files that came with it: nothing may be reached outside of them."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

from homeport.services.compose.model import Stack, StackService
from homeport.services.compose.problems import ComposeRefused, Violation

MAX_DOCKERFILE = 256 * 1024  # bytes


class _Outside(Exception):
    """The message continues the sentence 'It …'."""


def check_build_paths(stack: Stack, folder: Path) -> None:
    """Every context is a folder inside `folder`, every Dockerfile a regular file of at most 256 KB inside its context.

    Links that lead out are refused, and the Dockerfile itself must be none. Blocks. Raises ComposeRefused with every
    violation. The build opens the paths again: it has to keep to the same rule.
    """
    violations = [found for service in stack.services for found in _violations(service, folder)]
    if violations:
        raise ComposeRefused(violations)


def settle_builds(stack: Stack, folder: Path) -> Stack:
    """The stack with every Dockerfile a file: those that it holds as text are written into their context.

    Checks the paths first. Blocks. Raises ComposeRefused.
    """
    check_build_paths(stack, folder)
    return replace(stack, services=tuple(_settled(one, folder) for one in stack.services))


def _settled(service: StackService, folder: Path) -> StackService:
    build = service.build
    if build is None or build.dockerfile_inline is None:
        return service
    name = f".homeport.{service.name}.Dockerfile"  # the same each time: the engine's cache knows it again
    path = _inside(folder, build.context) / name
    try:
        path.unlink(missing_ok=True)
        with path.open("x") as file:  # never through a link: it has to be new
            file.write(build.dockerfile_inline)
    except OSError as error:
        reason = f"It cannot be written to {name}: {os.strerror(error.errno or 0)}."
        raise ComposeRefused([Violation(f"services.{service.name}.build.dockerfile_inline", reason)]) from None
    return replace(service, build=replace(build, dockerfile=name, dockerfile_inline=None))


def _violations(service: StackService, folder: Path) -> list[Violation]:
    build, path = service.build, f"services.{service.name}.build"
    if build is None:
        return []
    try:
        context = _inside(folder, build.context)
        if not context.is_dir():
            raise _Outside("is not a folder of the files")
    except _Outside as why:
        return [Violation(f"{path}.context", f"{build.context!r} {why}.")]
    if build.dockerfile_inline is not None:
        return []
    try:
        _check_file(folder, context, build.dockerfile)
    except _Outside as why:
        return [Violation(f"{path}.dockerfile", f"{build.dockerfile!r} {why}.")]
    return []


def _inside(folder: Path, path: str) -> Path:
    """The real path, which lies in `folder`."""
    root = Path(os.path.realpath(folder))
    if "\0" in path or Path(path).is_absolute():
        raise _Outside("is not a relative path")
    found = Path(os.path.realpath(root / path))
    if found != root and root not in found.parents:
        raise _Outside("leads out of the files")
    return found


def _check_file(folder: Path, context: Path, name: str) -> None:
    parent = _inside(folder, str((context / name).parent.relative_to(Path(os.path.realpath(folder)))))
    if parent != context and context not in parent.parents:
        raise _Outside("leads out of the build's context")
    try:
        # A link as the last part gives ELOOP; a pipe or a device must not block the opening.
        handle = os.open(parent / Path(name).name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        linked = (parent / Path(name).name).is_symlink()
        raise _Outside("is a link" if linked else f"cannot be read: {os.strerror(error.errno or 0)}") from None
    try:
        found = os.fstat(handle)
    finally:
        os.close(handle)
    if not stat.S_ISREG(found.st_mode):
        raise _Outside("is not a regular file")
    if found.st_size > MAX_DOCKERFILE:
        raise _Outside(f"is larger than {MAX_DOCKERFILE // 1024} KB")
