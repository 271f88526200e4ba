"""Static files and plain shell scripts."""

from __future__ import annotations

import re
from typing import Any

from homeport.services.analysis.found import PLAIN_PATH, Found, Notes
from homeport.services.analysis.inventory import Files
from homeport.services.analysis.result import Recipe
from homeport.services.sources.static_root import find_static

PORT = 8080
_SHEBANG = re.compile(r"^#!\s*(?:/usr)?/bin/(?:env\s+)?(bash|sh|dash)\b")


def serve(folder: str, *, fallback: bool, language: str = "static", **stage: Any) -> Recipe:
    """A file server over a folder of the build stage (or of the source, without one).

    The program is copied so that it loses the right to low ports: a container without that right may not run it.
    """
    pages = "try_files {path} /index.html" if fallback else "try_files {path} {path}.html {path}/index.html"
    config = [":{$PORT}", "root * /srv", "encode gzip", pages, "file_server {", "hide .*", "}"]
    words = " ".join(f"'{line}'" for line in config)
    built = "build_image" in stage
    return Recipe(
        language=language, image="caddy:2-alpine", debian=False,
        copies=((folder, "/srv"),) if built else (),
        finish=("RUN cp /usr/bin/caddy /usr/local/bin/caddy",
                f"RUN printf '%s\\n' {words} > /etc/caddy/Caddyfile",
                *(() if built else (f"RUN rm -rf /srv && cp -r {folder} /srv",))),
        env={"XDG_CONFIG_HOME": "/tmp", "XDG_DATA_HOME": "/tmp"},  # noqa: S108  inside the container
        start="/usr/local/bin/caddy run --config /etc/caddy/Caddyfile", **stage,
    )  # fmt: skip


def find(files: Files) -> Found | None:
    """A folder with pages."""
    site = find_static(files, {})
    if site is None:
        return None
    notes = Notes()
    notes.add("static site", f"{site.evidence} is there", 0.9)
    root = site.root
    if not PLAIN_PATH.match(root) and root != ".":
        notes.warnings.append(f"The folder {root[:80]!r} has an unusual name: the top is served instead.")
        root = "."
    notes.add(f"serves {'the files at the top' if root == '.' else 'the files in ' + root}", site.evidence, 0.9)
    recipe = serve("/app" if root == "." else f"/app/{root}", fallback=site.fallback)
    return Found(recipe, PORT, "the file server listens there", True, (), tuple(notes.findings), tuple(notes.warnings))


def find_script(files: Files) -> Found | None:
    """A start.sh that says itself what runs it."""
    text = files.read("start.sh")
    if text is None:
        return None
    notes = Notes()
    shebang = _SHEBANG.match(text)
    program = shebang[1] if shebang else "sh"
    notes.add("shell script", "start.sh is there and nothing else is known", 0.5)
    notes.add(f"starts with `{program} start.sh`", "start.sh:1" if shebang else "it has no #! line", 0.8)
    recipe = Recipe(language="shell", image="debian:bookworm-slim", start=f"{program} start.sh")
    return Found(recipe, PORT, "nothing says another", False, ("start.sh",), tuple(notes.findings), ())
