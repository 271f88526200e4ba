"""A whole portal gets a certificate while it serves: nothing is restarted, no connection ends."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from websockets.sync.client import ClientConnection, connect

from homeport.testing.certificates import TestAuthority
from homeport.testing.pebble import Pebble, pebble_is_installed
from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_ports

DOMAIN = "portal.test"


@dataclass
class Live:
    portal: PortalProcess
    pebble: Pebble

    def shown(self, name: str) -> x509.Certificate:
        """The certificate that a new connection gets."""
        blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.portal.port), timeout=5) as sock,
            blind.wrap_socket(sock, server_hostname=name) as tls,
        ):
            der = tls.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)

    def socket(self) -> ClientConnection:
        """A WebSocket of the live feed, open before anything changes."""
        return connect(
            f"wss://{DOMAIN}:{self.portal.port}/api/live",
            sock=socket.create_connection(("127.0.0.1", self.portal.port), timeout=5),
            ssl=self.portal.tls,
            server_hostname=DOMAIN,
            additional_headers={"Authorization": f"Bearer {self.portal.key}"},
        )

    def order(self, *words: str) -> dict[str, object]:
        command = ("tls", "acme", *words, "--email", "ops@portal.test", "--directory", self.pebble.directory_url)
        found: dict[str, object] = self.portal.ask(*command)
        return found


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    if not pebble_is_installed():
        pytest.skip("Pebble is not installed (Debian package pebble): `make test` says how")
    folder = tmp_path_factory.mktemp("live")
    http_port, tls_port = free_ports(2)
    pebble = Pebble(folder / "pebble", http_port=http_port, tls_port=tls_port)
    settings = {
        "domain": DOMAIN,
        "port": tls_port,
        "acme_http_port": http_port,
        "acme_ca_file": pebble.ca_file,
        "outbound_allow": "127.0.0.0/8",
    }
    portal = PortalProcess(folder, settings)
    portal.port = tls_port
    with portal, pebble:
        yield Live(portal, pebble)


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_an_acme_certificate_serves_the_next_connection_while_an_open_websocket_stays_open(
    live: Live, challenge: str
) -> None:
    with live.socket() as feed:
        before = live.shown(DOMAIN)
        pid = live.portal.pid
        answer = live.order(DOMAIN, "--challenge", challenge)
        assert answer["status"] == "installed"
        after = live.shown(DOMAIN)
        assert after != before
        assert "Pebble Intermediate" in after.issuer.rfc4514_string()
        feed.ping().wait(5)
        assert feed.close_code is None
        assert live.portal.pid == pid
    # A name that it does not cover is as before, and the shell of this machine still trusts the portal.
    assert "Homeport" in live.shown("app.portal.test").issuer.rfc4514_string()
    assert live.portal.ask("tls", "info")["method"] == "letsencrypt"
    assert live.portal.homeport("tls", "rm", DOMAIN).returncode == 0
    assert "Homeport" in live.shown(DOMAIN).issuer.rfc4514_string()


def test_a_wildcard_by_hand_waits_for_its_record(live: Live) -> None:
    order = live.order(f"*.{DOMAIN}", "--dns", "manual")
    assert order["status"] == "waiting"
    shown = order["order"]
    assert isinstance(shown, dict)
    [record] = shown["records"]
    live.pebble.set_txt(record["name"], record["value"])
    assert live.portal.ask("tls", "continue", str(shown["id"]))["status"] == "installed"
    assert "Pebble Intermediate" in live.shown("app.portal.test").issuer.rfc4514_string()
    assert live.portal.ask("tls", "orders")["orders"][0]["status"] == "valid"
    assert live.portal.homeport("tls", "rm", f"*.{DOMAIN}").returncode == 0


def test_an_uploaded_pair_outlives_a_kill(live: Live, tmp_path: Path) -> None:
    pem = TestAuthority().sign([DOMAIN], begins=datetime.now(UTC) - timedelta(days=1))
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_text(pem.cert)
    key.write_text(pem.key)
    assert live.portal.ask("tls", "upload", str(cert), str(key))["domain"] == DOMAIN
    live.portal.kill()
    live.portal.start()
    assert live.shown(DOMAIN).issuer.rfc4514_string() == "CN=Test middle"
    assert "PRIVATE" not in json.dumps(live.portal.ask("tls", "list"))
    assert live.portal.homeport("tls", "rm", DOMAIN).returncode == 0


def test_a_self_signed_one_is_made_and_removed_from_the_shell(live: Live) -> None:
    answer = live.portal.ask("tls", "self-signed", DOMAIN, "--days", "30")
    assert answer["cert_info"]["is_self_signed"]
    assert live.shown(DOMAIN).issuer.rfc4514_string() == f"CN={DOMAIN}"
    listed = live.portal.homeport("tls", "list")
    assert DOMAIN in listed.stdout
    assert live.portal.homeport("tls", "rm", DOMAIN).returncode == 0
    refused = live.portal.homeport("tls", "renew", DOMAIN)
    assert refused.returncode != 0
    assert "by itself" in refused.stderr
