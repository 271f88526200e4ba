"""The built web UI: files that never change for ever, the page for every route of the single-page app."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from mimetypes import guess_type
from pathlib import Path

import anyio.to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from homeport.identity.guard import identity_of
from homeport.web.errors import no_such_path, problem_response

HASHED = "assets/"  # Vite names these files after their content
WITH_DATA = frozenset({"", "app", "tunnels"})  # first segments of the pages that carry data
_WITH_DATA_RULE = "no-cache, must-revalidate"
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
# What is unknown below these answers in plain text (seed 004, digest A.0).
RELAY_DOOR = ("/sdk/", "/v1/", "/tunnel/", "/discovery/", "/thumbnail/")
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Homeport</title></head>
<body><h1>The pages are not built yet</h1>
<p>The portal works: the homeport command and the API are there. Build its pages with <code>make ui</code>
and reload.</p></body></html>
"""


def find_ui() -> Path:
    """Where the built UI is: inside the package when installed, `ui/dist` in a checkout."""
    packaged = Path(__file__).parent / "ui"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "ui" / "dist"


class Assets:
    """What answers a path that no route has: the UI's files and its page; a JSON 404 under /api."""

    def __init__(self, directory: Path, page_head: Callable[[], str] = lambda: "") -> None:
        """`page_head` is put at the end of the page's head: data, which is other at each request."""
        self._index = directory / "index.html"
        self._page_head = page_head
        self._files = StaticFiles(directory=directory, check_dir=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        response: Response
        if scope["type"] == "http" and path.startswith(RELAY_DOOR):
            response = PlainTextResponse("404 page not found\n", 404)
        elif scope["type"] == "websocket" or path == "/api" or path.startswith("/api/"):
            connection = HTTPConnection(scope)
            await identity_of(connection).certificates.admission.admit(connection)  # no route did
            response = problem_response(no_such_path(path))
        elif scope["method"] != "GET":  # the shell has made HEAD a GET
            raise HTTPException(405, headers={"Allow": "GET, HEAD"})
        else:
            response = await self._page_or_file(path.lstrip("/"), scope)
        await response(scope, receive, send)

    async def _page_or_file(self, path: str, scope: Scope) -> Response:
        if path and (response := await self._file(path, scope)):
            return response
        if "." in path.rpartition("/")[2]:
            return HTMLResponse("<!doctype html><title>Not found</title><p>There is no such file.</p>", 404)
        page = await self._file(self._index.name, scope)
        if page is not None and path.partition("/")[0] in WITH_DATA and (more := self._page_head()):
            text = await anyio.to_thread.run_sync(self._index.read_text)
            return HTMLResponse(text.replace("</head>", f"{more}</head>", 1), 200, {"cache-control": _WITH_DATA_RULE})
        return page or HTMLResponse(_NOT_BUILT, 503, {"cache-control": "no-store"})

    async def _file(self, path: str, scope: Scope) -> Response | None:
        """The file, in an encoding made at build time where the client takes it; None if there is none."""
        accepted = Headers(scope=scope).get("accept-encoding", "")
        for encoding, suffix in _ENCODINGS:
            if encoding in accepted and (found := await self._look_up(path + suffix)):
                media_type = guess_type(path)[0] or "application/octet-stream"
                return self._response(found, path, scope, {"content-encoding": encoding, "content-type": media_type})
        found = await self._look_up(path)
        return self._response(found, path, scope, {}) if found else None

    async def _look_up(self, path: str) -> tuple[str, os.stat_result] | None:
        try:
            full_path, info = await anyio.to_thread.run_sync(self._files.lookup_path, path)
        except (OSError, ValueError):  # too long a name, a zero byte
            return None
        return (full_path, info) if info and stat.S_ISREG(info.st_mode) else None

    def _response(
        self, found: tuple[str, os.stat_result], path: str, scope: Scope, headers: dict[str, str]
    ) -> Response:
        response = self._files.file_response(*found, scope)
        response.headers["cache-control"] = _FOR_EVER if path.startswith(HASHED) else _ASK_AGAIN
        response.headers["vary"] = "Accept-Encoding"
        if response.status_code != 304:
            response.headers.update(headers)
        return response
