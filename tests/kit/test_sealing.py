"""Sealed values open with the same key and context only."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from homeport.kit.sealing import KEY_FILE, KeyUnreadable, SealBroken, Sealer, load_keys


def test_what_is_sealed_opens_under_its_context(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    assert sealer.open(sealer.seal("hunter2 ☕", "svc_1/PASSWORD"), "svc_1/PASSWORD") == "hunter2 ☕"
    assert sealer.open_bytes(sealer.seal(b"\x00\xff", "x"), "x") == b"\x00\xff"


def test_the_same_value_never_looks_the_same_twice(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    assert sealer.seal("a", "x") != sealer.seal("a", "x")
    assert "hunter2" not in sealer.seal("hunter2", "x")


def test_a_value_moved_to_another_place_does_not_open(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal("a", "svc_1/PASSWORD"), "svc_2/PASSWORD")


def test_a_changed_value_does_not_open(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    token = sealer.seal("a secret", "x")
    version, key_id, encoded = token.split(".")
    body = bytearray(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    for position in range(len(body)):
        changed = bytearray(body)
        changed[position] ^= 1
        forged = f"{version}.{key_id}.{base64.urlsafe_b64encode(changed).decode().rstrip('=')}"
        with pytest.raises(SealBroken):
            sealer.open(forged, "x")


@pytest.mark.parametrize("token", ["", "hs1", "hs1.", "hs1.x.y", "hs2.a.b", "plain text", "hs1..é"])
def test_what_is_no_seal_does_not_open(tmp_path: Path, token: str) -> None:
    with pytest.raises(SealBroken):
        Sealer(tmp_path).open(token, "x")


def test_a_cut_value_of_the_right_key_does_not_open(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    prefix = sealer.seal("a", "x").rpartition(".")[0]
    for rest in ("", "AA", "A", "é", "=" * 8):
        with pytest.raises(SealBroken):
            sealer.open(f"{prefix}.{rest}", "x")


def test_another_portals_key_does_not_open(tmp_path: Path) -> None:
    with pytest.raises(SealBroken, match="key that this portal does not have"):
        Sealer(tmp_path / "b").open(Sealer(tmp_path / "a").seal("a", "x"), "x")


def test_the_key_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    token = Sealer(tmp_path / "keys").seal("a", "x")
    assert Sealer(tmp_path / "keys").open(token, "x") == "a"
    assert stat.S_IMODE((tmp_path / "keys" / KEY_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "keys").iterdir()] == [KEY_FILE]


def test_a_rotated_key_seals_and_the_old_one_still_opens(tmp_path: Path) -> None:
    old = Sealer(tmp_path).seal("a", "x")
    file = tmp_path / KEY_FILE
    file.write_text(f"new1 {base64.b64encode(b'k' * 32).decode()}\n{file.read_text()}")
    rotated = Sealer(tmp_path)
    assert rotated.open(old, "x") == "a"
    assert not rotated.is_current(old)
    assert rotated.is_current(rotated.seal("a", "x"))


def test_processes_that_start_together_end_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: load_keys(tmp_path / KEY_FILE), range(8)))
    assert all(one == keys[0] for one in keys)


@pytest.mark.parametrize("content", ["", "\n", "id", "id c2hvcnQ=", "id ***"])
def test_a_spoilt_key_file_is_a_clear_problem(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(KeyUnreadable, match="backup"):
        Sealer(tmp_path).load()
