"""`homeport share` and `homeport tunnels`: services on the internet, and what of it is yours."""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl, Ref

app = typer.Typer(help="Your tunnels: services that are shared, and agents of yours.", invoke_without_command=True)

WAIT_SECONDS = 20.0
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")


def share(
    ref: Ref,
    lasts: Annotated[
        str | None, typer.Option("--for", help="How long: 30m, 2h, 7d; until it is ended otherwise.")
    ] = None,
    signed_in: Annotated[
        bool, typer.Option("--signed-in", help="Only for people who are signed in here and may see the service.")
    ] = False,
    name: Annotated[str | None, typer.Option("--name", help="Label before the relay's name.")] = None,
    relay: Annotated[
        list[str] | None, typer.Option("--relay", help="Another relay than this portal's own; may be repeated.")
    ] = None,
    description: Annotated[str, typer.Option("--description", help="For public lists of tunnels.")] = "",
    public: Annotated[bool, typer.Option("--list", help="List it publicly, as long as it is open.")] = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Put a service on the internet through a tunnel, and print its address."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, safe

    body: dict[str, Any] = {
        "name": name, "relays": relay or [], "access": "signed_in" if signed_in else "everyone",
        "description": description, "hide": not public, "expires_in": seconds(lasts) if lasts else None,
    }  # fmt: skip
    with Client(resolve(portal)) as client:
        row = _settled(client, client.post(f"/api/services/{ref}/share", body))
    if json:
        return print_json(row)
    if row["status"] != "online":
        sys.stderr.write(f"{safe(row['name'])} is {row['status']}: {safe(row['error'] or 'not connected yet')}\n")
    sys.stdout.write(f"{safe(row['tcp_address'] or row['url'] or row['name'])}\n")
    return None


@app.callback()
def tunnels(
    context: typer.Context,
    everybodys: Annotated[bool, typer.Option("--all", help="Administrators: everybody's.")] = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List your tunnels."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    if context.invoked_subcommand is not None:
        return None
    with Client(resolve(portal)) as client:
        answer = client.get("/api/tunnels", all=str(everybodys).lower())
    if json:
        return print_json(answer)
    rows = (
        (
            row["id"],
            row["service_name"] or row["name"],
            row["status"],
            row["tcp_address"] or row["url"],
            "signed in" if row["access"] == "signed_in" else "everyone",
            _ends(row["expires_at"]),
            row["visitors"],
            row["owner"] if everybodys else None,
        )
        for row in answer["data"]
    )
    columns = ("id", "service", "status", "address", "for", "ends", "visitors", "owner")
    return print_table(columns, rows, empty="No tunnels: `homeport share SERVICE` makes one.")


@app.command()
def end(
    tunnel: Annotated[str, typer.Argument(help="Its id, or its name.")],
    portal: PortalUrl = None,
) -> None:
    """End one: it leads nowhere from now on."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import safe

    with Client(resolve(portal)) as client:
        rows = client.get("/api/tunnels", all="true")["data"]
        found = next((row["id"] for row in rows if row["name"] == tunnel), tunnel)
        client.delete(f"/api/tunnels/{found}")
    sys.stdout.write(f"{safe(tunnel)} has ended.\n")


def seconds(text: str) -> int:
    """`90m`, `2h`, `1d12h`. Raises UsageWrong."""
    from homeport.cli.problems import UsageWrong

    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageWrong(f"{text!r} is no duration: write 30m, 2h or 7d.")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _ends(expires_at: str | None) -> str:
    """`in 2h`; nothing for what lasts."""
    from homeport.cli.output import duration

    if expires_at is None:
        return ""
    left = (datetime.fromisoformat(expires_at) - datetime.now(UTC)).total_seconds()
    return f"in {duration(left)}" if left > 0 else "over"


def _settled(client: Any, row: dict[str, Any]) -> dict[str, Any]:
    """The tunnel once it is online or known to have trouble; a tunnel takes a second or two."""
    deadline = time.monotonic() + WAIT_SECONDS
    while row["status"] == "connecting" and time.monotonic() < deadline:
        time.sleep(0.3)
        row = client.get(f"/api/tunnels/{row['id']}")
    return row
