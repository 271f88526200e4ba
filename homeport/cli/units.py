"""The verbs for systemd units; logs, start, stop and restart are those of apps."""

from __future__ import annotations

from homeport.cli.options import Json, PortalUrl, Ref


def units(portal: PortalUrl = None, json: Json = False) -> None:
    """List the systemd units that this portal manages."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        answer = client.get("/api/services", type="unit")
    if json:
        return print_json({"data": answer["data"], "total": answer["total"]})
    cells = (
        (
            row["name"],
            row["status"],
            row["sub_state"],
            row["uptime"],
            None if row["resources"]["memory_usage_mb"] is None else f"{row['resources']['memory_usage_mb']} MB",
            row["restarts"] or None,
            row["description"],
        )
        for row in answer["data"]
    )
    columns = ("name", "status", "state", "up", "memory", "restarts", "what")
    return print_table(columns, cells, empty="No units: name them in the setting `units`.")


def reload(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """Make a unit read its configuration again."""
    from homeport.cli.services import act

    act(ref, "reload", portal, as_json=json)
