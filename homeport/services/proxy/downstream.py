"""A client's connection: its requests one after the other, and what stops it from lasting for ever."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import Any, cast

from homeport.services.proxy import heads, pages
from homeport.services.proxy.exchange import Admitted, Desk, Exchange
from homeport.services.proxy.heads import Visitor
from homeport.services.proxy.pages import Trouble
from homeport.wire.http1 import End, Framing, Malformed, RequestHead, RequestReader


class _Phase(Enum):
    WAITING = auto()  # for the rest of a request head
    IDLE = auto()  # between requests
    BUSY = auto()  # with an exchange
    LINGERING = auto()  # answered; what still comes is thrown away, so that the answer is not reset
    CLOSED = auto()


CLOSE_TIMEOUT = 30.0  # seconds for a client to take the end of an answer
_OPEN = (_Phase.WAITING, _Phase.IDLE, _Phase.BUSY)


class ClientConnection(asyncio.Protocol):
    """`host` is what the client named in its TLS hello, None where that says nothing (tests over plain TCP). `made`
    answers whether there is room for it; `lost` is called once at its end."""

    def __init__(
        self,
        desk: Desk,
        host: str | None,
        made: Callable[[ClientConnection], bool],
        lost: Callable[[ClientConnection], None],
    ) -> None:
        self.visitor: Visitor
        self.deadline = math.inf  # a time of the event loop; the proxy calls `late` after it
        self.write_paused = False
        self._desk = desk
        self._sni = host.lower().removesuffix(".").encode() if host is not None else None
        self._made = made
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._reader = RequestReader()
        self._exchange: Exchange | None = None
        self._phase = _Phase.WAITING
        self._read_paused = False
        self._advancing = False

    @property
    def idle(self) -> bool:
        """Between requests."""
        return self._phase is _Phase.IDLE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        self._transport.set_write_buffer_limits(high=self._desk.limits.buffered_bytes)
        peer = transport.get_extra_info("peername")
        secure = self._desk.tunnelled or transport.get_extra_info("sslcontext") is not None
        self.visitor = Visitor(_address(peer), b"https" if secure else b"http")
        self._allow(self._desk.limits.head)
        if not self._made(self):
            self._refuse(pages.FULL)

    def data_received(self, data: bytes) -> None:
        if self._phase in (_Phase.LINGERING, _Phase.CLOSED):
            return
        exchange = self._exchange
        if exchange is not None and exchange.tunnel:
            exchange.tunnelled(data)
            return
        if self._phase is _Phase.IDLE:
            self._phase = _Phase.WAITING
            self._allow(self._desk.limits.head)
        self._reader.receive(data)
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # whichever way, it is over
        self._phase = _Phase.CLOSED
        self.deadline = math.inf
        self._end_exchange()
        if self._desk.gate is not None:
            self._desk.gate.left(self)
        self._lost(self)

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._exchange is not None:
            self._exchange.client_writable()

    # --- for the proxy ---

    def late(self) -> None:
        """The deadline has passed."""
        self.deadline = math.inf
        if self._phase is _Phase.BUSY and self._exchange is not None:
            self._exchange.late()
        elif self._phase is _Phase.CLOSED:
            self._transport.abort()
        elif self._phase is _Phase.WAITING and self._reader.pending:
            self._refuse(pages.REQUEST_TIMEOUT)
        else:
            self.hang_up()

    def retire(self) -> None:
        """The proxy is closing: end now what is idle or a tunnel, and after its answer what is not."""
        if self._exchange is None or self._exchange.tunnel:
            self.hang_up()

    # --- for the exchange ---

    def send(self, data: bytes) -> None:
        if not self._transport.is_closing():  # the peer may have closed a moment before we are told
            self._transport.write(data)

    def more(self) -> None:
        self._advance()

    def pause(self) -> None:
        if not self._read_paused and not self._transport.is_closing():
            self._read_paused = True
            self._transport.pause_reading()

    def rest(self) -> bytes:
        return self._reader.rest()

    def finished(self, *, keep_alive: bool, request_done: bool) -> None:
        self._exchange = None
        if self._phase is _Phase.CLOSED:
            return
        if not request_done:
            self._linger()
        elif not keep_alive or self._desk.closing:
            self.hang_up()
        else:
            self._reader.restart()
            self._phase = _Phase.WAITING if self._reader.pending else _Phase.IDLE
            self._allow(self._desk.limits.head if self._reader.pending else self._desk.limits.keep_alive)
            self._advance()

    def cut(self) -> None:
        self._phase = _Phase.CLOSED
        self._end_exchange()
        self._transport.abort()

    def hang_up(self) -> None:
        self._phase = _Phase.CLOSED
        self._end_exchange()
        self._allow(CLOSE_TIMEOUT)
        self._transport.close()

    # --- its own ---

    def _advance(self) -> None:
        """Make events of what has been received, as far as the exchange can take them."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._phase in _OPEN:
                exchange = self._exchange
                if exchange is not None and not exchange.wants_body:
                    break
                event = self._reader.next_event()
                if event is None:
                    break
                if isinstance(event, RequestHead):
                    self._begin(event)
                elif isinstance(event, Malformed):
                    trouble = pages.malformed(event.status, event.reason)
                    if exchange is not None:
                        exchange.fail(trouble)
                    else:
                        self._refuse(trouble)
                elif isinstance(event, End):
                    if exchange is not None:
                        exchange.body_end(event.trailers)
                    else:
                        self._reader.restart()  # the answer was faster
                elif exchange is not None:
                    exchange.body(event)
        finally:
            self._advancing = False
        exchange = self._exchange
        if exchange is not None:
            exchange.flush()
        if exchange is not None and (exchange.app_full if exchange.tunnel else self._reader.pending):
            self.pause()
        else:
            self._resume()

    def _begin(self, head: RequestHead) -> None:
        self._phase = _Phase.BUSY
        host = head.host or self._sni or b""
        name = self._app_name(host)
        if name is None:
            done = head.framing is Framing.NONE
            keep_alive = head.keep_alive and done
            self.send(heads.trouble(pages.MISDIRECTED, name="", head=head, keep_alive=keep_alive))
            self.finished(keep_alive=keep_alive, request_done=done)
            return
        if self._desk.gate is not None:
            passed = self._desk.gate.admit(self, name, head)
            if not isinstance(passed, Admitted):
                self.send(passed)
                self.finished(keep_alive=False, request_done=head.framing is Framing.NONE)
                return
            head, self.visitor = passed.head, replace(self.visitor, user=passed.user)
        self._exchange = Exchange(self._desk, self, head, name, host)
        self._exchange.begin()

    def _app_name(self, host: bytes) -> str | None:
        """The label before our domain, or the app whose own domain it is; None where the request belongs on another
        connection."""
        bare = host.lower()
        colon = bare.rfind(b":")
        if colon > bare.rfind(b"]"):
            bare = bare[:colon]
        bare = bare.removesuffix(b".")
        suffix = self._desk.suffix
        if self._sni is not None and bare != self._sni:
            return None
        if bare.endswith(suffix):
            return bare[: -len(suffix)].decode()
        return self._desk.routes.app_at(bare.decode("latin-1"))

    def _end_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_lost()

    def _refuse(self, trouble: Trouble) -> None:
        self.send(heads.trouble(trouble, name="", head=None, keep_alive=False))
        self._linger()

    def _linger(self) -> None:
        self._exchange = None
        self._phase = _Phase.LINGERING
        self._allow(self._desk.limits.linger)
        self._resume()

    def _resume(self) -> None:
        if self._read_paused:
            self._read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _allow(self, seconds: float) -> None:
        self.deadline = self._loop.time() + seconds


def _address(peer: Any) -> bytes:
    """Of a socket's other end; IPv4 stays IPv4 where it came over a socket for both."""
    return str(peer[0]).removeprefix("::ffff:").encode() if peer else b"unknown"
