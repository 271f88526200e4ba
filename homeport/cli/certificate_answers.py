"""What the verbs of certificates share: reading PEM files and providers' settings, and telling what came of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 1024
SECONDS = 90  # an order answers within a minute


def told(answer: dict[str, Any], *, as_json: bool) -> None:
    """What an answer of InstalledOut says, with the records that a person has to set."""
    from homeport.cli.output import print_json

    if as_json:
        return print_json(answer)
    lines = [answer["message"]]
    order = answer["order"]
    if order is not None and answer["status"] != "installed":
        lines += [f'  {record["name"]}. TXT "{record["value"]}"' for record in order["records"]]
        verb = f"homeport tls continue {order['id']}" if order["records"] else "homeport tls orders"
        lines.append(f"Then run `{verb}`." if order["records"] else f"See `{verb}`.")
    return say(*lines)


def say(*lines: str) -> None:
    """On stdout, without what a terminal could take for commands."""
    from homeport.cli.output import safe

    sys.stdout.write("".join(f"{safe(line)}\n" for line in lines))


def text(path: Path) -> str:
    """A PEM file's. Raises UsageWrong for what is too large to be one."""
    from homeport.cli.problems import UsageWrong

    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageWrong(f"{path} is larger than {MOST_BYTES // 1024} KB: that is no certificate.")
    return data.decode("ascii", "replace")


def config(path: Path) -> Any:
    """A provider's settings, from JSON. Raises UsageWrong."""
    from homeport.cli.problems import UsageWrong

    try:
        return json.loads(text(path))
    except (OSError, ValueError) as problem:
        raise UsageWrong(f"{path} holds no provider's settings: {problem}") from problem


def client(portal: str | None) -> Any:
    """One with enough patience for an order."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal), timeout=SECONDS)
