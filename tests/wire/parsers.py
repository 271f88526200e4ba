"""The table of all parsers of the wire package: how each is fed, good inputs, and how much it may keep."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from homeport.wire import (
    client_hello,
    ech,
    ethereum,
    http1,
    http_head,
    log_line,
    relay_descriptor,
    siwe,
    udp_control,
    udp_frames,
)

Feed = Callable[[Sequence[bytes], Callable[[object], None]], list[object]]
LONGEST_INPUT = 48 * 1024  # bytes of a fuzzed one
PIECE = 4096  # bytes that a parser is fed at most at once


@dataclass(frozen=True)
class Parser:
    """`feed(pieces, look)` gives the events; `look` is shown the machine after each piece. `holds` is what it may keep
    of what it was fed, in bytes (0: it keeps nothing). `examples` are good inputs, for mutations to begin with."""

    covers: tuple[object, ...]
    feed: Feed
    examples: tuple[bytes, ...]
    holds: int = 0

    @property
    def name(self) -> str:
        first: Any = self.covers[0]
        return f"{first.__module__.rpartition('.')[2]}.{first.__qualname__}"


def at_once(
    parse: Callable[[bytes], object], *declared: type[Exception]
) -> Callable[[Sequence[bytes], Callable[[object], None]], list[object]]:
    """For what takes a whole input: its value, or the error that its docstring declares."""

    def feed(pieces: Sequence[bytes], _look: Callable[[object], None]) -> list[object]:
        try:
            return [parse(b"".join(pieces))]
        except declared as problem:
            return [type(problem)]

    return feed


def as_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def feed_hello(pieces: Sequence[bytes], look: Callable[[object], None]) -> list[object]:
    reader = client_hello.ClientHelloReader()
    for piece in pieces:
        reader.receive(piece)
        look(reader)
    return [reader.result]


def feed_requests(pieces: Sequence[bytes], look: Callable[[object], None]) -> list[object]:
    reader = http1.RequestReader()
    return list(_http_events(reader, pieces, look, reader.restart))


def feed_responses(pieces: Sequence[bytes], look: Callable[[object], None]) -> list[object]:
    """Answers to GET and HEAD in turn; the app closes at the end."""
    reader = http1.ResponseReader()
    methods = iter((b"GET", b"HEAD") * LONGEST_INPUT)
    events = list(_http_events(reader, pieces, look, lambda: reader.expect(next(methods))))
    last = events[-1] if events else None
    switched = isinstance(last, http1.ResponseHead) and last.status == 101
    if not switched and not isinstance(last, http1.Malformed):
        events.append(reader.receive_eof())
    return events


def _http_events(
    reader: http1.RequestReader | http1.ResponseReader,
    pieces: Sequence[bytes],
    look: Callable[[object], None],
    go_on: Callable[[], None],
) -> Iterator[object]:
    body = b""  # however it came, it is one
    for piece in pieces:
        reader.receive(piece)
        while (event := reader.next_event()) is not None:
            if isinstance(event, bytes):
                body += event
                continue
            if body:
                yield body
                body = b""
            yield event
            if isinstance(event, http1.Malformed):
                return
            if isinstance(event, http1.ResponseHead) and event.status == 101:
                return
            if isinstance(event, http1.End):
                go_on()
        look(reader)
    if body:
        yield body


def feed_control(pieces: Sequence[bytes], look: Callable[[object], None]) -> list[object]:
    reader = udp_control.MessageReader()
    events: list[object] = []
    for piece in pieces:
        found = reader.receive(piece)
        look(reader)
        if isinstance(found, dict):
            events += [found, udp_control.read_hello(found), udp_control.read_answer(found)]
        elif found is not None:
            events.append(found)
    last = reader.receive(b"", end=True)
    assert not events or last is None
    return events or [last]


def descriptor(data: bytes) -> object:
    """Read, and its signature looked at, as announcements are."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    found = relay_descriptor.read(value)
    try:
        found.verify()
    except relay_descriptor.InvalidDescriptor as problem:
        return found, str(problem), found.host
    return found, found.host


def record(kind: int, content: bytes) -> bytes:
    return struct.pack(">BHH", kind, 0x0301, len(content)) + content


def hello(name: bytes, *, alpn: tuple[bytes, ...] = (b"h2", b"http/1.1"), split: int = 0) -> bytes:
    """A ClientHello, in records of `split` bytes (0: one)."""
    offered = b"".join(bytes([len(one)]) + one for one in alpn)
    extensions = struct.pack(">HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    extensions += struct.pack(">HHH", 16, len(offered) + 2, len(offered)) + offered
    extensions += struct.pack(">HHB", 43, 3, 2) + b"\x03\x04" + struct.pack(">HH", 0x0A0A, 0)
    body = b"\x03\x03" + bytes(range(32)) + b"\x20" + bytes(32) + b"\x00\x04\x13\x01\xc0\x2b\x01\x00"
    body += struct.pack(">H", len(extensions)) + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    step = split or len(message)
    return b"".join(record(22, message[at : at + step]) for at in range(0, len(message), step))


REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\nGET /b?c=d HTTP/1.1\r\nHost: a.localhost:8443\r\nCookie: a=b\r\n\r\n",
    b"\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close, x\r\n\r\nhello",
    b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    b"5;a=b\r\nhello\r\n1f\r\n0123456789abcdef0123456789abcde\r\n0\r\nX-Sum: 1\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    b"GET https://a.localhost/socket HTTP/1.1\r\nHost: b\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n" + b"X-Field: value\r\n" * 90 + b"\r\n",
)
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\nuntil the end",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n\x81\x00",
    b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\nHTTP/1.1 204 \r\n\r\n',
)
CONTROL = (
    b'{"access_token": "abc.def.ghi"}\n',
    b' {"Access_Token":"x","more":[1,{"deep":null}]}\nrest',
    b'{"ok": false, "error": "lease_not_found"}\n',
    b'{"ok": true}\n',
    b"[" * 3000 + b"\n",
)
SIGN_IN = (
    b"localhost:4017 wants you to sign in with your Ethereum account:\n0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A\n\n"
    b"Register a portal lease\n\nURI: https://localhost:4017/sdk/register\nVersion: 1\nChain ID: 1\n"
    b"Nonce: AbCdEfGhIjKlMnOp\nIssued At: 2026-05-01T00:00:00Z\nExpiration Time: 2026-05-01T00:02:00.123456789+02:00\n"
    b"Request ID: rch_0011223344556677"
)
SIGNATURE = (
    b"0x6ff2a31866542d72d5371d5312342ab8a3140e00a1e5de4a9f46d8efc4272b8c"
    b"4997edc6b8630c5ab7a7d16ebb8818a78bdfa6b4082ede6eb83ba8e794682ef01b"
)

DESCRIPTOR = (
    b'{"address":"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A","version":"7","issued_at":"2026-05-01T00:00:00.123456789Z",'
    b'"expires_at":"2026-05-01T02:05:00.1+02:00","api_https_addr":"https://relay.example.com/relay/","supports_tcp":true,'
    b'"active_connections":3,"tcp_bps":1024.5,"wireguard_public_key":"k\\u003c","wireguard_port":1,"signature":"IJJ8lvunHZ3'
    b'llHWFjN4LAURSwLWttbRHjWms53M/S5c4MuRyPI6axt9byAUE4ImUqtUiM0k5F11RzoZI7I59nmM="}'
)

PARSERS = (
    Parser(
        (client_hello.ClientHelloReader,),
        feed_hello,
        (hello(b"demo.localhost"), hello(b"Demo.localhost.", split=7), hello(b"127.0.0.1", alpn=()), b"GET / HTTP/1.1"),
        holds=2 * client_hello.MAX_HELLO_BYTES + 2 * PIECE,  # the message, and a record that is not whole
    ),
    Parser((http1.RequestReader,), feed_requests, REQUESTS, holds=http1.MAX_HEAD_BYTES + 2 * PIECE),
    Parser((http1.ResponseReader,), feed_responses, RESPONSES, holds=http1.MAX_HEAD_BYTES + 2 * PIECE),
    Parser(
        (http_head.parse_request_head,),
        at_once(lambda data: http_head.parse_request_head(data + b"\r\n"), http_head.Broken),
        tuple(one.lstrip().partition(b"\r\n\r\n")[0] for one in REQUESTS),
    ),
    Parser(
        (http_head.parse_response_head, http_head.parse_fields),
        at_once(lambda data: http_head.parse_response_head(data + b"\r\n", head_only=False), http_head.Broken),
        tuple(one.partition(b"\r\n\r\n")[0] for one in RESPONSES),
    ),
    Parser(
        (log_line.parse_line,),
        at_once(log_line.parse_line),
        (b"2026-03-29T14:30:00.123456789Z stdout F message", b"2026-03-29T14:30:00Z stderr P \xff"),
    ),
    Parser((siwe.parse,), at_once(as_text(siwe.parse), siwe.InvalidMessage), (SIGN_IN,)),
    Parser(
        (siwe.is_authority,), at_once(as_text(siwe.is_authority)), (b"localhost:4017", b"[::1]:443", b"a.example.org")
    ),
    Parser(
        (udp_control.MessageReader, udp_control.read_hello, udp_control.read_answer),
        feed_control,
        CONTROL,
        holds=udp_control.MAX_MESSAGE_BYTES + 2 * PIECE,
    ),
    Parser((udp_frames.decode,), at_once(udp_frames.decode), (udp_frames.encode(300, b"sent"), b"\xff" * 9 + b"\x01x")),
    Parser(
        (relay_descriptor.read,),
        at_once(descriptor, relay_descriptor.InvalidDescriptor),
        (DESCRIPTOR, DESCRIPTOR.replace(b"1024.5", b"1e300"), b"[]"),
    ),
    Parser(
        (ech.check_config_list,),
        at_once(ech.check_config_list, ech.InvalidConfigList),
        (b"\x00\x08\xfe\x0d\x00\x04\x01\x02\x03\x04", b"\x00\x04\xfe\x0d\x00\x00"),
    ),
    Parser(
        (ethereum.checksum_address,),
        at_once(as_text(ethereum.checksum_address), ethereum.InvalidAddress),
        (b"0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", b" 0X19E7E376E7C213B7E7E7E46CC70A5DD086DAFF2A "),
    ),
    Parser(
        (ethereum.recover_message,),
        at_once(as_text(partial(ethereum.recover_message, SIGN_IN.decode())), ethereum.InvalidSignature),
        (SIGNATURE, SIGNATURE[:-2] + b"00"),
    ),
    Parser(
        (ethereum.recover,),
        at_once(partial(ethereum.recover, bytes(32)), ethereum.InvalidSignature),
        (bytes.fromhex(SIGNATURE[2:].decode()), b"\x01" * 64 + b"\x00"),
    ),
)  # fmt: skip
