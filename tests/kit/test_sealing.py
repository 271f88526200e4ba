"""Sealed values open with the same key and context only."""

from __future__ import annotations

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from homeport.kit.sealing import KEY_FILE, KeyUnreadable, SealBroken, Sealer, key_id_of, load_keys

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)


def sealed_as_before(key_dir: Path, value: str, context: str) -> str:
    """A value as the first version of this product sealed it: by the key itself."""
    key_id, key = next(iter(load_keys(key_dir / KEY_FILE).items()))
    nonce = b"n" * 12
    cipher = AESGCM(key).encrypt(nonce, value.encode(), f"hs1.{key_id}.{context}".encode())
    return f"hs1.{key_id}.{base64.urlsafe_b64encode(nonce + cipher).decode().rstrip('=')}"


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
    parts = sealer.seal("a secret", "x").split(".")
    for part in (2, 3):
        body = bytearray(base64.urlsafe_b64decode(parts[part] + "=" * (-len(parts[part]) % 4)))
        for position in range(len(body)):
            changed = bytearray(body)
            changed[position] ^= 1
            forged = [*parts]
            forged[part] = base64.urlsafe_b64encode(changed).decode().rstrip("=")
            with pytest.raises(SealBroken):
                sealer.open(".".join(forged), "x")


def test_each_value_has_a_data_key_of_its_own(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    one, other = sealer.seal("a", "x").split("."), sealer.seal("b", "x").split(".")
    with pytest.raises(SealBroken):
        sealer.open(".".join([*one[:3], other[3]]), "x")


def test_what_the_first_version_sealed_still_opens(tmp_path: Path) -> None:
    token = sealed_as_before(tmp_path, "hunter2", "svc_1")
    sealer = Sealer(tmp_path)
    assert sealer.open(token, "svc_1") == "hunter2"
    assert not sealer.is_current(token)
    with pytest.raises(SealBroken):
        sealer.open(token, "svc_2")


def test_rewrapping_changes_the_wrapped_key_and_not_the_value(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    old = sealer.seal("a secret", "x")
    key = sealer.add_key(NOON)
    new = sealer.rewrap(old, "x")
    assert key_id_of(new) == key.id != key_id_of(old)
    assert new.split(".")[3] == old.split(".")[3]
    assert sealer.is_current(new)
    assert sealer.rewrap(new, "x") == new
    assert (sealer.open(new, "x"), sealer.open(old, "x")) == ("a secret", "a secret")


def test_rewrapping_gives_a_value_of_the_first_version_a_data_key(tmp_path: Path) -> None:
    token = sealed_as_before(tmp_path, "a", "x")
    sealer = Sealer(tmp_path)
    assert sealer.is_current(new := sealer.rewrap(token, "x"))
    assert sealer.open(new, "x") == "a"


def test_a_value_is_not_rewrapped_for_another_place(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    old = sealer.seal("a", "x")
    sealer.add_key(NOON)
    with pytest.raises(SealBroken):
        sealer.rewrap(old, "y")


def test_a_running_sealer_follows_its_file(tmp_path: Path) -> None:
    running, beside = Sealer(tmp_path), Sealer(tmp_path)
    old = running.seal("a", "x")
    key = beside.add_key(NOON)
    assert running.open(beside.seal("b", "x"), "x") == "b"
    assert key_id_of(running.seal("c", "x")) == key.id
    assert running.open(old, "x") == "a"


def test_a_dropped_key_opens_until_the_process_ends_and_never_seals(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    old = sealer.seal("a", "x")
    sealer.add_key(NOON)
    sealer.drop_keys({key_id_of(old)})
    assert [key.made_at for key in sealer.key_ring()] == [NOON]
    assert sealer.open(old, "x") == "a"
    with pytest.raises(SealBroken, match="key that this portal does not have"):
        Sealer(tmp_path).open(old, "x")


def test_the_key_that_seals_is_never_dropped(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    sealer.drop_keys({sealer.current})
    assert [key.id for key in sealer.key_ring()] == [sealer.current]


def test_nothing_is_sealed_while_the_key_file_is_gone(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    token = sealer.seal("a", "x")
    (tmp_path / KEY_FILE).unlink()
    assert sealer.open(token, "x") == "a"
    with pytest.raises(KeyUnreadable, match="gone"):
        sealer.seal("b", "x")


@pytest.mark.parametrize("token", ["", "hs1", "hs1.", "hs1.x.y", "hs2.a.b", "plain text", "hs1..é"])
def test_what_is_no_seal_does_not_open(tmp_path: Path, token: str) -> None:
    with pytest.raises(SealBroken):
        Sealer(tmp_path).open(token, "x")


def test_a_cut_value_of_the_right_key_does_not_open(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    prefix = sealer.seal("a", "x").rpartition(".")[0]
    for rest in ("", "AA", "A", "é", "=" * 8):
        for cut in (f"{prefix}.{rest}", f"{prefix.rpartition('.')[0]}.{rest}.{prefix.rpartition('.')[2]}"):
            with pytest.raises(SealBroken):
                sealer.open(cut, "x")


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


@pytest.mark.parametrize("content", ["", "\n", "id", "id c2hvcnQ=", "id ***", f"id {'A' * 43}= yesterday"])
def test_a_spoilt_key_file_is_a_clear_problem(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(KeyUnreadable, match="backup"):
        Sealer(tmp_path).load()
