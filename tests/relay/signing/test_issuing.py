"""Certificates for agents that keep their key: for a lease's one host name, by the own authority, for a week."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from homeport.relay import Authority
from homeport.relay.problems import FeatureUnavailable, InvalidRequest, LeaseNotFound, LeaseRejected, TokenRefused
from homeport.relay.signing import TunnelCertificates
from homeport.testing.certificates import Key
from homeport.testing.clock import ManualClock
from tests.relay.signing.conftest import TOKEN, Desk

HOST = "demo.portal.test"


def request_for(
    *names: str, key: Key | None = None, common_name: str | None = None, extra: x509.GeneralName | None = None,
    authority: bool = False,
) -> str:  # fmt: skip
    """A signing request in PEM, by default with a fresh key on P-256."""
    subject = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
    held: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    held += [extra] if extra is not None else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if held:
        builder = builder.add_extension(x509.SubjectAlternativeName(held), critical=False)
    if authority:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    key = key or ec.generate_private_key(ec.SECP256R1())
    signed = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def own(tmp_path: Path, clock: ManualClock) -> Authority:
    authority = Authority(tmp_path / "ca", clock, domain="portal.test")
    authority.open()
    return authority


@pytest.fixture
def office(own: Authority, desk: Desk) -> TunnelCertificates:
    return TunnelCertificates(lambda: own, desk.holder, lambda key: key not in desk.unroutable)


def chain_of(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())


@pytest.mark.parametrize("kind", ["P-256", "P-384", "RSA"])
def test_a_request_for_the_leases_name_is_signed_for_a_week(
    office: TunnelCertificates, own: Authority, clock: ManualClock, rsa_key: rsa.RSAPrivateKey, kind: str
) -> None:
    made: dict[str, Key] = {
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "RSA": rsa_key,
    }
    key = made[kind]
    lease, pem = office.issue(TOKEN, request_for(HOST, key=key))
    leaf, ca = chain_of(pem)
    assert lease.hostname == HOST
    assert ca == own.certificate
    leaf.verify_directly_issued_by(ca)
    assert leaf.public_key() == key.public_key()
    held = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(held) == [x509.DNSName(HOST)]
    assert leaf.not_valid_after_utc == clock.now() + timedelta(days=7)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_the_name_may_stand_in_the_subject_as_well_and_in_any_case(office: TunnelCertificates) -> None:
    office.issue(TOKEN, request_for(HOST.upper(), common_name=HOST))
    office.issue(TOKEN, request_for(common_name=HOST))


@pytest.mark.parametrize(
    "csr",
    [
        request_for("other.portal.test"),
        request_for(HOST, "other.portal.test"),
        request_for("*.portal.test"),
        request_for("portal.test"),
        request_for(HOST, common_name="portal.test"),
        request_for(),
        request_for(HOST, extra=x509.RFC822Name("a@b.test")),
        request_for(HOST, authority=True),
        request_for(HOST, key=ec.generate_private_key(ec.SECP521R1())),
        request_for(HOST, key=ec.generate_private_key(ec.SECP256K1())),
        request_for(HOST, key=ed25519.Ed25519PrivateKey.generate()),
        request_for(HOST, key=rsa.generate_private_key(65537, 1024)),
        "",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "x" * 20_000,
    ],
)
def test_every_other_request_is_refused(office: TunnelCertificates, csr: str) -> None:
    with pytest.raises(InvalidRequest):
        office.issue(TOKEN, csr)


def test_a_request_that_its_key_has_not_signed_is_refused(office: TunnelCertificates) -> None:
    request = x509.load_pem_x509_csr(request_for(HOST).encode())
    broken = bytearray(request.public_bytes(serialization.Encoding.DER))
    broken[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(broken)).public_bytes(serialization.Encoding.PEM).decode()
    with pytest.raises(InvalidRequest):
        office.issue(TOKEN, pem)


def test_only_holders_of_a_lease_that_may_be_visited_get_one(office: TunnelCertificates, desk: Desk) -> None:
    with pytest.raises(TokenRefused):
        office.issue("wrong", request_for(HOST))
    desk.unroutable.add(desk.leases[TOKEN].key)
    with pytest.raises(LeaseRejected):
        office.issue(TOKEN, request_for(HOST))
    desk.gone.add(TOKEN)
    with pytest.raises(LeaseNotFound):
        office.issue(TOKEN, request_for(HOST))


def test_where_browsers_know_the_portals_certificate_there_is_none_of_the_own_authority(desk: Desk) -> None:
    office = TunnelCertificates(lambda: None, desk.holder, lambda _: True)
    with pytest.raises(FeatureUnavailable):
        office.issue(TOKEN, request_for(HOST))
