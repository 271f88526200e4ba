"""Which port the app listens on, by the best evidence there is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from homeport.services.analysis.found import Found
from homeport.services.analysis.inventory import MAX_LINE, Files, Inventory

LOWEST = 80  # below it nothing that is worth routing listens
_IN_START = re.compile(r"(?:--port[= ]|-p[ =]?|--bind[= ]\S*:|-b[= ]\S*:|0\.0\.0\.0:|localhost:|:)(\d{2,5})\b")
_READS_PORT = re.compile(
    r"process\.env\.PORT\b|environ(?:\.get\(|\[)\s*[\"']PORT[\"']|getenv\([\"']PORT[\"']|Getenv\(\"PORT\"\)"
    r"|env::var\(\"PORT\"\)|ENV(?:\.fetch\(|\[)[\"']PORT[\"']|\$\{?PORT\b"
)
_LISTENS = re.compile(
    r"\.listen\(\s*(\d{2,5})\b|\bport\s*[=:]\s*(\d{2,5})\b|[\"'](?:0\.0\.0\.0|127\.0\.0\.1|localhost)?:(\d{2,5})[\"']"
    r"|\(\s*[\"'](?:0\.0\.0\.0|127\.0\.0\.1|localhost|)[\"']\s*,\s*(\d{2,5})\s*\)|\bPORT\s*=\s*(\d{2,5})\b",
    re.IGNORECASE,
)
_LOOPBACK = re.compile(r"[\"'](?:127\.0\.0\.1|localhost)[\"':]")


@dataclass(frozen=True)
class Listening:
    """`warning` is about an app that only its own container can reach."""

    port: int
    because: str
    confidence: float
    warning: str | None = None


def decide(files: Files, inventory: Inventory, found: Found, start: str | None, *, replaced: bool) -> Listening:
    """`replaced`: the start line is a Procfile's or a person's, not the one that the rules wrote."""
    if start and "$PORT" in start.replace("${PORT", "$PORT"):
        return Listening(found.port, "its start command listens on $PORT", 0.95)
    written = _IN_START.search(start or "")
    if written is not None and LOWEST <= int(written[1]) <= 65535:
        return Listening(int(written[1]), "its start command says so", 0.95)
    if found.obeys_port and not replaced:
        return Listening(found.port, f"it listens on $PORT, and {found.because}", 0.9)
    for file in found.sources:
        if (seen := _in_source(files, file, found.port)) is not None:
            return seen
    for one in inventory.environment:
        if (
            one.name == "PORT"
            and one.default.isascii()
            and one.default.isdecimal()
            and LOWEST <= int(one.default[:6]) <= 65535
        ):
            return Listening(int(one.default), f"{one.where} sets PORT", 0.75)
    if inventory.readme_port is not None:
        return Listening(inventory.readme_port[0], f"{inventory.readme_port[1]} shows that address", 0.6)
    return Listening(found.port, found.because, 0.4)


def _in_source(files: Files, file: str, default: int) -> Listening | None:
    text = files.read(file)
    if text is None:
        return None
    lines = [line[:MAX_LINE] for line in text.splitlines()[:5000]]
    warning = None
    if any(_LOOPBACK.search(line) and _LISTENS.search(line) for line in lines):
        warning = f"{file} seems to listen on its own loopback only; it must listen on 0.0.0.0 to be reached."
    reading = next(((number, line) for number, line in enumerate(lines, 1) if _READS_PORT.search(line)), None)
    if reading is not None:
        return Listening(default, f"{file}:{reading[0]} reads PORT", 0.9, warning)
    for number, line in enumerate(lines, start=1):
        match = _LISTENS.search(line)
        if match is not None:
            port = int(next(one for one in match.groups() if one))
            if LOWEST <= port <= 65535:
                return Listening(port, f"{file}:{number} listens there", 0.8, warning)
    return None
