"""An app's own domain, proven in a real portal, gets a certificate from a real directory without anybody asking."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.testing.dns_server import DnsServer
from homeport.testing.pebble import Pebble, pebble_is_installed
from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_ports
from homeport.testing.waiting import eventually


@pytest.fixture
def dns() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest.fixture
def portal(tmp_path: Path, dns: DnsServer) -> Iterator[PortalProcess]:
    if not pebble_is_installed():
        pytest.skip("Pebble is not installed (Debian package pebble): `make test` says how")
    http_port, tls_port = free_ports(2)
    with Pebble(tmp_path / "pebble", http_port=http_port, tls_port=tls_port) as pebble:
        settings = {
            "dns_servers": dns.address,
            "acme_email": "ops@portal.test",
            "acme_directory_url": pebble.directory_url,
            "acme_ca_file": pebble.ca_file,
            "acme_http_port": http_port,
            "outbound_allow": "127.0.0.0/8",
            "gate_timeout": 15,
        }
        with PortalProcess(tmp_path, settings) as portal:
            yield portal


def issuer_at(port: int, name: str) -> str:
    """Who signed what a new connection is shown, as far as OpenSSL's text tells."""
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as sock,
        blind.wrap_socket(sock, server_hostname=name) as tls,
    ):
        der = tls.getpeercert(binary_form=True) or b""
    return "Pebble" if b"Pebble Intermediate" in der else "own"


async def test_a_proven_domain_of_an_app_gets_a_certificate_by_itself(portal: PortalProcess, dns: DnsServer) -> None:
    site = {"deploy_method": "template", "template_id": "static-site"}
    with portal.api() as client:
        made = client.post("/api/services", json={"name": "shop", **site})
        assert portal.wait(made.json()["deploy_job_id"])["status"] == "success"
        record = client.post("/api/services/shop/domains", json={"domain": "shop.example.com"}).json()["dns"]
        assert issuer_at(portal.port, "shop.example.com") == "own"
        dns.records[record["name"]] = [record["value"]]
        assert client.post("/api/services/shop/domains/shop.example.com/verify").status_code == 200
        await eventually(lambda: issuer_at(portal.port, "shop.example.com") == "Pebble", 60)
        [_, row] = client.get("/api/certs").json()["certs"]
        assert (row["domain"], row["type"]) == ("shop.example.com", "letsencrypt")

        def told_by() -> list[str]:
            acts = client.get("/api/admin/audit-log?action=obtain_certificate").json()["entries"]
            return [act["actor_username"] for act in acts]

        await eventually(told_by)  # it is shown a moment before it is on record
        assert told_by() == ["the portal"]
