"""`homeport retention`: how long the portal keeps what it keeps, and cleaning up now."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="How long the portal keeps what it keeps.", no_args_is_help=False)
_PATH = "/api/admin/retention"


@app.callback(invoke_without_command=True)
def retention(context: typer.Context, portal: PortalUrl = None, json: Json = False) -> None:
    """Show what is kept for how long, and what the next run deletes."""
    if context.invoked_subcommand is not None:
        return None
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        state = client.get(_PATH)
        preview = client.get(f"{_PATH}/preview")["preview"]
    if json:
        return print_json({**state, "preview": preview})
    cells = (
        (row["key"], f"{row['value']} {row['unit']}", preview.get(row["limits"], 0), row["meaning"])
        for row in state["settings"]
    )
    print_table(("setting", "kept", "to delete", "of"), cells, empty="Nothing is limited.")
    last = ago(state["last_run"]["at"]) if state["last_run"] else "never"
    sys.stdout.write(f"Runs every {state['cleanup_interval_hours']} hours; last run: {last}.\n")
    return None


@app.command("set")
def set_(
    values: Annotated[list[str], typer.Argument(help="KEY=VALUE, as retention_audit_log_days=365.")],
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Change how long something is kept; 0 days keep for ever, 0 records keep none."""
    from homeport.cli.output import print_json
    from homeport.cli.problems import UsageWrong

    body: dict[str, str] = {}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageWrong(f"{text!r} is not KEY=VALUE.")
        body[key.strip()] = value.strip()
    with _client(portal) as client:
        answer = client.put(_PATH, body)
    if json:
        print_json(answer)
    else:
        changed = ", ".join(f"{key} = {answer['config'][key]}" for key in answer["updated"])
        sys.stdout.write(f"{changed or 'Nothing'} changed.\n")


@app.command()
def run(portal: PortalUrl = None, json: Json = False) -> None:
    """Delete now what is older than that."""
    from homeport.cli.output import print_json

    with _client(portal) as client:
        answer = client.post(f"{_PATH}/run", {})
    if json:
        return print_json(answer)
    deleted = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in answer["deleted"].items() if count)
    sys.stdout.write("".join(f"{line}\n" for line in (f"Deleted: {deleted or 'nothing'}.", *answer["errors"])))
    if not answer["cleanup_complete"]:
        raise typer.Exit(1)
    return None


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
