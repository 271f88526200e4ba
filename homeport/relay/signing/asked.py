"""What a request for a signature says."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from operator import itemgetter
from typing import Any, cast

from homeport.relay.envelope import Body, first_value
from homeport.relay.problems import InvalidJson
from homeport.relay.signing.replies import NotSigned

MAX_BODY_BYTES = 4096

Asked = tuple[str, str, str, str, int]  # key_id, algorithm, digest in base64, nonce, timestamp_unix
_TEXTS = ("key_id", "algorithm", "digest", "nonce")
_TYPES = (str, str, str, str, int)
_IN_ORDER: Callable[[dict[str, object]], tuple[Any, ...]] = itemgetter(*_TEXTS, "timestamp_unix")


def read_asked(body: bytes) -> Asked:
    """Keys in any case, as all of the relay reads them; the usual case takes a short way. Raises NotSigned."""
    if len(body) > MAX_BODY_BYTES:
        raise NotSigned(400, f"the body is larger than {MAX_BODY_BYTES} bytes")
    try:
        value = first_value(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise NotSigned(400, "the body is no JSON object")
    try:
        asked = _IN_ORDER(value)
    except KeyError:
        asked = ()  # another case, or it is missing
    if tuple(map(type, asked)) == _TYPES and all(asked):
        return cast(Asked, asked)
    folded = Body({key.lower(): each for key, each in value.items()})
    try:
        texts = [folded.text(name) for name in _TEXTS]
        timestamp = folded.number("timestamp_unix")
    except InvalidJson as problem:
        raise NotSigned(400, problem.message) from None
    if missing := next((name for name, text in zip(_TEXTS, texts, strict=True) if not text), None):
        raise NotSigned(400, f"{missing} is missing")
    return texts[0], texts[1], texts[2], texts[3], timestamp


def digest_of(text: str) -> bytes:
    """Raises NotSigned."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NotSigned(400, "the digest is no base64") from None
