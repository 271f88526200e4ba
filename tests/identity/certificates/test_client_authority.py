"""The authority for client certificates: made once, kept, replaced in time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from homeport.identity.certificates.authority import CA_LIFETIME, LIFETIME, ClientAuthority
from homeport.identity.certificates.bundles import new_key
from homeport.identity.certificates.problems import ClientAuthorityBroken
from homeport.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def opened(folder: Path, clock: ManualClock) -> ClientAuthority:
    authority = ClientAuthority(folder, clock)
    authority.open()
    return authority


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path, clock: ManualClock) -> None:
    first = opened(tmp_path / "keys", clock)
    assert opened(tmp_path / "keys", clock).certificate == first.certificate
    for name in ("client-ca.key", "client-ca.pem"):
        assert (tmp_path / "keys" / name).stat().st_mode & 0o777 == 0o600
    constraints = first.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)


def test_it_signs_nothing_that_outlives_it(tmp_path: Path, clock: ManualClock) -> None:
    first = opened(tmp_path, clock)
    clock.advance((CA_LIFETIME - LIFETIME).total_seconds() + 1)
    second = opened(tmp_path, clock)
    assert second.certificate != first.certificate
    assert second.certificate.not_valid_after_utc > clock.now() + LIFETIME
    # What the first has signed is good until it expires: both are trusted, and both are kept.
    assert second.pem.count("BEGIN CERTIFICATE") == 2
    assert opened(tmp_path, clock).pem == second.pem
    clock.advance(LIFETIME.total_seconds())
    assert opened(tmp_path, clock).pem.count("BEGIN CERTIFICATE") == 1


def test_what_it_signs_is_backdated_and_verifies(tmp_path: Path, clock: ManualClock) -> None:
    authority, key = opened(tmp_path, clock), new_key()
    until = clock.now() + timedelta(days=1)
    signed = authority.issue(key.public_key(), name="agent:x", unit="u" * 80, expires_at=until)
    signed.verify_directly_issued_by(authority.certificate)
    assert (signed.not_valid_before_utc, signed.not_valid_after_utc) == (clock.now() - timedelta(hours=1), until)


def test_files_that_do_not_fit_stop_the_start_and_say_what_to_do(tmp_path: Path, clock: ManualClock) -> None:
    opened(tmp_path, clock)
    other = opened(tmp_path / "other", clock)
    assert other.certificate
    key = (tmp_path / "client-ca.key").read_bytes()
    (tmp_path / "client-ca.key").write_bytes((tmp_path / "other" / "client-ca.key").read_bytes())
    with pytest.raises(ClientAuthorityBroken, match="not the key"):
        opened(tmp_path, clock)
    (tmp_path / "client-ca.key").unlink()
    with pytest.raises(ClientAuthorityBroken, match="backup"):
        opened(tmp_path, clock)
    (tmp_path / "client-ca.key").write_bytes(key)
    (tmp_path / "client-ca.pem").write_text("nonsense")
    with pytest.raises(ClientAuthorityBroken, match="cannot be read"):
        opened(tmp_path, clock)
