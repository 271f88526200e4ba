"""What the rules find in a repository of each kind."""

# apps C.2: detection, versions, start commands, system packages; apps C.4: analysis without a model

from __future__ import annotations

import json

import pytest

from homeport.services.problems import NothingDetected
from tests.services.analysis.conftest import Look, admitted
from tests.services.analysis.examples import EXAMPLES, Example


@pytest.fixture(params=EXAMPLES, ids=str)
def example(request: pytest.FixtureRequest) -> Example:
    return EXAMPLES[request.param]


def test_each_kind_is_recognised_with_its_start_command_and_port(look: Look, example: Example) -> None:
    found = look(example.files)
    assert (found.language, found.start, found.port) == (example.language, example.start, example.port)
    assert found.dependencies == example.needs


def test_each_finding_has_a_reason_and_a_confidence(look: Look, example: Example) -> None:
    found = look(example.files)
    for words in example.says:
        assert any(words in one.what for one in found.findings), (words, found.findings)
    assert all(one.because and 0 < one.confidence <= 1 for one in found.findings)
    assert found.confidence == pytest.approx(min(one.confidence for one in found.findings))


def test_the_document_is_admitted_by_the_policy_and_routes_to_the_port(look: Look, example: Example) -> None:
    found = look(example.files)
    stack = admitted(found)
    assert (stack.routed, stack.port) == ("web", example.port)
    assert {one.name for one in stack.backing} == {"db"} or {one.name for one in stack.backing} == set(example.needs)


def test_the_dockerfile_says_what_it_should(look: Look, example: Example) -> None:
    found = look(example.files)
    for line in example.holds:
        assert line in (found.dockerfile or ""), found.dockerfile
    if found.dockerfile is not None:
        assert "HEALTHCHECK" not in found.dockerfile
        assert found.dockerfile.index("USER 10001") < found.dockerfile.index("CMD ")


def test_variables_are_told_and_secrets_are_made(look: Look, example: Example) -> None:
    found = look(example.files)
    told = {one.name: one for one in found.variables}
    assert set(example.variables) <= told.keys()
    made = [one.value for one in told.values() if one.generated]
    assert all(value and len(value) >= 32 and value not in found.compose for value in made)
    assert len(set(made)) == len(made)


def test_the_preview_is_the_body_of_the_api(look: Look) -> None:
    body = look(EXAMPLES["fastapi"].files).to_dict()
    assert list(body) == [
        "findings", "language", "start", "port", "dependencies", "confidence", "dockerfile", "compose", "variables",
        "warnings",
    ]  # fmt: skip
    assert body["findings"][0].keys() == {"what", "because", "confidence"}
    assert body["variables"][0].keys() == {"name", "value", "secret", "generated"}
    json.dumps(body)


def test_a_need_names_its_file_and_line(look: Look) -> None:
    need = look(EXAMPLES["fastapi"].files).needs[0]
    assert need.because == "requirements.txt:4 asks for asyncpg"


def test_the_address_of_the_database_names_the_driver_that_is_used(look: Look) -> None:
    web = admitted(look(EXAMPLES["fastapi"].files)).web
    assert web.environment["DATABASE_URL"].startswith("postgresql+asyncpg://app:")


def test_names_of_the_example_environment_are_wired_to_the_database(look: Look) -> None:
    found = look(EXAMPLES["laravel"].files)
    web = admitted(found).web
    assert web.environment["DB_HOST"] == "mysql"
    assert web.environment["DB_PASSWORD"] == found.values["MYSQL_PASSWORD"]


def test_a_library_that_is_only_mentioned_is_no_need(look: Look) -> None:
    files = {"requirements.txt": "# psycopg2 one day\nredis-lock-names\nflask\n", "app.py": "from flask import Flask\n"}
    assert look(files).needs == ()


def test_sqlite_gets_a_volume(look: Look) -> None:
    files = {**EXAMPLES["script"].files, ".env.example": "DATABASE_URL=sqlite:///./app.db\n"}
    web = admitted(look(files)).web
    assert web.environment["DATABASE_URL"] == "sqlite:////data/app.db"
    assert [mount.target for mount in web.mounts] == ["/data"]


def test_databases_are_waited_for_until_they_are_well(look: Look) -> None:
    stack = admitted(look(EXAMPLES["flask"].files))
    assert dict(stack.web.depends_on) == {"mysql": "service_healthy", "redis": "service_healthy"}
    assert all(one.healthcheck is not None and one.is_stateful for one in stack.backing)


def test_a_key_that_only_a_person_has_is_asked_for_and_not_made_up(look: Look) -> None:
    found = look({**EXAMPLES["script"].files, ".env.example": "STRIPE_API_KEY=sk_test_x\nMODE=a $b {c}\n"})
    told = {one.name: one for one in found.variables}
    assert told["STRIPE_API_KEY"].value is None
    assert told["MODE"].value == "a $b {c}"
    assert admitted(found).web.environment["MODE"] == "a $b {c}"
    assert any("STRIPE_API_KEY" in one for one in found.warnings)


def test_debugging_is_switched_off(look: Look) -> None:
    found = look({**EXAMPLES["script"].files, ".env.example": "DEBUG=True\n"})
    assert admitted(found).web.environment["DEBUG"] == "False"


def test_an_own_compose_file_that_the_policy_refuses_gives_way_to_the_dockerfile(look: Look) -> None:
    text = "services:\n  web:\n    build: .\n    volumes: ['./:/app']\n    privileged: true\n"
    found = look({"compose.yaml": text, "Dockerfile": "FROM alpine\nEXPOSE 3000\n"})
    assert found.own_dockerfile == "Dockerfile"
    assert found.port == admitted(found).port == 3000
    assert any("compose.yaml is not used" in one for one in found.warnings)


def test_an_own_dockerfile_is_preferred_to_a_generated_one(look: Look) -> None:
    found = look(EXAMPLES["dockerfile"].files)
    assert found.dockerfile is None
    build = admitted(found).web.build
    assert build is not None
    assert build.dockerfile == "Dockerfile"


def test_the_readme_tells_a_port_where_nothing_better_does(look: Look) -> None:
    found = look({"main.py": "import thing\n", "README.md": "Open http://localhost:5123/ then.\n"})
    assert found.port == 5123
    assert any(one.because.startswith("README.md:1") for one in found.findings)


def test_an_app_on_its_own_loopback_is_warned_about(look: Look) -> None:
    found = look({"main.py": "serve(('127.0.0.1', 5000))\n"})
    assert any("loopback" in one for one in found.warnings)


def test_other_lines_of_a_procfile_are_named(look: Look) -> None:
    assert any("release, worker" in one for one in look(EXAMPLES["procfile"].files).warnings)


def test_a_page_in_front_of_a_server_is_not_mistaken_for_the_app(look: Look) -> None:
    found = look({"index.html": "<h1>", "main.py": "print(1)\n"})
    assert found.language == "python"


@pytest.mark.parametrize("files", [{}, {"notes.md": "hello"}, {"compose.yaml": "services: {}"}])
def test_nothing_to_run_says_what_to_add(look: Look, files: dict[str, str]) -> None:
    with pytest.raises(NothingDetected, match="how to run it"):
        look({".keep": "", **files})
