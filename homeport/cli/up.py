"""`homeport up` without the other verbs: a portal would keep their options, 3 MB, for as long as it runs."""

from __future__ import annotations

import typer

from homeport.cli.machine import up

app = typer.Typer(
    name="homeport", pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
app.command()(up)


@app.callback()
def _one_of_many() -> None:
    """Keep `up` a word of the command line: alone, typer would take its options without it."""
