"""`homeport 2fa`, `homeport ssh-keys`, and signing in with a second factor from the shell."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pyotp
import pytest

from homeport.testing.portal import PortalProcess

SSH_KEYGEN = shutil.which("ssh-keygen")


def test_a_lost_second_factor_is_turned_off_on_the_portals_machine_and_the_log_says_so(portal: PortalProcess) -> None:
    login = {"username": "admin", "password": portal.password}
    with portal.client() as browser:
        browser.headers["authorization"] = f"Bearer {browser.post('/api/auth/login', json=login).json()['token']}"
        secret = browser.post("/api/user/2fa/setup").json()["secret"]
        assert browser.post("/api/user/2fa/verify", json={"code": pyotp.TOTP(secret).now()}).status_code == 200
    with portal.client() as browser:
        assert browser.post("/api/auth/login", json=login).json()["code"] == "2fa_required"
        done = portal.homeport("2fa", "reset", "admin")
        assert (done.returncode, done.stdout) == (0, "admin signs in without a second factor now.\n")
        assert browser.post("/api/auth/login", json=login).status_code == 200
    acts = portal.ask("audit", "list", "--action", "reset_user_2fa")["entries"]
    assert [(act["actor_username"], act["target_name"] or act["target_id"], act["result"]) for act in acts] == [
        ("the shell of this machine", "admin", "done")
    ]
    assert portal.homeport("audit", "verify").returncode == 0


def test_resetting_nobodys_second_factor_says_that_there_is_nobody(portal: PortalProcess) -> None:
    done = portal.homeport("2fa", "reset", "nobody")
    assert done.returncode == 4
    assert "There is no user 'nobody'" in done.stderr


@pytest.mark.skipif(SSH_KEYGEN is None, reason="ssh-keygen is not installed (Debian package openssh-client)")
def test_a_key_is_made_into_a_file_of_its_owners_listed_and_removed(portal: PortalProcess, tmp_path: Path) -> None:
    file = tmp_path / "id_portal"
    made = portal.ask("ssh-keys", "add", "laptop", "--out", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "private_key" not in made
    assert (tmp_path / "id_portal.pub").read_text() == f"{made['public_key']}\n"
    derived = subprocess.run(
        [str(SSH_KEYGEN), "-y", "-f", str(file)], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert derived.split()[:2] == made["public_key"].split()[:2]
    assert portal.homeport("ssh-keys", "authorized").stdout == f"{made['public_key']}\n"
    assert made["fingerprint"] in portal.homeport("ssh-keys", "list").stdout
    assert portal.homeport("ssh-keys", "rm", str(made["id"])).returncode == 0
    assert portal.ask("ssh-keys", "list") == {"keys": []}
    assert portal.homeport("ssh-keys", "rm", str(made["id"])).returncode == 4


def test_without_a_file_the_private_key_alone_is_printed(portal: PortalProcess) -> None:
    done = portal.homeport("ssh-keys", "add", "once")
    assert done.stdout.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert done.stdout.endswith("-----END OPENSSH PRIVATE KEY-----\n")
    key_id = portal.ask("ssh-keys", "list")["keys"][-1]["id"]
    portal.ask("ssh-keys", "rm", str(key_id))


def test_a_file_that_is_there_is_not_written_over_and_no_key_is_made(portal: PortalProcess, tmp_path: Path) -> None:
    file = tmp_path / "id_old"
    file.write_text("precious")
    done = portal.homeport("ssh-keys", "add", "laptop", "--out", str(file))
    assert done.returncode == 2
    assert file.read_text() == "precious"
    assert portal.ask("ssh-keys", "list") == {"keys": []}


def test_a_link_beside_the_key_is_not_written_through(portal: PortalProcess, tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "id_new.pub"
    precious.write_text("precious")
    link.symlink_to(precious)
    done = portal.homeport("ssh-keys", "add", "laptop", "--out", str(tmp_path / "id_new"))
    assert (done.returncode, precious.read_text()) == (2, "precious")
    assert (portal.ask("ssh-keys", "list"), (tmp_path / "id_new").exists()) == ({"keys": []}, False)


def test_when_the_portal_refuses_no_empty_file_is_left(portal: PortalProcess, tmp_path: Path) -> None:
    done = portal.homeport("ssh-keys", "add", "laptop", "--type", "dsa", "--out", str(tmp_path / "id"))
    assert done.returncode == 6
    assert list(tmp_path.iterdir()) == []
