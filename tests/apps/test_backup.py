"""A whole portal, backed up while it runs and restored on an empty machine: every secret, credential and file is there.

Must-show 6: nothing sealed is lost; with a wrong passphrase nothing changes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest

from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_port
from homeport.testing.postgres import PostgresServer
from tests.apps.conftest import APP

pytestmark = pytest.mark.timeout(300)  # two portals and a deploy before the first of them
WORDS = "correct horse battery staple"
SECRET = "s3cret-\N{HOT BEVERAGE}"


class Walk:
    """What the first portal was given, and the second has to have."""

    def __init__(self, first: PortalProcess, second: PortalProcess, folder: Path) -> None:
        self.first = first
        self.second = second
        self.folder = folder
        self.backup = folder / "it.backup"
        self.words = folder / "words"
        self.words.write_text(f"{WORDS}\n")
        self.token = self.key = ""
        self.totp = pyotp.TOTP(pyotp.random_base32())
        self.ca = b""
        self.answer: dict[str, Any] = {}

    def live(self) -> None:
        """An app with a secret and data, a second factor, a key, a session, a machine's certificate."""
        source = self.folder / "counter"
        source.mkdir()
        (source / "main.py").write_text(APP.format(version="one"))
        done = self.first.homeport("deploy", str(source), "--name", "counter", "--var", f"API_TOKEN={SECRET}")
        assert done.returncode == 0, done.stderr
        assert self.first.fetch("counter", "/hit").json()["hits"] == 1
        self.first.ask("certs", "issue", "watcher", "--capability", "services:read", "--format", "pem",
                       "--out", str(self.folder / "watcher.pem"))  # fmt: skip
        with self.first.client() as client:
            signed = client.post("/api/auth/login", json={"username": "admin", "password": self.first.password})
            self.token = signed.json()["token"]
            client.headers["Authorization"] = f"Bearer {self.token}"
            self.key = client.post("/api/auth/api-keys", json={"name": "backed up"}).json()["key"]
            self.totp = pyotp.TOTP(client.post("/api/user/2fa/setup").json()["secret"])
            verified = client.post("/api/user/2fa/verify", json={"code": self.totp.now()})
            assert verified.status_code == 200, verified.text
        self.ca = self.first.ca_path.read_bytes()

    def bring_over(self) -> None:
        self.answer = self.first.ask(
            "backup", str(self.backup), "--passphrase-file", str(self.words), "--data-dir", str(self.first.data_dir)
        )
        self.first.stop()
        self.restored = self.second.ask("restore", str(self.backup), "--passphrase-file", str(self.words))


@pytest.fixture(scope="module", params=["sqlite to sqlite", "sqlite to postgres", "postgres to sqlite"])
def walk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    folder = tmp_path_factory.mktemp("walk")
    settings: list[dict[str, object]] = []
    for kind in request.param.split(" to "):
        settings.append({"gate_timeout": 20, "certificate_port": free_port()})
        if kind == "postgres":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            settings[-1]["database_url"] = server.create_database(f"b{uuid4().hex[:12]}")
    portals = [PortalProcess(folder / name, given) for name, given in zip(("first", "second"), settings, strict=True)]
    for portal in portals:
        portal.data_dir.parent.mkdir()
        portal.environment["HOMEPORT_DATA_DIR"] = str(portal.data_dir)
    with portals[0] as first:
        walk = Walk(first, portals[1], folder)
        walk.live()
        walk.bring_over()
        with walk.second:
            yield walk


def test_sessions_and_keys_of_before_are_good(walk: Walk) -> None:
    assert walk.second.password is None, "no new administrator was made"
    for credential in (walk.token, walk.key):
        with walk.second.client(headers={"Authorization": f"Bearer {credential}"}) as client:
            assert client.get("/api/auth/me").json()["username"] == "admin"


def test_the_secrets_of_apps_open(walk: Walk) -> None:
    with walk.second.client(headers={"Authorization": f"Bearer {walk.key}"}) as client:
        shown = client.get("/api/services/counter/variables", params={"reveal": "true"}).json()
    assert SECRET in json.dumps(shown, ensure_ascii=False)


def test_the_second_factor_is_asked_for_and_its_codes_are_good(walk: Walk) -> None:
    body = {"username": "admin", "password": walk.first.password}
    with walk.second.client() as client:
        assert client.post("/api/auth/login", json=body).json()["error"] == "2fa_required"
        deadline = time.monotonic() + 65
        while (
            answer := client.post("/api/auth/login", json={**body, "totp_code": walk.totp.now()})
        ).status_code != 200:
            assert time.monotonic() < deadline, answer.text  # the code that turned it on is good once only
            time.sleep(5)


def test_the_authorities_are_the_same_and_a_machines_certificate_opens(walk: Walk) -> None:
    assert walk.second.ca_path.read_bytes() == walk.ca
    port = walk.second.environment["HOMEPORT_CERTIFICATE_PORT"]
    pem = str(walk.folder / "watcher.pem")
    done = walk.second.curl("--cert", pem, f"https://localhost:{port}/api/services")
    assert "counter" in done.stdout, done.stderr


def test_the_app_is_built_again_from_its_kept_source_and_has_its_data(walk: Walk) -> None:
    done = walk.second.homeport("redeploy", "counter")
    assert done.returncode == 0, done.stderr
    assert walk.second.fetch("counter", "/hit").json() | {"hits": 2} == walk.second.fetch("counter").json()


def test_the_audit_log_goes_on_unbroken_and_tells_of_both(walk: Walk) -> None:
    assert walk.restored["audit"]["intact"]
    with walk.second.client(headers={"Authorization": f"Bearer {walk.key}"}) as client:
        verdict = client.get("/api/admin/audit-log/verify").json()
        entries = client.get("/api/admin/audit-log", params={"limit": 200}).json()["entries"]
    assert verdict["intact"], verdict
    told = {entry["action"]: entry["actor_username"] for entry in entries}
    assert told["restore_backup"] == "the shell of this machine"
    assert "enable_2fa" in told
    assert walk.answer["passphrase"] is None


def test_the_backup_is_noted_in_the_log_of_the_portal_that_made_it(walk: Walk) -> None:
    verdict = walk.first.ask("audit", "verify")
    assert verdict["intact"]


def test_a_wrong_passphrase_says_so_and_changes_nothing(walk: Walk) -> None:
    wrong = walk.folder / "wrong"
    wrong.write_text("correct horse battery stable")
    for words in (("--data-dir", str(walk.folder / "third")), ("--force", "--data-dir", str(walk.first.data_dir))):
        before = sorted(walk.first.data_dir.rglob("*"))
        done = walk.second.homeport("restore", str(walk.backup), "--passphrase-file", str(wrong), *words)
        assert (done.returncode, done.stdout) == (6, "")
        assert "The passphrase is wrong" in done.stderr
        assert sorted(walk.first.data_dir.rglob("*")) == before
    assert not list((walk.folder / "third").glob("*[!k]"))  # the lock file, at most


def test_a_running_portal_is_not_restored_over(walk: Walk) -> None:
    done = walk.second.homeport("restore", str(walk.backup), "--passphrase-file", str(walk.words), "--force")
    assert done.returncode == 5
    assert "stop it first" in done.stderr
