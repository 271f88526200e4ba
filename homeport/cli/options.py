"""The options that verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else, on stdout.")]
PortalUrl = Annotated[
    str | None,
    typer.Option("--portal", envvar="HOMEPORT_PORTAL", help="Address of the portal; the last one used otherwise."),
]


def complete_service(incomplete: str) -> list[str]:
    """Names of apps for shell completion; nothing when the portal cannot be asked."""
    return _complete("/api/services", {"search": incomplete, "per_page": "100"}, "name", incomplete)


def complete_template(incomplete: str) -> list[str]:
    """Ids of templates for shell completion; nothing when the portal cannot be asked."""
    return _complete("/api/templates", {}, "id", incomplete)


def _complete(path: str, query: dict[str, str], field: str, incomplete: str) -> list[str]:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.kit.problems import Problem

    try:
        with Client(resolve(None), timeout=2) as client:
            rows: list[dict[str, Any]] = client.get(path, **query)["data"]
    except Problem:
        return []
    return [str(row[field]) for row in rows if str(row[field]).startswith(incomplete)]


Ref = Annotated[str, typer.Argument(help="The app's name or id.", autocompletion=complete_service, show_default=False)]
OptionalRef = Annotated[
    str | None,
    typer.Argument(help="The app's name or id; all apps otherwise.", autocompletion=complete_service),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Where everything is kept.", file_okay=False, show_default=False)
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Come back at once instead of following the deploy.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show what the build prints.")]
