"""`homeport up --open`, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from homeport.testing.portal import PortalProcess


def test_an_open_portal_says_so_loudly_lets_this_machine_in_and_is_closed_by_the_next_start(tmp_path: Path) -> None:
    portal = PortalProcess(tmp_path, {"open": True})
    with portal:
        with portal.client() as client:
            assert client.get("/api/auth/me").json()["rank"] == "superadmin"
            assert client.get("/api/services").status_code == 200
            assert client.get("/api/services", headers={"Host": "rebound.example"}).status_code == 403
            key = client.post("/api/auth/api-keys", json={"name": "of open times"}).json()["key"]
        assert "THE PORTAL IS OPEN" in portal.log.read_text()
        portal.stop()
        portal.environment["HOMEPORT_OPEN"] = "false"
        portal.start()
        with portal.client() as client:
            assert client.get("/api/auth/me").status_code == 401
            assert client.get("/api/auth/me", headers={"Authorization": f"Bearer {key}"}).status_code == 401
        assert portal.ask("services") is not None  # the shell of this machine goes on with its own key


def test_it_refuses_to_be_open_to_the_network(tmp_path: Path) -> None:
    words = ("up", "--open", "--bind", "0.0.0.0", "--port", "0", "--data-dir", str(tmp_path / "data"))
    done = subprocess.run(
        [sys.executable, "-m", "homeport", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode != 0
    assert "only listens on this machine: bind 127.0.0.1, not 0.0.0.0" in done.stderr
    assert not (tmp_path / "data").exists()


def test_the_banner_says_that_nobody_signs_in(tmp_path: Path) -> None:
    environment = PortalProcess(tmp_path).environment
    process = subprocess.Popen(
        [sys.executable, "-m", "homeport", "up", "--open", "--port", "0", "--data-dir", str(tmp_path / "data")],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
    finally:
        process.terminate()
        process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
    assert any("OPEN" in line and "administrator" in line for line in lines), lines
