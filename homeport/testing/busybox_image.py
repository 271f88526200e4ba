"""A container image made without an engine or a registry: busybox and its applets, as `docker load` reads it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

APPLETS = (
    "sh", "sleep", "httpd", "cat", "echo", "id", "kill", "ls", "mkdir", "nslookup", "true", "false", "wget", "env",
    "head", "printf",
)  # fmt: skip


def busybox_archive(
    *tags: str, files: Mapping[str, str] | None = None, cmd: Sequence[str] = ("sleep", "1000"),
    tree: Mapping[str, Path] | None = None, owned: Mapping[str, int] | None = None,
) -> bytes:  # fmt: skip
    """The same bytes, and so the same image id, for the same arguments. `files` maps paths to their text, `tree` to
    files of this machine; `owned` names folders of a user other than root."""
    program = shutil.which("busybox")
    if program is None:
        raise FileNotFoundError("busybox is not installed: apt-get install busybox-static")
    layer = _tar(
        {
            "bin/busybox": Path(program).read_bytes(),
            **{path: text.encode() for path, text in (files or {}).items()},
            **{path: source.read_bytes() for path, source in (tree or {}).items()},
        },
        links={f"bin/{applet}": "busybox" for applet in APPLETS},
        folders=("bin", "tmp", "etc", "data", "dev", "proc", "sys"),
        owned=owned,
    )
    return image_archive(layer, *tags, cmd=cmd)


def image_archive(layer: bytes, *tags: str, cmd: Sequence[str], env: Sequence[str] = ("PATH=/bin",)) -> bytes:
    """An image of one layer (a tar), as `docker load` reads it."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": {"Cmd": list(cmd), "Env": list(env)},
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
        },
        sort_keys=True,
    ).encode()
    name = hashlib.sha256(config).hexdigest()
    manifest = json.dumps([{"Config": f"{name}.json", "RepoTags": list(tags), "Layers": ["layer.tar"]}]).encode()
    return _tar({f"{name}.json": config, "layer.tar": layer, "manifest.json": manifest})


def image_id(archive: bytes) -> str:
    """The id that an engine gives to the image in `archive`: sha256:…"""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        config = str(json.load(manifest)[0]["Config"])
    return "sha256:" + config.removesuffix(".json")


def _tar(
    files: Mapping[str, bytes], links: Mapping[str, str] | None = None, folders: Sequence[str] = (),
    owned: Mapping[str, int] | None = None,
) -> bytes:  # fmt: skip
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in folders:
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if path in {"tmp", "data"} else 0o755
            entry.uid = entry.gid = (owned or {}).get(path, 0)
            tar.addfile(entry)
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
        for path, target in (links or {}).items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return buffer.getvalue()
