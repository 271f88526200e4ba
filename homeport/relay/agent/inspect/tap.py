"""Reads along on one connection, request by request, as long as both sides speak HTTP/1.1."""

from __future__ import annotations

from collections import deque

from homeport.kit.clock import Clock
from homeport.relay.agent.inspect.exchanges import Exchange, ExchangeLog, State
from homeport.wire.http1 import End, Malformed, RequestReader, ResponseReader
from homeport.wire.http_head import Framing, RequestHead, ResponseHead

MOST_PIPELINED = 32


class HttpTap:
    """A Tap of the agent: hears plain bytes of both directions and changes none. What breaks the rules of HTTP, or ends
    them (an upgrade), is not looked at any further."""

    def __init__(self, log: ExchangeLog, clock: Clock, *, replay_of: int | None = None) -> None:
        self._log = log
        self._clock = clock
        self._replay_of = replay_of
        self._requests = RequestReader()
        self._responses = ResponseReader()
        self._incoming: Exchange | None = None  # its body is still coming
        self._unanswered: deque[Exchange] = deque()
        self._over = False
        self.newest: Exchange | None = None

    @property
    def over(self) -> bool:
        """Whether it has stopped to look."""
        return self._over

    def received(self, data: memoryview) -> None:
        """From the visitor."""
        if self._over:
            return
        self._requests.receive(bytes(data))
        while not self._over:
            event = self._requests.next_event()
            if event is None:
                return
            if isinstance(event, Malformed):
                self._stop(f"What the visitor sends is not HTTP/1.1: {event.reason}.")
            elif isinstance(event, RequestHead):
                self._begin(event)
            elif isinstance(event, End):
                self._requests.restart()
                if self._incoming is not None:
                    self._incoming.request_complete = True
                    self._incoming = None
            elif self._incoming is not None:
                self._incoming.request.add(event)

    def sent(self, data: memoryview) -> None:
        """From the target."""
        if self._over:
            return
        if not self._unanswered:
            self._stop("The target spoke before it was asked.")
            return
        self._responses.receive(bytes(data))
        self._read_responses()

    def closed(self) -> None:
        """The connection is over: an answer without a length ends now, any other that is open is cut off."""
        if self._over:
            return
        if self._unanswered and isinstance(self._responses.receive_eof(), End):
            self._complete(self._unanswered.popleft())
        self._stop("The connection ended before the answer did.")

    def _begin(self, head: RequestHead) -> None:
        if len(self._unanswered) >= MOST_PIPELINED:
            self._stop("Too many requests wait for their answers.")
            return
        exchange = self._log.begin(head, self._clock.now(), self._clock.monotonic(), replay_of=self._replay_of)
        self._incoming = self.newest = exchange
        self._unanswered.append(exchange)
        if len(self._unanswered) == 1:
            self._responses.expect(head.method)

    def _read_responses(self) -> None:
        while not self._over and self._unanswered:
            exchange = self._unanswered[0]
            event = self._responses.next_event()
            if event is None:
                return
            if isinstance(event, Malformed):
                self._stop(f"What the target answers is not HTTP/1.1: {event.reason}.")
            elif isinstance(event, ResponseHead):
                self._answered(exchange, event)
            elif isinstance(event, End):
                self._complete(self._unanswered.popleft())
                if self._unanswered:
                    self._responses.expect(self._unanswered[0].head.method)
            else:
                exchange.response.add(event)

    def _answered(self, exchange: Exchange, head: ResponseHead) -> None:
        if head.status < 200 and head.status != 101:
            return
        exchange.answer = head
        exchange.first_byte = self._clock.monotonic() - exchange.began
        if head.status == 101 or (exchange.head.method == b"CONNECT" and head.status < 300):
            self._unanswered.popleft()
            self._end(exchange, "upgraded", "")
            self._stop("")
        elif head.framing is not Framing.NONE:
            self._log.changed(exchange)

    def _complete(self, exchange: Exchange) -> None:
        self._end(exchange, "complete", "")

    def _stop(self, reason: str) -> None:
        self._over = True
        self._incoming = None
        while self._unanswered:
            self._end(self._unanswered.popleft(), "broken", reason)

    def _end(self, exchange: Exchange, state: State, reason: str) -> None:
        exchange.state = state
        exchange.reason = reason
        exchange.took = self._clock.monotonic() - exchange.began
        self._log.changed(exchange)
