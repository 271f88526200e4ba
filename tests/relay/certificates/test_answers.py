"""Answers to challenges: at their place while an order is open, and nowhere else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from homeport.kit.clock import SystemClock
from homeport.relay import Ingress
from homeport.relay.certificates.acme.alpn_answers import AlpnAnswers
from homeport.relay.certificates.acme.http_answers import PATH, HttpAnswers
from homeport.relay.certificates.acme.jws import AccountKey, bound
from homeport.testing.ports import free_ports
from homeport.wire.client_hello import ClientHello

IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def ask(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    writer.write_eof()
    try:
        return await reader.read()
    finally:
        writer.close()


async def refuses(port: int) -> bool:
    try:
        await ask(port, b"")
    except ConnectionRefusedError:
        return True
    return False


async def test_the_listener_opens_with_the_first_answer_and_closes_after_the_last() -> None:
    [port] = free_ports(1)
    answers = HttpAnswers("127.0.0.1", port)
    assert await refuses(port)
    await answers.present("a.test", "one", "one.print")
    await answers.present("b.test", "two", "two.print")
    for token in ("one", "two"):
        got = await ask(port, f"GET {PATH}{token} HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
        assert got.startswith(b"HTTP/1.1 200 ")
        assert got.endswith(f"\r\n\r\n{token}.print".encode())
    await answers.withdraw("a.test", "one", "one.print")
    assert not await refuses(port)
    await answers.withdraw("b.test", "two", "two.print")
    assert await refuses(port)


@pytest.mark.parametrize(
    "head",
    [
        b"GET /.well-known/acme-challenge/unknown HTTP/1.1\r\n\r\n",
        b"GET /.well-known/acme-challenge/../one HTTP/1.1\r\n\r\n",
        b"POST /.well-known/acme-challenge/one HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_everything_else_is_not_found(head: bytes) -> None:
    answers = HttpAnswers("127.0.0.1", 0)
    await answers.present("a.test", "one", "one.print")
    assert answers.answer(head).startswith(b"HTTP/1.1 404 ")


async def test_a_head_without_end_is_cut() -> None:
    [port] = free_ports(1)
    answers = HttpAnswers("127.0.0.1", port)
    await answers.present("a.test", "one", "one.print")
    try:
        assert await ask(port, b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000) == b""
    except ConnectionResetError:
        pass
    finally:
        await answers.withdraw("a.test", "one", "one.print")


async def test_the_main_port_answers_plain_http_for_an_open_order_and_redirects_the_rest() -> None:
    answers = HttpAnswers("127.0.0.1", 0)
    await answers.present("a.test", "one", "one.print")
    ingress = Ingress(lambda _: None, plain=answers.find)
    port = await ingress.open("127.0.0.1", 0)
    got = await ask(port, f"GET {PATH}one HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
    assert got.endswith(b"\r\n\r\none.print")
    other = await ask(port, f"GET {PATH}two HTTP/1.1\r\nHost: a.test\r\n\r\n".encode())
    assert other.startswith(b"HTTP/1.1 308 ")
    await ingress.close(1)


@pytest.mark.parametrize(
    ("hello", "answered"),
    [
        (ClientHello("a.test", ("acme-tls/1",)), True),
        (ClientHello("a.test", ("h2", "http/1.1")), False),
        (ClientHello("b.test", ("acme-tls/1",)), False),
        (ClientHello(None, ("acme-tls/1",)), False),
    ],
)
async def test_only_a_hello_that_asks_for_the_challenge_of_an_open_order_is_answered(
    hello: ClientHello, answered: bool
) -> None:
    answers = AlpnAnswers(SystemClock())
    await answers.present("a.test", "one", "one.print")
    assert (answers.find(hello) is not None) is answered
    await answers.withdraw("a.test", "one", "one.print")
    assert answers.find(hello) is None


async def test_the_challenges_certificate_is_as_rfc_8737_has_it() -> None:
    answers = AlpnAnswers(SystemClock())
    await answers.present("a.test", "one", "one.print")
    ingress = Ingress(lambda _: None, challenge=answers.find)
    port = await ingress.open("127.0.0.1", 0)
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    blind.set_alpn_protocols(["acme-tls/1"])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=blind, server_hostname="a.test")
    tls = writer.get_extra_info("ssl_object")
    assert tls.selected_alpn_protocol() == "acme-tls/1"
    leaf = x509.load_der_x509_certificate(tls.getpeercert(True))
    held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert held.get_values_for_type(x509.DNSName) == ["a.test"]
    proof = leaf.extensions.get_extension_for_oid(IDENTIFIER)
    assert proof.critical
    assert proof.value.public_bytes() == b"\x04\x20" + hashlib.sha256(b"one.print").digest()
    assert await reader.read() == b""  # nothing is said after the handshake
    writer.close()
    await ingress.close(1)


def test_a_signature_verifies_and_an_empty_payload_is_no_post_as_get() -> None:
    key = AccountKey.new()
    for payload, written in ((None, b""), ({}, b"{}")):
        body = json.loads(key.sign(payload, {"nonce": "n", "url": "https://a.test", "jwk": key.jwk}))
        assert decoded(body["payload"]) == written
        signature = decoded(body["signature"])
        r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        x, y = (int.from_bytes(decoded(key.jwk[name])) for name in ("x", "y"))
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        signed = f"{body['protected']}.{body['payload']}".encode()
        public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))


def test_an_accounts_key_survives_its_file_and_nothing_else_is_taken_for_one() -> None:
    key = AccountKey.new()
    assert AccountKey.from_pem(key.pem()).thumbprint == key.thumbprint
    with pytest.raises(ValueError):
        AccountKey.from_pem("nonsense")


def test_an_external_account_is_bound_by_hmac() -> None:
    key = AccountKey.new()
    body = bound(key.jwk, "https://a.test/new", "kid-1", base64.urlsafe_b64encode(b"secret").decode().rstrip("="))
    head = json.loads(decoded(body["protected"]))
    assert head == {"alg": "HS256", "kid": "kid-1", "url": "https://a.test/new"}
    assert json.loads(decoded(body["payload"])) == key.jwk
