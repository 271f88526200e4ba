"""TLS without a socket: the same bytes however they are cut, and each direction ends by itself. Relay C.6."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from homeport.relay.agent.tls import TlsEngine
from homeport.relay.contexts import server_context
from homeport.testing.certificates import TestAuthority


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def pair(request: pytest.FixtureRequest) -> tuple[TlsEngine, TlsEngine]:
    """A client and a server that have shaken hands."""
    authority = TestAuthority()
    pem = authority.sign(["localhost"], begins=datetime.now(UTC) - timedelta(hours=1))
    trusted = ssl.create_default_context(cadata=authority.root.public_bytes(Encoding.PEM).decode())
    trusted.maximum_version = request.param
    client = TlsEngine(trusted, server_hostname="localhost")
    server = TlsEngine(server_context((pem.key + pem.cert).encode()))
    done = False
    while not done:
        done = client.handshake()
        server.feed(client.output())
        done = server.handshake() and done
        client.feed(server.output())
    return client, server


def _read(engine: TlsEngine) -> bytes:
    view = memoryview(bytearray(1000))
    got = b""
    while count := engine.read(view):
        got += view[:count]
    return got


@pytest.mark.parametrize("seed", range(5))
def test_however_the_ciphertext_is_cut_the_same_comes_out(pair: tuple[TlsEngine, TlsEngine], seed: int) -> None:
    client, server = pair
    random = Random(seed)
    data = random.randbytes(100_000)
    client.write(data)
    cipher = client.output()

    got = b""
    while cipher:
        size = random.choice((1, 5, 100, 16_000, 40_000))
        server.feed(cipher[:size])
        got += _read(server)
        cipher = cipher[size:]

    assert got == data
    assert not server.ended


def test_one_side_can_end_and_hear_on(pair: tuple[TlsEngine, TlsEngine]) -> None:
    client, server = pair
    client.write(b"my last")
    client.close()
    client.write(b"never sent")
    server.feed(client.output())
    assert (_read(server), server.ended) == (b"my last", True)

    server.write(b"still here")
    client.feed(server.output())
    assert (_read(client), client.ended) == (b"still here", False)

    server.close()
    client.feed(server.output())
    assert (_read(client), client.ended) == (b"", True)


def test_what_was_under_way_when_a_side_ended_is_not_lost(pair: tuple[TlsEngine, TlsEngine]) -> None:
    client, server = pair
    data = bytes(range(256)) * 300
    server.write(data)
    server.close()
    cipher = server.output()
    client.feed(cipher[:-30])

    client.close()

    assert not client.ended
    got = _read(client)
    client.feed(cipher[-30:])
    assert got + _read(client) == data
    assert client.ended


def test_ciphertext_that_was_touched_is_an_error(pair: tuple[TlsEngine, TlsEngine]) -> None:
    client, server = pair
    client.write(b"hello")
    cipher = bytearray(client.output())
    cipher[-1] ^= 1

    server.feed(bytes(cipher))

    with pytest.raises(ssl.SSLError):
        _read(server)
