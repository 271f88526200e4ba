"""Whatever lies in a repository: nothing is read outside of it, and nothing but "nothing to run" is ever raised."""

# apps G.4: files from the clone; apps G.6: repository text is hostile

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.services.analysis import Analysis
from homeport.services.analysis.analyse import analyse
from homeport.services.problems import NothingDetected
from tests.services.analysis.conftest import Look, admitted, write

SECRET = "postgres-password-of-the-host"
NAMES = (
    "package.json", "requirements.txt", "pyproject.toml", "Procfile", "Dockerfile", "compose.yaml", ".env.example",
    "README.md",
    "Cargo.toml", "go.mod", "Gemfile", "composer.json", "pom.xml", "main.py", "start.sh", "index.html",
    "app/__init__.py", "shop/settings.py", "Shop.csproj", "Staticfile", "angular.json", ".nvmrc", "mise.toml",
    "Pipfile",
)  # fmt: skip
PIECES = (
    "web: ", "services:\n  web:\n    image: x\n", "EXPOSE 99999999999", "FROM a\n", "PORT=999999999999999999\n",
    "\x00", "\x1b[2J",
    "${X:-${", '{"scripts": {"start": ', '"dependencies": []', "[project]\ndependencies = [1, {a = 2}]\n",
    "\ud7ff", "$(id)",
    "gem 'rails'\n", "go 9999999999.1\n", "<TargetFramework>net99999.0</TargetFramework>", "root: ../..\n",
    "import os\n",
    "app.listen(99999999)\n", "-r ../../etc/passwd\n", "DATABASE_URL=postgres://\n", "\u202e", "a" * 5000, "\n" * 50,
)  # fmt: skip


def look_at(folder: Path) -> Analysis | None:
    try:
        found = analyse(folder, name="shop")
    except NothingDetected:
        return None
    json.dumps(found.to_dict()).encode()
    for text in (*(one.what + one.because for one in found.findings), *found.warnings, found.start or ""):
        assert text.isprintable(), text
        text.encode()
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(
        st.sampled_from(NAMES),
        st.one_of(
            st.binary(max_size=300),
            st.lists(st.sampled_from(PIECES), max_size=8).map(lambda parts: "".join(parts).encode()),
            st.recursive(
                st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(
                        st.sampled_from(["scripts", "start", "build", "dependencies", "node", "main", "require"]),
                        inner,
                        max_size=5,
                    )
                ),
                max_leaves=12,
            ).map(lambda value: json.dumps(value).encode()),
        ),
        max_size=8,
    )
)
def test_no_content_of_files_ever_raises(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    found = look_at(write(tmp_path_factory.mktemp("hostile"), files))
    if found is not None:
        admitted(found)


@pytest.mark.parametrize("name", [name for name in NAMES if "/" not in name])
def test_no_link_is_followed_out(tmp_path: Path, name: str) -> None:
    outside = write(tmp_path / "host", {"secret": f"web: {SECRET}\nPASSWORD={SECRET}\n{SECRET}==1\n"}) / "secret"
    source = write(tmp_path / "source", {"start.sh": "x"} if name != "start.sh" else {"index.html": "x"})
    (source / name).unlink(missing_ok=True)
    (source / name).symlink_to(outside)
    found = look_at(source)
    assert found is None or SECRET not in json.dumps(found.to_dict())


def test_no_link_to_a_folder_is_followed_out(tmp_path: Path) -> None:
    write(tmp_path / "host", {"settings.py": f"WSGI_APPLICATION = '{SECRET}.x'", "main.go": SECRET, "__init__.py": "x"})
    source = write(tmp_path / "source", {"requirements.txt": "django\nflask\n", "manage.py": "x", "go.mod": "module x"})
    for name in ("shop", "app", "cmd", "src", "public", "docker"):
        (source / name).symlink_to(tmp_path / "host")
    found = look_at(source)
    assert found is not None
    assert SECRET not in json.dumps(found.to_dict())


def test_pipes_devices_and_giants_are_passed_over(tmp_path: Path) -> None:
    source = write(tmp_path, {"main.py": "x", "README.md": b"localhost:5000 " * 200_000})
    os.mkfifo(source / ".env.example")
    (source / "Dockerfile").mkdir()
    (source / "requirements.txt").write_bytes(b"psycopg2\n" * 400_000)
    found = look_at(source)
    assert found is not None
    assert found.port == 8000
    assert any("larger than" in one for one in found.warnings)


def test_deep_json_is_a_warning(look: Look) -> None:
    found = look({"package.json": "[" * 200_000, "start.sh": "x"})
    assert found.language == "shell"
    assert any(one.startswith("Node:") for one in found.warnings)


def test_a_start_command_of_the_source_stays_one_argument_of_the_dockerfile(look: Look) -> None:
    found = look({"Procfile": 'web: x" ] \\ \u2028 $(id) `id`\n', "main.py": "x"})
    line = next(line for line in (found.dockerfile or "").splitlines() if line.startswith("CMD "))
    assert json.loads(line.removeprefix("CMD "))[:2] == ["/bin/sh", "-c"]
    assert (found.dockerfile or "").splitlines()[-1] == line


@pytest.mark.parametrize("value", ["x\n  privileged: true", "'\"}", "${DOCKER_HOST}", "!!python/object:os.system"])
def test_a_default_of_the_example_environment_adds_no_keys(look: Look, value: str) -> None:
    found = look({"main.py": "x", ".env.example": f'GREETING="{value}"\n'})
    stack = admitted(found)
    assert stack.web.cap_add == ()
    assert len(stack.services) == 1


def test_names_of_packages_cannot_carry_commands(look: Look) -> None:
    found = look({"Pipfile": '[packages]\n"flask; rm -rf /" = "*"\n"--index-url=x" = "*"\n', "main.py": "x"})
    line = next(line for line in (found.dockerfile or "").splitlines() if "pip" in line)
    assert json.loads(line.removeprefix("RUN "))[3] == "--"


def test_a_thousand_manifests_stay_within_the_bounds(look: Look) -> None:
    files: dict[str, str | bytes] = {f"d{number}/x.csproj": "x" for number in range(400)}
    assert look({**files, "main.py": "x"}).language == "python"
