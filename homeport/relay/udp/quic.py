"""QUIC as both ends of a UDP tunnel use it: one control stream, datagrams, a ping against routers that forget."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import (
    ConnectionTerminated,
    DatagramFrameReceived,
    HandshakeCompleted,
    PingAcknowledged,
    QuicEvent,
)
from aioquic.quic.events import StreamDataReceived as StreamData

from homeport.wire.udp_control import ALPN

# Seconds between pings. One that is not answered by the next is the end: a peer that died without a word would else be
# waited for through the whole idle timeout.
KEEP_ALIVE = 10.0
READ_SECONDS = 0.1  # are enough to read what has come
IDLE_TIMEOUT = 60.0
# Both path and tunnel of 1280 bytes (IPv6's least, many a VPN's) carry this over IPv4, and it carries what QUIC itself
# needs of a tunnel: datagrams of 1200 bytes.
PACKET_BYTES = 1252
# Less the short header (1 byte, a connection id of at most 20, aioquic's number of 2), the tag (16), the frame's (3).
# aioquic would wait for ever to send a larger one, and everything behind it.
MAX_FRAME_BYTES = PACKET_BYTES - 42
MAX_QUEUED_FRAMES = 256

logging.getLogger("quic").setLevel(logging.WARNING)  # aioquic would tell of each connection


def configuration(*, is_client: bool, **more: Any) -> QuicConfiguration:
    """TLS 1.3 (there is no other in QUIC), datagrams, our ALPN, 60 s of silence at most."""
    return QuicConfiguration(
        is_client=is_client,
        alpn_protocols=[ALPN],
        idle_timeout=IDLE_TIMEOUT,
        max_datagram_frame_size=65535,
        max_datagram_size=PACKET_BYTES,
        congestion_control_algorithm="cubic",
        **more,
    )


class QuicPeer(QuicConnectionProtocol):
    """One connection. Subclasses hear `ready`, `stream_data`, `frame` and `terminated`, and call `send_frame`."""

    def __init__(self, quic: QuicConnection, stream_handler: Any = None) -> None:
        super().__init__(quic, stream_handler)
        self._flush: asyncio.Handle | None = None
        self._ping: asyncio.TimerHandle | None = None
        self._pinged = False  # and not answered yet
        self._judged = False  # whether the answer may be among what we have not read is looked at once
        self.ended = False

    def ready(self) -> None:
        """The handshake is complete."""

    def stream_data(self, stream_id: int, data: bytes, end: bool) -> None:
        """Bytes of a stream of the other side's, or of an answer on ours."""

    def frame(self, data: bytes) -> None:
        """A datagram of the other side's."""

    def terminated(self, code: int, reason: str) -> None:
        """It is over, whoever ended it."""

    def send_frame(self, data: bytes) -> bool:
        """Queue a datagram; False when it is dropped: it is too large for a packet, or 256 wait already."""
        waiting = self._quic._datagrams_pending  # what aioquic does not tell otherwise
        if self.ended or len(data) > MAX_FRAME_BYTES or len(waiting) >= MAX_QUEUED_FRAMES:
            return False
        self._quic.send_datagram_frame(data)
        self.flush_soon()
        return True

    def flush_soon(self) -> None:
        """Send what was queued in this turn of the loop, all of it at once."""
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flush = None
        if not self.ended:
            self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        """What aioquic calls for each event."""
        if isinstance(event, DatagramFrameReceived):
            self.frame(event.data)
        elif isinstance(event, StreamData):
            self.stream_data(event.stream_id, event.data, event.end_stream)
        elif isinstance(event, PingAcknowledged):
            self._pinged = self._judged = False
        elif isinstance(event, HandshakeCompleted):
            self._keep_alive()
            self.ready()
        elif isinstance(event, ConnectionTerminated):
            if self._ping is not None:
                self._ping.cancel()
            if not self.ended:
                self.ended = True
                self.terminated(event.error_code, event.reason_phrase)

    def _keep_alive(self) -> None:
        self._ping = asyncio.get_running_loop().call_later(KEEP_ALIVE, self._send_ping)

    def _send_ping(self) -> None:
        if self.ended:
            return
        if self._pinged and not self._judged:
            # Had we been held up, the answer would be there and unread: timers come before sockets.
            self._judged = True
            self._ping = asyncio.get_running_loop().call_later(READ_SECONDS, self._send_ping)
            return
        if self._pinged:
            self.ended = True
            self.close(0, "silent")
            self.terminated(0, "silent")
            return
        self._pinged = True
        self._quic.send_ping(uid=0)
        self.transmit()
        self._keep_alive()
