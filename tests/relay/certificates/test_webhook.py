"""TXT records set by a web service of the person's own, over real HTTPS."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from homeport.kit.clock import SystemClock
from homeport.kit.guard import OutboundGuard
from homeport.relay.certificates.acme import Transport
from homeport.relay.certificates.acme.dns_answers import dns_answers
from homeport.relay.certificates.problems import AcmeFailed
from homeport.testing.clock import ManualClock
from homeport.testing.pebble import write_certificate


class Hook:
    """Keeps what it was told; answers `status`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.calls.append((line.split()[1], headers, body))
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % self.status)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def listening(hook: Hook, folder: Path) -> AsyncIterator[tuple[str, Transport]]:
    cert, key = folder / "hook.pem", folder / "hook.key"
    write_certificate(cert, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = await asyncio.start_server(hook.serve, "127.0.0.1", 0, ssl=context)
    transport = Transport(OutboundGuard(["127.0.0.0/8"]), cert)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook/", transport
    finally:
        await transport.close()
        server.close()


def config(url: str, **more: object) -> dict[str, object]:
    return {"provider": "webhook", "url": url, "username": "u", "password": "p", **more}


async def test_it_is_told_of_a_record_and_of_its_end(tmp_path: Path) -> None:
    hook = Hook()
    async with listening(hook, tmp_path) as (url, transport):
        guard = OutboundGuard()
        answers = dns_answers(config(url), guard, transport, SystemClock(), print, asyncio.Event())
        await answers.present("a.test", "token", "token.print")
        await answers.ready()
        await answers.withdraw("a.test", "token", "token.print")
    paths = [path for path, _, _ in hook.calls]
    assert paths == ["/hook/present", "/hook/cleanup"]
    _, headers, body = hook.calls[0]
    assert headers["authorization"] == f"Basic {base64.b64encode(b'u:p').decode()}"
    assert body["fqdn"] == "_acme-challenge.a.test."
    assert len(body["value"]) == 43
    assert hook.calls[1][2] == body


async def test_its_refusal_fails_the_order_without_the_password(tmp_path: Path) -> None:
    hook = Hook()
    hook.status = 403
    async with listening(hook, tmp_path) as (url, transport):
        answers = dns_answers(config(url), OutboundGuard(), transport, SystemClock(), print, asyncio.Event())
        with pytest.raises(AcmeFailed, match="answered 403 to present") as refused:
            await answers.present("a.test", "token", "token.print")
    assert "p'" not in str(refused.value)


async def test_records_get_the_time_that_secondaries_need() -> None:
    clock = ManualClock()
    transport = Transport(OutboundGuard())
    given = config("https://hook.test", propagation_seconds=90)
    answers = dns_answers(given, OutboundGuard(), transport, clock, print, asyncio.Event())
    await answers.ready()
    assert clock.monotonic() == 90
