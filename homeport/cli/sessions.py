"""`homeport sessions`: where you are signed in."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Sessions: where you are signed in.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def sessions(context: typer.Context, portal: PortalUrl = None, json: Json = False) -> None:
    """List where you are signed in, the newest first."""
    if context.invoked_subcommand is None:
        list_(portal, json)


@app.command("list")
def list_(portal: PortalUrl = None, json: Json = False) -> None:
    """List where you are signed in, the newest first."""
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        answer = client.get("/api/me/sessions")
    if json:
        return print_json(answer)
    cells = (
        (row["id"], row["name"], row["method"], row["address"], ago(row["created_at"]), ago(row["last_used_at"]))
        for row in answer["sessions"]
    )
    return print_table(("id", "name", "by", "from", "since", "used"), cells, empty="You are signed in nowhere else.")


@app.command()
def end(
    session: Annotated[str | None, typer.Argument(help="The session's id.", show_default=False)] = None,
    others: Annotated[bool, typer.Option("--all", help="All of them; what this shell uses stays.")] = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Sign one of them out, or all."""
    from homeport.cli.output import print_json
    from homeport.cli.problems import UsageWrong

    if (session is None) is not others:
        raise UsageWrong("Name a session, or say --all.")
    with _client(portal) as client:
        answer = client.delete(f"/api/me/sessions/{session}" if session else "/api/me/sessions")
    if json:
        print_json(answer)
    else:
        sys.stdout.write(f"{answer['ended']} ended.\n")


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
