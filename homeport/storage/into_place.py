"""Putting a restored portal into place, so that a kill at any moment leaves the old one or the new one.

What a restore builds lies in `.restoring-…` of the data directory. Renaming that to `.restored` is the moment from
which it counts: whoever starts next on this directory calls `finish_restore`, which may itself be interrupted anywhere.
What was there before is moved to `before-<time>`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from homeport.kit.files import atomic_write

RESTORING, RESTORED = ".restoring-", ".restored"
NEW = "new"  # in `.restored`: what comes into place
_ASIDE = "aside"  # in `.restored`: the name of the folder where the old goes
_STAY = frozenset({"homeport.lock", "lost+found"})


def let_it_count(stage: Path, aside: Path | None, data_dir: Path) -> None:
    """From here on the restored portal is the one, and the old content goes to `aside`. Blocks until it is on disk."""
    if aside is not None:
        atomic_write(stage / _ASIDE, aside.name)
    _like_its_folder(stage, data_dir)
    os.sync()
    stage.rename(data_dir / RESTORED)


def finish_restore(data_dir: Path) -> bool:
    """Move a restored portal into place, if one waits for it: False otherwise. Blocks; call it before anything opens.

    It may be killed anywhere and called again.
    """
    waiting = data_dir / RESTORED
    if not waiting.is_dir():
        return False
    note = waiting / _ASIDE
    if note.is_file():
        aside = data_dir / note.read_text()
        aside.mkdir(mode=0o700, exist_ok=True)
        for old in old_content(data_dir):
            old.rename(aside / old.name)
        _like_its_folder(aside, data_dir)
        note.unlink()
    new = waiting / NEW
    for child in sorted(new.iterdir()) if new.is_dir() else ():
        child.rename(data_dir / child.name)
    shutil.rmtree(waiting)
    os.sync()
    return True


def old_content(data_dir: Path) -> list[Path]:
    """What a portal has in its data directory; what earlier restores put aside is none of it."""
    return [
        child
        for child in sorted(data_dir.iterdir())
        if child.name not in _STAY and not child.name.startswith((RESTORING, RESTORED, "before-"))
    ]


def _like_its_folder(tree: Path, folder: Path) -> None:
    """Root restores for the user whose directory it is."""
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return
    for path in (tree, *tree.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
