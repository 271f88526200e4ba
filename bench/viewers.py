"""A thousand people who follow one log, in a process of their own: WebSockets over TLS, and one that never reads.

`python -m bench.viewers URL CA COUNT SECONDS` with the key in KEY. Writes one JSON line when all are connected, one
with what they saw, waits for a line on its input while the readers that are left go on, and writes one more with what
the viewer that did not read found at last.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import ssl
import sys
import time
from array import array
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.figures import percentile

AT_ONCE = 50  # handshakes under way
STAY = 3  # readers that stay to the end
SETTLE = 1.0  # seconds for the last line to reach everybody
SMALL_WINDOW = 4096  # bytes that the kernel keeps for the one that does not read
TEXT, CLOSE, PING = 1, 8, 9  # opcodes (RFC 6455 5.2)
MARK = b'"message":"'  # what an entry's text begins after
LINE = b"line "  # what the app prints; a unit's journal has the machine's and the program's name before it
DROPPED = re.compile(r"\[(\d+) lines dropped")  # how a unit's viewer is told


def take_frames(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Opcode and payload of each whole frame of a server, which does not mask; they are removed from `buffer`."""
    while len(buffer) >= 2:
        size, start = buffer[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(buffer[2:start])
        if len(buffer) < start + size:
            return
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + size])
        del buffer[: start + size]
        yield opcode, payload


def pong(payload: bytes) -> bytes:
    """Masked with zeros, which leaves the payload as it is."""
    return bytes((0x8A, 0x80 | len(payload), 0, 0, 0, 0)) + payload


class Upgrade:
    """The request that every viewer sends."""

    def __init__(self, url: str, ca: str, key: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self.host, self.port = parts.hostname, parts.port
        self.tls = ssl.create_default_context(cafile=ca)
        self.request = (
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()


class Viewer(asyncio.Protocol):
    """Notes for each line its number, when it was printed, and when it was here (both time.time_ns)."""

    def __init__(self, upgrade: Upgrade) -> None:
        self.open: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.numbers, self.printed, self.arrived = array("q"), array("q"), array("q")
        self.odd: list[str] = []  # what is no line of the app, and how it ended
        self._request = upgrade.request
        self._buffer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's are not subclasses
        self.transport.write(self._request)

    def connection_lost(self, exc: Exception | None) -> None:
        self.odd.append(f"lost: {exc!r}")
        if not self.open.done():
            self.open.set_exception(ConnectionError("closed before the upgrade"))

    def data_received(self, data: bytes) -> None:
        now = time.time_ns()
        self._buffer += data
        if not self.open.done():
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101 "):
                self.open.set_exception(ConnectionError(bytes(self._buffer).decode()))
                return
            self._buffer = rest
            self.open.set_result(None)
        for opcode, payload in take_frames(self._buffer):
            if opcode == PING:
                self.transport.write(pong(payload))
                continue
            words = payload[payload.find(LINE, payload.find(MARK)) :].split(b" ", 3)
            if opcode == TEXT and words[0] == b"line":
                self.numbers.append(int(words[1]))
                self.printed.append(int(words[2]))
                self.arrived.append(now)
            else:
                self.odd.append(f"{opcode}: {payload[:200]!r}")


class Stalled:
    """Connects, and does not read before `read()`. Blocks: call it in a thread."""

    def __init__(self, upgrade: Upgrade) -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_WINDOW)
        raw.connect(("127.0.0.1", upgrade.port))
        self._socket = upgrade.tls.wrap_socket(raw, server_hostname=upgrade.host)
        self._socket.sendall(upgrade.request)

    def read(self, seconds: float = 4.0) -> dict[str, int]:
        """What comes in `seconds`, or until the end: lines, lines skipped, close code."""
        self._socket.settimeout(seconds)
        until = time.monotonic() + seconds
        buffer, head, lines, skipped, code = bytearray(), False, 0, 0, 0
        try:
            while time.monotonic() < until and (data := self._socket.recv(1 << 16)):
                buffer += data
                if not head:
                    head = b"\r\n\r\n" in buffer
                    if not head:
                        continue
                    del buffer[: buffer.find(b"\r\n\r\n") + 4]
                for opcode, payload in take_frames(buffer):
                    if opcode == CLOSE:
                        code = int.from_bytes(payload[:2])
                    elif opcode == PING:
                        self._socket.sendall(pong(payload))
                    elif opcode == TEXT:
                        told = skipped_by(json.loads(payload))
                        lines, skipped = lines + (told == 0), skipped + told
        except (TimeoutError, ssl.SSLError, ConnectionError):
            pass
        self._socket.close()
        return {"lines": lines, "skipped": skipped, "close_code": code}


def skipped_by(entry: dict[str, Any]) -> int:
    """How many lines this entry says were left out."""
    dropped = DROPPED.match(entry["message"])
    return int(dropped[1]) if dropped else int(entry.get("skipped", 0))


def say(**what: float) -> None:
    print(json.dumps(what), flush=True)


async def connect(upgrade: Upgrade, turns: asyncio.Semaphore) -> Viewer:
    async with turns:
        _, viewer = await asyncio.get_running_loop().create_connection(
            lambda: Viewer(upgrade), "127.0.0.1", upgrade.port, ssl=upgrade.tls, server_hostname=upgrade.host
        )
        await viewer.open
    return viewer


def seen(viewers: list[Viewer], begin: int, end: int) -> dict[str, float]:
    """What arrived of the lines that were printed in between (time.time_ns)."""
    delays, shares = list[float](), list[list[int]]()
    for viewer in viewers:
        inside = [place for place, printed in enumerate(viewer.printed) if begin <= printed < end]
        delays += [(viewer.arrived[place] - viewer.printed[place]) / 1e6 for place in inside]
        shares.append([viewer.numbers[place] for place in inside])
    every = sorted(set().union(*shares))
    complete = every == list(range(every[0], every[-1] + 1))
    return {
        "lines": len(every),
        "incomplete": sum(share != every for share in shares) if complete else len(viewers),
        "odd": sum(len(viewer.odd) for viewer in viewers),
        "p50_ms": percentile(delays, 0.50),
        "p99_ms": percentile(delays, 0.99),
        "worst_ms": max(delays),
    }


async def main(url: str, ca: str, count: int, seconds: float) -> None:
    upgrade, turns = Upgrade(url, ca, os.environ["KEY"]), asyncio.Semaphore(AT_ONCE)
    viewers = await asyncio.gather(*(connect(upgrade, turns) for _ in range(count - 1)))
    stalled = await asyncio.to_thread(Stalled, upgrade)
    await asyncio.sleep(SETTLE)
    say(connected=count)
    begin, cpu = time.time_ns(), time.process_time()
    await asyncio.sleep(seconds)
    end = time.time_ns()
    used = (time.process_time() - cpu) / seconds
    await asyncio.sleep(SETTLE)
    say(**seen(viewers, begin, end), clients_cores=used)
    for viewer in viewers[STAY:]:
        viewer.transport.abort()
    for viewer in viewers[:STAY]:
        viewer.odd.clear()
    await asyncio.to_thread(sys.stdin.readline)
    found = await asyncio.to_thread(stalled.read)
    until = time.time_ns()
    await asyncio.sleep(SETTLE)
    flooded = seen(viewers[:STAY], end, until)
    say(**found, readers_lines=flooded["lines"], readers_missing=flooded["incomplete"] + flooded["odd"])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
