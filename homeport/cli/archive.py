"""A folder packed for upload: a tar.gz without what .gitignore and .homeportignore name, and never .git."""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pathspec import GitIgnoreSpec

_IGNORE_FILES = (".gitignore", ".homeportignore")  # the later one wins


@dataclass(frozen=True)
class _Rules:
    """The ignore files of one folder; `base` is that folder, seen from the packed root's repository."""

    base: Path
    spec: GitIgnoreSpec

    def verdict(self, path: Path, *, is_dir: bool) -> bool | None:
        """True when ignored, False when expressly kept, None when these rules say nothing of `path`."""
        return self.spec.check_file(path.relative_to(self.base).as_posix() + ("/" if is_dir else "")).include


def packed_paths(root: Path) -> Iterator[Path]:
    """What of `root` is sent, folders before what is in them, in a stable order (gitignore(5))."""
    yield from _walk(root, _outer_rules(root))


def pack(root: Path, target: IO[bytes]) -> int:
    """Write `root` to `target` as tar.gz; how many files went in. Modes and times are kept, owners are not.

    Raises OSError for a file that cannot be read, or that shrinks while it is read.
    """
    files = 0
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as archive:
        for path in packed_paths(root):
            entry = _entry(path, path.relative_to(root).as_posix())
            if entry.isreg():
                files += 1
                with path.open("rb") as content:
                    archive.addfile(entry, content)
            else:
                archive.addfile(entry)
    return files


def _entry(path: Path, name: str) -> tarfile.TarInfo:
    found = path.lstat()
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(found.st_mode) & 0o777
    entry.mtime = int(found.st_mtime)
    if stat.S_ISDIR(found.st_mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, str(path.readlink())
    else:
        entry.size = found.st_size
    return entry


def _walk(folder: Path, outer: tuple[_Rules, ...]) -> Iterator[Path]:
    rules = (*outer, *_rules_of(folder))
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = Path(entry.path)
        is_dir = entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or _ignored(path, rules, is_dir=is_dir):
            continue
        if is_dir:
            yield path
            yield from _walk(path, rules)
        elif entry.is_symlink() or stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
            yield path


def _ignored(path: Path, rules: tuple[_Rules, ...], *, is_dir: bool) -> bool:
    for layer in reversed(rules):  # the ignore file nearest to the path decides
        verdict = layer.verdict(path, is_dir=is_dir)
        if verdict is not None:
            return verdict
    return False


def _rules_of(folder: Path) -> tuple[_Rules, ...]:
    lines: list[str] = []
    for name in _IGNORE_FILES:
        file = folder / name
        if file.is_file():
            lines += file.read_text(errors="replace").splitlines()
    return (_Rules(folder, GitIgnoreSpec.from_lines(lines)),) if lines else ()


def _outer_rules(root: Path) -> tuple[_Rules, ...]:
    """The rules of the repository that `root` lies in; none when that repository ignores `root` itself.

    Who deploys a folder such as `dist`, which the repository ignores, wants it sent.
    """
    above: list[Path] = []
    for folder in root.parents if not (root / ".git").exists() else ():
        above.append(folder)
        if (folder / ".git").exists():
            break
    else:
        return ()
    rules: tuple[_Rules, ...] = ()
    for folder in reversed(above):
        rules = (*rules, *_rules_of(folder))
        inner = above[above.index(folder) - 1] if folder != above[0] else root
        if _ignored(inner, rules, is_dir=True):
            return ()
    return rules
