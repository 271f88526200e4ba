"""The shell door: every verb of `homeport`.

Owns: the terminal, the saved credentials, the exit codes. Calls: the portal's HTTP API, and `homeport.portal` for the
verbs that run on the portal's own machine (up, init, password, openapi). The verbs import what they need when
they run, so that `homeport --help` is instant and a client verb never loads the server.
"""

from __future__ import annotations

import sys

from homeport.kit.problems import Problem


def main() -> None:
    """The `homeport` command: run one verb and leave with its exit code (`exits.py`)."""
    if sys.argv[1:2] == ["up"]:
        from homeport.cli.up import app
    else:
        from homeport.cli.app import app
    from homeport.cli.exits import exit_code
    from homeport.cli.output import complain

    try:
        app()
    except Problem as problem:
        complain(problem, as_json="--json" in sys.argv)
        sys.exit(exit_code(problem))
