"""What the shell keeps about portals, and which one a verb talks to."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from homeport.cli.connection import normalise, resolve
from homeport.cli.credentials import Credentials, CredentialsUnreadable, Known
from homeport.cli.local import LocalAccess, local_file, write_local
from homeport.cli.problems import NotSignedIn, UsageWrong

URL = "https://portal.example.org:8443"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("HOMEPORT_API_KEY", "HOMEPORT_CA", "HOMEPORT_PORTAL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "config" / "homeport"


def test_credentials_are_readable_by_their_owner_only(home: Path) -> None:
    Credentials().remember(Known(url=URL, key="secret"))
    assert stat.S_IMODE((home / "credentials.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_a_key_never_shows_in_a_representation() -> None:
    assert "secret" not in repr(Known(url=URL, key="secret"))
    assert "secret" not in repr(LocalAccess(URL, "127.0.0.1", 8443, "", "secret"))


def test_the_portal_used_last_is_the_one_a_verb_talks_to() -> None:
    Credentials().remember(Known(url="https://other.example.org", key="k1"))
    Credentials().remember(Known(url=URL, key="k2"))
    connection = resolve(None)
    assert (connection.url, connection.key, connection.address, connection.port) == (
        URL,
        "k2",
        "portal.example.org",
        8443,
    )
    assert resolve("other.example.org").key == "k1"


def test_a_portal_of_this_machine_is_entered_with_the_key_in_its_data_directory(tmp_path: Path) -> None:
    write_local(tmp_path, LocalAccess(URL, "127.0.0.1", 9443, "/x/ca.pem", "local key"))
    Credentials().remember(Known(url=URL, data_dir=str(tmp_path)))
    connection = resolve(None)
    assert (connection.key, connection.address, connection.port) == ("local key", "127.0.0.1", 9443)
    assert connection.host == "portal.example.org"
    assert stat.S_IMODE(local_file(tmp_path).stat().st_mode) == 0o600


def test_the_environment_wins_over_what_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    Credentials().remember(Known(url=URL, key="saved"))
    monkeypatch.setenv("HOMEPORT_API_KEY", "from the environment")
    assert resolve(None).key == "from the environment"


def test_without_credentials_the_person_is_told_to_sign_in() -> None:
    with pytest.raises(NotSignedIn, match="homeport up"):
        resolve(None)
    with pytest.raises(NotSignedIn, match=r"homeport login https://portal\.example\.org:8443"):
        resolve(URL)


def test_a_forgotten_portal_leaves_the_one_before_it() -> None:
    Credentials().remember(Known(url="https://other.example.org", key="k1"))
    Credentials().remember(Known(url=URL, key="k2"))
    Credentials().forget(URL)
    assert resolve(None).url == "https://other.example.org"


def test_a_damaged_file_is_named_instead_of_overwritten(home: Path) -> None:
    home.mkdir(parents=True)
    (home / "credentials.json").write_text("{")
    with pytest.raises(CredentialsUnreadable, match=r"credentials\.json"):
        Credentials()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("localhost:8443", "https://localhost:8443"),
        ("https://Portal.Example.ORG:443/services?x", "https://portal.example.org"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_an_address_is_kept_in_one_form(given: str, kept: str) -> None:
    assert normalise(given) == kept


@pytest.mark.parametrize(
    "given", ["http://localhost:8443", "https://", "https://user:pass@localhost", "https://h:99999"]
)
def test_an_address_that_is_no_portals_is_refused(given: str) -> None:
    with pytest.raises(UsageWrong):
        normalise(given)
