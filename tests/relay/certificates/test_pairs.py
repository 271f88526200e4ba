"""Which pairs may serve, and what is said of those that may not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from homeport.kit.clock import SystemClock
from homeport.relay.certificates.pairs import covers, describe, read_pair
from homeport.relay.certificates.problems import CertificateRefused
from homeport.relay.certificates.self_signed import KeyType, self_signed
from homeport.testing.certificates import TestAuthority, key_text

NOW = SystemClock().now().replace(microsecond=0)  # certificates know whole seconds
BEFORE = NOW - timedelta(days=1)


def test_a_pair_that_fits_may_serve(signer: TestAuthority) -> None:
    pem = signer.sign(["a.test", "*.a.test", "192.0.2.7"], begins=BEFORE)
    pair = read_pair(pem.cert, pem.key, NOW)
    assert pair.names == ("a.test", "*.a.test", "192.0.2.7")
    assert pair.domain == "a.test"
    assert len(pair.chain) == 2


def test_a_chain_in_the_wrong_order_is_put_right(signer: TestAuthority) -> None:
    pem = signer.sign(["a.test"], begins=BEFORE)
    leaf, middle = (f"{part}-----END CERTIFICATE-----\n" for part in pem.cert.split("-----END CERTIFICATE-----\n")[:2])
    assert read_pair(middle + leaf, pem.key, NOW).domain == "a.test"


def test_a_key_of_another_certificate_is_refused(signer: TestAuthority) -> None:
    pem, other = signer.sign(["a.test"], begins=BEFORE), signer.sign(["a.test"], begins=BEFORE)
    with pytest.raises(CertificateRefused, match="does not belong"):
        read_pair(pem.cert, other.key, NOW)


def test_a_certificate_that_has_expired_is_refused_with_its_date(signer: TestAuthority) -> None:
    pem = signer.sign(["a.test"], begins=NOW - timedelta(days=91))
    with pytest.raises(CertificateRefused, match=r"expired on \d{4}-\d\d-\d\dT"):
        read_pair(pem.cert, pem.key, NOW)


def test_a_certificate_of_tomorrow_is_refused_with_its_date(signer: TestAuthority) -> None:
    pem = signer.sign(["a.test"], begins=NOW + timedelta(days=1))
    with pytest.raises(CertificateRefused, match="not valid before"):
        read_pair(pem.cert, pem.key, NOW)


@pytest.mark.parametrize(
    ("cert", "key", "says"),
    [
        ("nonsense", None, "not in PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", None, "not in PEM"),
        (None, "nonsense", "no private key"),
        (None, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        ("A" * 70_000, None, "larger than 64 KB"),
        (None, key_text(ec.generate_private_key(ec.SECP256R1()), b"locked"), "locked with a password"),
        (None, key_text(rsa.generate_private_key(65537, 1024)), "too short"),
        (None, key_text(ed25519.Ed25519PrivateKey.generate()), "do not take keys of Ed25519"),
    ],
)
def test_broken_texts_are_refused_with_a_reason(
    signer: TestAuthority, cert: str | None, key: str | None, says: str
) -> None:
    pem = signer.sign(["a.test"], begins=BEFORE)
    with pytest.raises(CertificateRefused, match=says):
        read_pair(cert or pem.cert, key or pem.key, NOW)


def test_a_certificate_without_names_is_refused(signer: TestAuthority) -> None:
    pem = signer.sign([], begins=BEFORE)
    with pytest.raises(CertificateRefused, match="names no host"):
        read_pair(pem.cert, pem.key, NOW)


def test_a_certificate_for_clients_is_refused(signer: TestAuthority) -> None:
    pem = signer.sign(["a.test"], begins=BEFORE, usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    with pytest.raises(CertificateRefused, match="not meant for servers"):
        read_pair(pem.cert, pem.key, NOW)


def test_a_stranger_in_the_chain_is_refused(signer: TestAuthority) -> None:
    pem, other = signer.sign(["a.test"], begins=BEFORE), TestAuthority().sign(["b.test"], begins=BEFORE)
    with pytest.raises(CertificateRefused, match="has no place in the chain"):
        read_pair(pem.cert + other.cert, pem.key, NOW)


def test_a_pair_never_shows_its_key(signer: TestAuthority) -> None:
    pem = signer.sign(["a.test"], begins=BEFORE)
    assert "PRIVATE" not in repr(read_pair(pem.cert, pem.key, NOW))


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("a.test", True),
        ("A.Test.", True),
        ("x.a.test", True),
        ("y.x.a.test", False),
        ("b.test", False),
        ("192.0.2.7", True),
        ("test", False),
    ],
)
def test_a_wildcard_covers_one_label(name: str, covered: bool) -> None:
    assert covers(("a.test", "*.a.test", "192.0.2.7"), name) is covered


@pytest.mark.parametrize(
    ("kind", "shown"), [("ec-p256", "EC P-256"), ("ec-p384", "EC P-384"), ("rsa-2048", "RSA 2048")]
)
def test_a_self_signed_pair_is_described_as_one(kind: KeyType, shown: str) -> None:
    # portal B3
    told = describe(self_signed("a.test", 30, kind, NOW).leaf, NOW)
    assert told["is_self_signed"]
    assert not told["is_expired"]
    assert told["key_type"] == shown
    assert told["sans"] == ["a.test", "localhost", "127.0.0.1"]
    assert told["days_until_expiry"] == 30
    assert told["subject"] == told["issuer"] == {"common_name": "a.test"}
    assert len(told["fingerprint_sha256"]) == 95
