"""`homeport plans`: what customers may use."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Plans: what customers may use.", no_args_is_help=False)

Plan = Annotated[str, typer.Argument(help="The plan's name or id.", show_default=False)]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="FIELD=VALUE, as often as you like: max_services=3, max_cpu=2, max_memory_mb=none, allow_git=no…",
        show_default=False,
    ),
]


@app.callback(invoke_without_command=True)
def plans(context: typer.Context, portal: PortalUrl = None, json: Json = False) -> None:
    """List the plans."""
    if context.invoked_subcommand is not None:
        return None
    from homeport.cli.customers import every
    from homeport.cli.output import print_json, print_table

    with _client(portal) as client:
        rows = every(client, "/api/plans")
    if json:
        return print_json({"data": rows, "total": len(rows)})
    limits = ("max_services", "max_cpu", "max_memory_mb", "max_storage_mb")
    cells = ((row["name"], *(_limit(row[name]) for name in limits), _gates(row), row["customers"]) for row in rows)
    columns = ("name", "services", "cores", "memory mb", "storage mb", "includes", "customers")
    return print_table(columns, cells, empty="There are no plans.")


@app.command()
def show(plan: Plan, portal: PortalUrl = None, json: Json = False) -> None:
    """Show one plan."""
    from homeport.cli.output import print_fields, print_json

    with _client(portal) as client:
        row = client.get(f"/api/plans/{plan}")
    if json:
        return print_json(row)
    return print_fields((name, "any" if value is None else value) for name, value in row.items())


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    settings: Settings = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Add a plan; what is not set is not limited."""
    with _client(portal) as client:
        _tell(client.post("/api/plans", {"name": name, **_read(settings)}), "was added", as_json=json)


@app.command()
def edit(plan: Plan, settings: Settings = None, portal: PortalUrl = None, json: Json = False) -> None:
    """Change a plan; it counts from the next deploy on."""
    with _client(portal) as client:
        _tell(client.patch(f"/api/plans/{plan}", _read(settings)), "was changed", as_json=json)


@app.command()
def rm(plan: Plan, portal: PortalUrl = None, json: Json = False) -> None:
    """Remove a plan that no customer has."""
    with _client(portal) as client:
        row = client.get(f"/api/plans/{plan}")
        client.delete(f"/api/plans/{row['id']}")
    _tell({"id": row["id"], "name": row["name"], "removed": True}, "was removed", as_json=json)


def _read(settings: list[str] | None) -> dict[str, Any]:
    """FIELD=VALUE as the API wants it: none is null, yes and no are gates. Raises UsageWrong."""
    from homeport.cli.problems import UsageWrong

    words: dict[str, Any] = {"none": None, "yes": True, "true": True, "no": False, "false": False}
    body: dict[str, Any] = {}
    for setting in settings or ():
        name, separator, value = setting.partition("=")
        if not separator:
            raise UsageWrong(f"--set takes FIELD=VALUE: {setting!r} has no equals sign.")
        body[name.strip()] = words.get(value.strip().lower(), value.strip())
    return body


def _gates(row: dict[str, Any]) -> str:
    gates = [name.removeprefix("allow_") for name in row if name.startswith("allow_")]
    shut = [gate for gate in gates if not row[f"allow_{gate}"]]
    return f"all but {', '.join(shut)}" if 0 < len(shut) < len(gates) else "nothing" if shut else "everything"


def _limit(limit: float | None) -> str:
    return "any" if limit is None else f"{limit:g}"


def _tell(row: dict[str, Any], words: str, *, as_json: bool) -> None:
    from homeport.cli.output import print_json, safe

    if as_json:
        print_json(row)
    else:
        sys.stdout.write(f"{safe(row['name'])} {words} ({safe(row['id'])})\n")


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
