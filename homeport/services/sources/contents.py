"""What a fetched tree may hold, however it came: links stay inside, and nothing but files, folders and links."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from homeport.services.problems import SourceRefused
from homeport.services.sources.plan import OWN_FOLDER

MAX_FILES = 100_000
MAX_DEPTH = 64
MAX_NAME = 255
_MOST_LINKS = 40


def check_tree(root: Path) -> None:
    """Raises SourceRefused naming the path at fault. Runs before anything of the tree is read or run."""
    real = root.resolve()
    if os.path.lexists(root / OWN_FOLDER):
        raise SourceRefused(f"The source holds {OWN_FOLDER} at its top, which is the portal's own folder: rename it.")
    count = 0
    for folder, folders, files in os.walk(root):
        count += len(folders) + len(files)
        if count > MAX_FILES:
            raise SourceRefused(f"The source has more than {MAX_FILES} files.")
        here = Path(folder)
        if len(here.relative_to(root).parts) > MAX_DEPTH:
            raise SourceRefused(f"The source has folders nested more than {MAX_DEPTH} deep.")
        for name in (*folders, *files):
            _check(here / name, root, real)


def _check(path: Path, root: Path, real: Path) -> None:
    shown = path.relative_to(root)
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        target = path.readlink()
        try:
            inside = not target.is_absolute() and path.resolve().is_relative_to(real)
        except (OSError, RuntimeError):  # a link that leads to itself
            inside = False
        if not inside:
            raise SourceRefused(f"{shown} is a symbolic link that leads out of the source, to {target}.")
    elif not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise SourceRefused(f"{shown} is neither a file nor a folder.")
