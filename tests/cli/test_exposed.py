"""What `homeport expose` shows."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
import segno

from homeport.cli.exposed import Display, code
from homeport.relay.agent import Agent, Status
from homeport.testing.clock import ManualClock

ONLINE = Status("online", "https://demo.localhost:8443", ManualClock().now(), relay="https://localhost:8443")


@dataclass
class _Tunnel:
    now: Status

    def status(self) -> Status:
        return self.now


class _Agent:
    """As much of an agent as is looked at."""

    def __init__(self, *statuses: Status) -> None:
        self.tunnels = [_Tunnel(status) for status in statuses]

    def status(self) -> Status:
        return self.tunnels[0].now


def _agent(*statuses: Status) -> tuple[Agent, _Agent]:
    made = _Agent(*statuses)
    return cast(Agent, made), made


def test_programs_get_a_line_for_each_change_and_none_for_none(capsys: pytest.CaptureFixture[str]) -> None:
    agent, made = _agent(replace(ONLINE, state="connecting"))
    display = Display("127.0.0.1:3000", as_json=True)

    display.changed(agent)
    display.changed(agent)
    made.tunnels[0].now = ONLINE
    display.changed(agent)
    display.tick(agent)
    made.tunnels[0].now = replace(ONLINE, sent=7, connections=1)
    display.tick(agent)
    display.tick(agent)

    lines: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line.get("state") for line in lines] == ["connecting", "online", None]
    assert lines[1]["url"] == "https://demo.localhost:8443"
    assert lines[2] == {"event": "traffic", "received": 0, "sent": 7, "connections": 1, "open": 0}


def test_people_are_told_the_address_once_and_every_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    agent, made = _agent(ONLINE)
    display = Display("127.0.0.1:3000", as_json=False)

    display.changed(agent)
    made.tunnels[0].now = replace(ONLINE, state="offline", error="https://localhost:8443 cannot be reached (refused).")
    display.changed(agent)
    made.tunnels[0].now = ONLINE
    display.changed(agent)

    assert capsys.readouterr().out.splitlines() == [
        "https://demo.localhost:8443  →  127.0.0.1:3000",
        "https://localhost:8443 offline: https://localhost:8443 cannot be reached (refused).",
        "https://localhost:8443 online",
    ]


def test_what_a_relay_says_does_not_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    agent, _ = _agent(replace(ONLINE, state="offline", error="\x1b]0;owned\x07\x1b[2J"))

    Display("127.0.0.1:3000", as_json=False).changed(agent)

    assert "\x1b" not in capsys.readouterr().out


def test_the_code_holds_the_address_with_a_quiet_zone_around_it() -> None:
    matrix = [list(row) for row in segno.make_qr(ONLINE.url, error="l").matrix_iter(border=2)]
    shown: list[list[int]] = []
    for line in code(ONLINE.url).splitlines():
        cells = line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m")
        shown.append([0 if cell in "▀█" else 1 for cell in cells])
        shown.append([0 if cell in "▄█" else 1 for cell in cells])

    assert shown[: len(matrix)] == matrix
