"""homeport.toml: one value changes and everything else stays as a person wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.settings import Settings, load
from homeport.web.config_file import ConfigFile, ConfigFileUnusable


def opened(folder: Path, **running: object) -> ConfigFile:
    """As the portal has it, when its command line gave `running`."""
    settings, _ = load({"data_dir": folder, **running}, env={})
    file = ConfigFile(folder, lambda: settings)
    file.open()
    return file


def test_a_file_is_made_where_there_was_none(tmp_path: Path) -> None:
    opened(tmp_path).write({"domain": "home.example.org"})
    assert (tmp_path / "homeport.toml").read_text() == 'domain = "home.example.org"\n'


def test_other_lines_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "homeport.toml"
    path.write_text('# mine\ndomain = "old"  # since May\nunits = [\n  "nginx",\n]\nkeep_releases = 3')
    opened(tmp_path).write({"domain": "new", "port": 443})
    assert path.read_text() == '# mine\ndomain = "new"\nunits = [\n  "nginx",\n]\nkeep_releases = 3\nport = 443\n'


def test_the_next_start_takes_what_was_written(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.write({"port": 443})
    assert file.at_next_start()["port"].value == 443


def test_the_command_line_decides_whatever_the_file_says(tmp_path: Path) -> None:
    file = opened(tmp_path, port=9000)
    file.write({"port": 443})
    row = file.at_next_start()["port"]
    assert (row.value, row.source) == (9000, "command line")


def test_the_environment_decides_whatever_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPORT_PORT", "9000")
    file = ConfigFile(tmp_path, lambda: Settings(data_dir=tmp_path, port=9000))
    file.open()
    file.write({"port": 443})
    row = file.at_next_start()["port"]
    assert (row.value, row.source) == (9000, "environment HOMEPORT_PORT")


@pytest.mark.parametrize("text", ["domain = ", "domain = 'x'\ndomain = 'y'\n", "\"domain\" = 'x'\n"])
def test_a_file_that_cannot_be_changed_safely_stays_as_it_is(tmp_path: Path, text: str) -> None:
    file = opened(tmp_path)
    path = tmp_path / "homeport.toml"
    path.write_text(text)
    with pytest.raises(ConfigFileUnusable):
        file.write({"domain": "new"})
    assert path.read_text() == text


def test_a_file_that_no_start_would_take_is_told(tmp_path: Path) -> None:
    file = opened(tmp_path)
    (tmp_path / "homeport.toml").write_text("port = 99999999\n")
    with pytest.raises(ConfigFileUnusable):
        file.at_next_start()
