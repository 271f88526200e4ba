"""A base image with Python, made from this machine's files: for builds where no registry is reachable."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from homeport.testing.busybox_image import image_archive

APPLETS = ("sh", "test", "mkdir", "chown", "chmod", "cat", "ls", "id", "env", "rm", "sleep")
_COMPILED = f".{sys.implementation.cache_tag}.pyc"  # without them, each process in a container would compile anew
_LEFT_OUT = {"site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3"}
_LIBRARIES = "usr/lib"  # on the loader's own path


def python_archive(tag: str) -> bytes:
    """Python in /usr/local as the official image has it, and busybox for a shell; nothing else. Takes some seconds."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("busybox is not installed: apt-get install busybox-static")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder, mode in (("tmp", 0o1777), ("etc", 0o755), ("dev", 0o755), ("proc", 0o755), ("sys", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        _file(tar, Path(busybox), "bin/busybox")
        for applet in APPLETS:
            _link(tar, f"bin/{applet}", "busybox")
        for name, text in (("passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("group", "root:x:0:\n")):
            entry = tarfile.TarInfo(f"etc/{name}")
            entry.size, entry.mode = len(text), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        prefix = Path(sys.base_prefix)
        program = (prefix / "bin" / version).resolve()
        _file(tar, program, f"usr/local/bin/{version}")
        for name in ("python3", "python"):
            _link(tar, f"usr/local/bin/{name}", version)
        library = Path(sysconfig.get_path("stdlib"))
        for path in _kept(library):
            _file(tar, path, f"usr/local/lib/{version}/{path.relative_to(library)}")
        compiled = [*library.glob("lib-dynload/*.so"), *Path(sysconfig.get_path("purelib")).rglob("*.so*")]
        for path in _needed([program, *compiled]):
            _file(tar, path, "lib64/" + path.name if path.name.startswith("ld-") else f"{_LIBRARIES}/{path.name}")
    return image_archive(buffer.getvalue(), tag, cmd=("python3",), env=("PATH=/usr/local/bin:/usr/bin:/bin",))


def _kept(library: Path) -> Iterator[Path]:
    for path in sorted(library.rglob("*")):
        parts = path.relative_to(library).parts
        if not path.is_file() or _LEFT_OUT & set(parts) or parts[0].startswith("config-"):
            continue
        if "__pycache__" not in parts or path.name.endswith(_COMPILED):
            yield path


def _needed(programs: Iterable[Path]) -> list[Path]:
    """The shared libraries of this machine that they are linked to, and the loader."""
    said = subprocess.run(
        ["ldd", *map(str, programs)], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    ).stdout
    found: dict[str, Path] = {}
    for line in said.splitlines():
        words = line.split()
        path = next((word for word in words if word.startswith("/") and not word.endswith(":")), "")
        if path and "site-packages" not in path:
            found.setdefault(Path(path).name, Path(path))
    return list(found.values())


def _file(tar: tarfile.TarFile, path: Path, place: str) -> None:
    entry = tarfile.TarInfo(place)
    info = path.stat()
    entry.size, entry.mode = info.st_size, 0o755 if info.st_mode & 0o111 else 0o644
    entry.mtime = int(info.st_mtime)  # a compiled file knows its source by it
    with path.open("rb") as file:
        tar.addfile(entry, file)


def _link(tar: tarfile.TarFile, place: str, target: str) -> None:
    entry = tarfile.TarInfo(place)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)
