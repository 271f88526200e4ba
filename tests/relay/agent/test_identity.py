"""The identity file. Relay B.1."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homeport.relay.agent import load_or_create
from homeport.relay.agent.identity import AgentIdentity, to_json
from homeport.relay.agent.problems import IdentityBroken
from homeport.wire import ethereum

VECTOR = AgentIdentity("demo", "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A", b"\x11" * 32)  # relay B.6


def test_it_is_made_once_and_nobody_else_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "tunnels" / "demo.json"
    first = load_or_create(path, "demo")

    assert load_or_create(path, "Demo ") == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_agents_that_start_at_once_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: load_or_create(path, "demo").address, range(16)))

    assert len(found) == 1


def test_the_file_is_as_clients_of_such_relays_keep_it(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    path.write_text(to_json(VECTOR))
    path.chmod(0o600)

    assert json.loads(path.read_text())["public_key"] == (
        "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"
    )
    assert load_or_create(path, "demo") == VECTOR


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("private_key", "22" * 32),
        ("private_key", "00" * 32),
        ("private_key", "nothing"),
        ("public_key", "02" * 33),
        ("address", "0x0000000000000000000000000000000000000000"),
        ("name", "other"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, field: str, value: str) -> None:
    path = tmp_path / "demo.json"
    path.write_text(json.dumps({**json.loads(to_json(VECTOR)), field: value}))
    path.chmod(0o600)

    with pytest.raises(IdentityBroken):
        load_or_create(path, "demo")


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "demo.json"
    path.write_text(to_json(VECTOR))
    os.chmod(path, 0o644)  # noqa: PTH101

    with pytest.raises(IdentityBroken, match="chmod 600"):
        load_or_create(path, "demo")


def test_nothing_shows_the_key(tmp_path: Path) -> None:
    identity = load_or_create(tmp_path / "demo.json", "demo")

    assert identity.key.hex() not in repr(identity)
    assert ethereum.recover_message("text", identity.sign("text")) == identity.address
