"""What is read from `systemctl show`, and uptimes in words."""

from __future__ import annotations

import pytest

from homeport.kit.durations import spell
from homeport.services.units.status import read_show

HOUR, DAY = 3600, 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"), (0, "0s"), (0.9, "0s"), (59.9, "59s"), (60, "1m"), (61 * 60, "1h 1m"), (HOUR * 24 - 60, "23h 59m"),
        (DAY, "1d"), (DAY + 300, "1d 5m"), (400 * DAY, "400d"), (5 * DAY + 3 * HOUR + 20 * 60, "5d 3h 20m"),
    ],
)  # fmt: skip
def test_an_uptime_has_days_hours_and_minutes_and_seconds_only_below_one(  # host H.2
    seconds: float, text: str
) -> None:
    assert spell(seconds) == text


@pytest.mark.parametrize(
    ("state", "status", "up"),
    [
        ("active", "active", "1m"), ("reloading", "active", "1m"), ("inactive", "inactive", None),
        ("failed", "failed", None), ("activating", "unknown", None), ("deactivating", "unknown", None),
        ("maintenance", "unknown", None), ("", "unknown", None),
    ],
)  # fmt: skip
def test_a_status_is_one_of_four_words(state: str, status: str, up: str | None) -> None:  # H01, host F5
    unit = read_show(f"ActiveState={state}\nActiveEnterTimestampMonotonic=40000000\n", ["web"])[0]
    assert (unit.status, unit.uptime(100.5)) == (status, up)


def test_blocks_belong_to_names_by_their_place_since_an_alias_answers_with_another_id() -> None:  # H01
    shown = "Id=real.service\nActiveState=active\n\nId=b.service\nActiveState=failed\n"
    assert [(unit.name, unit.status) for unit in read_show(shown, ["alias", "b"])] == [
        ("alias", "active"),
        ("b", "failed"),
    ]


def test_an_answer_that_does_not_fit_leaves_everything_unknown() -> None:  # H01
    assert [unit.status for unit in read_show("", ["a", "b"])] == ["unknown", "unknown"]
    assert [unit.status for unit in read_show("ActiveState=active\n", ["a", "b"])] == ["unknown", "unknown"]


def test_numbers_that_are_not_set_are_nothing() -> None:
    shown = "ActiveState=active\nMainPID=0\nMemoryCurrent=[not set]\nCPUUsageNSec=18446744073709551615\nNRestarts=2\n"
    unit = read_show(shown, ["web"])[0]
    assert (unit.pid, unit.memory_bytes, unit.cpu_seconds, unit.restarts) == (None, None, None, 2)
    assert unit.uptime(100.0) is None
