"""Who gets a session ticket: agents, which dial for each visitor, and not threaded clients, which it can harm."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

import pytest

from homeport.relay.tunnels.front import Front
from homeport.relay.tunnels.raw_http import RawRoute, response
from homeport.testing.wires import Wires
from homeport.wire.client_hello import ClientHello

ASK = b"POST /v1/sign HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

Visit = Callable[[ssl.SSLSession | None, tuple[str, ...]], Any]


@pytest.fixture
def visit(wires: Wires) -> Visit:
    """`await visit(session, alpn)` is a client's connection of one request, with the session it offers to resume."""
    front = Front(
        cast(Any, None),
        lambda _hello: wires.context,
        cast(Any, None),
        cast(Any, None),
        {b"/v1/sign": RawRoute(16, lambda _head, _body, _address: response(200, b"signed"))},
    )
    client = ssl.create_default_context()
    client.load_verify_locations(cadata=_root(wires))

    async def visited(session: ssl.SSLSession | None, alpn: tuple[str, ...]) -> tuple[bool, ssl.SSLSession | None]:
        client.set_alpn_protocols(list(alpn))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)
            address = listener.getsockname()

            def ask() -> tuple[bool, ssl.SSLSession | None]:
                plain = socket.create_connection(address, timeout=20)
                with client.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
                    sock.sendall(ASK)
                    assert sock.recv(4096).endswith(b"signed")
                    return bool(sock.session_reused), sock.session

            asking = asyncio.create_task(asyncio.to_thread(ask))
            accepted, source = await asyncio.get_running_loop().sock_accept(listener)
        accepted.setblocking(False)
        await front.handle(accepted, source, ClientHello("localhost", alpn, frozenset()))
        return await asking

    return visited


def _root(wires: Wires) -> bytes:
    return wires.trusting.get_ca_certs(binary_form=True)[0]


async def test_who_names_a_protocol_resumes(visit: Visit) -> None:
    resumed, session = await visit(None, ("http/1.1",))
    assert (resumed, session.has_ticket) == (False, True)
    assert (await visit(session, ("http/1.1",)))[0]


async def test_who_names_none_gets_no_ticket(visit: Visit) -> None:
    await visit(None, ("http/1.1",))  # of the same context
    resumed, session = await visit(None, ())
    assert (resumed, session.has_ticket) == (False, False)
    assert (await visit(None, ("http/1.1",)))[1].has_ticket  # others do as before
