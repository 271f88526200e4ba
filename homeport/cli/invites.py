"""`homeport invites`: codes that let people register."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Invites: codes that let people register.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def invites(context: typer.Context, portal: PortalUrl = None, json: Json = False) -> None:
    """List the codes, the newest first."""
    if context.invoked_subcommand is None:
        list_(portal, json)


@app.command("list")
def list_(portal: PortalUrl = None, json: Json = False) -> None:
    """List the codes, the newest first."""
    from homeport.cli.output import print_json, print_table

    with _client(portal) as client:
        answer = client.get("/api/invite-code")
    if json:
        return print_json(answer)
    cells = (
        (
            row["id"],
            row["code"],
            row["type"],
            row["role"],
            "works" if row["active"] else "revoked" if row["revoked_at"] else "over",
            row["uses"],
            row["expires_at"],
            row["label"],
        )
        for row in answer["codes"]
    )
    columns = ("id", "code", "type", "role", "state", "uses", "until", "label")
    return print_table(columns, cells, empty="No invites yet: `homeport invites add` makes one.")


@app.command()
def add(
    type_: Annotated[
        str,
        typer.Option("--type", help="single_use (one person), timed (until it expires) or daily (until midnight UTC)."),
    ] = "single_use",
    days: Annotated[int | None, typer.Option("--days", min=1, max=365, help="How long it works; timed: 30.")] = None,
    label: Annotated[str, typer.Option("--label", help="For yourself: whom it is for.")] = "",
    role: Annotated[str, typer.Option("--role", help="What they become: user, moderator or admin.")] = "user",
    scopes: Annotated[
        str | None, typer.Option("--scopes", help="What they may do instead of what the role brings.")
    ] = None,
    customer: Annotated[
        str | None, typer.Option("--customer", help="The customer (name or id) they will belong to.")
    ] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Make a code."""
    from homeport.cli.customers import find as find_customer
    from homeport.cli.output import print_json

    with _client(portal) as client:
        body = {
            "type": type_,
            "duration_days": days,
            "label": label,
            "role": role,
            "scopes": scopes,
            "customer_id": find_customer(client, customer)["id"] if customer else None,
        }
        row = client.post("/api/admin/invite-codes", body)
    if json:
        print_json(row)
    else:
        sys.stdout.write(f"{row['code']} makes a {row['role']}, until {row['expires_at'] or 'it is used'}.\n")


@app.command()
def revoke(
    code: Annotated[str, typer.Argument(help="The code, or its id.", show_default=False)],
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Let a code work no more."""
    from homeport.cli.output import print_json
    from homeport.kit.problems import NotFound

    with _client(portal) as client:
        rows = client.get("/api/invite-code")["codes"]
        row = next((one for one in rows if code.upper() in (one["code"], str(one["id"]))), None)
        if row is None:
            raise NotFound(f"There is no invite {code!r}.")
        client.delete(f"/api/admin/invite-codes/{row['id']}")
    if json:
        print_json({"id": row["id"], "code": row["code"], "revoked": True})
    else:
        sys.stdout.write(f"{row['code']} works no more.\n")


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
