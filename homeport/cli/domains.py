"""`homeport domains`: domains of one's own that lead to an app."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl, Ref

app = typer.Typer(help="Domains of your own that lead to apps.", no_args_is_help=True)

Domain = Annotated[str, typer.Argument(help="Such as shop.example.com.", show_default=False)]


@app.command("list")
def list_(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """List an app's own domains."""
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        answer = client.get(f"/api/services/{ref}/domains")
    if json:
        return print_json(answer)
    cells = ((row["domain"], row["status"], ago(row["verified_at"]), row["dns"]["value"]) for row in answer["data"])
    return print_table(("domain", "status", "proven", "proof"), cells, empty="It has no domains of its own.")


@app.command()
def add(ref: Ref, domain: Domain, portal: PortalUrl = None, json: Json = False) -> None:
    """Ask for a domain, and say how to prove that it is yours."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        row = client.post(f"/api/services/{ref}/domains", {"domain": domain})
    if json:
        return print_json(row)
    dns, http = row["dns"], row["http"]
    lines = (
        f"{row['domain']} is {row['status']}. Prove that it is yours in one of two ways:",
        f'  DNS   {dns["name"]}. {dns["type"]} "{dns["value"]}"',
        f"  HTTP  http://{row['domain']}{http['path']} answers {http['value']}",
        f"Then run `homeport domains verify {ref} {row['domain']}`.",
    )
    sys.stdout.write("".join(f"{safe(line)}\n" for line in lines))
    return None


@app.command()
def verify(ref: Ref, domain: Domain, portal: PortalUrl = None, json: Json = False) -> None:
    """Look for the proof; once it is found, the domain leads to the app."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        row = client.post(f"/api/services/{ref}/domains/{domain}/verify")
    if json:
        print_json(row)
    else:
        sys.stdout.write(f"{safe(row['domain'])} is proven, and leads to {safe(ref)}\n")


@app.command()
def rm(ref: Ref, domain: Domain, portal: PortalUrl = None, json: Json = False) -> None:
    """Remove a domain; it leads nowhere from then on."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        client.delete(f"/api/services/{ref}/domains/{domain}")
    if json:
        print_json({"domain": domain, "removed": True})
    else:
        sys.stdout.write(f"{safe(domain)}: removed\n")


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
