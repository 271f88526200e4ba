"""`homeport compose check`: whether the portal would take a compose document, before it is deployed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

MAX_BYTES = 1_000_000

group = typer.Typer(help="Look at compose documents.", no_args_is_help=True)


@group.callback()
def _group() -> None:
    """Look at compose documents."""


@group.command()
def check(
    file: Annotated[Path, typer.Argument(help="The document; - for standard input.", allow_dash=True)],
    var: Annotated[
        list[str] | None, typer.Option("--var", "-e", help="NAME=VALUE, or NAME to take it from the environment.")
    ] = None,
    var_file: Annotated[Path | None, typer.Option("--var-file", help="Variables from a .env file.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Tell what a compose document would be, and everything in it that the portal does not accept."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.deploy import variables_of
    from homeport.cli.exits import Exit
    from homeport.cli.output import print_json

    body = {"compose": _text(file), "variables": variables_of(var or [], var_file)}
    with Client(resolve(portal)) as client:
        checked = client.post("/api/compose/check", body)
    if json:
        print_json(checked)
    else:
        _show(checked, str(file))
    if not checked["ok"]:
        raise typer.Exit(Exit.REFUSED)


def _text(file: Path) -> str:
    from homeport.cli.problems import UsageWrong

    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with file.open("rb") as opened:
                content = opened.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UsageWrong(f"{file} is larger than a compose document may be.")
        return content.decode()
    except UnicodeDecodeError:
        raise UsageWrong(f"{file} is not UTF-8 text.") from None
    except OSError as fault:
        raise UsageWrong(f"{file} cannot be read: {fault.strerror}.") from fault


def _show(checked: dict[str, Any], name: str) -> None:
    from homeport.cli.output import print_table, safe

    for one in checked["violations"]:
        at = f"{name}:{one['line']}" if one["line"] is not None else name
        sys.stdout.write(
            safe(f"{at}: {one['path']}: {one['reason']}" if one["path"] else f"{at}: {one['reason']}") + "\n"
        )
    if not checked["ok"]:
        return
    rows = (
        (one["name"], one["image"] or "(built)", ", ".join(map(str, one["ports"])), ", ".join(one["volumes"]),
         ", ".join(one["depends_on"]))
        for one in checked["services"]
    )  # fmt: skip
    print_table(("service", "image", "ports", "volumes", "starts after"), rows, empty="It has no services.")
    for line in (checked["reason"], *checked["notes"]):
        sys.stdout.write(f"{safe(line)}\n")
    if checked["variables"]:
        sys.stdout.write(safe(f"Variables: {', '.join(checked['variables'])}") + "\n")
