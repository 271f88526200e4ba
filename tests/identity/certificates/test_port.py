"""The port for client certificates of a real portal, with a real curl, real WebSockets and a real systemd behind it."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from homeport.identity.certificates.authority import ClientAuthority, pem_of, private_pem
from homeport.identity.certificates.bundles import new_key
from homeport.kit.clock import SystemClock
from homeport.testing.client_certificates import keep, presenting
from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_port
from homeport.testing.systemd import SystemdHost, systemd_can_run
from homeport.testing.waiting import Stopwatch

TALKER = "ExecStart=/bin/sh -c 'while true; do echo tick; sleep 0.2; done'\nLogRateLimitIntervalSec=0"


@dataclass(frozen=True)
class CertificatePort:
    """A portal, and where it asks for certificates."""

    portal: PortalProcess
    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def issue(self, label: str, *capabilities: str) -> Path:
        """The file of an agent's key and certificate."""
        body = {"label": label, "capabilities": list(capabilities), "format": "pem"}
        with self.portal.api() as api:
            answer = api.post("/api/certs/agent", json=body)
        assert answer.status_code == 200, answer.text
        return keep(self.folder, label, answer.json()["pem"])

    def revoke(self, label: str) -> None:
        with self.portal.api() as api:
            assert api.delete(f"/api/certs/agent/{label}").status_code == 200

    def curl(self, path: str, *words: str, pem: Path | None = None) -> tuple[int, Any]:
        """The status and the JSON that curl gets; the status is 0 when it gets none."""
        shown = ("--cert", str(pem)) if pem else ()
        done = self.portal.curl("-w", "\n%{http_code}", *shown, *words, f"{self.url}{path}")
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body) if body else None

    def follow(self, unit: str, pem: Path | None, **headers: str) -> ClientConnection:
        """Raises InvalidStatus when the upgrade is refused."""
        context = presenting(self.portal.tls, pem) if pem else self.portal.tls
        address = f"wss://localhost:{self.port}/api/services/{unit}/logs"
        # Without a limit: this client stops reading at 16 messages, and then waits 10 s for an answer to its close.
        return connect(address, ssl=context, additional_headers=headers, proxy=None, max_queue=None)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemdHost]:
    if not systemd_can_run():
        pytest.skip("a systemd of the tests' own needs root and the Debian packages systemd and dbus")
    with SystemdHost(tmp_path_factory.mktemp("systemd")) as host:
        host.unit("talker", TALKER)
        host.systemctl("start", "talker")
        yield host


@pytest.fixture(scope="module")
def at(host: SystemdHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CertificatePort]:
    folder = tmp_path_factory.mktemp("portal")
    port = free_port()
    portal = PortalProcess(folder, {"units": "talker", "certificate_port": port})
    portal.environment["PATH"] = f"{host.wrappers(folder / 'tools')}:{os.environ['PATH']}"
    with portal:
        yield CertificatePort(portal, port, folder)


def end_of(log: ClientConnection, within: float = 10) -> tuple[int, str, float]:
    """Code and reason with which a stream that goes on ends, and after how many seconds."""
    watch = Stopwatch()
    with pytest.raises(ConnectionClosed) as closed:
        _read_until(log, time.monotonic() + within)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason, watch.seconds()


def _read_until(log: ClientConnection, deadline: float) -> None:
    while time.monotonic() < deadline:
        log.recv(timeout=deadline - time.monotonic())


def refusal(at: CertificatePort, pem: Path | None, **headers: str) -> tuple[int, str]:
    """Status and error with which the upgrade to the log is refused."""
    with pytest.raises(InvalidStatus) as refused:
        at.follow("talker", pem, **headers)
    return refused.value.response.status_code, json.loads(refused.value.response.body or b"{}")["error"]


def test_a_machines_certificate_from_issue_to_revocation(at: CertificatePort) -> None:  # H01 H03 host F20
    """Issue it with the shell, use it with curl, follow a unit's live log with it, revoke it: both end."""
    pem = at.folder / "watcher.pem"
    words = ("certs", "issue", "watcher", "--capability", "services:read", "--format", "pem", "--out", str(pem))
    issued = at.portal.ask(*words)
    assert (issued["label"], pem.stat().st_mode & 0o777) == ("watcher", 0o600)
    assert "PRIVATE" not in json.dumps(issued)
    status, body = at.curl("/api/services", pem=pem)
    assert status == 200
    assert [(row["name"], row["status"]) for row in body["services"]] == [("talker", "active")]
    status, body = at.curl("/api/services/talker/restart", "-X", "POST", pem=pem)
    assert (status, body["details"]) == (403, {"required": "services:write", "granted": ["services:read"]})
    with at.follow("talker", pem) as log:
        assert json.loads(log.recv(timeout=5))["message"]
        assert at.portal.ask("certs", "revoke", "watcher")["revoked"] == ["watcher"]
        code, _, seconds = end_of(log)
    assert code == 4401
    assert seconds < 1.5
    assert at.curl("/api/services", pem=pem)[1]["error"] == "Certificate has been revoked"
    assert refusal(at, pem) == (403, "Certificate has been revoked")


class TestShell:
    def test_a_file_that_is_there_is_not_written_over_and_nothing_is_issued(self, at: CertificatePort) -> None:
        file = at.folder / "there.pem"
        file.write_text("mine")
        done = at.portal.homeport("certs", "issue", "there", "--format", "pem", "--out", str(file))
        assert (done.returncode, "is there already" in done.stderr, file.read_text()) == (2, True, "mine")
        assert "there" not in [row["label"] for row in at.portal.ask("certs")["agents"]]

    def test_a_refusal_leaves_no_file(self, at: CertificatePort) -> None:
        file = at.folder / "never.p12"
        done = at.portal.homeport("certs", "issue", "a b", "--out", str(file))
        assert (done.returncode, file.exists()) == (6, False)

    def test_a_p12_of_ones_own_and_its_password_once(self, at: CertificatePort) -> None:
        done = at.portal.homeport("certs", "issue", "mine", "--me", "--days", "3", cwd=at.folder)
        password = done.stdout.strip().rpartition(" ")[2]
        file = at.folder / "mine.p12"
        assert file.stat().st_mode & 0o777 == 0o600
        status, body = at.curl("/api/auth/me", "--cert-type", "P12", "--cert", f"{file}:{password}")
        assert (status, body["username"]) == (200, "admin")
        [row] = [one for one in at.portal.ask("certs", "list", "--me")["certificates"] if one["label"] == "mine"]
        shown = at.portal.homeport("certs").stdout
        assert ("what admin may" in shown, password in shown) == (True, False)
        assert at.portal.homeport("certs", "revoke", "--me", row["id"]).returncode == 0
        assert at.curl("/api/auth/me", "--cert-type", "P12", "--cert", f"{file}:{password}")[0] == 403

    def test_the_lines_for_a_machine_that_enrols(self, at: CertificatePort) -> None:
        told = at.portal.homeport("certs", "enroll", "roller", "-c", "services:read").stdout
        assert re.match(r"[0-9a-f]{64}\n", told)
        assert "openssl req -new" in told
        assert at.portal.ask("certs", "enroll", "roller", "-c", "services:read")["label"] == "roller"


class TestFaults:
    """The faults of access that the reference product has, where a connection is what matters (spec/host.md F)."""

    @pytest.mark.parametrize("origin", ["https://evil.example", "null"])
    def test_f17_another_sites_page_cannot_open_a_socket_by_the_browsers_certificate(  # H03 host F17
        self, at: CertificatePort, origin: str
    ) -> None:
        pem = at.issue(f"f17-{len(origin)}", "services:read")
        status, sentence = refusal(at, pem, Origin=origin)
        assert (status, "page of this portal" in sentence) == (403, True)
        with at.follow("talker", pem, Origin=at.url) as log:
            assert log.recv(timeout=5)

    def test_f16_another_sites_page_cannot_act(self, at: CertificatePort) -> None:  # H02 host F16
        pem = at.issue("f16", "services:write")
        path = "/api/services/talker/restart"
        plain = ("-X", "POST", "-H", "Content-Type: text/plain", "-d", "x")
        status, body = at.curl(path, *plain, "-H", "Origin: https://evil.example", pem=pem)
        assert (status, body["code"]) == (403, "origin_refused")
        status, body = at.curl(path, *plain, pem=pem)
        assert (status, body["ok"], body["name"], body["action"]) == (200, True, "talker", "restart")

    def test_f18_headers_make_nobody_an_administrator(self, at: CertificatePort) -> None:  # host F18
        headers = ("-H", "X-SSL-Client-Verify: SUCCESS", "-H", "X-SSL-Client-DN: CN=admin,O=Portlama")
        assert at.curl("/api/services", *headers)[0] == 403
        done = at.portal.curl("-w", "%{http_code}", "-o", "/dev/null", *headers, f"{at.portal.base_url}/api/services")
        assert done.stdout == "401"

    def test_f20_a_capability_that_is_taken_away_ends_the_stream(self, at: CertificatePort) -> None:  # host F20
        pem = at.issue("f20", "services:read")
        with at.follow("talker", pem) as log:
            assert log.recv(timeout=5)
            at.portal.ask("certs", "capabilities", "f20", "services:write")
            code, _, seconds = end_of(log)
        assert (code, seconds < 1.5) == (4401, True)
        assert refusal(at, pem) == (403, "Insufficient certificate capability")

    def test_f20_expiry_ends_the_stream(self, at: CertificatePort) -> None:  # host F20
        pem = at.issue("f20-expiry", "services:read")
        expires_at = (datetime.now(UTC) + timedelta(seconds=4)).replace(tzinfo=None)
        with sqlite3.connect(at.portal.data_dir / "homeport.db", timeout=10) as database:
            statement = "UPDATE client_certificates SET expires_at = ? WHERE label = 'f20-expiry'"
            database.execute(statement, (expires_at.isoformat(sep=" "),))
        database.close()
        with at.follow("talker", pem) as log:
            assert end_of(log)[0] == 4401
        assert datetime.now(UTC).replace(tzinfo=None) - expires_at < timedelta(seconds=1.5)
        assert at.curl("/api/services", pem=pem)[1]["error"] == "mTLS certificate required"

    def test_f20_what_an_agent_delegated_ends_with_it(self, at: CertificatePort) -> None:  # host F20
        agent = at.issue("parent", "services:read")
        [_, invited] = at.curl("/api/certs/agent/enroll-delegated", "--json", '{"label":"child"}', pem=agent)
        key, request = at.folder / "child.key", at.folder / "child.csr"
        new = ["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        subprocess.run(
            [*new, "-subj", "/CN=admin", "-keyout", str(key), "-out", str(request)], check=True, capture_output=True
        )
        wanted = json.dumps({"token": invited["token"], "csr": request.read_text()})
        [status, made] = at.curl("/api/enroll", "--json", wanted)
        assert (status, made["label"]) == (200, "plugin-agent:parent:child")
        child = keep(at.folder, "child", key.read_text() + made["cert"])
        with at.follow("talker", child) as log:
            assert log.recv(timeout=5)
            at.revoke("parent")
            assert end_of(log)[0] == 4401

    def test_a_person_follows_a_log_by_certificate_too(self, at: CertificatePort) -> None:  # H03
        with at.portal.api() as api:
            made = api.post("/api/me/certificates", json={"label": "laptop", "format": "pem"}).json()
        with at.follow("talker", keep(at.folder, "laptop", made["pem"])) as log:
            assert json.loads(log.recv(timeout=5))["message"]

    def test_the_upgrade_is_refused_as_json_before_it_happens(self, at: CertificatePort) -> None:  # H03 host H7
        assert refusal(at, None) == (403, "mTLS certificate required")
        writer = at.issue("writer", "services:write")
        assert refusal(at, writer) == (403, "Insufficient certificate capability")


class TestHandshake:
    def test_a_certificate_of_another_authority_ends_the_handshake(self, at: CertificatePort, tmp_path: Path) -> None:
        other = ClientAuthority(tmp_path / "other", SystemClock())
        other.open()
        key = new_key()
        until = other.certificate.not_valid_after_utc
        forged = other.issue(key.public_key(), name="agent:watcher", unit="agents", expires_at=until)
        pem = keep(tmp_path, "forged", private_pem(key) + pem_of(forged))
        assert at.curl("/api/services", pem=pem) == (0, None)
        assert at.curl("/api/health", pem=pem) == (0, None)

    def test_the_portals_own_authority_signs_no_client(self, at: CertificatePort) -> None:
        server, clients = at.portal.ca_path.read_text(), (at.portal.data_dir / "keys" / "client-ca.pem").read_text()
        assert server != clients
        for name in ("client-ca.pem", "client-ca.key"):
            assert (at.portal.data_dir / "keys" / name).stat().st_mode & 0o777 == 0o600

    @pytest.mark.parametrize("version", ["1.2", "1.3"])
    def test_a_p12_works_with_curl_in_both_versions_of_tls(self, at: CertificatePort, version: str) -> None:
        with at.portal.api() as api:
            made = api.post("/api/me/certificates", json={"label": f"tls{version}"}).json()
        p12 = at.folder / "me.p12"
        p12.write_bytes(base64.b64decode(made["p12"]))
        words = (
            "--cert-type",
            "P12",
            "--cert",
            f"{p12}:{made['p12Password']}",
            f"--tlsv{version}",
            "--tls-max",
            version,
        )
        status, body = at.curl("/api/auth/me", *words)
        assert (status, body["username"]) == (200, "admin")

    def test_openssl_and_the_legacy_packing_agree(self, at: CertificatePort, tmp_path: Path) -> None:
        with at.portal.api() as api:
            made = api.post("/api/me/certificates", json={"label": "old-mac", "legacy": True}).json()
        p12 = tmp_path / "old.p12"
        p12.write_bytes(base64.b64decode(made["p12"]))
        password = tmp_path / "password"
        password.write_text(made["p12Password"])
        shown = subprocess.run(
            ["openssl", "pkcs12", "-in", str(p12), "-passin", f"file:{password}", "-info", "-nokeys", "-legacy"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "pbeWithSHA1And3-KeyTripleDES-CBC" in shown.stderr
        assert "MAC: sha1" in shown.stderr

    def test_apps_are_not_served_there(self, at: CertificatePort) -> None:
        done = at.portal.curl("-w", "%{http_code}", f"https://blog.localhost:{at.port}/")
        assert done.stdout == "000"

    def test_plain_http_is_sent_to_https_of_the_same_port(self, at: CertificatePort) -> None:
        done = at.portal.curl("-w", "%{redirect_url}", f"http://localhost:{at.port}/api/health")
        assert done.stdout == f"{at.url}/api/health"


class TestTaken:
    """A port that somebody else has."""

    @pytest.fixture
    def taken(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as other:
            yield int(other.getsockname()[1])

    def test_one_that_was_asked_for_stops_the_start(self, taken: int, tmp_path: Path) -> None:
        with pytest.raises(RuntimeError, match="in use"), PortalProcess(tmp_path, {"certificate_port": taken}):
            pass

    def test_the_default_one_is_a_line_in_the_log(self, tmp_path: Path) -> None:
        portal = PortalProcess(tmp_path)
        del portal.environment["HOMEPORT_CERTIFICATE_PORT"]
        held: list[socket.socket] = []
        try:
            held.append(socket.create_server(("127.0.0.1", 9292)))
        except OSError:
            held.clear()  # somebody else has it: so much the better
        try:
            with portal, portal.api() as api:
                assert api.get("/api/certs/agent").json()["port"] is None
                assert "no port for client certificates" in portal.log.read_text()
        finally:
            for one in held:
                one.close()
