"""Serves a folder of files as a web site: `python -m homeport.services.static_site ROOT [--fallback index.html]`.

Listens on HOST and PORT of its environment. Every answer carries ETag and Last-Modified; pages are asked for again each
time, files with a hash in their name are kept for a year. Hidden files and links that lead out of ROOT do not exist.
"""

from __future__ import annotations

import argparse
import logging
import os
import re
import stat
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvicorn
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_HASHED = re.compile(r"[.-](?=[A-Za-z0-9_-]*\d)[A-Za-z0-9_-]{8,}\.[a-z0-9]{2,5}$")
_YEAR = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class StaticSite:
    """An ASGI application. `fallback`: a file below `root` that answers for every unknown page."""

    def __init__(self, root: Path, fallback: str | None = None) -> None:
        self._root = root.resolve(strict=True)
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = self._answer(scope["method"], scope["path"], dict(scope["headers"]))
        await response(scope, receive, send)

    def _answer(self, method: str, path: str, headers: dict[bytes, bytes]) -> Response:
        if method not in {"GET", "HEAD"}:
            return PlainTextResponse("Only GET and HEAD.\n", 405, {"Allow": "GET, HEAD"})
        file = self._find(path)
        if file is not None and file.is_dir():
            if not path.endswith("/"):
                return RedirectResponse(quote(f"/{path.strip('/')}/"), 308)
            file = self._find(f"{path}index.html")
        if file is None and not path.endswith("/"):
            file = self._find(f"{path}.html")
        if file is not None and file.is_file():
            return self._file(file, headers)
        if self._fallback is not None and "." not in path.rpartition("/")[2]:
            page = self._find(self._fallback)
            if page is not None:
                return self._file(page, headers)
        missing = self._find("404.html")
        if missing is not None and missing.is_file():
            return self._file(missing, {}, status=404)
        return PlainTextResponse("There is nothing here.\n", 404)

    def _find(self, path: str) -> Path | None:
        """The file or folder, when it is inside, not hidden, and not reached through a link that leads out."""
        parts = [part for part in path.split("/") if part]
        if "\0" in path or "\\" in path or any(part.startswith(".") and part != ".well-known" for part in parts):
            return None
        try:
            found = self._root.joinpath(*parts).resolve(strict=True)
        except (OSError, RuntimeError):
            return None
        if not found.is_relative_to(self._root):
            return None
        hidden = any(part.startswith(".") and part != ".well-known" for part in found.relative_to(self._root).parts)
        return None if hidden else found

    @staticmethod
    def _file(file: Path, headers: dict[bytes, bytes], *, status: int = 200) -> Response:
        info = file.stat()
        if not stat.S_ISREG(info.st_mode):
            return PlainTextResponse("There is nothing here.\n", 404)
        tag = f'"{info.st_mtime_ns:x}-{info.st_size:x}"'
        kept = _YEAR if _HASHED.search(file.name) else _ASK_AGAIN
        extra = {"ETag": tag, "Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
        asked = headers.get(b"if-none-match", b"").decode("latin-1")
        if asked == "*" or tag in [one.strip().removeprefix("W/") for one in asked.split(",")]:
            return Response(status_code=304, headers=extra)
        return FileResponse(file, status, extra, stat_result=info)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Serve a folder of files as a web site.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--fallback", help="file that answers for unknown pages, for apps that route in the browser")
    chosen = parser.parse_args(arguments)
    if not chosen.root.is_dir():
        parser.error(f"{chosen.root} is not a folder")
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stdout)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    host, port = os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or 8080)
    logging.info("Serving %s on %s port %s", chosen.root, host, port)
    uvicorn.run(
        StaticSite(chosen.root, chosen.fallback),
        host=host,
        port=port,
        log_config=None,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
