"""What the command line of `homeport deploy` means."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.cli.deploy import dns_label, source_of, variables_of
from homeport.cli.problems import UsageWrong


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("hello", "hello"),
        ("My App_2", "my-app-2"),
        ("--x--", "x"),
        ("ünïcode", "n-code"),
        ("…", "app"),
        ("a" * 62 + "-b", "a" * 62),
    ],
)
def test_a_name_becomes_a_dns_label(text: str, label: str) -> None:
    assert dns_label(text) == label


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://example.org/team/My.Shop.git", "my-shop"),
        ("https://example.org/team/shop/", "shop"),
        ("git@example.org:team/shop.git", "shop"),
        ("ssh://git@example.org/team/shop.git", "shop"),
    ],
)
def test_an_address_is_a_git_repository_named_after_its_last_part(address: str, name: str) -> None:
    source = source_of(address, None)
    assert (source.method, source.name, source.git_url) == ("git", name, address)


def test_a_folder_is_uploaded_under_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Hello World").mkdir()
    monkeypatch.chdir(tmp_path / "Hello World")
    source = source_of(".", None)
    assert (source.method, source.name, source.folder) == ("upload", "hello-world", tmp_path / "Hello World")


def test_a_compose_file_is_read_and_named_after_its_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    file = tmp_path / "shop" / "compose.yaml"
    file.write_text("services: {}\n")
    source = source_of(str(file), None)
    assert (source.method, source.name, source.compose) == ("compose", "shop", "services: {}\n")


def test_a_repository_to_be_analysed_is_a_git_address() -> None:
    source = source_of("https://example.org/team/shop", None, analyse=True)
    assert (source.method, source.name, source.ai_url) == ("ai", "shop", "https://example.org/team/shop")
    with pytest.raises(UsageWrong):
        source_of(".", None, analyse=True)


@pytest.mark.parametrize(("what", "template"), [(None, None), (".", "static-site"), ("/no/such/folder", None)])
def test_a_command_line_that_names_nothing_or_two_things_is_refused(what: str | None, template: str | None) -> None:
    with pytest.raises(UsageWrong):
        source_of(what, template)


def test_variables_come_from_a_file_then_from_the_command_line_then_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / ".env"
    file.write_text('A=from file\nexport B="two words"\nC=$A\n# D=no\n')
    monkeypatch.setenv("TOKEN", "from the environment")
    assert variables_of(["A=x=y", "TOKEN"], file) == {
        "A": "x=y",
        "B": "two words",
        "C": "$A",
        "TOKEN": "from the environment",
    }


@pytest.mark.parametrize("pair", ["=x", "NOT_IN_THE_ENVIRONMENT"])
def test_a_variable_without_name_or_value_is_refused(pair: str) -> None:
    with pytest.raises(UsageWrong):
        variables_of([pair], None)
