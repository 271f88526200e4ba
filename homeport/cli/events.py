"""`homeport events`: what happened, to one app or to all."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homeport.cli.options import Json, OptionalRef, PortalUrl


def events(
    ref: OptionalRef = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many of the newest.")] = 50,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Show what happened, oldest first."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        rows = _newest(client, ref, limit)
    if json:
        return print_json({"data": rows, "total": len(rows)})
    cells = (
        (row["timestamp"], row.get("service_name", ref), row["type"], row["status"], row["message"]) for row in rows
    )
    return print_table(("when", "app", "what", "status", "message"), cells, empty="Nothing has happened yet.")


def _newest(client: Any, ref: str | None, limit: int) -> list[dict[str, Any]]:
    """The last `limit` events, oldest first."""
    if ref is None:
        return list(reversed(client.get("/api/events", limit=limit)["data"]))
    path = f"/api/services/{ref}/events"
    total: int = client.get(path, page=1, per_page=1)["total"]
    last = max(1, -(-total // 100))
    rows: list[dict[str, Any]] = []
    for page in range(max(1, last - 1), last + 1):
        rows += client.get(path, page=page, per_page=100)["data"]
    return rows[-limit:]
