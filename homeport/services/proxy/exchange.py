"""One request on its way to an app, and the answer on its way back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from homeport.services.exposure import Route, Routes, Target, Traffic
from homeport.services.proxy import heads, pages
from homeport.services.proxy.apps import AppConnection, Pools
from homeport.services.proxy.heads import Visitor
from homeport.services.proxy.limits import Limits
from homeport.services.proxy.pages import Trouble
from homeport.wire.http1 import End, Field, Framing, Malformed, RequestHead, ResponseHead

log = structlog.get_logger()

MAX_ATTEMPTS = 3
MAX_INFORMATIONAL = 16  # responses before the final one
# RFC 9110 section 9.2.2: doing it twice has the effect of doing it once.
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: its head for the app, and who signed in for it."""

    head: RequestHead
    user: bytes | None = None


class Gate(Protocol):
    """Asked before each request is passed on."""

    def admit(self, client: Client, name: str, head: RequestHead) -> Admitted | bytes:
        """What goes on to the app called `name`; or a whole answer of the gate's own, which closes the connection."""
        ...

    def left(self, client: Client) -> None:
        """The client's connection is over."""
        ...


@dataclass
class Desk:
    """What the connections of one proxy share. `tunnelled`: they came through a tunnel, whose end took TLS off."""

    routes: Routes
    suffix: bytes  # of the apps' host names: a dot and the domain
    limits: Limits
    pools: Pools
    gate: Gate | None = None
    tunnelled: bool = False
    connects: set[asyncio.Task[None]] = field(default_factory=set)  # under way
    closing: bool = False


class Client(Protocol):
    """The connection that the request came on."""

    visitor: Visitor
    deadline: float
    write_paused: bool

    def send(self, data: bytes) -> None: ...

    def more(self) -> None:
        """The exchange can take the next piece of the request."""
        ...

    def pause(self) -> None:
        """Read no more from the client until `more`."""
        ...

    def rest(self) -> bytes:
        """What the client sent beyond its request."""
        ...

    def finished(self, *, keep_alive: bool, request_done: bool) -> None:
        """The answer has been sent whole."""
        ...

    def cut(self) -> None:
        """The answer cannot be completed: end the connection so that the client notices."""
        ...

    def hang_up(self) -> None:
        """A tunnel's other end closed: send what is buffered and close."""
        ...


class Exchange:
    """Counted in flight at one instance from its dispatch to its end. Methods named `app_` are the app connection's."""

    def __init__(self, desk: Desk, client: Client, head: RequestHead, name: str, host: bytes) -> None:
        self.tunnel = False
        self._desk = desk
        self._client = client
        self._head = head
        self._name = name
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._app: AppConnection | None = None
        self._target: Target | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._traffic: Traffic = desk.routes.traffic(name)
        self._attempts = 0
        self._to_app: list[bytes] = []
        self._to_client: list[bytes] = []
        self._body_bytes = 0
        self._request_done = False
        self._response: ResponseHead | None = None
        self._informational = 0
        self._chunked = False
        self._keep_alive = False
        self._over = False

    @property
    def wants_body(self) -> bool:
        """Whether the next piece of the request may be handed in."""
        app = self._app
        return app is not None and not app.write_paused and not self._request_done and not self.tunnel

    @property
    def app_full(self) -> bool:
        """Whether the app is slower than what is sent to it."""
        return self._app is not None and self._app.write_paused

    # --- from the client ---

    def begin(self) -> None:
        """Find the app and send it the head."""
        self._traffic.requests += 1
        self._traffic.in_flight += 1
        self._dispatch()

    def body(self, piece: bytes) -> None:
        self._body_bytes += len(piece)
        self._traffic.bytes_in += len(piece)
        limit = self._desk.limits.body_bytes
        if limit is not None and self._body_bytes > limit:
            self.fail(pages.BODY_TOO_LARGE)
            return
        if self._head.framing is Framing.CHUNKED:
            self._to_app += (b"%x\r\n" % len(piece), piece, b"\r\n")
        else:
            self._to_app.append(piece)
        self._client.deadline = self._loop.time() + self._desk.limits.body

    def body_end(self, trailers: tuple[Field, ...]) -> None:
        self._request_done = True
        if self._head.framing is Framing.CHUNKED:
            self._to_app.append(heads.trailer_block(trailers))
        if self._response is None:
            self._client.deadline = self._loop.time() + self._desk.limits.response

    def flush(self) -> None:
        """Send what `body` and `body_end` gathered, in one piece."""
        if self._to_app and self._app is not None:
            self._app.write(self._to_app[0] if len(self._to_app) == 1 else b"".join(self._to_app))
            self._to_app.clear()

    def tunnelled(self, data: bytes) -> None:
        """Bytes of the client after the switch of protocols."""
        if self._app is None:
            return
        self._traffic.bytes_in += len(data)
        self._client.deadline = self._loop.time() + self._desk.limits.tunnel
        self._app.write(data)
        if self._app.write_paused:
            self._client.pause()

    def client_writable(self) -> None:
        if self._app is not None:
            self._app.resume_reading()

    def client_lost(self) -> None:
        """Nobody waits for the answer any more."""
        app = self._leave()
        if app is None:
            return
        if self.tunnel:
            app.recipient = None
            app.transport.close()  # what the client sent last is still delivered
        else:
            app.abandon()

    def late(self) -> None:
        """The deadline has passed."""
        if self.tunnel or self._response is not None:
            self.cut()
        elif self._request_done or (self._app is not None and self._app.write_paused):
            self.fail(pages.RESPONSE_TIMEOUT)
        else:
            self.fail(pages.REQUEST_TIMEOUT)

    def fail(self, trouble: Trouble) -> None:
        """End it with an answer of our own where none has begun, else by cutting."""
        if self._over:
            return
        if self._response is not None:
            self.cut()
            return
        app = self._leave()
        if app is not None:
            app.abandon()
        keep_alive = self._head.keep_alive and self._done_asking and not self._desk.closing
        if trouble.status >= 500:
            self._traffic.errors_5xx += 1
        self._client.send(heads.trouble(trouble, name=self._name, head=self._head, keep_alive=keep_alive))
        self._client.finished(keep_alive=keep_alive, request_done=self._done_asking)

    def cut(self) -> None:
        """End at once, for the client too."""
        app = self._leave()
        if app is not None:
            app.abandon()
        self._client.cut()

    # --- finding an app ---

    def _dispatch(self) -> None:
        route = self._desk.routes.find(self._name)
        if route is None or route.target is None:
            self.fail(_reason(route))
            return
        self._enter(route.target)
        self._attempts += 1
        app = self._desk.pools.take(route.target) if self._replayable and self._attempts == 1 else None
        if app is not None:
            self._use(app)
        elif not self._desk.pools.has_room(route.target):
            self.fail(pages.BUSY)
        else:
            self._connecting = self._loop.create_task(
                self._connect(route.target), name=f"proxy connects to {route.target.instance_id}"
            )
            self._desk.connects.add(self._connecting)
            self._connecting.add_done_callback(self._desk.connects.discard)
            self._client.deadline = float("inf")  # connecting has its own

    async def _connect(self, target: Target) -> None:
        try:
            app = await self._desk.pools.connect(target)
        except TimeoutError:
            self._not_connected(target, pages.CONNECT_TIMEOUT)
        except OSError:
            self._not_connected(target, pages.REFUSED)
        else:
            self._connecting = None
            if self._over:
                app.abandon()
                return
            self._use(app)
            self._client.more()

    def _not_connected(self, target: Target, trouble: Trouble) -> None:
        """Nothing was sent: where the name points elsewhere by now, that is where the request belongs."""
        self._connecting = None
        if self._over:
            return
        if self._attempts < MAX_ATTEMPTS and self._moved(target):
            self._dispatch()
            return
        log.info("an app does not accept connections", app=self._name, instance=target.instance_id, code=trouble.code)
        self.fail(trouble)

    def _moved(self, target: Target) -> bool:
        route = self._desk.routes.find(self._name)
        return route is None or route.target != target

    def _use(self, app: AppConnection) -> None:
        self._app = app
        app.recipient = self
        app.reader.expect(self._head.method)
        if self._client.write_paused:
            app.pause_reading()
        self._to_app.insert(0, heads.to_app(self._head, self._host, self._client.visitor))
        limits = self._desk.limits
        self._client.deadline = self._loop.time() + (limits.response if self._done_asking else limits.body)
        if self._replayable:
            self.flush()

    @property
    def _replayable(self) -> bool:
        """May be sent again after a connection died without an answer: only such requests use a reused connection."""
        head = self._head
        return head.framing is Framing.NONE and head.upgrade is None and head.method in _IDEMPOTENT

    @property
    def _done_asking(self) -> bool:
        return self._request_done or self._head.framing is Framing.NONE

    def _enter(self, target: Target) -> None:
        before, self._target = self._target, target
        self._desk.routes.enter(target.instance_id, self)
        if before is not None and before.instance_id != target.instance_id:
            self._desk.routes.leave(before.instance_id, self)

    def _leave(self) -> AppConnection | None:
        """Take it out of every count; the app's connection, if it has one, is the caller's."""
        if not self._over:
            self._over = True
            self._traffic.in_flight -= 1
        if self._target is not None:
            self._desk.routes.leave(self._target.instance_id, self)
            self._target = None
        if self._connecting is not None:
            self._connecting.cancel()
            self._connecting = None
        app, self._app = self._app, None
        return app

    # --- from the app ---

    def app_received(self) -> None:
        app = self._app
        while app is not None and self._app is app:
            event = app.reader.next_event()
            if event is None:
                break
            if type(event) is bytes:
                self._answer_body(event)
            elif isinstance(event, ResponseHead):
                self._answer_head(app, event)
            elif isinstance(event, End):
                self._answer_end(app, event)
            elif isinstance(event, Malformed):
                log.info("an app's answer breaks the rules", app=self._name, reason=event.reason)
                self.fail(pages.GIBBERISH)
        if not self._over:
            self._flush_client()
            if self._client.write_paused and self._app is not None:
                self._app.pause_reading()

    def app_tunnelled(self, data: bytes) -> None:
        self._traffic.bytes_out += len(data)
        self._client.deadline = self._loop.time() + self._desk.limits.tunnel
        self._client.send(data)
        if self._client.write_paused and self._app is not None:
            self._app.pause_reading()

    def app_writable(self) -> None:
        self._client.more()

    def app_lost(self, problem: Exception | None) -> None:
        app = self._app
        if app is None:
            return
        if self.tunnel:
            self._leave()
            self._client.hang_up()
            return
        last = app.reader.receive_eof() if problem is None else None
        if isinstance(last, End) and self._response is not None:
            self._answer_end(app, last)
            return
        silent = self._response is None and not app.reader.pending and not self._informational
        target, again = self._target, app.reused
        self._app = None
        # A reused connection may have been closed while idle; a new one only by an instance on its way out.
        hopeful = target is not None and (again or self._moved(target))
        if silent and hopeful and self._replayable and self._attempts < MAX_ATTEMPTS:
            self._dispatch()
            return
        log.info("an app broke off", app=self._name, reason=str(problem) if problem else "closed")
        self.fail(pages.BROKE_OFF)

    def _answer_head(self, app: AppConnection, response: ResponseHead) -> None:
        head = self._head
        if response.status == 101:
            self._switch(app, response)
            return
        if response.status < 200:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                self.fail(pages.GIBBERISH)
            elif head.minor == 1:
                self._to_client.append(heads.to_client(response, connection=b"", chunked=False))
            return
        self._response = response
        open_ended = response.framing in (Framing.CHUNKED, Framing.CLOSE)
        self._chunked = open_ended and head.minor == 1
        self._keep_alive = (
            head.keep_alive and self._done_asking and not self._desk.closing and (self._chunked or not open_ended)
        )
        if response.status >= 500:
            self._traffic.errors_5xx += 1
        connection = b""
        if not self._keep_alive:
            connection = b"Connection: close\r\n"
        elif head.minor == 0:
            connection = b"Connection: keep-alive\r\n"
        self._to_client.append(heads.to_client(response, connection=connection, chunked=self._chunked))
        self._client.deadline = self._loop.time() + self._desk.limits.stream

    def _answer_body(self, piece: bytes) -> None:
        self._traffic.bytes_out += len(piece)
        if self._chunked:
            self._to_client += (b"%x\r\n" % len(piece), piece, b"\r\n")
        else:
            self._to_client.append(piece)
        self._client.deadline = self._loop.time() + self._desk.limits.stream

    def _answer_end(self, app: AppConnection, end: End) -> None:
        response = self._response
        if self._chunked:
            self._to_client.append(heads.trailer_block(end.trailers))
        self._flush_client()
        self._leave()
        if response is not None and response.keep_alive and self._done_asking and app.reader.idle:
            self._desk.pools.put(app, self._loop.time())
        else:
            app.recipient = None
            app.transport.close()
        self._client.finished(keep_alive=self._keep_alive, request_done=self._done_asking)

    def _switch(self, app: AppConnection, response: ResponseHead) -> None:
        """RFC 9110 section 15.2.2: from here on the bytes are another protocol's."""
        if self._head.upgrade is None:
            self.fail(pages.GIBBERISH)
            return
        self.tunnel = app.tunnel = True
        self._response = response
        self._to_client.append(heads.switched(response) + app.reader.rest())
        self._client.deadline = self._loop.time() + self._desk.limits.tunnel
        early = self._client.rest()
        if early:
            app.write(early)
        self._client.more()

    def _flush_client(self) -> None:
        if self._to_client:
            self._client.send(self._to_client[0] if len(self._to_client) == 1 else b"".join(self._to_client))
            self._to_client.clear()


def _reason(route: Route | None) -> Trouble:
    return pages.NO_SUCH_APP if route is None else pages.PAUSES[route.pause or "stopped"]
