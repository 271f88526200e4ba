"""Both ends of the relay's measurement, as programs of their own that cost little: `python -m bench.relay_load ROLE …`.

The far end sends one byte when it is reached, then does what its mode says; the visitor waits for that byte. Prints one
line of JSON (the visitor), or "ready" once it can be reached (the far end), which then runs until it is killed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

PIECE = 256 * 1024
PING = b"p" * 256
GO = b"g"
_buffer = memoryview(bytearray(PIECE))
_zeros = memoryview(bytes(PIECE))
_ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Far:
    """One connection of the far end. `waiting` counts those that have no visitor yet."""

    def __init__(self, loop: FarEnd, sock: socket.socket, *, handshake: bool, request: bytes) -> None:
        self.loop = loop
        self.sock = sock
        self.mode = loop.mode
        self.request = request  # to be sent after the handshake: a session that waits for its visitor
        self.state: Callable[[], None] = self._handshake if handshake else self._begin
        self.head = b""
        self.owed = b""

    def turn(self) -> None:
        try:
            self.state()
        except _WOULD_BLOCK:
            return
        except OSError:
            self.loop.drop(self)

    def _handshake(self) -> None:
        assert isinstance(self.sock, ssl.SSLSocket)
        self.sock.do_handshake()
        if self.request:
            self.sock.send(self.request)
            self.state = self._wait
            self._wait()
        else:
            self._begin()

    def _wait(self) -> None:
        while True:
            byte = self.sock.recv(len(_ACCEPTED) - len(self.head) if len(self.head) < len(_ACCEPTED) else 1)
            if not byte:
                raise ConnectionError
            if len(self.head) < len(_ACCEPTED):
                self.head += byte
                if not _ACCEPTED.startswith(self.head):
                    raise SystemExit(f"bench: the relay refused a session: {self.head!r}")
            elif byte != b"\0":
                self.loop.claimed()
                self._begin()
                return

    def _begin(self) -> None:
        self.sock.send(GO)
        self.state = {"source": self._source, "sink": self._sink, "echo": self._echo}[self.mode]
        if self.mode == "source":
            self.loop.watch(self, select.EPOLLIN | select.EPOLLOUT)
        self.state()

    def _source(self) -> None:
        for _ in range(64):
            self.sock.send(_zeros)

    def _sink(self) -> None:
        for _ in range(64):
            if not self.sock.recv_into(_buffer):
                raise ConnectionError

    def _echo(self) -> None:
        while True:
            data = self.sock.recv(4096)
            if not data:
                raise ConnectionError
            self.sock.send(data)


class FarEnd:
    """Listens on `port` (plain, or TLS by `cert` and `key`), or keeps `slots` sessions waiting at a relay."""

    def __init__(self, words: argparse.Namespace) -> None:
        self.mode: str = words.mode
        self.words = words
        self.poll = select.epoll()
        self.conns: dict[int, Far] = {}
        self.wanted = 0
        self.listener: socket.socket | None = None
        self.context: ssl.SSLContext | None = None
        self.request = b""
        if words.token_file:
            with open(words.token_file) as file:  # noqa: PTH123
                token = file.read().strip()
            self.request = (
                f"GET /sdk/connect HTTP/1.1\r\nHost: relay\r\nX-Portal-Access-Token: {token}\r\n\r\n".encode()
            )
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
            self.wanted = words.slots
        else:
            self.listener = socket.create_server(("127.0.0.1", words.port), backlog=1024)
            self.listener.setblocking(False)
            self.poll.register(self.listener, select.EPOLLIN)
            if words.cert:
                self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self.context.load_cert_chain(words.cert, words.key)

    def run(self) -> None:
        announced = False
        while True:
            while self.wanted > 0:
                self.wanted -= 1
                self._dial()
            if not announced:
                announced = True
                print("ready", flush=True)
            for fd, _ in self.poll.poll():
                if self.listener is not None and fd == self.listener.fileno():
                    self._accept()
                elif (far := self.conns.get(fd)) is not None:
                    far.turn()

    def watch(self, far: Far, events: int) -> None:
        self.poll.modify(far.sock.fileno(), events)

    def claimed(self) -> None:
        self.wanted += 1

    def drop(self, far: Far) -> None:
        if self.conns.pop(far.sock.fileno(), None) is not None:
            if self.request and far.state in (far._wait, far._handshake):
                self.wanted += 1
            self.poll.unregister(far.sock)
            far.sock.close()

    def _dial(self) -> None:
        assert self.context is not None
        plain = socket.create_connection(("127.0.0.1", self.words.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setblocking(False)
        sock = self.context.wrap_socket(plain, server_hostname=self.words.name, do_handshake_on_connect=False)
        self._add(Far(self, sock, handshake=True, request=self.request))

    def _accept(self) -> None:
        assert self.listener is not None
        with contextlib.suppress(BlockingIOError):
            while True:
                plain, _ = self.listener.accept()
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                plain.setblocking(False)
                sock: socket.socket = plain
                if self.context is not None:
                    sock = self.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
                self._add(Far(self, sock, handshake=self.context is not None, request=b""))

    def _add(self, far: Far) -> None:
        self.conns[far.sock.fileno()] = far
        self.poll.register(far.sock, select.EPOLLIN)
        far.turn()


def connect(port: int, number: int) -> socket.socket:
    """From an address of its own; the far end has been reached."""
    source = f"127.1.{number // 250}.{number % 250 + 1}"
    sock = socket.create_connection(("127.0.0.1", port), 20, (source, 0))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sock.recv(1) != GO:
        raise SystemExit(f"bench: nobody was reached at port {port}")
    return sock


def bulk(port: int, streams: int, seconds: float, *, download: bool) -> dict[str, Any]:
    """Bytes that went through in `seconds`, once all streams run; `begin` and `end` are the monotonic clock's."""
    socks = [connect(port, number) for number in range(streams)]
    poll = select.epoll()
    by_fd = {}
    for sock in socks:
        sock.setblocking(False)
        by_fd[sock.fileno()] = sock
        poll.register(sock, select.EPOLLIN if download else select.EPOLLOUT)
    moved, begin = _pump(poll, by_fd, 0.5, download=download), time.monotonic()
    print(json.dumps({"begin": begin}), flush=True)
    moved = _pump(poll, by_fd, seconds, download=download)
    end = time.monotonic()
    return {"bytes": moved, "seconds": end - begin}


def _pump(poll: select.epoll, by_fd: dict[int, socket.socket], seconds: float, *, download: bool) -> int:
    moved = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for fd, _ in poll.poll(0.1):
            try:
                count = by_fd[fd].recv_into(_buffer) if download else by_fd[fd].send(_zeros)
            except BlockingIOError:
                continue
            if not count and download:
                raise SystemExit("bench: a stream ended")
            moved += count
    return moved


def ping(port: int, streams: int, seconds: float) -> dict[str, Any]:
    """256 bytes there and back, on each stream in turn: the times in microseconds."""
    socks = [connect(port, number) for number in range(streams)]
    print(json.dumps({"begin": time.monotonic()}), flush=True)
    until = time.monotonic() + seconds
    times: list[int] = []
    while time.monotonic() < until:
        for sock in socks:
            began = time.perf_counter_ns()
            sock.sendall(PING)
            left = len(PING)
            while left:
                left -= len(sock.recv(left)) or sys.exit("bench: a stream ended")
            times.append(time.perf_counter_ns() - began)
    times.sort()
    return {
        "rounds": len(times),
        "p50_us": times[len(times) // 2] / 1000,
        "p99_us": times[len(times) * 99 // 100] / 1000,
    }


def connections(port: int, parallel: int, seconds: float) -> dict[str, Any]:
    """New connections that reached the far end, `parallel` under way at a time."""
    poll = select.epoll()
    under_way: dict[int, socket.socket] = {}
    done, number = 0, 0
    begin = time.monotonic()
    print(json.dumps({"begin": begin}), flush=True)
    while time.monotonic() < begin + seconds:
        while len(under_way) < parallel:
            number += 1
            sock = socket.socket()
            sock.bind((f"127.2.{number // 250 % 250}.{number % 250 + 1}", 0))
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            under_way[sock.fileno()] = sock
            poll.register(sock, select.EPOLLIN)
        for fd, _ in poll.poll(1):
            sock = under_way.pop(fd)
            with contextlib.suppress(OSError):
                done += sock.recv(1) == GO
            poll.unregister(fd)
            sock.close()
    return {"connections": done, "seconds": time.monotonic() - begin, "tried": number}


def main(words: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m bench.relay_load")
    parser.add_argument("role", choices=("far", "download", "upload", "ping", "connections"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mode", choices=("source", "sink", "echo"), default="echo")
    parser.add_argument("--cert", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--token-file", default="")
    parser.add_argument("--name", default="relay.localhost")
    parser.add_argument("--slots", type=int, default=8)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    asked = parser.parse_args(words)
    if asked.role == "far":
        FarEnd(asked).run()
        return
    if asked.role == "ping":
        result = ping(asked.port, asked.streams, asked.seconds)
    elif asked.role == "connections":
        result = connections(asked.port, asked.streams, asked.seconds)
    else:
        result = bulk(asked.port, asked.streams, asked.seconds, download=asked.role == "download")
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
