"""`homeport analyse`: what a folder is and how it can run, looked at here; nothing of it is started."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from homeport.cli.options import Json


def analyse(
    folder: Annotated[Path, typer.Argument(help="The source.", exists=True, file_okay=False)] = Path(),
    name: Annotated[str | None, typer.Option("--name", help="The app's name; the folder's otherwise.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the texts where there are none.")] = False,
    json: Json = False,
) -> None:
    """Tell how a folder can run as containers, and why: language, start, port, databases, Dockerfile, compose text."""
    from homeport.cli.output import print_fields, print_json, print_table
    from homeport.services.analysis import WRITTEN_DOCKERFILE
    from homeport.services.analysis.analyse import analyse as look

    found = look(folder, name=name or folder.resolve().name or "app")
    if write:
        compose = found.compose.replace(WRITTEN_DOCKERFILE, "Dockerfile")
        texts = {"Dockerfile": found.dockerfile, "compose.yaml": None if found.own_compose else compose}
        for file, text in texts.items():
            if text is not None:
                try:
                    with (folder / file).open("x") as made:
                        made.write(text)
                except FileExistsError:
                    sys.stderr.write(f"{file} is there already and stays as it is.\n")
    if json:
        return print_json(found.to_dict())
    print_fields((
        ("language", found.language), ("start", found.start), ("port", found.port),
        ("needs", ", ".join(found.dependencies) or None), ("sure", f"{found.confidence:.0%}"),
    ))  # fmt: skip
    sys.stdout.write("\n")
    rows = ((one.what, one.because, f"{one.confidence:.0%}") for one in found.findings)
    print_table(("found", "because", "sure"), rows, empty="Nothing.")
    for warning in found.warnings:
        sys.stderr.write(f"{warning}\n")
    return None
