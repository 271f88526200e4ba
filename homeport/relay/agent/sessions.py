"""One reverse session: a connection that the relay accepted as ours, waiting for its visitor (relay C.4)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from homeport import __version__
from homeport.relay.agent.connection import Connection, Dialer, reason
from homeport.relay.agent.problems import LeaseLost, RelayIncompatible, RelayRefused, RelayUnreachable, SessionEnded
from homeport.relay.agent.relays import Relay

SILENCE_SECONDS = 30.0  # the relay says something every 15
ANSWER_SECONDS = 15.0
MOST_HEAD_BYTES = 16 * 1024
MOST_IDLE_BYTES = 256  # at once: an hour of them
MOST_ERROR_BYTES = 8 * 1024
IDLE, TCP, TLS = 0x00, 0x01, 0x02
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})(?: |\r\n)")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)


class ReverseSession:
    """`early`: plain bytes of the visitor that came together with the marker."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.early = b""

    async def claimed(self) -> Literal["tls", "tcp"]:
        """Returns when a visitor is there, and what it speaks. Raises SessionEnded: broken, or silent for too long."""
        try:
            while True:
                for at, byte in enumerate(self.early):
                    if byte == IDLE:
                        continue
                    if byte not in (TCP, TLS):
                        raise SessionEnded(f"The relay sent the unknown marker {byte:#04x}.")
                    self.early = self.early[at + 1 :]
                    return "tls" if byte == TLS else "tcp"
                async with asyncio.timeout(SILENCE_SECONDS):
                    self.early = await self.connection.read(4096)
                if not self.early:
                    raise SessionEnded("The relay ended a waiting session.")
                if self.early.count(IDLE) == len(self.early) > MOST_IDLE_BYTES:
                    raise SessionEnded("The relay floods a waiting session.")
        except TimeoutError:
            raise SessionEnded(f"The relay has been silent for {SILENCE_SECONDS:.0f} seconds.") from None
        except OSError as fault:
            raise SessionEnded(f"The connection to the relay broke ({reason(fault)}).") from None


async def open_session(relay: Relay, dialer: Dialer, token: str) -> ReverseSession:
    """A session that waits. Raises RelayUnreachable, RelayRefused, LeaseLost, RelayIncompatible."""
    connection = await dialer.dial()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            request = (
                f"GET /sdk/connect HTTP/1.1\r\nHost: {relay.authority}\r\nUser-Agent: homeport/{__version__}\r\n"
                f"X-Portal-Access-Token: {token}\r\nConnection: keep-alive\r\n\r\n"
            )
            await connection.write(request.encode("ascii"))
            head, rest = await _head(connection)
            status = _STATUS.match(head)
            if status is None:
                raise RelayIncompatible(f"{relay.url} does not answer /sdk/connect as a relay does.")
            if status[1] != b"200":
                raise refusal(int(status[1]), await _body(connection, head, rest), relay)
    except TimeoutError:
        connection.close()
        raise RelayUnreachable(f"{relay.url} did not answer within {ANSWER_SECONDS:.0f} seconds.") from None
    except OSError as fault:
        connection.close()
        raise RelayUnreachable(f"{relay.url} broke the connection ({reason(fault)}).") from None
    except BaseException:
        connection.close()
        raise
    dialer.learn(connection)
    session = ReverseSession(connection)
    session.early = rest
    return session


def refusal(status: int, body: bytes, relay: Relay) -> LeaseLost | RelayRefused | RelayUnreachable | RelayIncompatible:
    """The problem that an error answer stands for (relay A.0)."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    error = content.get("error") if isinstance(content, dict) else None
    if not isinstance(error, Mapping):
        if status >= 500:
            return RelayUnreachable(f"{relay.url} answered {status}.")
        return RelayIncompatible(f"{relay.url} answered {status}, and not as a relay does.")
    return refused(status, error, relay)


def refused(status: int, error: Mapping[str, Any], relay: Relay) -> LeaseLost | RelayRefused | RelayUnreachable:
    """The same, of the envelope's error."""
    code = _printable(str(error.get("code") or "internal"))[:60]
    message = _printable(str(error.get("message") or ""))
    if code in ("lease_not_found", "unauthorized"):
        return LeaseLost(f"{relay.url} does not know the lease: {message or code}.")
    if status >= 500 and code in ("internal", "hijack_failed", "hijack_unsupported"):
        return RelayUnreachable(f"{relay.url} has a fault: {message or code}.")
    return RelayRefused(code, status, f"{relay.url} refused ({code}): {message or status}.")


async def _head(connection: Connection) -> tuple[bytes, bytes]:
    """Up to and with the blank line, and what came after it."""
    got = b""
    while (end := got.find(b"\r\n\r\n")) < 0:
        piece = await connection.read(4096)
        if not piece:
            raise ConnectionResetError("it ended before it answered")
        got += piece
        if len(got) > MOST_HEAD_BYTES:
            raise ConnectionResetError("its answer is too long")
    return got[: end + 4], got[end + 4 :]


async def _body(connection: Connection, head: bytes, rest: bytes) -> bytes:
    """What there is of an error's body."""
    found = _LENGTH.search(head)
    wanted = min(int(found[1]), MOST_ERROR_BYTES) if found else MOST_ERROR_BYTES
    while len(rest) < wanted and (piece := await connection.read(4096)):
        rest += piece
    return rest[:wanted]


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:300].rstrip(".")
