"""The ClientHello parser: real hellos of OpenSSL, however cut, and hellos that lie."""

from __future__ import annotations

import itertools
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire.client_hello import (
    MAX_HELLO_BYTES,
    ClientHello,
    ClientHelloReader,
    Malformed,
    NotTls,
    Result,
)


def openssl_hello(name: str | None, alpn: list[str] | None = None) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname = name is not None
    if name is None:
        context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def records(message: bytes, *sizes: int) -> bytes:
    """A handshake message in records of these sizes, the rest in a last one."""
    out, at = b"", 0
    for size in (*sizes, len(message)):
        part = message[at : at + size]
        at += size
        if part:
            out += b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
    return out


def hello_with(extensions: bytes) -> bytes:
    body = b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += len(extensions).to_bytes(2, "big") + extensions
    return records(b"\x01" + len(body).to_bytes(3, "big") + body)


def server_name(name: bytes) -> bytes:
    entry = b"\x00" + len(name).to_bytes(2, "big") + name
    body = len(entry).to_bytes(2, "big") + entry
    return b"\x00\x00" + len(body).to_bytes(2, "big") + body


def read(data: bytes, *cuts: int) -> Result | None:
    reader = ClientHelloReader()
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        reader.receive(data[start:end])
    return reader.result


HELLO = openssl_hello("Hello.LOCALHOST", ["h2", "http/1.1"])
EXPECTED = ClientHello("hello.localhost", ("h2", "http/1.1"))
SAMPLES = [
    HELLO,
    records(HELLO[5:], 1, 3, 50),
    openssl_hello(None),
    hello_with(server_name(b"a.b") + server_name(b"c.d")),
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",
    b"\x16\x03\x01\x40\x00" + b"\x01\x00\x7f\xff" + bytes(0x3FFC) + b"\x16\x03\x01\x40\x00" + bytes(0x4000),
]


def test_reads_the_name_in_lower_case_and_the_protocols_in_order() -> None:
    assert read(HELLO) == EXPECTED


def test_the_protocol_of_a_certificate_authority_is_seen() -> None:
    # RFC 8737 section 3
    assert read(openssl_hello("a.test", ["acme-tls/1"])) == ClientHello("a.test", ("acme-tls/1",))


@pytest.mark.parametrize(
    "protocols", [b"\x00\x01\x00", b"\x00\x03\x05h2", b"\x00\x09\x02h2"], ids=["empty", "too long", "past the end"]
)
def test_protocols_that_break_the_rules_are_malformed(protocols: bytes) -> None:
    # RFC 7301 section 3.1
    assert isinstance(read(hello_with(b"\x00\x10" + len(protocols).to_bytes(2, "big") + protocols)), Malformed)


def test_a_hello_without_a_name_has_none() -> None:
    assert read(openssl_hello(None)) == ClientHello(None, ())


@pytest.mark.parametrize("address", [b"127.0.0.1", b"::1", b"fe80::1"])
def test_an_address_in_place_of_a_name_counts_as_no_name(address: bytes) -> None:
    assert read(hello_with(server_name(address))) == ClientHello(None)


def test_a_final_dot_is_dropped() -> None:
    assert read(hello_with(server_name(b"app.localhost."))) == ClientHello("app.localhost")


def test_a_hello_over_several_records_is_the_same_hello() -> None:
    assert read(records(HELLO[5:], 1, 2, 3, 100)) == EXPECTED


def test_more_is_needed_until_the_last_byte() -> None:
    assert read(HELLO[:-1]) is None


def test_what_comes_after_the_hello_is_ignored() -> None:
    assert read(HELLO + b"\xff" * 100) == EXPECTED


@pytest.mark.parametrize("first", [b"G", b"\x80", b"\x00", b"\x15"])
def test_another_first_byte_is_not_tls(first: bytes) -> None:
    assert read(first) == NotTls()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x16\x02\x00\x00\x05", id="record version"),
        pytest.param(b"\x16\x03\x01\x00\x00", id="empty record"),
        pytest.param(b"\x16\x03\x01\x40\x01", id="record too long"),
        pytest.param(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", id="not a hello"),
        pytest.param(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", id="hello too long"),
        pytest.param(b"\x16\x03\x01\x00\x04\x01\x00\x00\x00", id="hello empty"),
        pytest.param(records(HELLO[5:], 20)[:25] + b"\x17\x03\x03\x00\x01", id="another record between"),
        pytest.param(hello_with(server_name(b"a.b") + server_name(b"a.b")), id="name extension twice"),
        pytest.param(hello_with(b"\x00\x00\x00\x06\x00\x04\x00\x00\xff\xff"), id="length past the end"),
        pytest.param(hello_with(server_name(b"")), id="empty name"),
        pytest.param(hello_with(server_name(b"a\x00.localhost")), id="NUL in the name"),
        pytest.param(hello_with(server_name(b"../../etc")), id="path in the name"),
        pytest.param(hello_with(server_name(b"a" * 300)), id="name too long"),
        pytest.param(hello_with(server_name(b"a..b")), id="empty label"),
    ],
)
def test_a_hello_that_breaks_a_rule_is_malformed(data: bytes) -> None:
    assert isinstance(read(data), Malformed)


def test_no_more_than_the_maximum_is_ever_kept() -> None:
    endless = b"\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x03\x00\x7f\xf0" + b"\x16\x03\x01\x00\x01a" * MAX_HELLO_BYTES
    assert isinstance(read(endless[: MAX_HELLO_BYTES + 1]), Malformed)


@given(st.sampled_from(SAMPLES), st.lists(st.integers(0, 2000), max_size=12))
def test_however_cut_the_result_is_the_same(sample: bytes, cuts: list[int]) -> None:
    assert read(sample, *(min(cut, len(sample)) for cut in cuts)) == read(sample)


@given(st.binary(max_size=600), st.integers(0, len(HELLO)), st.integers(0, 255))
def test_nothing_that_a_peer_sends_raises(noise: bytes, at: int, byte: int) -> None:
    read(noise)
    read(b"\x16\x03\x01" + noise)
    read(hello_with(noise))
    read(HELLO[:at] + bytes([byte]) + HELLO[at + 1 :])


def test_all_extensions_are_told_and_those_that_nobody_has_stand_out() -> None:
    plain, greased = read(hello_with(server_name(b"a.b"))), read(hello_with(server_name(b"a.b") + b"\x3a\x3a\x00\x00"))
    assert isinstance(plain, ClientHello)
    assert isinstance(greased, ClientHello)
    assert (plain.extensions, plain.greases) == (frozenset({0}), False)
    assert (greased.extensions, greased.greases) == (frozenset({0, 0x3A3A}), True)  # RFC 8701 section 2
    assert not ClientHello(None, (), frozenset({0x3A4A, 0xFA0A, 10})).greases
