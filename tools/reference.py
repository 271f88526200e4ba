"""Write the pages of docs/reference that are made from the code.

`python tools/reference.py` writes them (`make docs`); with --check it only says which of them are out of date.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from fastapi.routing import iter_route_contexts

import homeport
from homeport.cli.app import app as verbs
from homeport.cli.exits import MEANING, exit_code
from homeport.cli.problems import PortalRefused
from homeport.identity.access import NEEDS
from homeport.kit.problems import Problem
from homeport.portal import unopened
from homeport.services import compose
from homeport.services.sources.template import CATEGORIES, Template
from homeport.services.sources.templates import Templates
from homeport.settings import Settings
from homeport.testing.callers import CALLERS, expected, guarded_routes
from homeport.web.permissions import verb_of

ROOT = Path(__file__).parent.parent
_WRITTEN = "<!-- Written by `make docs` from the code; a test compares. -->\n"


def pages() -> dict[Path, str]:
    """Every generated file, by its path in the repository, as the code has it."""
    reference = Path("docs/reference")
    return {
        reference / "settings.md": settings_page(),
        reference / "cli.md": cli_page(),
        reference / "problems.md": problems_page(),
        reference / "endpoints.md": endpoints_page(),
        reference / "permissions.md": permissions_page(),
        reference / "templates.md": templates_page(),
    }


def settings_page() -> str:
    """Every setting: its names, default and meaning."""
    rows = [
        (f"`{name}`", f"`HOMEPORT_{name.upper()}`", _default(name, field.get_default()), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return (
        f"{_WRITTEN}# Settings\n\n"
        "The first that says something wins: the command line (`homeport up --port 443`; `homeport up --help` lists "
        "what it takes), the environment, `homeport.toml` in the data directory, the default. `homeport config` shows "
        "each setting, its value and where it came from.\n\n"
        "Durations are in seconds, and sizes carry their unit in the name.\n\n"
        f"{_table(('in homeport.toml', 'environment', 'default', 'meaning'), rows)}"
    )


def cli_page() -> str:
    """Every verb with its arguments and options, and the exit codes."""
    group = typer.main.get_command(verbs)
    parts = [f"{_WRITTEN}# Verbs\n\n"]
    for name, command in _verbs("", group):
        arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
        options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
        usage = " ".join((f"homeport {name}", *(_usage(argument) for argument in arguments)))
        parts.append(f"## homeport {name}\n\n{(command.help or '').strip()}\n\n    {usage}\n\n")
        rows = [(f"`{' '.join(each.opts)}`", _words(each)) for each in options]
        parts.append(_table(("option", "meaning"), rows) + "\n" if rows else "")
    codes = [(str(int(code)), code.name.lower().replace("_", " "), meaning) for code, meaning in MEANING.items()]
    parts.append(f"## Exit codes\n\n{_table(('code', 'name', 'meaning'), codes)}")
    return "".join(parts)


def problems_page() -> str:
    """Every problem: its code, status, exit code and meaning."""
    _import_everything()
    rows = []
    kinds: list[type[Problem]] = [Problem]
    kinds += _subclasses(Problem)
    kinds.remove(PortalRefused)  # it bears the codes of the others
    for kind in sorted(kinds, key=lambda kind: (kind.status, kind.code, kind.__name__)):
        meaning = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
        rows.append((f"`{kind.code}`", str(kind.status), str(int(exit_code(kind))), kind.__name__, meaning))
    return (
        f"{_WRITTEN}# Problem codes\n\n"
        "Every error under `/api` has one body: "
        '`{"error": "<sentence>", "code": "<word>", "status": 409, "message": "<same sentence>", "details": …}`. '
        "`code` is stable; the sentence is for people and may change. *exit* is the exit code of `homeport`.\n\n"
        f"{_table(('code', 'status', 'exit', 'class', 'meaning'), rows)}"
    )


def endpoints_page() -> str:
    """Every route: method, path, the permission it needs, and what it does."""
    app = unopened()
    document = app.openapi()
    rows = []
    for route in iter_route_contexts(app.routes):
        path = str(getattr(route, "path_format", None) or route.path)
        for method in sorted(route.methods or {"WS"}):
            operation = document["paths"].get(path, {}).get(method.lower(), {})
            said = operation.get("description") or _first_line(getattr(route, "endpoint", None))
            rows.append((path, method, verb_of(route).value, said.strip().split("\n\n")[0].replace("\n", " ")))
    cells = [(method, f"`{path}`", f"`{verb}`", said) for path, method, verb, said in sorted(rows)]
    return (
        f"{_WRITTEN}# Endpoints\n\n"
        "All under the portal's own address. `/docs` on the portal shows each with its parameters and answers, and "
        "`/openapi.json` is the document for programs. Sign in with `Authorization: Bearer <API key or session "
        "token>`, or by the cookie of the web pages. *permission* is what the account or key has to be allowed.\n\n"
        f"{_table(('method', 'path', 'permission', 'what'), cells)}"
    )


def permissions_page() -> str:
    """Every route and who may use it, and how many cells of that table are tested."""
    routes = guarded_routes(unopened().routes)
    verbs = [
        (f"`{verb}`", f"`{need.scope}`" if need.scope else "any", need.least, _yes(need.portal), _yes(need.person))
        for verb, need in NEEDS.items()
    ]
    callers = [(f"`{caller.name}`", caller.words) for caller in CALLERS]
    signs = {"in": "yes", "401": "401", "403": "·"}
    cells = [
        (f"`{route.method} {route.path}`", f"`{route.verb}`", *(signs[expected(caller, route)] for caller in CALLERS))
        for route in routes
    ]
    return (
        f"{_WRITTEN}# Permissions\n\n"
        "One function decides, by one table: what a route does (its verb), the scope that opens it and the lowest "
        "role. A person's scopes come from the role unless an administrator gave others; a key or session may be "
        "limited to fewer. Somebody who belongs to a customer reaches that customer's things only: of others' things "
        "such a caller gets a 404 or an empty list.\n\n"
        f"{_table(('verb', 'scope', 'lowest role', 'never for customers', 'people only'), verbs)}\n"
        "## Callers\n\n"
        f"{_table(('caller', 'what it presents'), callers)}\n"
        "## Routes\n\n"
        f"{len(routes)} routes, {len(CALLERS)} callers: {len(routes) * len(CALLERS):,} cells, each of which is tested "
        "by `python -m pytest tests/web/test_permission_matrix.py`. `yes`: let in; 401: not known; `·`: 403.\n\n"
        f"{_table(('route', 'verb', *(caller.name for caller in CALLERS)), cells)}"
    )


def _yes(value: bool) -> str:
    return "yes" if value else ""


def templates_page() -> str:
    """Every built-in template by category: what it runs, needs and asks."""
    catalogue = Templates.load()
    parts = [
        f"{_WRITTEN}# Templates\n\n"
        "`homeport deploy --template ID --name NAME` deploys one; [the guide](../guide/templates.md) says what they "
        "have in common. *memory* is what the app needs at least, with its databases, in MiB; *asks* are the variables "
        "that can be given, of which those in italics are made when they are not.\n"
    ]
    for category in CATEGORIES:
        rows = [
            (
                f"`{template.id}`",
                f"**{template.name}.** {template.description}",
                _images(template),
                str(template.memory_mb),
                ", ".join(f"*{one.name}*" if one.generate else one.name for one in template.variables),
            )
            for template in catalogue.list(category=category, sort="name")
        ]
        parts.append(f"\n## {category}\n\n{_table(('id', 'what', 'runs', 'memory', 'asks'), rows)}")
    return "".join(parts)


def _images(template: Template) -> str:
    """The routed service's first."""
    if template.compose is None:
        return "no containers"
    values = dict.fromkeys(compose.variables_of(template.compose), "x")
    stack = compose.read(template.compose, values, port=template.port)
    return ", ".join(f"`{one.image}`" for one in (stack.web, *stack.backing))


def _default(name: str, value: Any) -> str:
    if name == "data_dir":
        return "`/var/lib/homeport` for root, else `~/.local/share/homeport`"
    if value in {None, "", ()}:
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _verbs(above: str, group: Any) -> Iterator[tuple[str, Any]]:
    """Every verb with its name, those of groups as `compose check`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield f"{above}{name}", command
            yield from _verbs(f"{above}{name} ", command)
        else:
            yield f"{above}{name}", command


def _usage(argument: Any) -> str:
    word = argument.metavar or argument.name.upper()
    return word if argument.required or word.startswith("[") else f"[{word}]"


def _words(option: Any) -> str:
    env = f" (environment: `{option.envvar}`)" if option.envvar else ""
    return f"{option.help or ''}{env}"


def _first_line(endpoint: Any) -> str:
    return (getattr(endpoint, "__doc__", None) or "").strip()


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _subclasses(kind: type[Problem]) -> Iterator[type[Problem]]:
    for each in kind.__subclasses__():
        if not each.__module__.startswith("homeport."):
            continue  # a test's own
        yield each
        yield from _subclasses(each)


def _import_everything() -> None:
    for module in pkgutil.walk_packages(homeport.__path__, "homeport."):
        if "__main__" not in module.name and ".migrations" not in module.name and ".templates." not in module.name:
            importlib.import_module(module.name)


def main() -> int:
    """Write what is out of date; with --check only name it, and fail."""
    stale = {
        path: text for path, text in pages().items() if not (ROOT / path).is_file() or (ROOT / path).read_text() != text
    }
    if "--check" in sys.argv[1:]:
        sys.stderr.writelines(f"{path} is out of date: run `make docs`.\n" for path in stale)
        return 1 if stale else 0
    for path, text in stale.items():
        (ROOT / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
