"""What the portal itself has to say while it serves: one line an event, on stderr."""

from __future__ import annotations

import logging
import sys

import structlog


def write_to_stderr(level: str) -> None:
    """Lines for people on a terminal, JSON lines for a journal; `level` is debug, info, warning or error."""
    minimum = logging.getLevelNamesMapping()[level.upper()]
    renderer: list[structlog.typing.Processor]
    if sys.stderr.isatty():
        renderer = [
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    else:
        renderer = [
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without the values of variables: they may be secret.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    # Libraries speak through the standard library's logging; below a warning they have nothing for the operator.
    logging.basicConfig(stream=sys.stderr, level=max(minimum, logging.WARNING), format="%(name)s: %(message)s")
