"""Python apps: how they are recognised, which version and packages they ask for, how they are installed and started."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.kit.files import Tree
from homeport.services.problems import BuildFailed, NothingDetected
from homeport.services.sources.manifests import first_line, from_mise, from_tool_versions, read_toml, table
from homeport.services.sources.plan import OWN_FOLDER, Command, Plan, Probe, Procfile, listening, path_of, shell
from homeport.services.sources.toolchain import Toolchain
from homeport.services.sources.versions import Wish, choose, satisfies

MAIN_FILES = ("main.py", "app.py", "start.py", "bot.py", "hello.py", "server.py")
_APP_FILES = (*MAIN_FILES, "app/main.py", "src/main.py", "app/__init__.py")
_MADE = re.compile(
    r"^(?P<name>[A-Za-z_]\w*)\s*(?::[^=\n]+)?(?:,[^=\n]+)?=\s*(?:\w+\.)?(?P<kind>FastAPI|FastHTML|fast_app|Flask)\(",
    re.MULTILINE,
)
_FACTORY = re.compile(r"^def (create_app|make_app)\(", re.MULTILINE)
_WSGI = re.compile(r"^WSGI_APPLICATION\s*=\s*[\"']([A-Za-z_][\w.]*)\.([A-Za-z_]\w*)[\"']", re.MULTILINE)


@dataclass(frozen=True)
class PythonApp:
    """What was found. `install` is what follows `pip install`, empty when nothing is asked for; `target` is
    `module:object` for a framework, a file for a plain script."""

    framework: str | None
    target: str | None
    packages: frozenset[str]
    install: tuple[str, ...]
    wish: Wish | None
    evidence: str


def find_python(tree: Tree, wish: str | None = None) -> PythonApp | None:
    """None where nothing speaks of Python. `wish` is RAILPACK_PYTHON_VERSION."""
    evidence = next(
        (name for name in (*MAIN_FILES, "requirements.txt", "pyproject.toml", "Pipfile") if tree.has(name)), None
    )
    if evidence is None:
        return None
    packages, install = _packages(tree)
    framework, target = _framework(tree, packages)
    return PythonApp(framework, target, packages, install, _version(tree, wish), evidence)


def plan_python(directory: Path, app: PythonApp, procfile: Procfile | None, toolchain: Toolchain) -> Plan:
    """Raises BuildFailed for a version that this machine cannot serve, NothingDetected without a start command."""
    choice = choose("Python", app.wish, toolchain.pythons)
    python = choice.interpreter
    environment = directory / OWN_FOLDER / "venv"
    isolated = bool(app.install) or procfile is not None
    program = str(environment / "bin" / "python") if isolated else str(python.path)
    build: list[Command] = []
    if isolated:
        shared = toolchain.pip is not None and satisfies(python.version, toolchain.pip_serves)
        if app.install and not shared and not python.can_pip:
            raise BuildFailed(f"Python {python.text} on this machine has no pip: install its venv package, or pip.")
        own_pip = bool(app.install) and not shared
        make = [str(python.path), "-m", "venv", *([] if own_pip else ["--without-pip"]), str(environment)]
        build.append(Command(tuple(make)))
        if app.install:
            pip = [program, "-m", "pip"] if own_pip else [str(toolchain.pip), "-m", "pip", "--python", program]
            options = ["--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar", "off"]
            build.append(Command((*pip, "install", *options, *app.install)))
    start, how = _start(app, program, procfile)
    env = {"PYTHONUNBUFFERED": "1", "PATH": path_of(python.path.parent)}
    if isolated:
        env |= {"VIRTUAL_ENV": str(environment), "PATH": path_of(environment / "bin")}
    name = app.framework or "Python"
    reason = f"{name} app, because of {app.evidence}; runs on Python {python.text}, started {how}"
    return Plan(
        kind="python",
        framework=app.framework,
        reason=f"{reason}; {choice.note}." if choice.note else f"{reason}.",
        version=python.text,
        wanted=app.wish.text if app.wish else None,
        interpreter=str(python.path),
        build=tuple(build),
        start=start,
        env=env,
        probe=probe_of(procfile),
    )


def probe_of(procfile: Procfile | None) -> Probe:
    """Whatever serves must answer; an entry that is not `web` need not listen, so being there is enough."""
    return Probe() if procfile is None or procfile.entry == "web" else Probe("command", argv=("/bin/true",))


def _start(app: PythonApp, program: str, procfile: Procfile | None) -> tuple[tuple[str, ...], str]:
    if procfile is not None:
        return shell(procfile.line), f"by the {procfile.entry} line of the Procfile"
    target = app.target
    if target is None:
        raise NothingDetected(
            f"This looks like a Python app, because of {app.evidence}, but nothing says how to start it: "
            f"add main.py, or a Procfile with a line such as 'web: python serve.py'."
        )
    match app.framework:
        case "Django" if "gunicorn" in app.packages and target != "manage.py":
            line = 'python manage.py migrate --noinput && exec gunicorn --bind "$HOST:$PORT" "$@"'
            return listening(line, target), f"with gunicorn on {target} after its migrations"
        case "Django":
            line = 'python manage.py migrate --noinput && exec python manage.py runserver --noreload "$HOST:$PORT"'
            return listening(line), "with Django's own server after its migrations, for want of gunicorn"
        case "FastAPI" | "FastHTML":
            line = 'exec python -m uvicorn --host "$HOST" --port "$PORT" "$@"'
            return listening(line, target), f"with uvicorn on {target}"
        case "Flask" if "gunicorn" in app.packages:
            return listening('exec gunicorn --bind "$HOST:$PORT" "$@"', target), f"with gunicorn on {target}"
        case "Flask":
            line = 'exec python -m flask --app "$1" run --host "$HOST" --port "$PORT"'
            return listening(line, target), "with Flask's own server, for want of gunicorn"
        case _:
            return (program, target), f"with python {target}"


def _framework(tree: Tree, packages: frozenset[str]) -> tuple[str | None, str | None]:
    if "django" in packages and tree.has("manage.py"):
        return "Django", _wsgi(tree) or "manage.py"
    wanted = {
        "FastAPI": "fastapi" in packages and "uvicorn" in packages,
        "FastHTML": "python-fasthtml" in packages,
        "Flask": "flask" in packages,
    }
    for file in _APP_FILES if any(wanted.values()) else ():
        text = tree.read(file)
        if text is None:
            continue
        module = file.removesuffix("/__init__.py").removesuffix(".py").replace("/", ".")
        for made in _MADE.finditer(text):
            kind = {"fast_app": "FastHTML"}.get(made["kind"], made["kind"])
            if wanted[kind]:
                return kind, f"{module}:{made['name']}"
        factory = _FACTORY.search(text)
        if factory is not None and wanted["Flask"]:
            return "Flask", f"{module}:{factory[1]}()"
    return None, next((name for name in MAIN_FILES if tree.has(name)), None)


def _wsgi(tree: Tree) -> str | None:
    """Django's WSGI application, by its settings; `settings.py` or a settings package, one folder deep or two."""
    for folder in tree.names()[:200]:
        if folder.startswith(".") or not _is_folder(tree, folder):
            continue
        for file in (f"{folder}/settings.py", f"{folder}/settings/__init__.py", f"{folder}/settings/base.py"):
            match = _WSGI.search(tree.read(file) or "")
            if match is not None:
                return f"{match[1]}:{match[2]}"
    return None


def _is_folder(tree: Tree, name: str) -> bool:
    """Without complaint about links: they are simply no folders of the app."""
    return (tree.root / name).is_dir() and not (tree.root / name).is_symlink()


def _packages(tree: Tree) -> tuple[frozenset[str], tuple[str, ...]]:
    """Names asked for, in the canonical spelling, and how pip is told to install them."""
    if tree.has("requirements.txt"):
        names = _requirements(tree, "requirements.txt", set())
        return frozenset(names), ("-r", "requirements.txt") if names else ()
    project = read_toml(tree, "pyproject.toml")
    if project:
        listed = table(project, "project").get("dependencies")
        asked = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
        poetry = table(project, "tool", "poetry", "dependencies")
        names = {name for text in asked for name in _names(text)}
        names |= {_canonical(name) for name in poetry if name != "python"}
        if "build-system" in project:
            return frozenset(names), (".",)
        return frozenset(names), ("--", *asked) if asked else ()
    pipfile = table(read_toml(tree, "Pipfile"), "packages")
    asked = [_from_pipfile(name, spec) for name, spec in pipfile.items()]
    return frozenset(map(_canonical, pipfile)), ("--", *asked) if asked else ()


def _requirements(tree: Tree, file: str, seen: set[str]) -> set[str]:
    names: set[str] = set()
    if file in seen or len(seen) > 10:
        return names
    seen.add(file)
    for raw in (tree.read(file) or "").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        nested = re.match(r"(?:-r|--requirement)[ =]*(\S+)", line)
        if nested is not None:
            names |= _requirements(tree, nested[1].removeprefix("./"), seen)
        elif line.startswith(("-e", "--editable")) or (line and not line.startswith("-")):
            names |= _names(line)
    return names


def _names(requirement: str) -> set[str]:
    """The package's name, and what `fastapi[standard]` brings; of a path, its last part up to the version."""
    text = requirement.partition(";")[0].strip()
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?(?=\s*(?:$|[<>=!~@ (]))", text)
    if match is None:
        return {_canonical(text.rstrip("/").rpartition("/")[2].split("-")[0] or text)}
    name = _canonical(match[1])
    extras = {extra.strip() for extra in (match[2] or "").split(",")}
    return {name, "uvicorn"} if name == "fastapi" and extras & {"standard", "all"} else {name}


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _from_pipfile(name: str, spec: Any) -> str:
    if isinstance(spec, dict):
        extras = ",".join(map(str, spec.get("extras") or []))
        name = f"{name}[{extras}]" if extras else name
        spec = spec.get("version", "*")
    return name if spec == "*" else f"{name}{spec}"


def _version(tree: Tree, wish: str | None) -> Wish | None:
    if wish:
        return Wish(wish.strip(), "RAILPACK_PYTHON_VERSION")
    for file, found in (
        (".python-version", first_line(tree, ".python-version")),
        (".tool-versions", from_tool_versions(tree, "python")),
        ("mise.toml", from_mise(tree, "python")),
        ("runtime.txt", first_line(tree, "runtime.txt")),
    ):
        if found:
            return Wish(re.sub(r"^(?:python|cpython)[-@ ]*", "", found), file)
    requires = table(read_toml(tree, "Pipfile"), "requires")
    text = requires.get("python_full_version") or requires.get("python_version")
    if text:
        return Wish(str(text), "Pipfile")
    text = table(read_toml(tree, "pyproject.toml"), "project").get("requires-python")
    return Wish(str(text), "pyproject.toml") if text else None
