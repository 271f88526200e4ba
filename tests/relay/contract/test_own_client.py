"""The client that the contract is tested with, tested itself: by known vectors, and by the TLS of others."""

from __future__ import annotations

import hashlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from homeport.testing.relay_client import PlainStream, Wallet, accept_tls, answer_http

MESSAGE = """localhost:4017 wants you to sign in with your Ethereum account:
0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A

Register a portal lease

URI: https://localhost:4017/sdk/register
Version: 1
Chain ID: 1
Nonce: AbCdEfGhIjKlMnOp
Issued At: 2026-05-01T00:00:00Z
Expiration Time: 2026-05-01T00:02:00Z
Request ID: rch_0011223344556677"""


def test_the_wallet_signs_as_the_known_vector_says() -> None:
    # relay B.6
    wallet = Wallet(b"\x11" * 32)
    assert wallet.address == "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    assert wallet.public_key == "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
    assert len(MESSAGE.encode()) == 323
    assert wallet.digest(MESSAGE).hex() == "31288ca798cb80f454b3293c14047aa96cb8745fcaa0acc9339cece79cb082a3"
    assert wallet.sign(MESSAGE) == (
        "0x6ff2a31866542d72d5371d5312342ab8a3140e00a1e5de4a9f46d8efc4272b8c"
        "4997edc6b8630c5ab7a7d16ebb8818a78bdfa6b4082ede6eb83ba8e794682ef01b"
    )


class LocalSigner:
    """Signs with a key that is here."""

    def __init__(self, certificate: bytes, key: PrivateKeyTypes) -> None:
        self.chain = [certificate]
        self._key = key
        self.scheme = 0x0403 if isinstance(key, ec.EllipticCurvePrivateKey) else 0x0804

    def sign(self, content: bytes) -> bytes:
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            return self._key.sign(content, ec.ECDSA(hashes.SHA256()))
        assert isinstance(self._key, rsa.RSAPrivateKey)
        return self._key.sign(content, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


@pytest.fixture(params=["ec", "rsa"])
def signer(request: pytest.FixtureRequest, tmp_path: Path) -> LocalSigner:
    """Its certificate, for demo.localhost, is at `cert.pem`."""
    kind = (
        ["-newkey", "rsa:2048"] if request.param == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    )
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=demo", "-addext", "subjectAltName=DNS:demo.localhost"]
    argv = ["openssl", "req", "-x509", *kind, "-nodes", "-days", "2", *names, "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    return LocalSigner(certificate.public_bytes(Encoding.DER), load_pem_private_key(key.read_bytes(), None))


@contextmanager
def tenant(signer: LocalSigner, body: bytes) -> Iterator[tuple[int, list[str]]]:
    """Listens; the port, and the versions that were spoken."""
    spoken: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.settimeout(20)
            stream = accept_tls(PlainStream(sock), signer)
            spoken.append(stream.version)
            answer_http(body, requests=1)(stream)
            stream.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1], spoken
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_speaks_with_the_tenants_tls(signer: LocalSigner, tmp_path: Path, version: str) -> None:
    body = b"0123456789abcdef" * 8192
    with tenant(signer, body) as (port, spoken):
        done = subprocess.run(
            [
                *("curl", "-sS", "--max-time", "20", "--cacert", str(tmp_path / "cert.pem")),
                *(f"--tlsv{version}", "--tls-max", version, "--resolve", f"demo.localhost:{port}:127.0.0.1"),
                f"https://demo.localhost:{port}/",
            ],
            capture_output=True,
            check=True,
        )
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(body).digest()
    assert spoken == [f"TLSv{version}"]


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
@pytest.mark.parametrize("group", ["X25519:P-256", "P-256"])
def test_openssl_judges_the_tenants_tls(signer: LocalSigner, tmp_path: Path, version: str, group: str) -> None:
    with tenant(signer, b"hello") as (port, _):
        done = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "demo.localhost"),
                *(f"-{version}", "-groups", group, "-CAfile", str(tmp_path / "cert.pem"), "-verify_return_error"),
                *("-verify_hostname", "demo.localhost", "-alpn", "h2,http/1.1", "-ign_eof"),
            ],
            input=b"GET / HTTP/1.1\r\nHost: demo.localhost\r\n\r\n",
            capture_output=True,
            timeout=30,
            check=True,
        )
    assert b"Verify return code: 0 (ok)" in done.stdout
    assert b"ALPN protocol: http/1.1" in done.stdout
    assert done.stdout.rstrip().endswith((b"hello", b"closed"))


def test_a_visitor_that_knows_only_other_ciphers_is_told_so(signer: LocalSigner, tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+CHACHA20")
    faults: list[Exception] = []

    def serve() -> None:
        try:
            accept_tls(PlainStream(ours), signer)
        except Exception as problem:
            faults.append(problem)
        ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
        context.wrap_socket(theirs, server_hostname="demo.localhost")
    thread.join(20)
    assert len(faults) == 1
