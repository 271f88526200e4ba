"""Wheels made from what is installed here, so that an image can be built where no package index is reachable."""

from __future__ import annotations

import csv
import io
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

_OF_THIS_INSTALL = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def wheels_of(lock: Path, folder: Path, *more: str) -> None:
    """A wheel in `folder` for each `name==version` of `lock`, and for `more`. Raises PackageNotFoundError."""
    names = [line.partition("==")[0].strip() for line in lock.read_text().splitlines() if "==" in line]
    for name in {*names, *more}:
        _wheel(distribution(name), folder)


def _wheel(installed: Distribution, folder: Path) -> None:
    name = installed.metadata["Name"].replace("-", "_").replace(".", "_")
    info = f"{name}-{installed.version}.dist-info"
    rows: list[tuple[str, str, str]] = []
    with zipfile.ZipFile(folder / f"{name}-{installed.version}-{_tags(installed)}.whl", "w") as wheel:
        for file in installed.files or []:
            path = Path(str(installed.locate_file(file)))
            place = file.as_posix()
            if place.startswith("../") or "__pycache__" in place or not path.is_file():
                continue  # scripts are made anew, compiled files too
            if file.parts[0].endswith(".dist-info"):
                if file.name in _OF_THIS_INSTALL:
                    continue
                place = "/".join((info, *file.parts[1:]))
            wheel.write(path, place)
            rows.append((place, "", ""))
        record = io.StringIO()
        csv.writer(record).writerows([*rows, (f"{info}/RECORD", "", "")])
        wheel.writestr(f"{info}/RECORD", record.getvalue())


def _tags(installed: Distribution) -> str:
    """Of the file's name: those of the wheel that it was installed from (PEP 425, compressed)."""
    lines = (installed.read_text("WHEEL") or "").splitlines()
    tags = [line.partition(": ")[2].split("-") for line in lines if line.startswith("Tag: ")]
    return "-".join(".".join(dict.fromkeys(tag[place] for tag in tags)) for place in range(3))
