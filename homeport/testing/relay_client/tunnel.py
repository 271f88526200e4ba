"""A tunnel: so many sessions wait at the relay, and whoever comes is served, each in a thread of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from homeport.testing.relay_client.client import RelayClient
from homeport.testing.relay_client.session import RAW, ReverseSession
from homeport.testing.relay_client.signer import RemoteSigner
from homeport.testing.relay_client.stream import ByteStream
from homeport.testing.relay_client.tenant import accept_tls

READY_TARGET = 2
PATIENCE_SECONDS = 60.0


class Tunnel:
    """Serves with `serve(stream)` what comes to the registered `client`. As a context manager it runs within.

    `faults` are what went wrong with visitors, `served` how many there were.
    """

    def __init__(
        self,
        client: RelayClient,
        serve: Callable[[ByteStream], None],
        *,
        slots: int = READY_TARGET,
        keyless: bool = True,
    ) -> None:
        self.client = client
        self.served = 0
        self.faults: list[Exception] = []
        self._serve = serve
        self._slots = slots
        self._signer = RemoteSigner(client.relay, lambda: client.token) if keyless else None
        self._stopping = threading.Event()
        self._open: set[ReverseSession] = set()
        self._waiting: set[ReverseSession] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        for number in range(self._slots):
            self._start(self._slot, f"slot {number}")
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._changed:
            for session in self._open:
                session.cut()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        if self._signer is not None:
            self._signer.close()

    @property
    def waiting(self) -> int:
        """Sessions that wait for visitors."""
        return len(self._waiting)

    def wait_ready(self, count: int = 0, seconds: float = PATIENCE_SECONDS) -> None:
        """Until `count` sessions wait (all slots, if none is given). Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._waiting) >= (count or self._slots), seconds):
                raise TimeoutError(f"{len(self._waiting)} sessions wait; faults: {self.faults}")

    def _start(self, run: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=run, name=f"tunnel {self.client.name} {name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _slot(self) -> None:
        while not self._stopping.is_set():
            try:
                session = self.client.connect()
            except Exception as problem:  # the slot tries again, as clients do
                self.faults.append(problem)
                self._stopping.wait(0.2)
                continue
            with self._changed:
                if self._stopping.is_set():
                    session.cut()
                    return
                self._open.add(session)
                self._waiting.add(session)
                self._changed.notify_all()
            try:
                marker = session.wait(PATIENCE_SECONDS)
            except (OSError, EOFError, ValueError) as problem:
                if not self._stopping.is_set():
                    self.faults.append(problem)
                self._forget(session)
                continue
            with self._changed:
                self._waiting.discard(session)
                self.served += 1
                self._changed.notify_all()
            session.settimeout(PATIENCE_SECONDS)
            self._start(lambda one=session, kind=marker: self._visitor(one, kind), "visitor")  # type: ignore[misc]

    def _visitor(self, session: ReverseSession, marker: int) -> None:
        try:
            stream: ByteStream = session
            if marker != RAW and self._signer is not None:
                stream = accept_tls(session, self._signer)
            self._serve(stream)
            stream.close()
        except Exception as problem:  # for whoever asks what went wrong; the tunnel goes on
            self.faults.append(problem)
        self._forget(session)

    def _forget(self, session: ReverseSession) -> None:
        with self._changed:
            self._open.discard(session)
            self._waiting.discard(session)
        with contextlib.suppress(OSError):
            session.close()


def answer_http(body: bytes, *, requests: int = 1_000_000) -> Callable[[ByteStream], None]:
    """A server that answers each request without a body with `body`, so many on a connection."""

    def serve(stream: ByteStream) -> None:
        seen = b""
        for number in range(requests):
            while b"\r\n\r\n" not in seen:
                piece = stream.recv(65536)
                if not piece:
                    return
                seen += piece
            _, _, seen = seen.partition(b"\r\n\r\n")
            last = b"close" if number + 1 == requests else b"keep-alive"
            stream.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n%s"
                % (len(body), last, body)
            )

    return serve


def echo(stream: ByteStream) -> None:
    """Sends back what comes; at the visitor's end of sending it ends too."""
    while data := stream.recv(65536):
        stream.sendall(data)
    stream.half_close()
