"""Where the certificate of a tunnel comes from. The key is made by the agent, and only the agent has it."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from cryptography import x509

from homeport.relay.agent import Wish
from homeport.testing.fake_relay import FakeRelay, Refusal, TlsVisitor
from homeport.testing.waiting import eventually

from .conftest import Serve, Start, echo, until


async def test_the_relay_sees_a_signing_request_and_never_a_key(relay: FakeRelay, serve: Serve, start: Start) -> None:
    agent = await start(await serve(echo), relay)
    await until(agent, "online")

    [(headers, body)] = [(headers, body) for path, headers, body in relay.requests if path == "/sdk/certificate"]

    request = x509.load_pem_x509_csr(body["csr"].encode())
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["demo.localhost"]
    assert headers["x-portal-access-token"] in relay.leases
    assert "PRIVATE" not in str(relay.requests)


async def test_it_is_online_with_its_certificate_although_visitors_have_all_sessions(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    relay.refusals["/sdk/certificate"] = Refusal(503)
    agent = await start(await serve(echo), relay)
    visitors = [TlsVisitor(await relay.session(), "demo.localhost", relay.trusted) for _ in range(2)]
    relay.accepts = False  # no session takes their place
    shaking = asyncio.gather(*(visitor.handshake() for visitor in visitors))
    await eventually(lambda: agent.status().open == 2)
    assert (agent.status().state, agent.status().ready) == ("connecting", 0)

    relay.refusals.clear()
    await shaking

    await until(agent, "online")


async def test_without_a_certificate_there_is_no_tunnel_for_the_web(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    relay.refusals["/sdk/certificate"] = Refusal(404)
    agent = await start(await serve(echo), relay)

    await asyncio.wait_for(agent.wait(), 10)

    assert agent.status().state == "failed"
    assert "--self-signed" in agent.status().error


async def test_raw_bytes_need_no_certificate(relay: FakeRelay, serve: Serve, start: Start) -> None:
    relay.refusals["/sdk/certificate"] = Refusal(404)
    agent = await start(await serve(echo), relay, wish=Wish(tcp=True))
    await until(agent, "online")
    session = await relay.session()

    await session.claim(0x01, b"raw")

    assert await session.receive() == b"raw"
    assert "signs no certificate" in agent.status().warning


async def test_who_asks_for_it_gets_a_self_signed_one_and_is_warned(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    relay.refusals["/sdk/certificate"] = Refusal(404)
    agent = await start(await serve(echo), relay, self_signed=True)
    await until(agent, "online")

    assert "browsers warn" in agent.status().warning
    with pytest.raises(ssl.SSLCertVerificationError):
        await relay.visit("demo.localhost")


async def test_a_relay_that_signs_only_after_approval_is_asked_again(
    relay: FakeRelay, serve: Serve, start: Start
) -> None:
    relay.refusals["/sdk/certificate"] = Refusal(403, "lease_rejected")
    relay.refusals["/sdk/connect"] = Refusal(403, "lease_rejected")
    agent = await start(await serve(echo), relay)
    await until(agent, "waiting")

    relay.refusals.clear()

    visitor = await relay.visit("demo.localhost")
    await visitor.send(b"approved")
    assert await visitor.receive() == b"approved"
    assert agent.status().state == "online"
