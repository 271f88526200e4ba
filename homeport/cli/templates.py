"""`homeport templates`: what can be deployed with nothing at hand."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl, complete_template


def templates(
    template: Annotated[
        str | None,
        typer.Argument(help="One template, by its id.", autocompletion=complete_template, show_default=False),
    ] = None,
    category: Annotated[str | None, typer.Option("--category", help="Only this category.")] = None,
    search: Annotated[str | None, typer.Option("--search", "-s", help="Only what contains this.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List the templates, or show one with its variables."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        if template is not None:
            found = client.get(f"/api/templates/{template}")
            return print_json(found) if json else _show(found)
        answer = client.get("/api/templates", category=category, search=search)
    if json:
        return print_json(answer)
    rows = ((row["id"], row["name"], row["category"], _needs(row), row["description"]) for row in answer["data"])
    return print_table(("id", "name", "category", "needs", "description"), rows, empty="No such templates.")


def _needs(template: dict[str, Any]) -> str:
    memory = template["min_resources"]["memory_mb"]
    return f"{memory} MiB, containers" if template.get("driver") == "compose" else f"{memory} MiB"


def _show(template: dict[str, Any]) -> None:
    from homeport.cli.output import print_fields, print_table

    shown = {name: template.get(name) for name in ("id", "name", "category", "description")}
    print_fields({**shown, "needs": _needs(template)}.items())
    sys.stdout.write("\n")
    rows = (
        (
            row["name"],
            row.get("type"),
            "yes" if row.get("required") else None,
            row.get("description") or row.get("label"),
        )
        for row in template.get("variables") or []
    )
    print_table(("variable", "type", "required", "meaning"), rows, empty="It has no variables.")
