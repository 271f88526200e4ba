"""Enrolment: a token, good once and for ten minutes, and a request whose key counts and whose subject does not."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import select

from homeport.identity.certificates.problems import CsrInvalid
from homeport.identity.certificates.signing_requests import key_of
from homeport.identity.models import EnrolmentToken
from homeport.testing.client_certificates import signing_request
from homeport.testing.door import Door
from tests.identity.certificates.conftest import holding


async def invite(admin: httpx.AsyncClient, label: str = "box") -> str:
    body = {"label": label, "capabilities": ["services:read"]}
    answer = await admin.post("/api/certs/agent/enroll", json=body)
    assert answer.json()["ok"] is True
    return str(answer.json()["token"])


async def enrol(door: Door, token: str, csr: str = "") -> httpx.Response:
    async with door.client() as machine:
        return await machine.post("/api/enroll", json={"token": token, "csr": csr or signing_request()})


async def test_a_machine_gets_a_certificate_for_its_own_key_and_our_subject(
    door: Door, admin: httpx.AsyncClient
) -> None:
    # host C POST /api/enroll
    key = ec.generate_private_key(ec.SECP256R1())
    made = (await enrol(door, await invite(admin), signing_request(key, common_name="admin"))).json()
    certificate = x509.load_pem_x509_certificate(made["cert"].encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "agent:box"
    issuer = x509.load_pem_x509_certificate(made["caCert"].encode())
    certificate.verify_directly_issued_by(issuer)
    assert {"ok", "cert", "caCert", "label", "serial", "expiresAt"} <= made.keys()
    async with holding(door, made) as client:
        assert (await client.get("/api/services")).json()["name"] == "agent:box"


async def test_a_token_is_good_once(door: Door, admin: httpx.AsyncClient) -> None:
    token = await invite(admin)
    answers = await asyncio.gather(*(enrol(door, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_token_is_good_for_ten_minutes(door: Door, admin: httpx.AsyncClient) -> None:
    token = await invite(admin)
    door.clock.advance(600)
    assert (await enrol(door, token)).json()["code"] == "enrolment_refused"


async def test_a_new_token_replaces_the_one_before_and_one_can_be_taken_back(
    door: Door, admin: httpx.AsyncClient
) -> None:
    first, second = await invite(admin), await invite(admin)
    assert (await enrol(door, first)).status_code == 401
    assert (await admin.delete("/api/certs/agent/enroll/box")).json() == {"ok": True}
    assert (await enrol(door, second)).status_code == 401
    assert (await admin.delete("/api/certs/agent/enroll/box")).status_code == 404


async def test_only_the_hash_of_a_token_is_kept(door: Door, admin: httpx.AsyncClient) -> None:
    token = await invite(admin)
    async with door.database.read() as db:
        [row] = (await db.scalars(select(EnrolmentToken))).all()
    assert token.encode() not in row.sha256
    assert len(row.sha256) == 32


async def test_a_bad_request_does_not_use_the_token_up(door: Door, admin: httpx.AsyncClient) -> None:
    token = await invite(admin)
    bad = await enrol(door, token, "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----")
    assert (bad.status_code, bad.json()["code"]) == (400, "csr_invalid")
    assert (await enrol(door, token)).status_code == 200


async def test_whoever_has_no_token_learns_nothing_of_a_request(door: Door, admin: httpx.AsyncClient) -> None:
    await invite(admin)
    assert (await enrol(door, "0" * 64, "no request")).status_code == 401


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
    ],
    ids=["rsa 2048", "p-384", "p-521"],
)
def test_strong_keys_are_taken(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    assert key_of(signing_request(key)) == key.public_key()


def test_ed25519_is_taken() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, None)
    assert key_of(request.public_bytes(serialization.Encoding.PEM).decode()) == key.public_key()


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP192R1()),
        ec.generate_private_key(ec.SECP256K1()),
        dsa.generate_private_key(2048),
    ],
    ids=["rsa 1024", "p-192", "secp256k1", "dsa"],
)
def test_weak_and_strange_keys_are_not_taken(key: object) -> None:
    with pytest.raises(CsrInvalid, match="kind or size"):
        key_of(signing_request(key))


def test_ed448_is_not_taken() -> None:
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    signed = request.sign(ed448.Ed448PrivateKey.generate(), None)
    with pytest.raises(CsrInvalid):
        key_of(signed.public_bytes(serialization.Encoding.PEM).decode())


def test_a_request_that_somebody_else_signed_is_not_taken() -> None:
    request = x509.load_pem_x509_csr(signing_request().encode())
    forged = bytearray(request.public_bytes(serialization.Encoding.DER))
    forged[-1] ^= 1
    changed = x509.load_der_x509_csr(bytes(forged)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(CsrInvalid, match="not signed"):
        key_of(changed)


@pytest.mark.parametrize("text", ["", "hello", "x" * 20_000])
def test_what_is_no_request_is_not_taken(text: str) -> None:
    with pytest.raises(CsrInvalid):
        key_of(text)
