"""Certificates for agents that keep their own key: the own authority signs for a lease's one host name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from homeport.relay.authority import Authority
from homeport.relay.lease import Lease
from homeport.relay.problems import FeatureUnavailable, InvalidRequest, LeaseRejected

LIFETIME = timedelta(days=7)
LONGEST_CSR = 16 * 1024  # characters
_RSA_BITS = range(2048, 4097)


class TunnelCertificates:
    """`authority` gives the own authority where it signs for the portal's own name, None where browsers know that
    name's certificate: they should know the tunnels', too. `holder` and `routable` are as `Signing` has them."""

    def __init__(
        self,
        authority: Callable[[], Authority | None],
        holder: Callable[[str], Lease],
        routable: Callable[[str], bool],
    ) -> None:
        self._authority = authority
        self._holder = holder
        self._routable = routable

    def issue(self, token: str, csr: str) -> tuple[Lease, str]:
        """The lease, and a chain in PEM for the request's key, valid for LIFETIME. About a millisecond.

        Raises FeatureUnavailable, TokenRefused, LeaseNotFound, LeaseRejected, InvalidRequest.
        """
        lease = self._holder(token)
        if not self._routable(lease.key):
            raise LeaseRejected("This tunnel is not approved.")
        authority = self._authority()
        if authority is None:
            raise FeatureUnavailable("This relay's names are public: get a certificate by ACME, TLS-ALPN-01.")
        leaf = authority.certify(_key_of(csr, lease.hostname), lease.hostname, lifetime=LIFETIME)
        chain = (leaf, authority.certificate)
        return lease, "".join(each.public_bytes(serialization.Encoding.PEM).decode("ascii") for each in chain)


def _key_of(csr: str, hostname: str) -> CertificatePublicKeyTypes:
    """Raises InvalidRequest for all but a request for exactly this host name, signed by a strong key."""
    if len(csr) > LONGEST_CSR:
        raise InvalidRequest(f"The request is longer than {LONGEST_CSR // 1024} KB.")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        if not _is_strong(key):
            raise InvalidRequest("Use a key on P-256 or P-384, or an RSA key of 2048 to 4096 bits.")
        signed, names, authority = request.is_signature_valid, _names(request), _wants_to_sign(request)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest("This is no certificate signing request in PEM.") from None
    if not signed:
        raise InvalidRequest("The request is not signed by its own key.")
    if names != {hostname} or authority:
        raise InvalidRequest(f"The request may name {hostname} and nothing else.")
    return key


def _names(request: x509.CertificateSigningRequest) -> set[str]:
    """All that the request wants to be called; what is no host name stands there by its type."""
    names = {
        str(part.value).lower() if part.oid == x509.NameOID.COMMON_NAME else part.oid.dotted_string
        for part in request.subject
    }
    try:
        held = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return names
    return names | {each.value.lower() if isinstance(each, x509.DNSName) else repr(each) for each in held}


def _wants_to_sign(request: x509.CertificateSigningRequest) -> bool:
    """Whether it asks to be an authority: everything else that it asks for is not granted anyhow."""
    try:
        return request.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _is_strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in _RSA_BITS and key.public_numbers().e >= 3
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1)
