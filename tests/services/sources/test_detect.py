"""What a source is taken for, and how it will be built and started."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from homeport.services.problems import BuildFailed, NothingDetected, SourceRefused
from homeport.services.sources import Plan, Probe, Toolchain, detect, make_plan

Tree = Callable[[Mapping[str, str]], Path]

FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
FLASK = "import flask\nsite = flask.Flask(__name__)\n"
UVICORN = 'exec python -m uvicorn --host "$HOST" --port "$PORT" "$@"'
GUNICORN = 'exec gunicorn --bind "$HOST:$PORT" "$@"'


def package(**fields: Any) -> str:
    return json.dumps({"name": "x", "version": "1.0.0", **fields})


def plan_of(root: Path, machine: Toolchain, variables: Mapping[str, str] | None = None) -> Plan:
    plan = make_plan(root, detect(root, variables), machine)
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    return plan


def builds(plan: Plan, root: Path) -> list[str]:
    return [" ".join(command.argv).replace(f"{root}/", "") for command in plan.build]


# Python


@pytest.mark.parametrize("name", ["main.py", "app.py", "start.py", "bot.py", "hello.py", "server.py"])
def test_a_main_file_runs_on_the_system_python_without_a_build(tree: Tree, machine: Toolchain, name: str) -> None:
    plan = plan_of(tree({name: "print(1)"}), machine)
    assert (plan.kind, plan.framework, plan.build) == ("python", None, ())
    assert plan.start == ("/usr/bin/python3.11", name)
    assert plan.env["PYTHONUNBUFFERED"] == "1"
    assert plan.env["HOST"] == "127.0.0.1"
    assert "PORT" not in plan.env
    assert plan.reason == f"Python app, because of {name}; runs on Python 3.11.7, started with python {name}."


def test_main_comes_before_the_other_main_files(tree: Tree, machine: Toolchain) -> None:
    assert plan_of(tree({"server.py": "", "app.py": "", "main.py": ""}), machine).start[1] == "main.py"


@pytest.mark.parametrize(
    ("files", "install"),
    [
        ({"requirements.txt": "tiny==1.0\n"}, "-r requirements.txt"),
        ({"requirements.txt": "-r base.txt\n", "base.txt": "tiny\n"}, "-r requirements.txt"),
        ({"pyproject.toml": '[project]\nname="x"\ndependencies=["tiny>=1", "a[b]"]\n'}, "-- tiny>=1 a[b]"),
        ({"pyproject.toml": '[project]\nname="x"\n[build-system]\nrequires=["setuptools"]\n'}, "."),
        ({"Pipfile": '[packages]\ntiny = "*"\na = {version = "==1.2", extras = ["b"]}\n'}, "-- tiny a[b]==1.2"),
    ],
)
def test_packages_are_installed_into_an_environment_of_the_release(
    tree: Tree, machine: Toolchain, files: dict[str, str], install: str
) -> None:
    root = tree({"main.py": "", **files})
    plan = plan_of(root, machine)
    assert builds(plan, root)[0] == "/usr/bin/python3.11 -m venv --without-pip .homeport/venv"
    assert builds(plan, root)[1].startswith("/portal/bin/python -m pip --python .homeport/venv/bin/python install ")
    assert builds(plan, root)[1].endswith(f" {install}")
    assert plan.start == (f"{root}/.homeport/venv/bin/python", "main.py")
    assert plan.env["PATH"].startswith(f"{root}/.homeport/venv/bin:")


@pytest.mark.parametrize("text", ["", "# nothing\n\n", "--index-url https://example.com\n"])
def test_an_empty_requirements_file_needs_no_environment(tree: Tree, machine: Toolchain, text: str) -> None:
    assert plan_of(tree({"main.py": "", "requirements.txt": text}), machine).build == ()


def test_an_old_python_gets_a_pip_of_its_own(tree: Tree, machine: Toolchain) -> None:
    root = tree({"main.py": "", "requirements.txt": "tiny", ".python-version": "3.9"})
    first, second = builds(plan_of(root, machine), root)
    assert first == "/usr/bin/python3.9 -m venv .homeport/venv"
    assert second.startswith(".homeport/venv/bin/python -m pip install ")


@pytest.mark.parametrize(
    ("files", "variables", "version", "wanted"),
    [
        ({".python-version": "3.13\n"}, {}, "3.13.0", "3.13"),
        ({".python-version": "3.13\n"}, {"RAILPACK_PYTHON_VERSION": "3.9"}, "3.9.18", "3.9"),
        ({".python-version": "3.13", "runtime.txt": "python-3.9.1"}, {}, "3.13.0", "3.13"),
        ({".tool-versions": "nodejs 20\npython 3.13.0\n", "runtime.txt": "python-3.9"}, {}, "3.13.0", "3.13.0"),
        ({"mise.toml": '[tools]\npython = "3.13"\n'}, {}, "3.13.0", "3.13"),
        ({"mise.toml": '[tools]\npython = ["3.9", "3.13"]\n'}, {}, "3.9.18", "3.9"),
        ({"runtime.txt": "python-3.13.0\n"}, {}, "3.13.0", "3.13.0"),
        ({"Pipfile": '[requires]\npython_version = "3.9"\n'}, {}, "3.9.18", "3.9"),
        ({"pyproject.toml": '[project]\nrequires-python = ">=3.12"\n'}, {}, "3.13.0", ">=3.12"),
        ({}, {}, "3.11.7", None),
    ],
)
def test_the_version_of_python_is_asked_for_in_this_order(
    tree: Tree, machine: Toolchain, files: dict[str, str], variables: dict[str, str], version: str, wanted: str | None
) -> None:
    plan = plan_of(tree({"main.py": "", **files}), machine, variables)
    assert (plan.version, plan.wanted) == (version, wanted)


def test_a_python_that_is_not_there_is_replaced_and_said(tree: Tree, machine: Toolchain) -> None:
    plan = plan_of(tree({"main.py": "", "runtime.txt": "python-3.12.2"}), machine)
    assert plan.reason.endswith("; runtime.txt asks for 3.12.2, which is not installed; the nearest, 3.13.0, is used.")


def test_a_python_that_cannot_be_is_a_failure(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(BuildFailed, match=r"runtime\.txt asks for Python 2\.7\.18"):
        plan_of(tree({"main.py": "", "runtime.txt": "python-2.7.18"}), machine)


@pytest.mark.parametrize(
    ("files", "framework", "start"),
    [
        ({"requirements.txt": "fastapi\nuvicorn", "main.py": FASTAPI}, "FastAPI", (UVICORN, "main:app")),
        ({"requirements.txt": "fastapi[standard]", "app.py": FASTAPI}, "FastAPI", (UVICORN, "app:app")),
        ({"requirements.txt": "fastapi\nuvicorn", "app/main.py": FASTAPI}, "FastAPI", (UVICORN, "app.main:app")),
        (
            {"requirements.txt": "python-fasthtml", "main.py": "from x import *\nweb, rt = fast_app()\n"},
            "FastHTML",
            (UVICORN, "main:web"),
        ),
        ({"requirements.txt": "Flask\ngunicorn", "main.py": FLASK}, "Flask", (GUNICORN, "main:site")),
        (
            {"requirements.txt": "flask\ngunicorn", "app.py": "def create_app():\n  pass\n"},
            "Flask",
            (GUNICORN, "app:create_app()"),
        ),
    ],
)
def test_a_framework_is_served_by_its_own_kind_of_server(
    tree: Tree, machine: Toolchain, files: dict[str, str], framework: str, start: tuple[str, str]
) -> None:
    plan = plan_of(tree(files), machine)
    assert plan.framework == framework
    assert plan.start == ("/bin/sh", "-c", start[0], "start", start[1])


def test_flask_without_gunicorn_uses_its_own_server_and_says_so(tree: Tree, machine: Toolchain) -> None:
    plan = plan_of(tree({"requirements.txt": "flask", "main.py": FLASK}), machine)
    assert plan.start[2:] == (
        'exec python -m flask --app "$1" run --host "$HOST" --port "$PORT"',
        "start",
        "main:site",
    )
    assert "for want of gunicorn" in plan.reason


def test_fastapi_without_uvicorn_is_a_plain_script(tree: Tree, machine: Toolchain) -> None:
    plan = plan_of(tree({"requirements.txt": "fastapi", "main.py": FASTAPI}), machine)
    assert plan.framework is None
    assert plan.start[1] == "main.py"


def test_django_migrates_and_is_served_by_gunicorn(tree: Tree, machine: Toolchain) -> None:
    files = {
        "manage.py": "",
        "requirements.txt": "Django>=5\ngunicorn\n",
        "shop/settings.py": "WSGI_APPLICATION = 'shop.wsgi.application'\n",
    }
    plan = plan_of(tree(files), machine)
    line = 'python manage.py migrate --noinput && exec gunicorn --bind "$HOST:$PORT" "$@"'
    assert (plan.framework, plan.start) == ("Django", ("/bin/sh", "-c", line, "start", "shop.wsgi:application"))


def test_what_an_app_names_never_becomes_shell_text(tree: Tree, machine: Toolchain) -> None:
    files = {
        "manage.py": "",
        "requirements.txt": "django\ngunicorn\n",
        "shop/settings.py": "WSGI_APPLICATION = 'shop.wsgi;touch /tmp/x.application'\n",
    }
    assert "touch" not in " ".join(plan_of(tree(files), machine).start)


def test_packages_without_a_start_command_say_what_to_add(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(NothingDetected, match=r"because of requirements\.txt.*add main\.py, or a Procfile"):
        plan_of(tree({"requirements.txt": "tiny"}), machine)


# Procfile


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("worker: python w.py\nweb: python web.py\n", "exec python web.py"),
        ("release: true\nworker: python w.py\n", "exec python w.py"),
        ("clock: python c.py\nother: x\n", "exec python c.py"),
        (
            "# comment\n\nweb:  gunicorn app:app --bind 0.0.0.0:${PORT}\n",
            "exec gunicorn app:app --bind 0.0.0.0:${PORT}",
        ),
        ("web: cd src && python x.py\n", "cd src && python x.py"),
        ("web: A=1 python x.py\n", "A=1 python x.py"),
        ("web: python x.py; echo $(date)\n", "python x.py; echo $(date)"),
    ],
)
def test_the_procfile_says_how_to_start(tree: Tree, machine: Toolchain, text: str, line: str) -> None:
    plan = plan_of(tree({"Procfile": text, "main.py": ""}), machine)
    assert plan.kind == "python"
    assert plan.start == ("/bin/sh", "-c", line)
    assert plan.start_text == line.removeprefix("exec ")


def test_python_in_a_procfile_is_the_releases_own(tree: Tree, machine: Toolchain) -> None:
    root = tree({"Procfile": "web: python main.py", "main.py": ""})
    assert builds(plan_of(root, machine), root) == ["/usr/bin/python3.11 -m venv --without-pip .homeport/venv"]


def test_an_entry_that_is_not_web_need_not_listen(tree: Tree, machine: Toolchain) -> None:
    assert plan_of(tree({"Procfile": "worker: python w.py", "main.py": ""}), machine).probe == Probe(
        "command", argv=("/bin/true",)
    )


def test_a_procfile_alone_is_enough(tree: Tree, machine: Toolchain) -> None:
    plan = plan_of(tree({"Procfile": "web: ./serve"}), machine)
    assert (plan.kind, plan.version, plan.start_text) == ("procfile", None, "./serve")


def test_a_procfile_overrides_node_too(tree: Tree, machine: Toolchain) -> None:
    plan = plan_of(tree({"Procfile": "web: node other.js", "package.json": package(scripts={"start": "x"})}), machine)
    assert (plan.kind, plan.start_text) == ("node", "node other.js")


def test_a_procfile_without_entries_says_what_to_write(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(NothingDetected, match="The Procfile has no line such as"):
        plan_of(tree({"Procfile": "python main.py\n"}), machine)


# Node


@pytest.mark.parametrize(
    ("fields", "files", "start"),
    [
        ({"scripts": {"start": "node a.js"}, "main": "b.js"}, {"b.js": ""}, "node a.js"),
        ({"main": "./b.js"}, {"b.js": "", "index.js": ""}, "/usr/bin/node ./b.js"),
        ({}, {"index.js": ""}, "/usr/bin/node index.js"),
        ({"main": "gone.js"}, {"index.js": ""}, "/usr/bin/node index.js"),
        ({"scripts": {"start": "node a.js", "prestart": "x"}}, {}, "/usr/bin/npm run start"),
        ({"engines": {"node": "22"}}, {"index.ts": ""}, "/opt/node22/bin/node index.ts"),
    ],
)
def test_a_node_app_is_started_by_script_main_or_index(
    tree: Tree, machine: Toolchain, fields: dict[str, Any], files: dict[str, str], start: str
) -> None:
    plan = plan_of(tree({"package.json": package(**fields), **files}), machine)
    assert (plan.kind, plan.build, plan.start_text) == ("node", (), start)
    assert plan.env["NODE_ENV"] == "production"


def test_typescript_on_an_old_node_says_what_to_add(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(BuildFailed, match=r"index\.ts is TypeScript, which Node 20\.20\.2 does not run"):
        plan_of(tree({"package.json": package(), "index.ts": ""}), machine)


@pytest.mark.parametrize(
    ("files", "variables", "version"),
    [
        ({"package.json": package(engines={"node": ">=22"}), ".nvmrc": "20"}, {}, "22.20.0"),
        ({"package.json": package(engines={"node": "20"})}, {"RAILPACK_NODE_VERSION": "22"}, "22.20.0"),
        ({"package.json": package(), ".nvmrc": "v22\n", ".node-version": "20"}, {}, "22.20.0"),
        ({"package.json": package(), ".node-version": "22.20.0", "mise.toml": '[tools]\nnode="20"'}, {}, "22.20.0"),
        ({"package.json": package(), "mise.toml": '[tools]\nnode = "22"\n'}, {}, "22.20.0"),
        ({"package.json": package(), ".tool-versions": "nodejs 22.20.0\n"}, {}, "22.20.0"),
        ({"package.json": package(), ".nvmrc": "lts/*"}, {}, "20.20.2"),
        ({"package.json": package()}, {}, "20.20.2"),
    ],
)
def test_the_version_of_node_is_asked_for_in_this_order(
    tree: Tree, machine: Toolchain, files: dict[str, str], variables: dict[str, str], version: str
) -> None:
    assert plan_of(tree({"index.js": "", **files}), machine, variables).version == version


@pytest.mark.parametrize(
    ("fields", "files", "commands"),
    [
        ({}, {}, []),
        ({"devDependencies": {"a": "1"}}, {}, []),
        ({"dependencies": {"a": "1"}}, {}, ["install --no-audit --no-fund --omit=dev"]),
        ({"dependencies": {"a": "1"}}, {"package-lock.json": "{}"}, ["ci --no-audit --no-fund --omit=dev"]),
        (
            {"dependencies": {"a": "1"}, "scripts": {"build": "tsc"}},
            {"package-lock.json": "{}"},
            ["ci --no-audit --no-fund", "run build"],
        ),
        ({"scripts": {"build": "node b.js"}}, {}, ["run build"]),
    ],
)
def test_npm_installs_what_is_needed_and_builds(
    tree: Tree, machine: Toolchain, fields: dict[str, Any], files: dict[str, str], commands: list[str]
) -> None:
    root = tree({"package.json": package(**fields), "index.js": "", **files})
    assert builds(plan_of(root, machine), root) == [f"/usr/bin/npm {command}" for command in commands]


@pytest.mark.parametrize(
    ("fields", "files", "command"),
    [
        ({"packageManager": "pnpm@9.1.0"}, {"yarn.lock": ""}, "/bin/pnpm install --prod"),
        ({"packageManager": "yarn@4.1.0"}, {"yarn.lock": ""}, "/bin/yarn install --immutable"),
        ({}, {"pnpm-lock.yaml": ""}, "/bin/pnpm install --frozen-lockfile --prod"),
        ({}, {"bun.lock": ""}, "/bin/bun install --frozen-lockfile --production"),
        ({}, {".yarnrc.yml": "", "yarn.lock": ""}, "/bin/yarn install --immutable"),
        ({}, {"yarn.lock": ""}, "/bin/yarn install --frozen-lockfile --non-interactive --production"),
        ({"engines": {"pnpm": "9"}}, {}, "/bin/pnpm install --prod"),
    ],
)
def test_the_package_manager_is_asked_for_in_this_order(
    tree: Tree, machine: Toolchain, fields: dict[str, Any], files: dict[str, str], command: str
) -> None:
    every = Toolchain(machine.pythons, machine.nodes, {name: f"/bin/{name}" for name in ("npm", "yarn", "pnpm", "bun")})
    root = tree({"package.json": package(dependencies={"a": "1"}, **fields), "index.js": "", **files})
    assert builds(plan_of(root, every), root) == [command]


def test_a_manager_that_is_not_there_is_replaced_by_npm_and_said(tree: Tree, machine: Toolchain) -> None:
    files = {"package.json": package(dependencies={"a": "1"}), "index.js": "", "pnpm-lock.yaml": ""}
    plan = plan_of(tree(files), machine)
    assert "pnpm-lock.yaml asks for pnpm, which is not installed; npm is used without a lock file" in plan.reason


@pytest.mark.parametrize(
    ("packages", "build", "files", "framework", "root"),
    [
        (["vite"], "vite build", {}, "Vite", "dist"),
        (["vite"], "tsc && vite build --outDir out", {}, "Vite", "out"),
        (["vite"], "vite build", {"vite.config.ts": "export default { build: { outDir: 'site' } }"}, "Vite", "site"),
        (["react-scripts"], "react-scripts build", {}, "Create React App", "build"),
        (["astro"], "astro build", {}, "Astro", "dist"),
        (["next"], "next build", {"next.config.mjs": "export default { output: 'export' }"}, "Next.js", "out"),
        (
            ["@react-router/dev"],
            "react-router build",
            {"react-router.config.ts": "export default { ssr: false }"},
            "React Router",
            "build/client",
        ),
        (
            ["@angular/core"],
            "ng build",
            {
                "angular.json": json.dumps(
                    {"projects": {"shop": {"architect": {"build": {"builder": "@angular/build:application"}}}}}
                )
            },
            "Angular",
            "dist/shop/browser",
        ),
    ],
)
def test_a_page_that_is_built_once_is_served_as_files(
    tree: Tree, machine: Toolchain, packages: list[str], build: str, files: dict[str, str], framework: str, root: str
) -> None:
    manifest = package(devDependencies=dict.fromkeys(packages, "*"), scripts={"build": build})
    release = tree({"package.json": manifest, **files})
    plan = plan_of(release, machine)
    assert (plan.framework, plan.root) == (framework, root)
    assert plan.start == (
        sys.executable,
        "-m",
        "homeport.services.static_site",
        f"{release}/{root}",
        "--fallback",
        "index.html",
    )
    assert builds(plan, release) == ["/usr/bin/npm install --no-audit --no-fund", "/usr/bin/npm run build"]


@pytest.mark.parametrize(
    ("packages", "start", "files"),
    [
        (["vite", "express"], "node server.js", {}),
        (["astro"], "node dist/server/entry.mjs", {}),
        (["next"], "next start", {}),
        (["astro"], "node x", {"astro.config.mjs": "export default { output: 'server' }"}),
    ],
)
def test_a_framework_with_a_server_of_its_own_is_a_node_app(
    tree: Tree, machine: Toolchain, packages: list[str], start: str, files: dict[str, str]
) -> None:
    manifest = package(dependencies=dict.fromkeys(packages, "*"), scripts={"build": "vite build", "start": start})
    plan = plan_of(tree({"package.json": manifest, **files}), machine)
    assert (plan.root, plan.start_text) == (None, start)


def test_the_development_server_of_a_page_is_not_its_start_command(tree: Tree, machine: Toolchain) -> None:
    manifest = package(devDependencies={"vite": "*"}, scripts={"build": "vite build", "start": "vite"})
    assert plan_of(tree({"package.json": manifest}), machine).root == "dist"


def test_a_node_app_without_a_start_command_says_what_to_add(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(NothingDetected, match=r"add scripts\.start"):
        plan_of(tree({"package.json": package()}), machine)


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000])
def test_a_broken_manifest_is_named(tree: Tree, machine: Toolchain, text: str) -> None:
    with pytest.raises(NothingDetected, match=r"package\.json is not"):
        plan_of(tree({"package.json": text}), machine)


@pytest.mark.parametrize("text", ["project = 1", "[project]\ndependencies = 7", "[tool]\npoetry = []"])
def test_a_manifest_of_unexpected_shape_breaks_nothing(tree: Tree, machine: Toolchain, text: str) -> None:
    assert plan_of(tree({"pyproject.toml": text, "main.py": ""}), machine).kind == "python"


# Static, and the order of all


@pytest.mark.parametrize(
    ("files", "variables", "root", "fallback"),
    [
        ({"index.html": ""}, {}, ".", False),
        ({"public/index.html": "", "index.html": ""}, {}, "public", False),
        ({"public/style.css": "", "index.html": ""}, {}, ".", False),
        ({"public/a.txt": ""}, {}, "public", False),
        ({"Staticfile": "root: dist\n", "dist/x.html": ""}, {}, "dist", False),
        ({"Staticfile": "pushstate: enabled\n", "index.html": ""}, {}, ".", True),
        ({"Staticfile": "root: a\n", "a/x": "", "b/x": ""}, {"RAILPACK_STATIC_FILE_ROOT": "b"}, "b", False),
    ],
)
def test_the_root_of_a_static_site(
    tree: Tree, machine: Toolchain, files: dict[str, str], variables: dict[str, str], root: str, fallback: bool
) -> None:
    release = tree(files)
    plan = plan_of(release, machine, variables)
    assert (plan.kind, plan.root, "--fallback" in plan.start) == ("static", root, fallback)
    assert plan.start[3] == str(release / root)


@pytest.mark.parametrize("root", ["../x", "/etc", ".git", "a/../../b", "gone"])
def test_a_root_outside_the_source_is_refused(tree: Tree, machine: Toolchain, root: str) -> None:
    with pytest.raises((NothingDetected, SourceRefused)):
        plan_of(tree({"index.html": "", "Staticfile": f"root: {root}\n"}), machine)


def test_python_comes_before_node_and_node_before_static(tree: Tree, machine: Toolchain) -> None:
    files = {"main.py": "", "package.json": package(), "index.js": "", "index.html": ""}
    root = tree(files)
    assert plan_of(root, machine).kind == "python"
    (root / "main.py").unlink()
    assert plan_of(root, machine).kind == "node"
    (root / "package.json").unlink()
    assert plan_of(root, machine).kind == "static"


def test_tools_without_a_start_command_do_not_hide_what_can_be_served(tree: Tree, machine: Toolchain) -> None:
    """A site with a linter's package.json, and a package list for its author's scripts."""
    assert plan_of(tree({"package.json": package(), "index.html": ""}), machine).kind == "static"


def test_what_nobody_knows_says_what_to_add_and_what_is_there(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(NothingDetected, match=r"Add a Procfile.*Found: Makefile, main\.c"):
        plan_of(tree({"main.c": "", "Makefile": ""}), machine)


def test_an_empty_source_is_said_to_be_empty(tree: Tree, machine: Toolchain) -> None:
    with pytest.raises(NothingDetected, match="empty"):
        plan_of(tree({}), machine)


@pytest.mark.parametrize(
    "name", ["Procfile", "main.py", "requirements.txt", "package.json", "index.html", "runtime.txt"]
)
def test_a_manifest_that_is_a_link_is_refused(tree: Tree, machine: Toolchain, name: str) -> None:
    root = tree({} if name == "main.py" else {"main.py" if name == "runtime.txt" else "x": ""})
    (root / name).symlink_to("/etc/passwd")
    with pytest.raises(SourceRefused, match=f"{name} is a symbolic link"):
        plan_of(root, machine)


def test_a_manifest_that_is_a_pipe_or_too_large_is_refused(tree: Tree, machine: Toolchain) -> None:
    root = tree({"package.json": " " * 1_100_000})
    with pytest.raises(SourceRefused, match=r"package\.json is larger than"):
        plan_of(root, machine)
    os.mkfifo(root / "Procfile")
    with pytest.raises(SourceRefused, match="Procfile is not a regular file"):
        plan_of(root, machine)
