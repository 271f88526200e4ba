"""A machine's certificate signing request: its key counts, its subject does not."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from homeport.identity.certificates.problems import CsrInvalid

LONGEST_CSR = 16 * 1024  # characters
_RSA_BITS = range(2048, 8193)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_KEYS = "use an RSA key of 2048 to 8192 bits, an EC key on P-256, P-384 or P-521, or Ed25519"


def key_of(csr: str) -> CertificatePublicKeyTypes:
    """The public key of a PEM request that is signed by it. Raises CsrInvalid."""
    if len(csr) > LONGEST_CSR:
        raise CsrInvalid(f"The request is longer than {LONGEST_CSR // 1024} KB.")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        if not _is_strong(key):
            raise CsrInvalid(f"The key is of a kind or size that is not accepted: {_KEYS}.")
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm) as problem:
        raise CsrInvalid("This is no certificate signing request in PEM, as `openssl req -new` makes it.") from problem
    if not signed:
        raise CsrInvalid("The request is not signed by its own key.")
    return key


def _is_strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size in _RSA_BITS and key.public_numbers().e >= 3
    if isinstance(key, ec.EllipticCurvePublicKey):
        return isinstance(key.curve, _CURVES)
    return isinstance(key, ed25519.Ed25519PublicKey)
