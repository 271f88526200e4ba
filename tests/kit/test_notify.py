"""What is told to systemd, over a real socket."""

from __future__ import annotations

import socket
from pathlib import Path
from uuid import uuid4

import pytest

from homeport.kit.notify import tell_systemd


@pytest.mark.parametrize("abstract", [False, True])
def test_the_state_arrives_in_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    address = f"@homeport-{uuid4().hex}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
        waiting.bind(address.replace("@", "\0", 1) if abstract else address)
        waiting.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert tell_systemd("READY=1")
        assert waiting.recv(100) == b"READY=1"


def test_where_nobody_waits_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not tell_systemd("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not tell_systemd("READY=1")
