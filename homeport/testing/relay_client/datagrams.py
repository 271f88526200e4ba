"""The end of a UDP lease, by the wire's description: QUIC to the relay's TLS port, a control stream, datagrams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, DatagramFrameReceived, QuicEvent
from cryptography.hazmat.primitives.serialization import Encoding

from homeport.testing.relay_client.relay import Relay

SECONDS = 20.0
Answering = Callable[[bytes], bytes | None]


def same(payload: bytes) -> bytes:
    """What an echo service answers."""
    return payload


class DatagramTunnel:
    """Connects in a thread of its own. `answering` makes the answer to each datagram, None for none.

    `said` is what the relay answered on the control stream, `frames` what came, `ended` the code and reason of the
    relay's close.
    """

    def __init__(self, relay: Relay, token: str, *, answering: Answering = same, alpn: str = "portal-tunnel") -> None:
        self.said: dict[str, Any] = {}
        self.frames: list[tuple[int, bytes]] = []
        self.ended: tuple[int, str] | None = None
        self._relay = relay
        self._token = token
        self._answering = answering
        self._alpn = alpn
        self._loop = asyncio.new_event_loop()
        self._connection: _Connection | None = None
        self._opened: Future[None] = Future()
        self._leave = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="datagram tunnel", daemon=True)

    def __enter__(self) -> Self:
        """Connected, and answered. Raises ConnectionError where there is no connection to be had."""
        self._thread.start()
        self._opened.result(SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._leave.set)
        self._thread.join(SECONDS)

    def send(self, flow: int, payload: bytes) -> None:
        """A datagram of ours on a flow."""
        self._loop.call_soon_threadsafe(self._send, flow, payload)

    def heard(self, data: bytes) -> None:
        """A datagram of the relay's."""
        flow, payload = _split(data)
        self.frames.append((flow, payload))
        answer = self._answering(payload)
        if answer is not None:
            self._send(flow, answer)

    def _send(self, flow: int, payload: bytes) -> None:
        if self._connection is not None:
            self._connection.datagram(_number(flow) + payload)

    def _leaf(self) -> bytes:
        """What the relay shows over TLS, verified. aioquic itself takes no wildcard right below one label."""
        context = ssl.create_default_context(cafile=str(self._relay.ca_path))
        context.set_alpn_protocols(["http/1.1"])
        with context.wrap_socket(self._relay.connect(), server_hostname=self._relay.host) as secure:
            return secure.getpeercert(binary_form=True) or b""

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._work())
        except Exception as fault:
            if not self._opened.done():
                self._opened.set_exception(fault)
        finally:
            self._loop.close()

    async def _work(self) -> None:
        given = QuicConfiguration(
            is_client=True, alpn_protocols=[self._alpn], server_name=self._relay.host, idle_timeout=60,
            max_datagram_frame_size=65535, max_datagram_size=1350, verify_mode=ssl.CERT_NONE,
        )  # fmt: skip
        protocol: Callable[..., QuicConnectionProtocol] = lambda *words, **named: _Connection(self, *words, **named)  # noqa: E731
        async with (
            asyncio.timeout(3 * SECONDS),
            connect(self._relay.address, self._relay.port, configuration=given, create_protocol=protocol) as connection,
        ):
            assert isinstance(connection, _Connection)
            if connection.shown() != self._leaf():
                raise ConnectionError("QUIC shows another certificate than TLS, where it is verified")
            self._connection = connection
            reader, writer = await connection.create_stream()
            writer.write(json.dumps({"access_token": self._token}).encode() + b"\n")
            async with asyncio.timeout(SECONDS):
                self.said = json.loads(await reader.readline())
            self._opened.set_result(None)
            with contextlib.suppress(TimeoutError):
                await self._leave.wait()


class _Connection(QuicConnectionProtocol):
    def __init__(self, tunnel: DatagramTunnel, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._tunnel = tunnel

    def shown(self) -> bytes:
        certificate = self._quic.tls._peer_certificate
        return certificate.public_bytes(Encoding.DER) if certificate is not None else b""

    def datagram(self, data: bytes) -> None:
        self._quic.send_datagram_frame(data)
        self.transmit()

    def quic_event_received(self, event: QuicEvent) -> None:
        super().quic_event_received(event)
        if isinstance(event, DatagramFrameReceived):
            self._tunnel.heard(event.data)
        elif isinstance(event, ConnectionTerminated):
            self._tunnel.ended = (event.error_code, event.reason_phrase)


def _number(flow: int) -> bytes:
    """Unsigned LEB128, as Go's binary.PutUvarint writes it."""
    out = b""
    while flow >= 0x80:
        out += bytes([flow % 128 + 128])
        flow //= 128
    return out + bytes([flow])


def _split(data: bytes) -> tuple[int, bytes]:
    """The number, and what follows it."""
    value = 0
    for place in range(len(data)):
        value += (data[place] % 128) * 128**place
        if data[place] < 128:
            return value, data[place + 1 :]
    raise ValueError("a datagram without a flow's number")
