"""The one stream of a UDP tunnel's QUIC connection: an object with the lease's token, and the relay's yes or no.

Each side writes one JSON object and a line feed. What comes after it is not looked at.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

ALPN = "portal-tunnel"
MAX_MESSAGE_BYTES = 64 * 1024
CLOSE_REFUSED = 1  # application code with which the relay closes after a no

LEASE_NOT_FOUND = "lease_not_found"
LEASE_REJECTED = "lease_rejected"
UNAUTHORIZED = "unauthorized"
TRANSPORT_MISMATCH = "transport_mismatch"
INVALID_REQUEST = "invalid_request"
INVALID_CONTROL_MESSAGE = "invalid_control_message"
BROKER_CLOSED = "broker_closed"


@dataclass(frozen=True, slots=True)
class Hello:
    """The holder of this token wants its lease's datagrams."""

    access_token: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`error` is empty for a yes."""

    error: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not a message; `error` is the code that the other side deserves to hear."""

    error: str


class MessageReader:
    """Bytes in, one object out; bounded by MAX_MESSAGE_BYTES."""

    __slots__ = ("_buffer", "_done")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._done = False

    def receive(self, data: bytes, *, end: bool = False) -> dict[str, Any] | Refused | None:
        """The object once its line or the stream has ended, None before that and for everything after it."""
        if self._done:
            return None
        searched = len(self._buffer)
        self._buffer += data
        line = self._buffer.find(b"\n", searched)
        if line < 0 and not end:
            if len(self._buffer) > MAX_MESSAGE_BYTES:
                return self._finish(Refused(INVALID_CONTROL_MESSAGE))
            return None
        text = bytes(self._buffer if line < 0 else self._buffer[:line])
        if len(text) > MAX_MESSAGE_BYTES:
            return self._finish(Refused(INVALID_CONTROL_MESSAGE))
        try:
            found, _ = json.JSONDecoder().raw_decode(text.decode().lstrip())
        except (ValueError, RecursionError):
            return self._finish(Refused(INVALID_CONTROL_MESSAGE))
        return self._finish(found if isinstance(found, dict) else Refused(INVALID_CONTROL_MESSAGE))

    def _finish(self, result: dict[str, Any] | Refused) -> dict[str, Any] | Refused:
        self._done = True
        self._buffer.clear()
        return result


def read_hello(message: dict[str, Any]) -> Hello | Refused:
    """What the tunnel's end says. Keys are matched whatever their case, as the rest of the relay's JSON is."""
    token = next((value for name, value in message.items() if name.lower() == "access_token"), None)
    if not isinstance(token, str) or not token.strip():
        return Refused(INVALID_REQUEST)
    return Hello(token.strip())


def read_answer(message: dict[str, Any]) -> Answer:
    """What the relay says; anything but a clear yes is a no."""
    if message.get("ok") is True:
        return Answer()
    error = message.get("error")
    return Answer(error if isinstance(error, str) and error else INVALID_CONTROL_MESSAGE)


def encode_hello(access_token: str) -> bytes:
    """The message as it goes out."""
    return json.dumps({"access_token": access_token}).encode() + b"\n"


def encode_answer(error: str = "") -> bytes:
    """A no with its code, or a yes."""
    return json.dumps({"ok": False, "error": error} if error else {"ok": True}).encode() + b"\n"
