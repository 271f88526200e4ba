"""`homeport logs`: what an app has printed, and what it prints from now on."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl, Ref
from homeport.cli.problems import CertificateUnknown, PortalUnreachable, UsageWrong

if TYPE_CHECKING:
    from homeport.cli.client import Client

_PATIENCE = 60.0  # seconds that a portal may be away before following is given up
_PAUSE = 0.5
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def since_of(text: str | None, now: datetime) -> str | None:
    """An RFC 3339 instant for `10m`, `2h`, `3d` or an instant with its zone. Raises UsageWrong."""
    if text is None:
        return None
    short = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if short:
        instant = now - timedelta(**{_UNITS[short[2]]: int(short[1])})
    else:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError as fault:
            raise UsageWrong(f"--since {text}: write it as 10m, 2h or 2026-03-29T10:00:00Z.") from fault
        if instant.tzinfo is None:
            raise UsageWrong(f"--since {text}: the time zone is missing, as in 2026-03-29T10:00:00Z.")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def followed(client: Client, ref: str, tail: int, since: str | None) -> Iterator[dict[str, Any]]:
    """The tail and then every new entry, without gap or repeat across broken connections.

    After a break it asks again from the last instant seen, and leaves out the entries of that instant that it has
    given already. Raises PortalUnreachable when the portal stays away for a minute.
    """
    at_last: Counter[str] = Counter()  # entries given for the instant `last`
    last: str | None = None
    gone_since: float | None = None
    while True:
        known = at_last.copy()
        try:
            with client.stream(
                f"/api/services/{ref}/logs", follow="true", tail=10000 if last else tail, since=last or since
            ) as entries:
                gone_since = None
                for entry in entries:
                    if "skipped" in entry:
                        yield entry
                        continue
                    mark = f"{entry.get('container')} {entry.get('stream')} {entry['message']}"
                    if entry["timestamp"] == last:
                        if known[mark] > 0:
                            known[mark] -= 1
                            continue
                    else:
                        last = entry["timestamp"]
                        at_last.clear()
                    at_last[mark] += 1
                    yield entry
        except CertificateUnknown:
            raise
        except PortalUnreachable:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > _PATIENCE:
                raise
        time.sleep(_PAUSE)


def logs(
    ref: Ref,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is printed from now on.")] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", min=1, max=10000, help="How many lines of the past.")] = 100,
    since: Annotated[
        str | None, typer.Option("--since", help="Only what is newer: 10m, 2h, 3d or 2026-03-29T10:00:00Z.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Show when each line was printed.")] = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Show an app's logs or a unit's journal; with --json one entry a line."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    instant = since_of(since, datetime.now(UTC))
    with Client(resolve(portal)) as client:
        if follow:
            for entry in followed(client, ref, tail, instant):
                _print(entry, timestamps=timestamps, as_json=json)
        else:
            for entry in client.get(f"/api/services/{ref}/logs", tail=tail, since=instant)["logs"]:
                _print(entry, timestamps=timestamps, as_json=json)


def _print(entry: dict[str, Any], *, timestamps: bool, as_json: bool) -> None:
    from homeport.cli.output import print_json_line, safe

    if as_json:
        return print_json_line(entry)
    message = safe(entry["message"]) if sys.stdout.isatty() else entry["message"]
    if entry.get("stream") == "system":
        message = f"— {message}"
    sys.stdout.write(f"{entry['timestamp']} {message}\n" if timestamps else f"{message}\n")
    sys.stdout.flush()
    return None
