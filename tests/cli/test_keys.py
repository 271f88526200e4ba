"""`homeport keys`: on a portal that runs, and on one that is stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.kit.sealing import KEY_FILE, load_keys
from homeport.testing.portal import PortalProcess


@pytest.fixture
def own(tmp_path: Path) -> Iterator[PortalProcess]:
    source = tmp_path / "site"
    source.mkdir()
    (source / "index.html").write_text("here")
    with PortalProcess(tmp_path) as portal:
        done = portal.homeport("deploy", str(source), "--name", "site", "--var", "API_TOKEN=s3cret")
        assert done.returncode == 0, done.stderr
        yield portal


def keys_of(portal: PortalProcess) -> list[str]:
    return list(load_keys(portal.data_dir / "keys" / KEY_FILE))


def secret(portal: PortalProcess) -> str:
    with portal.api() as api:
        return api.get("/api/services/site/variables", params={"reveal": "true"}).text


def test_keys_are_rotated_while_the_portal_runs_and_while_it_does_not(own: PortalProcess) -> None:
    first = keys_of(own)[0]
    where = ("--data-dir", str(own.data_dir))
    rotated = own.ask("keys", "rotate", *where)
    assert (rotated["rewrapped"], rotated["kept"]) == (2, [first])  # the service's, and its release's
    assert "s3cret" in secret(own)
    assert keys_of(own) == [rotated["key"], first]
    own.stop()
    again = own.ask("keys", "rotate", "--drop-old", *where)
    assert sorted(again["dropped"]) == sorted([first, rotated["key"]])
    listed = own.ask("keys", "list", *where)["keys"]
    assert [(key["id"], key["current"], key["values"]) for key in listed] == [(again["key"], True, 2)]
    own.start()
    assert "s3cret" in secret(own)
    actors = {entry["actor_username"] for entry in rotations(own)}
    assert actors == {"admin", "the shell of this machine"}


def rotations(portal: PortalProcess) -> list[dict[str, str]]:
    with portal.api() as api:
        found: list[dict[str, str]] = api.get("/api/admin/audit-log", params={"action": "rotate_keys"}).json()[
            "entries"
        ]
    return found


def test_where_no_portal_is_nothing_is_made(tmp_path: Path) -> None:
    done = PortalProcess(tmp_path).homeport("keys", "rotate", "--data-dir", str(tmp_path / "none"))
    assert done.returncode == 4
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_leaves_no_file_of_roots_behind(tmp_path: Path) -> None:
    portal = PortalProcess(tmp_path)
    assert portal.homeport("init", "--data-dir", str(portal.data_dir)).returncode == 0
    for path in (portal.data_dir, *portal.data_dir.rglob("*")):
        os.chown(path, 65534, 65534)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != Path("/") and folder.owner() == "root":
            folder.chmod(folder.stat().st_mode | 0o011)
    done = portal.homeport("keys", "rotate", "--data-dir", str(portal.data_dir))
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in portal.data_dir.rglob("*")} == {65534}
