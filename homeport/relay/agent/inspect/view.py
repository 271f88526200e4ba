"""Exchanges as the page gets them: secrets left out until they are asked for, compressed bodies readable."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable
from typing import Any

from homeport.kit.clock import rfc3339_ms
from homeport.kit.masking import MASK
from homeport.relay.agent.inspect.exchanges import BODY_BYTES, Body, Exchange
from homeport.wire.http_head import Field

# Names of fields and query parameters whose values let somebody in.
_SECRET = re.compile(
    r"auth|cookie|token|secret|passw|api[-_]?key|session|signature|credential|csrf|xsrf|\bsig\b|\bkey\b|\bcode\b", re.I
)
_INNOCENT = frozenset({"www-authenticate", "proxy-authenticate", "sec-websocket-key", "authority", ":authority"})
_ADDRESSES = frozenset((b"location", b"content-location", b"referer"))  # may hold what queries hold
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def is_secret(name: str) -> bool:
    """Whether a field or parameter of this name is masked."""
    return name.lower() not in _INNOCENT and _SECRET.search(name) is not None


def summary(exchange: Exchange) -> dict[str, Any]:
    """One line of the list: never a secret."""
    head, answer = exchange.head, exchange.answer
    return {
        "number": exchange.number,
        "at": rfc3339_ms(exchange.began_at),
        "method": _text(head.method),
        "path": masked_target(_text(head.target)),
        "host": _text(head.host),
        "status": answer.status if answer is not None else None,
        "state": exchange.state,
        "reason": exchange.reason,
        "took_ms": _ms(exchange.took),
        "first_byte_ms": _ms(exchange.first_byte),
        "request_bytes": exchange.request.size,
        "response_bytes": exchange.response.size,
        "content_type": _value(answer.fields, b"content-type") if answer is not None else "",
        "replay_of": exchange.replay_of,
        "replayable": replayable(exchange),
    }


def details(exchange: Exchange, *, reveal: bool) -> dict[str, Any]:
    """Everything that is kept of it; `reveal`: with its secrets."""
    head, answer = exchange.head, exchange.answer
    target = _text(head.target)
    return {
        **summary(exchange),
        "path": target if reveal else masked_target(target),
        "request": {"headers": _headers(head.fields, reveal), "body": _body(exchange.request, head.fields)},
        "response": None
        if answer is None
        else {
            "reason": _text(answer.reason),
            "headers": _headers(answer.fields, reveal),
            "body": _body(exchange.response, answer.fields),
        },
        "revealed": reveal,
    }


def replayable(exchange: Exchange) -> bool:
    """Whether all of the request is here, and it is one that can be sent again by itself."""
    head = exchange.head
    return exchange.request_complete and exchange.request.whole and head.upgrade is None and head.method != b"CONNECT"


def masked_target(target: str) -> str:
    """A path whose query's secrets are not there."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    parts = []
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        parts.append(f"{name}={MASK}" if equals and value and is_secret(name) else part)
    return f"{path}?{'&'.join(parts)}"


def _headers(fields: Iterable[Field], reveal: bool) -> list[dict[str, Any]]:
    rows = []
    for each in fields:
        name, value = _text(each.line.partition(b":")[0]), _text(each.value)
        masked = MASK if is_secret(name) else masked_target(value) if each.name in _ADDRESSES else value
        rows.append({"name": name, "value": value if reveal else masked, "secret": masked != value})
    return rows


def _body(body: Body, fields: tuple[Field, ...]) -> dict[str, Any]:
    """`text` where it is some, else `base64`; of compressed bodies what is inside, as far as it is here."""
    kept = bytes(body.kept)
    coding = _value(fields, b"content-encoding").lower()
    plain = _decoded(kept, coding)
    shown = plain if plain is not None else kept
    row: dict[str, Any] = {
        "size": body.size,
        "shown": len(shown),
        "cut": not body.whole or (plain is not None and len(plain) == BODY_BYTES),
        "decoded": coding if plain is not None else "",
    }
    try:
        # A body that was cut may end within a letter.
        text = shown.decode() if not row["cut"] else shown.decode(errors="ignore")
    except UnicodeDecodeError:
        text = None
    if text is None or _BINARY.search(text) or (row["cut"] and len(text.encode()) < len(shown) - 3):
        return row | {"base64": base64.b64encode(shown).decode()}
    return row | {"text": text}


def _decoded(data: bytes, coding: str) -> bytes | None:
    """At most BODY_BYTES of what was compressed, None where it was not or cannot be read."""
    if not data or coding not in ("gzip", "x-gzip", "deflate"):
        return None
    for bits in (31,) if coding != "deflate" else (15, -15):
        try:
            return zlib.decompressobj(bits).decompress(data, BODY_BYTES)
        except zlib.error:
            continue
    return None


def _value(fields: Iterable[Field], name: bytes) -> str:
    return next((_text(each.value) for each in fields if each.name == name), "")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)
