"""The guide's nginx configuration, in a real nginx in front of a real portal (spec/host.md B.1, F18)."""

from __future__ import annotations

import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from homeport.testing.client_certificates import keep, presenting
from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_port
from homeport.testing.waiting import runs

GUIDE = Path(__file__).parents[3] / "docs" / "guide" / "client-certificates.md"
AROUND = """
daemon off; master_process off; pid FOLDER/nginx.pid; error_log FOLDER/error.log warn;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c;
    uwsgi_temp_path FOLDER/d; scgi_temp_path FOLDER/e;
    SERVER
}
"""


@dataclass(frozen=True)
class Front:
    """A portal with nginx before it; `port` is nginx's, `folder` holds its files."""

    portal: PortalProcess
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def curl(self, url: str, *words: str) -> tuple[int, Any]:
        """Status and JSON, trusting nginx and the portal."""
        argv = ["curl", "-sS", "--cacert", str(self.folder / "all.pem"), "-w", "\n%{http_code}", *words, url]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body.startswith("{") else body

    def issue(self, label: str, *capabilities: str) -> tuple[Path, dict[str, Any]]:
        body = {"label": label, "capabilities": list(capabilities), "format": "pem"}
        with self.portal.api() as api:
            made = api.post("/api/certs/agent", json=body).json()
        return keep(self.folder, label, made["pem"]), made


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian package nginx-light): as root, `make test` installs it")
    folder, port = tmp_path_factory.mktemp("front"), free_port()
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "portal.key"), "-out", str(folder / "portal.pem")]
    subprocess.run([*make, *names, *files], check=True, capture_output=True)
    with PortalProcess(folder, {"certificate_proxies": "127.0.0.7/32"}) as portal:
        shutil.copy(portal.data_dir / "keys" / "client-ca.pem", folder / "client-ca.pem")
        shutil.copy(portal.ca_path, folder / "ca.pem")
        (folder / "all.pem").write_text((folder / "portal.pem").read_text() + (folder / "ca.pem").read_text())
        found = re.search(r"```nginx\n(.*?)```", GUIDE.read_text(), re.S)
        assert found is not None
        server = found[1].replace("listen 443", f"listen 127.0.0.1:{port}").replace("/etc/nginx", str(folder))
        server = server.replace("127.0.0.1:8443", f"127.0.0.1:{portal.port}")
        configuration = folder / "nginx.conf"
        configuration.write_text(AROUND.replace("FOLDER", str(folder)).replace("SERVER", server))
        process = subprocess.Popen(
            [nginx, "-c", str(configuration), "-p", str(folder), "-e", str(folder / "error.log")]
        )
        try:
            at = Front(portal, port, folder)
            words = ("--retry", "20", "--retry-delay", "1", "--retry-connrefused")
            assert at.curl(f"{at.url}/api/onboarding/status", *words)[0] == 403, (folder / "error.log").read_text()
            assert runs(process.pid)
            yield at
        finally:
            process.terminate()
            process.wait(10)


def test_nginx_says_who_it_is_and_the_portal_what_that_may_do(front: Front) -> None:  # H01 H02 host B.1
    pem, _ = front.issue("box", "services:read")
    assert front.curl(f"{front.url}/api/services", "--cert", str(pem))[0] == 200
    status, body = front.curl(f"{front.url}/api/services/x/restart", "-X", "POST", "--cert", str(pem))
    assert (status, body["error"]) == (403, "Insufficient certificate capability")
    status, body = front.curl(f"{front.url}/api/services")
    assert (status, body["error"]) == (403, "mTLS certificate required")


def test_the_proxy_overwrites_what_a_client_says_of_itself(front: Front) -> None:  # host F18
    _, made = front.issue("victim", "*")
    lies = (
        *("-H", "X-SSL-Client-Verify: SUCCESS"),
        *("-H", "X-SSL-Client-DN: CN=agent:victim,OU=agents,O=Homeport"),
        *("-H", f"X-SSL-Client-Serial: {made['serial']}"),
    )
    assert front.curl(f"{front.url}/api/services", *lies)[0] == 403
    assert front.curl(f"{front.portal.base_url}/api/services", *lies)[0] == 401  # from 127.0.0.1: nothing was said
    assert front.curl(f"{front.portal.base_url}/api/services", *lies, "--interface", "127.0.0.7")[0] == 200


def test_a_certificate_of_another_authority_is_refused_by_either(front: Front) -> None:
    pem = keep(
        front.folder, "foreign", (front.folder / "portal.key").read_text() + (front.folder / "portal.pem").read_text()
    )
    assert front.curl(f"{front.url}/api/services", "--cert", str(pem))[0] in (400, 403)


def read_on(log: ClientConnection) -> None:
    for _ in range(1000):
        log.recv(timeout=3)


def test_revocation_reaches_whoever_nginx_still_lets_in(front: Front) -> None:  # H03 host B.3 F20
    pem, _ = front.issue("gone", "services:read", "services:deploy")
    with front.portal.api() as api:
        body = {"name": "page", "deploy_method": "template", "template_id": "static-site"}
        assert api.post("/api/services", json=body).status_code < 300
        context = presenting(ssl.create_default_context(cafile=str(front.folder / "all.pem")), pem)
        address = f"wss://localhost:{front.port}/api/services/page/logs"
        with connect(address, ssl=context, proxy=None) as log:
            assert api.delete("/api/certs/agent/gone").status_code == 200
            with pytest.raises(ConnectionClosed) as closed:
                read_on(log)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        status, answer = front.curl(f"{front.url}/api/services", "--cert", str(pem))
        assert (status, answer["error"]) == (403, "Certificate has been revoked")
        with pytest.raises(InvalidStatus) as refused:
            connect(address, ssl=context, proxy=None)
        assert refused.value.response.status_code == 403
        api.delete("/api/services/page")
