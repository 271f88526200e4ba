"""The relay's own key: made once, kept to itself, and never replaced in silence."""

from __future__ import annotations

import json
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from homeport.relay.relay_identity import FILE, RelayIdentity, RelayIdentityUnreadable
from homeport.storage.backup import write_backup
from homeport.storage.restore import restore_backup
from homeport.wire.ethereum import address_of

WORDS = "correct horse battery staple"


async def test_a_key_is_made_when_it_is_first_asked_for_and_stays(tmp_path: Path) -> None:
    relay = RelayIdentity(tmp_path, "relay.example.org")
    assert not (tmp_path / FILE).exists()
    await relay.open()
    again = RelayIdentity(tmp_path, "relay.example.org")
    assert (again.key, again.public_key, again.address) == (relay.key, relay.public_key, relay.address)
    assert relay.address == address_of(relay.key)


def test_the_file_is_for_nobody_else_and_says_what_seed_004_says(tmp_path: Path) -> None:
    relay = RelayIdentity(tmp_path, "relay.example.org")
    address = relay.address
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    kept = json.loads((tmp_path / FILE).read_text())
    assert kept == {
        "name": "relay.example.org",
        "address": address,
        "public_key": relay.public_key.hex(),
        "private_key": relay.key.hex(),
    }


def test_the_vector_s_key_has_its_address(tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir()
    content = {
        "name": "x",
        "private_key": "11" * 32,
        "address": "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A",  # relay B.6
        "public_key": "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa",
    }
    (tmp_path / FILE).write_text(json.dumps(content))
    assert RelayIdentity(tmp_path, "x").address == content["address"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"private_key": 1}',
        json.dumps({"private_key": "11" * 32, "address": "0x" + "0" * 40, "public_key": "00"}),
        json.dumps({"private_key": "00" * 32, "address": "", "public_key": ""}),
    ],
)
def test_a_file_that_holds_no_fitting_key_is_not_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(content)
    with pytest.raises(RelayIdentityUnreadable):
        _ = RelayIdentity(tmp_path, "x").key
    assert (tmp_path / FILE).read_text() == content


def test_the_key_is_part_of_a_backup(migrated_sqlite: Path, tmp_path: Path) -> None:
    before, after, now = tmp_path / "before", tmp_path / "after", datetime(2026, 3, 29, tzinfo=UTC)
    before.mkdir()
    after.mkdir()
    shutil.copyfile(migrated_sqlite, before / "homeport.db")
    key = RelayIdentity(before, "relay.example.org").key
    backup = tmp_path / "backup"
    write_backup(backup, WORDS, data_dir=before, database_url=f"sqlite:///{before}/homeport.db", now=now)
    restore_backup(
        backup, WORDS, data_dir=after, database_url=None, sqlite=True, force=False, now=now, ready=lambda *_: None
    )
    assert RelayIdentity(after, "relay.example.org").key == key
    assert stat.S_IMODE((after / FILE).stat().st_mode) == 0o600
