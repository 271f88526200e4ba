"""What the entries of an archive may be called, and that no two of them meet."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath

from homeport.services.problems import SourceRefused
from homeport.services.sources.contents import MAX_DEPTH, MAX_NAME

_MAX_PATH = 1024
_LEFT_OUT = {"__MACOSX", ".DS_Store", "Thumbs.db"}  # what desktops add to archives


class Names:
    """Judges each name in turn; `count` is how many entries there were. None is returned for what is left out."""

    def __init__(self) -> None:
        self.count = 0
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def file(self, name: str) -> PurePosixPath | None:
        path = self._checked(name)
        if path is None:
            return None
        if not path.parts:
            raise SourceRefused(f"{_shown(name)} is no file name.")
        key = _key(path)
        if key in self._files:
            raise SourceRefused(f"{_shown(name)} is in the archive twice.")
        if key in self._folders:
            raise SourceRefused(f"{_shown(name)} is both a file and a folder.")
        self._files.add(key)
        self._add_folders(path.parent, name)
        return path

    def folder(self, name: str) -> PurePosixPath | None:
        path = self._checked(name)
        if path is not None:
            self._add_folders(path, name)
        return path

    def _add_folders(self, path: PurePosixPath, name: str) -> None:
        for folder in (path, *path.parents):
            key = _key(folder)
            if key in self._files:
                raise SourceRefused(f"{_shown(name)} is both a file and a folder.")
            self._folders.add(key)

    def _checked(self, name: str) -> PurePosixPath | None:
        self.count += 1
        reason = None
        parts = name.split("/")
        if "\0" in name:
            reason = "has a NUL in its name"
        elif name.startswith("/"):
            reason = "is an absolute path"
        elif "\\" in name or any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
            reason = "has a backslash or a control character in its name"
        elif ".." in parts:
            reason = "leads out of the archive with '..'"
        elif not name or len(name) > _MAX_PATH or any(len(part.encode(errors="replace")) > MAX_NAME for part in parts):
            reason = "has no name, or one that is too long"
        elif len(parts) > MAX_DEPTH:
            reason = f"is nested more than {MAX_DEPTH} deep"
        else:
            try:
                name.encode()
            except UnicodeEncodeError:
                reason = "has a name that is not UTF-8"
        if reason is not None:
            raise SourceRefused(f"{_shown(name)} {reason}.")
        path = PurePosixPath(name)
        return None if _LEFT_OUT.intersection(path.parts) else path


def _key(path: PurePosixPath) -> str:
    """Two spellings of the same letters are the same name."""
    return unicodedata.normalize("NFC", str(path))


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else name[:99] + "…")
