"""The shell's way to the portal, where the portal asks it to wait."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from homeport.cli import client as module
from homeport.cli.client import Client
from homeport.cli.connection import Connection
from homeport.cli.problems import PortalRefused
from homeport.testing.portal import PortalProcess


def test_it_waits_once_for_the_next_minute_as_long_as_the_portal_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    with PortalProcess(tmp_path, {"rate_limit_api": 3}) as portal:
        with portal.api() as api:  # a key of its own: the machine's has the pages' limit
            key = api.post("/api/auth/api-keys", json={"name": "slow"}).json()["key"]
        known = Connection(
            url=portal.base_url, key=key, ca=portal.ca_path.read_text(), address="127.0.0.1", port=portal.port
        )
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=waited.append))
        with Client(known) as client:
            for _ in range(3):
                assert client.get("/api/auth/me")["username"] == "admin"
            with pytest.raises(PortalRefused) as refused:
                client.get("/api/auth/me")
    assert refused.value.code == "rate_limited"
    assert len(waited) == 1
    assert 0 < waited[0] <= 61
