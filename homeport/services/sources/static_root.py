"""Sites that are only files: where their root is, and how they are served."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from homeport.kit.files import Tree
from homeport.services.problems import NothingDetected
from homeport.services.sources.plan import Plan, Probe


@dataclass(frozen=True)
class StaticSite:
    """`root` is relative to the release; `fallback`: unknown paths get index.html."""

    root: str
    evidence: str
    fallback: bool = False


def find_static(tree: Tree, variables: Mapping[str, str]) -> StaticSite | None:
    """By RAILPACK_STATIC_FILE_ROOT, Staticfile, public/ with an index, or index.html; the root in this order."""
    text = tree.read("Staticfile")
    fallback = text is not None and re.search(r"^pushstate:\s*(?:true|enabled)\s*$", text, re.MULTILINE) is not None
    wanted = variables.get("RAILPACK_STATIC_FILE_ROOT")
    if wanted:
        return _checked(
            tree, relative_folder(wanted, "RAILPACK_STATIC_FILE_ROOT"), "RAILPACK_STATIC_FILE_ROOT", fallback
        )
    stated = re.search(r"^root:\s*[\"']?([^\"'\s]+)", text or "", re.MULTILINE)
    if stated is not None:
        return _checked(tree, relative_folder(stated[1], "Staticfile"), "Staticfile", fallback)
    if tree.has("public/index.html"):
        return StaticSite("public", "public/index.html", fallback)
    if tree.has("index.html"):
        return StaticSite(".", "index.html", fallback)
    if text is not None:
        return StaticSite("public" if tree.has_folder("public") else ".", "Staticfile", fallback)
    return StaticSite("public", "the folder public", fallback) if tree.has_folder("public") else None


def _checked(tree: Tree, root: str, evidence: str, fallback: bool) -> StaticSite:
    if not tree.has_folder(root):
        raise NothingDetected(f"{evidence} names the folder {root}, which does not exist.")
    return StaticSite(root, evidence, fallback)


def relative_folder(text: str, source: str) -> str:
    """A folder below the release, tidied. Raises NothingDetected for one outside."""
    path = PurePosixPath(text.strip())
    hidden = any(part.startswith(".") for part in path.parts)
    if path.is_absolute() or hidden or "\0" in text or not text.strip():
        raise NothingDetected(f"{source} names {text!r}: it must be a folder inside the source, not hidden.")
    return str(path)


def plan_static(directory: Path, site: StaticSite) -> Plan:
    start, probe = serve_files(directory / site.root, fallback=site.fallback)
    where = "the files are served as they are" if site.root == "." else f"the files in {site.root} are served"
    return Plan(
        kind="static",
        reason=f"Static site, because of {site.evidence}; {where}.",
        start=start,
        probe=probe,
        root=site.root,
    )


def serve_files(root: Path, *, fallback: bool) -> tuple[tuple[str, ...], Probe]:
    """The file server's command, run by the portal's own interpreter, and its probe."""
    options = ("--fallback", "index.html") if fallback else ()
    return (sys.executable, "-m", "homeport.services.static_site", str(root), *options), Probe()
