"""What the engine is sent to build from: a folder as a tar, without what .dockerignore names, and nothing from outside.

Source: docs.docker.com/build/concepts/context ("dockerignore files").
"""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import IO

from homeport.kit.files import Tree
from homeport.services.problems import BuildFailed

LARGEST = 1024 * 1024 * 1024  # bytes
MOST_ENTRIES = 200_000
IGNORE = ".dockerignore"


def pack(context: Path, dockerfile: str) -> IO[bytes]:
    """An open tar of `context`, at its start; it has no name on disk. Raises BuildFailed. Blocks.

    Owners are root's and links stay links; one that leads out of the folder, and anything that is neither file,
    folder nor link, is refused.
    """
    root = Path(os.path.realpath(context))
    check_dockerfile(root, dockerfile)
    kept = _Kept(root, dockerfile)
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            size = entries = 0
            for folder, folders, files in os.walk(root):
                here = Path(folder).relative_to(root)
                folders[:] = sorted(name for name in folders if not kept.hides_all_of(here / name))
                for name in sorted((*folders, *files)):
                    inside = here / name
                    if not kept(inside):
                        continue
                    entries += 1
                    size += _add(tar, root, inside)
                    if size > LARGEST or entries > MOST_ENTRIES:
                        raise BuildFailed(
                            f"The build context is larger than {LARGEST >> 20} MB or {MOST_ENTRIES} files; "
                            f"name what is not needed in {IGNORE}."
                        )
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def check_dockerfile(root: Path, dockerfile: str) -> None:
    """Raises BuildFailed where it is absent, a link, outside, or asks for a frontend of its own."""
    text = Tree(root).read(dockerfile)
    if text is None:
        raise BuildFailed(f"There is no {dockerfile} in the build context.")
    for line in text.splitlines():
        comment = line.strip()
        if not comment.startswith("#"):
            return
        name, equals, _ = comment[1:].partition("=")
        if equals and name.strip().lower() == "syntax":
            raise BuildFailed(f"{dockerfile} asks for a frontend of its own (# syntax=): that is not allowed here.")


class _Kept:
    """Whether a path goes along. Patterns start at the root, and the last one that fits decides."""

    def __init__(self, root: Path, dockerfile: str) -> None:
        self._always = {PurePosixPath(dockerfile), PurePosixPath(IGNORE)}
        patterns = []
        for line in (Tree(root).read(IGNORE) or "").splitlines():
            pattern = line.strip()
            if not pattern or pattern.startswith("#"):
                continue
            mark = "!" if pattern.startswith("!") else ""
            body = os.path.normpath(pattern.removeprefix("!").strip()).strip("/")
            if body not in {".", ""}:
                patterns.append(f"{mark}/{body}")
        self._exceptions = any(pattern.startswith("!") for pattern in patterns)
        import pathspec  # only who builds needs it

        self._hidden = pathspec.PathSpec.from_lines("gitignore", patterns) if patterns else None

    def __call__(self, path: Path) -> bool:
        if PurePosixPath(path) in self._always or self._hidden is None:
            return True
        return not self._hidden.match_file(path.as_posix())

    def hides_all_of(self, folder: Path) -> bool:
        """Whether nothing below needs to be looked at."""
        if self(folder) or self._exceptions:
            return False
        return not any(folder in Path(one).parents for one in self._always)


def _add(tar: tarfile.TarFile, root: Path, inside: Path) -> int:
    """The bytes that it takes."""
    path = root / inside
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        target = Path(os.path.realpath(path))
        if target != root and root not in target.parents:
            raise BuildFailed(f"{inside} is a link that leads out of the build context: that is not allowed.")
        info = tar.gettarinfo(path, inside.as_posix())
        tar.addfile(_plain(info))
        return 512
    if stat.S_ISDIR(mode):
        tar.addfile(_plain(tar.gettarinfo(path, inside.as_posix())))
        return 512
    if not stat.S_ISREG(mode):
        raise BuildFailed(f"{inside} is neither a file nor a folder: that is not allowed in a build context.")
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        info = tar.gettarinfo(arcname=inside.as_posix(), fileobj=file)
        if info.islnk():  # a second name of a file that went before: sent again as a file
            info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.fstat(fd).st_size
        tar.addfile(_plain(info), file)
        return 512 + info.size


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
