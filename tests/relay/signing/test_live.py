"""A whole portal: which key its name shows to whom, and what the audit log keeps of signatures."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from homeport.testing.certificates import TestAuthority
from homeport.testing.relay_client import Answer, RelayClient, Tunnel, answer_http
from homeport.testing.relay_portal import DOMAIN, RelayPortal


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayPortal]:
    with RelayPortal(tmp_path_factory.mktemp("keyless")) as portal:
        yield portal


def key_shown(portal: RelayPortal, *alpn: str, ca: str = "") -> bytes:
    """The public key that the portal's name shows, verified by its authority, or by this one (PEM)."""
    context = ssl.create_default_context(cafile=None if ca else str(portal.ca_path), cadata=ca or None)
    if alpn:
        context.set_alpn_protocols(list(alpn))
    with (
        socket.create_connection(("127.0.0.1", portal.port), 20) as sock,
        context.wrap_socket(sock, server_hostname=DOMAIN) as tls,
    ):
        assert tls.version() == "TLSv1.3"
        der = tls.getpeercert(binary_form=True)
        assert der is not None
        return spki(x509.load_der_x509_certificate(der).public_key())


def spki(key: CertificatePublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(client: RelayClient) -> Answer:
    """One signature of nothing, on a connection of its own."""
    body = {
        "key_id": "relay-cert",
        "algorithm": "ECDSA_SHA256",
        "digest": base64.b64encode(bytes(32)).decode(),
        "timestamp_unix": int(time.time()),
        "nonce": secrets.token_hex(16),
    }
    return client.post("/v1/sign", body, token=client.token)


# relay L.1
def test_the_key_that_signs_for_tunnels_is_not_the_one_that_browsers_see(portal: RelayPortal) -> None:
    browsers = key_shown(portal, "h2", "http/1.1")
    assert key_shown(portal, "http/1.1") == key_shown(portal) != browsers
    assert key_shown(portal, "h2", "http/1.1") == browsers


# relay D.2: a client goes on with the chain that it was shown
def test_the_relays_key_stays_over_a_restart_and_the_audit_log_knows_what_was_signed(portal: RelayPortal) -> None:
    before = key_shown(portal, "http/1.1")
    client = portal.agent("audited")
    client.register()
    assert [sign(client).status for _ in range(3)] == [200, 200, 200]
    assert portal.stop() == 0
    portal.start()
    assert key_shown(portal, "http/1.1") == before
    told = portal.homeport("audit", "list", "--json", "--action", "sign_handshakes")
    rows = json.loads(told.stdout)["entries"]
    assert [(row["target_id"], row["details"]) for row in rows] == [(f"audited.{DOMAIN}", {"signed": 3, "refused": 0})]


def test_switched_off_there_is_no_such_path_and_one_key_for_everybody(tmp_path: Path) -> None:
    with RelayPortal(tmp_path, {"relay_keyless": False}) as portal:
        client = portal.agent("keyless")
        client.register()
        assert sign(client).status == 404
        assert key_shown(portal, "http/1.1") == key_shown(portal, "h2", "http/1.1")
        found = json.loads(portal.homeport("tls", "keyless", "info", "--json").stdout)
        assert found == {"enabled": False, "source": "none", "certificate": None}


# relay D.2; OpenSSL takes no wildcard right below a name of one label
def test_curl_visits_a_keyless_tunnel_below_localhost(tmp_path: Path) -> None:
    with RelayPortal(tmp_path, {"domain": "localhost"}) as portal:
        client = portal.agent("demo")
        client.register()
        with Tunnel(client, answer_http(b"from afar")) as tunnel:
            done = subprocess.run(
                [
                    *("curl", "-sS", "--max-time", "20", "--cacert", str(portal.ca_path)),
                    *("--resolve", f"demo.localhost:{portal.port}:127.0.0.1", f"https://demo.localhost:{portal.port}/"),
                ],
                capture_output=True,
                check=False,
            )
        assert done.stdout == b"from afar", (done.stderr, tunnel.faults)


# relay L.16: the reference has to be restarted
def test_another_pair_is_shown_and_signs_at_once_while_the_portal_goes_on(portal: RelayPortal, tmp_path: Path) -> None:
    own, key = TestAuthority(), ec.generate_private_key(ec.SECP256R1())
    pem = own.sign([DOMAIN, f"*.{DOMAIN}"], begins=datetime.now(UTC) - timedelta(days=1), key=key)
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert_file.write_text(pem.cert)
    key_file.write_text(pem.key)
    client = portal.agent()
    client.register()
    before = key_shown(portal, "http/1.1")
    done = portal.homeport("tls", "keyless", "upload", str(cert_file), str(key_file))
    assert done.returncode == 0, done.stderr
    root = own.root.public_bytes(Encoding.PEM).decode()
    (tmp_path / "root.pem").write_text(root)
    client.relay = replace(client.relay, ca_path=tmp_path / "root.pem")
    assert key_shown(portal, "http/1.1", ca=root) == spki(key.public_key()) != before
    signature = base64.b64decode(sign(client).json()["signature"])
    key.public_key().verify(signature, bytes(32), ec.ECDSA(Prehashed(hashes.SHA256())))
    assert json.loads(portal.homeport("tls", "keyless", "info", "--json").stdout)["source"] == "kept"
    assert "_keyless" in portal.homeport("tls", "list").stdout
    assert portal.homeport("tls", "keyless", "rm").returncode == 0
    assert key_shown(portal, "http/1.1") == before
    assert "authority" in portal.homeport("tls", "keyless", "info").stdout
