"""Answers of R29, which has no envelope but for tokens."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import orjson

from homeport.kit.problems import Problem

JSON = b"application/json"
_STATUS_LINES = {int(each): f"HTTP/1.1 {each:d} {each.phrase}".encode() for each in HTTPStatus}


class Reply(NamedTuple):
    """A response without its framing."""

    status: int
    body: bytes
    kind: bytes = JSON
    more: tuple[tuple[bytes, bytes], ...] = ()

    def encoded(self, *, keep_alive: bool, date: bytes) -> bytes:
        """The whole HTTP/1.1 response."""
        more = b"".join([b"%b: %b\r\n" % field for field in self.more]) if self.more else b""
        return b"%b\r\nDate: %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b%b\r\n%b" % (
            _STATUS_LINES[self.status],
            date,
            self.kind,
            len(self.body),
            more,
            b"" if keep_alive else b"Connection: close\r\n",
            self.body,
        )


class NotSigned(Exception):
    """A check that failed, and what the client hears of it."""

    def __init__(self, status: int, reason: str, *more: tuple[bytes, bytes]) -> None:
        super().__init__(reason)
        self.reply = refused(status, reason, *more)


def refused(status: int, reason: str, *more: tuple[bytes, bytes]) -> Reply:
    """`{"error": reason}`: this path has no envelope."""
    return Reply(status, orjson.dumps({"error": reason}) + b"\n", more=more)


def enveloped(problem: Problem) -> Reply:
    """As all of the relay answers: for what is wrong with a token."""
    error = {"code": problem.code, "message": problem.message}
    return Reply(problem.status, orjson.dumps({"ok": False, "error": error}) + b"\n")


@lru_cache(maxsize=2)
def http_date(second: int) -> bytes:
    """RFC 9110 section 5.6.7."""
    return formatdate(second, usegmt=True).encode()
