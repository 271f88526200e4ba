"""`homeport audit`: who did what on this portal, and whether the log is as it was written."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from homeport.cli.options import DataDir, Json, PortalUrl

app = typer.Typer(help="Who did what, and whether the log is as it was written.", no_args_is_help=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="How many of the latest acts.")] = 50,
    action: Annotated[str | None, typer.Option("--action", help="Only this act, such as login.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List the latest acts, the newest first."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import ago, print_json, print_table

    with Client(resolve(portal)) as client:
        answer = client.get("/api/admin/audit-log", limit=limit, action=action)
    if json:
        return print_json(answer)
    cells = (
        (
            ago(row["created_at"]),
            row["actor_username"],
            row["action"],
            " ".join(filter(None, (row["target_type"], row["target_id"]))),
            row["result"],
            row["ip_address"],
        )
        for row in answer["entries"]
    )
    return print_table(("when", "who", "act", "on", "result", "from"), cells, empty="Nothing was done yet.")


@app.command()
def verify(data_dir: DataDir = None, json: Json = False) -> None:
    """Read the whole log of this machine's portal and check that no record was changed, removed or put in."""
    from homeport.cli.machine import settings_here
    from homeport.cli.output import print_json
    from homeport.cli.serve import verify_audit

    verdict = verify_audit(settings_here(data_dir))
    if json:
        print_json({"intact": verdict.intact, "records": verdict.records, "problems": list(verdict.problems)})
    elif verdict.intact:
        sys.stdout.write(f"The audit log is intact: {verdict.records} records.\n")
    else:
        lines = (f"The audit log is NOT as it was written ({verdict.records} records read):", *verdict.problems)
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    if not verdict.intact:
        raise typer.Exit(1)
