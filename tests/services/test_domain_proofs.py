"""Proofs of a domain, by a real name server and real web servers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from homeport.kit.guard import OutboundGuard
from homeport.services.domain_names import PREFIX
from homeport.services.domain_proofs import MAX_FILE_BYTES, Findings, Proofs, txt_resolver
from homeport.testing.dns_server import DnsServer
from homeport.testing.front import ScriptedApp, answering, replying

DOMAIN, TOKEN = "shop.example.com", "the-token"
VALUE = f"{PREFIX}{TOKEN}"


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


async def _here(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


async def look(dns: DnsServer, *, port: int = 1, allow: Sequence[str] = ("127.0.0.0/8",)) -> Findings:
    guard = OutboundGuard(allow, _here)
    return await Proofs(txt_resolver([dns.address]), guard, http_port=port).look(DOMAIN, TOKEN)


@asynccontextmanager
async def web(answer: bytes, *, raw: bool = False) -> AsyncIterator[int]:
    """A web server that answers everything with these bytes; its port."""
    app = ScriptedApp(replying(answer) if raw else answering(answer))
    await app.open()
    try:
        yield app.port
    finally:
        await app.close()


async def test_a_txt_record_with_the_token_proves_it(dns: DnsServer) -> None:
    dns.records[f"_homeport.{DOMAIN}"] = ["v=spf1 -all", VALUE]
    found = await look(dns)
    assert found.dns is None
    assert found.proven
    assert dns.asked == [f"_homeport.{DOMAIN}"]


@pytest.mark.parametrize("records", [None, [], ["something else"], [f"{VALUE}x"], [VALUE.upper()]])
async def test_any_other_record_does_not(dns: DnsServer, records: list[str] | None) -> None:
    if records is not None:
        dns.records[f"_homeport.{DOMAIN}"] = records
    found = await look(dns)
    assert found.dns == f"_homeport.{DOMAIN} has no TXT record with this value"
    assert not found.proven


async def test_a_file_with_the_token_proves_it(dns: DnsServer) -> None:
    async with web(VALUE.encode() + b"\n") as port:
        found = await look(dns, port=port)
    assert found.http is None
    assert found.proven


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nelse", "answered something else"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered 404"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n", "answered 302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999, f"more than {MAX_FILE_BYTES} bytes"),
        (b"what is this\r\n\r\n", "did not answer"),
    ],
)
async def test_no_other_answer_does(dns: DnsServer, answer: bytes, reason: str) -> None:
    async with web(answer, raw=True) as port:
        found = await look(dns, port=port)
    assert reason in (found.http or "")
    assert not found.proven


async def test_a_private_address_is_never_asked(dns: DnsServer) -> None:  # apps G.5
    async with web(VALUE.encode()) as port:
        found = await look(dns, port=port, allow=())
    assert "loopback" in (found.http or "")
    assert not found.proven


async def test_a_silent_name_server_is_no_proof_and_no_error(dns: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.services.domain_proofs.SECONDS", 1.5)
    dns.silent = True
    found = await look(dns)
    assert "no answer" in (found.dns or "")
