"""Tenants' TLS with the relay's key: real visitors through the relay, and what /v1/sign refuses. # relay D"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
import subprocess
import time
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from homeport.testing.relay_client import RelayClient, RemoteSigner, Tunnel, answer_http
from homeport.testing.relay_portal import DOMAIN, RelayPortal

BODY = b"0123456789abcdef" * 4096


@pytest.fixture
def signer(client: RelayClient) -> Iterator[RemoteSigner]:
    signer = RemoteSigner(client.relay, lambda: client.token)
    yield signer
    signer.close()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_curl_visits_a_tunnel_whose_key_is_the_relays(portal: RelayPortal, client: RelayClient, version: str) -> None:
    # relay D.2
    host = f"{client.name}.{DOMAIN}"
    with Tunnel(client, answer_http(BODY)) as tunnel:
        done = subprocess.run(
            [
                *("curl", "-sS", "--max-time", "20", "--cacert", str(portal.ca_path)),
                *(f"--tlsv{version}", "--tls-max", version, "--resolve", f"{host}:{portal.port}:127.0.0.1"),
                f"https://{host}:{portal.port}/",
            ],
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, (done.stderr, tunnel.faults)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_openssl_verifies_a_tunnels_certificate_by_its_name(
    portal: RelayPortal, client: RelayClient, version: str
) -> None:
    host = f"{client.name}.{DOMAIN}"
    with Tunnel(client, answer_http(b"verified", requests=1)) as tunnel:
        done = subprocess.run(
            [
                *("openssl", "s_client", "-connect", f"127.0.0.1:{portal.port}", "-servername", host, f"-{version}"),
                *("-CAfile", str(portal.ca_path), "-verify_return_error", "-verify_hostname", host),
                *("-alpn", "h2,http/1.1", "-ign_eof"),
            ],
            input=f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(),
            capture_output=True,
            timeout=30,
            check=False,
        )
    assert b"Verify return code: 0 (ok)" in done.stdout, (done.stderr, tunnel.faults)
    assert b"ALPN protocol: http/1.1" in done.stdout


def test_the_certificate_that_clients_see_is_good_for_tunnels(signer: RemoteSigner) -> None:
    # relay D.2: the leaf must verify for the lease's name, or clients unregister
    leaf = x509.load_der_x509_certificate(signer.chain[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"*.{DOMAIN}" in names.get_values_for_type(x509.DNSName)


def test_many_signatures_go_over_one_connection(signer: RemoteSigner) -> None:
    # R29, relay D.1
    leaf = x509.load_der_x509_certificate(signer.chain[0])
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    stream = signer._stream
    for number in range(20):
        content = b"signed %d" % number
        signature = signer.sign(content)
        digest = hashlib.sha256(content).digest()
        key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    assert signer._stream is stream


def test_the_answer_has_no_envelope(signer: RemoteSigner) -> None:
    # relay D.1
    answer = signer.ask()
    assert answer.status == 200
    assert set(answer.json()) == {"key_id", "algorithm", "signature"}


@pytest.mark.parametrize("missing", ["key_id", "digest", "algorithm", "nonce"])
def test_a_question_with_a_member_missing(signer: RemoteSigner, missing: str) -> None:
    answer = signer.ask(without=missing)
    assert answer.status == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("seconds", [-40, 40, -(10**9), 10**12])
def test_a_clock_that_is_far_off_is_refused(signer: RemoteSigner, seconds: int) -> None:
    # relay D.1: ±30 s
    assert signer.ask(timestamp_unix=int(time.time()) + seconds).status == 400


@pytest.mark.parametrize("seconds", [-25, 25])
def test_a_clock_that_is_a_little_off_is_not(signer: RemoteSigner, seconds: int) -> None:
    assert signer.ask(timestamp_unix=int(time.time()) + seconds).status == 200


@pytest.mark.parametrize("algorithm", ["RSA_PSS_SHA256", "RSA_PKCS1V15_SHA256", "ED25519", "ecdsa_sha256", "NONE"])
def test_an_algorithm_that_does_not_fit_the_key_is_refused(signer: RemoteSigner, algorithm: str) -> None:
    # relay D.1
    assert signer.ask(algorithm=algorithm).status == 400


def test_another_keys_id_is_forbidden(signer: RemoteSigner) -> None:
    answer = signer.ask(key_id="another-cert")
    assert (answer.status, isinstance(answer.json()["error"], str)) == (403, True)


@pytest.mark.parametrize("digest", ["!", "AAAA", base64.b64encode(bytes(31)).decode(), ""])
def test_a_digest_of_another_length_is_refused(signer: RemoteSigner, digest: str) -> None:
    assert signer.ask(digest=digest).status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{" + b" " * 5000 + b"}"])
def test_what_is_no_question_is_refused(signer: RemoteSigner, body: bytes) -> None:
    # relay A.0: at most 4 KiB
    assert signer.ask_raw(body).status in (400, 413)


def test_the_method_and_the_type_are_looked_at(signer: RemoteSigner) -> None:
    answer = signer.ask(method="GET")
    assert (answer.status, answer.fields.get("allow")) == (405, "POST")
    assert signer.ask(fields={"Content-Type": "text/plain"}).status == 415
    assert signer.ask(fields={"Content-Type": "application/json; charset=utf-8"}).status == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
def test_nobody_signs_without_a_token_of_the_relays(signer: RemoteSigner, token: str) -> None:
    # relay L.1
    answer = signer.ask(fields={"X-Portal-Access-Token": token})
    assert (answer.status, answer.code) == (403, "unauthorized")


def test_a_lease_that_has_ended_signs_nothing(portal: RelayPortal) -> None:
    client = portal.agent()
    client.register()
    signer = RemoteSigner(client.relay, lambda: client.token)
    assert signer.ask().status == 200
    client.unregister()
    answer = signer.ask()
    assert (answer.status, answer.code) in ((404, "lease_not_found"), (403, "unauthorized"))
    signer.close()


def test_a_banned_identity_signs_nothing(portal: RelayPortal, client: RelayClient, signer: RemoteSigner) -> None:
    portal.judge(client, "POST", "ban")
    answer = signer.ask()
    assert (answer.status, answer.code) == (403, "lease_rejected")
    portal.judge(client, "DELETE", "ban")
    assert signer.ask().status == 200


def test_the_relays_own_name_is_not_signed_for_with_the_tunnels_key(portal: RelayPortal, signer: RemoteSigner) -> None:
    # relay L.1: what a browser sees at the relay itself is another certificate than the one tenants sign with
    context = ssl.create_default_context(cafile=str(portal.ca_path))
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(portal.knock(), server_hostname=DOMAIN) as sock:
        shown = sock.getpeercert(binary_form=True)
    assert shown is not None
    own = x509.load_der_x509_certificate(shown).public_key()
    tenants = x509.load_der_x509_certificate(signer.chain[0]).public_key()
    assert own != tenants


def test_tokenless_signing_is_a_switch_that_is_off(tmp_path_factory: pytest.TempPathFactory) -> None:
    # relay 0: consequence 3
    with RelayPortal(tmp_path_factory.mktemp("tokenless"), {"relay_sign_without_token": "true"}) as portal:
        client = portal.agent()
        client.register()
        signer = RemoteSigner(client.relay, lambda: "")
        assert signer.ask(nonce=secrets.token_hex(16)).status == 200
        signer.close()
