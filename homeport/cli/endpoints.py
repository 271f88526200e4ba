"""`homeport endpoints`: services that run elsewhere and stand in the portal's directory."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from homeport.cli.options import Json, PortalUrl, Ref

app = typer.Typer(help="Services that run elsewhere: where they are, and whether they answer.", no_args_is_help=True)


@app.command("list")
def list_endpoints(portal: PortalUrl = None, json: Json = False) -> None:
    """List them."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        answer = client.get("/api/services", type="endpoint", per_page=100)
    if json:
        return print_json(answer)
    columns = ("name", "plugin", "host", "port", "category", "status")
    rows = ([row[column] for column in columns] for row in answer["data"])
    return print_table(columns, rows, empty="No endpoints yet.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name: small letters, digits, hyphens.")],
    plugin: Annotated[str, typer.Argument(help="How it is reached: ssh, vnc, rdp, http, https, tcp.")],
    host: Annotated[str, typer.Argument(help="Host name or address.")],
    port: Annotated[int, typer.Argument(min=1, max=65535)],
    path: Annotated[str | None, typer.Option("--path", help="Of a web page: where it begins.")] = None,
    category: Annotated[str | None, typer.Option("--category")] = None,
    icon: Annotated[str | None, typer.Option("--icon")] = None,
    description: Annotated[str | None, typer.Option("--description")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Add one; administrators only."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, safe

    given = {"path": path, "category": category, "icon": icon, "description": description}
    body: dict[str, object] = {"kind": "endpoint", "name": name, "plugin": plugin, "host": host, "port": port}
    body |= {key: value for key, value in given.items() if value is not None}
    with Client(resolve(portal)) as client:
        made = client.post("/api/services", body)
    if json:
        print_json(made)
    else:
        sys.stdout.write(f"{safe(made['name'])} is added.\n")


@app.command()
def health(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """Ask whether one answers now."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_fields, print_json

    with Client(resolve(portal)) as client:
        answer = client.get(f"/api/services/{ref}/health")
    if json:
        return print_json(answer)
    return print_fields((field, answer[field]) for field in ("status", "message", "latency_ms"))


@app.command()
def rm(ref: Ref, portal: PortalUrl = None) -> None:
    """Take one out of the directory; what it stands for is not touched."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import safe
    from homeport.cli.problems import UsageWrong

    with Client(resolve(portal)) as client:
        service = client.get(f"/api/services/{ref}")
        if service["kind"] != "endpoint":
            raise UsageWrong(f"{safe(service['name'])} is no endpoint: `homeport rm` removes apps.")
        client.delete(f"/api/services/{service['id']}")
    sys.stdout.write(f"{safe(service['name'])} is removed.\n")
