"""What each exit code means; the one place where a Problem becomes one."""

from __future__ import annotations

from enum import IntEnum

from homeport.kit.problems import Problem


class Exit(IntEnum):
    """Exit codes of `homeport`; docs/reference/cli.md shows this table."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_SIGNED_IN = 3
    NOT_FOUND = 4
    CONFLICT = 5
    REFUSED = 6
    UNREACHABLE = 7


MEANING = {
    Exit.OK: "It worked.",
    Exit.FAILED: "It was tried and failed: a deploy that did not pass, a fault of the portal.",
    Exit.USAGE: "The command line does not fit: unknown verb, missing argument, no such folder.",
    Exit.NOT_SIGNED_IN: "The portal does not know who you are: `homeport login`.",
    Exit.NOT_FOUND: "No such app, job, release or template.",
    Exit.CONFLICT: "Something stands in the way: the name is taken, a deploy is under way.",
    Exit.REFUSED: "The portal refused: not allowed, too large, or a value that does not fit.",
    Exit.UNREACHABLE: "The portal does not answer, or its certificate is not trusted.",
}

_BY_CODE = {"usage": Exit.USAGE, "not_signed_in": Exit.NOT_SIGNED_IN, "unreachable": Exit.UNREACHABLE}
_BY_STATUS = {401: Exit.NOT_SIGNED_IN, 404: Exit.NOT_FOUND, 409: Exit.CONFLICT, 410: Exit.NOT_FOUND}


def exit_code(problem: Problem | type[Problem]) -> Exit:
    """The exit code of a problem, or of a kind of problem: by its code, or else by its HTTP status."""
    if problem.code in _BY_CODE:
        return _BY_CODE[problem.code]
    if problem.status in _BY_STATUS:
        return _BY_STATUS[problem.status]
    return Exit.REFUSED if 400 <= problem.status < 500 else Exit.FAILED
