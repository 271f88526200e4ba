"""What a visitor reads when the app cannot answer: a page for browsers, JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from http import HTTPStatus


@dataclass(frozen=True)
class Trouble:
    """An answer of the proxy's own. `sentence` is for people and names no address or path of the machine.
    `retry_after` is seconds; with `refresh` a browser asks again by itself."""

    status: int
    code: str
    title: str
    sentence: str
    retry_after: int | None = None
    refresh: bool = False


NO_SUCH_APP = Trouble(404, "no_such_app", "No app here", "No app has this name.")
MISDIRECTED = Trouble(421, "misdirected", "Wrong connection", "This connection was made for another host.")
REFUSED = Trouble(502, "app_unreachable", "The app does not answer", "The app is not accepting connections.", 5)
BROKE_OFF = Trouble(502, "app_broke_off", "The app broke off", "The app closed the connection before it answered.")
GIBBERISH = Trouble(502, "app_answer_invalid", "The app's answer is broken", "The app's answer breaks HTTP's rules.")
BUSY = Trouble(503, "app_busy", "The app is busy", "The app has too many requests at the moment.", 2)
FULL = Trouble(503, "portal_busy", "Too many visitors", "The portal has too many connections at the moment.", 5)
CONNECT_TIMEOUT = Trouble(504, "app_timeout", "The app does not answer", "The app did not accept a connection in time.")
RESPONSE_TIMEOUT = Trouble(504, "app_timeout", "The app does not answer", "The app did not answer in time.")
REQUEST_TIMEOUT = Trouble(408, "request_timeout", "Too slow", "The request did not arrive in time.")
BODY_TOO_LARGE = Trouble(413, "too_large", "Too large", "The request's body is larger than what is accepted here.")

PAUSES = {
    "stopped": Trouble(503, "app_stopped", "The app is stopped", "The app was stopped by its owner.", 60),
    "deploying": Trouble(
        503, "app_deploying", "Almost there", "The app is being deployed; it will be here in a moment.", 3, True
    ),
    "failed": Trouble(503, "app_failed", "The app is not running", "The app failed; its owner can see why.", 30),
}


def malformed(status: int, reason: str) -> Trouble:
    """The request breaks a rule of HTTP; the reason names the rule."""
    title = HTTPStatus(status).phrase
    return Trouble(status, "bad_request" if status == 400 else "request_refused", title, f"Request refused: {reason}.")


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">{refresh}<title>{title}</title><style>
:root{{color-scheme:light dark;--ink:#1a1b1e;--soft:#5c5f66;--paper:#f8f9fa;--card:#fff;--line:#dee2e6}}
@media(prefers-color-scheme:dark){{:root{{--ink:#e9ecef;--soft:#a6a7ab;--paper:#141517;--card:#1f2023;--line:#373a40}}}}
body{{margin:0;min-height:100vh;display:grid;place-items:center;background:var(--paper);color:var(--ink);
font:16px/1.5 system-ui,sans-serif}}
main{{margin:1rem;max-width:26rem;padding:2rem;background:var(--card);border:1px solid var(--line);
border-radius:.75rem}}
h1{{margin:0 0 .5rem;font-size:1.35rem}}p{{margin:0}}small{{display:block;margin-top:1.25rem;color:var(--soft)}}
</style></head><body><main><h1>{title}</h1><p>{sentence}</p>
<small>{name}{status} · Homeport</small></main></body></html>
"""


def render(trouble: Trouble, *, name: str, html: bool) -> tuple[bytes, bytes]:
    """Content type and body. `name` is the app's, or empty."""
    if not html:
        body = {
            "error": trouble.sentence,
            "code": trouble.code,
            "status": trouble.status,
            "message": trouble.sentence,
            "details": None,
        }
        return b"application/json", json.dumps(body).encode()
    page = _PAGE.format(
        title=escape(trouble.title),
        sentence=escape(trouble.sentence),
        status=trouble.status,
        name=f"{escape(name)} · " if name else "",
        refresh=f'<meta http-equiv="refresh" content="{trouble.retry_after}">' if trouble.refresh else "",
    )
    return b"text/html; charset=utf-8", page.encode()


def wants_html(accept: bytes) -> bool:
    """A browser's own navigation names text/html; scripts and programs ask for less or for anything."""
    return b"text/html" in accept.lower()
