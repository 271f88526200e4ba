"""Following a job and an app's logs across broken connections: no message lost, none told twice."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast

import pytest

from homeport.cli import jobs, logs
from homeport.cli.client import Client
from homeport.cli.jobs import job_messages
from homeport.cli.logs import followed, since_of
from homeport.cli.problems import PortalUnreachable, UsageWrong


class ScriptedPortal:
    """A portal whose streams give what the script says; BREAK ends one as a broken connection does."""

    def __init__(self, streams: list[list[Any]], answers: list[Any] | None = None) -> None:
        self.streams = streams
        self.answers = answers or []
        self.asked: list[dict[str, object]] = []

    @contextlib.contextmanager
    def stream(self, path: str, **query: object) -> Iterator[Iterator[Any]]:
        self.asked.append(query)
        script = self.streams.pop(0)

        def messages() -> Iterator[Any]:
            for message in script:
                if message is BREAK:
                    raise PortalUnreachable("broken")
                yield message

        yield messages()

    def get(self, path: str, **query: object) -> Any:
        return self.answers.pop(0)


BREAK = object()


def as_client(portal: ScriptedPortal) -> Client:
    return cast(Client, portal)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_POLL", 0.0)
    monkeypatch.setattr(logs, "_PAUSE", 0.0)


def step(seq: int, name: str, status: str) -> dict[str, Any]:
    return {"seq": seq, "type": "step", "step": name, "status": status, "message": ""}


END: dict[str, Any] = {"seq": 9, "type": "status", "status": "success", "message": ""}


def test_a_broken_job_stream_goes_on_after_the_last_message_seen() -> None:
    portal = ScriptedPortal([[step(1, "fetch", "running"), step(2, "fetch", "success"), BREAK], [END]])
    seen = [message["seq"] for message in job_messages(as_client(portal), "job_1")]
    assert seen == [1, 2, 9]
    assert [query["since"] for query in portal.asked] == [0, 2]


def test_where_websockets_do_not_get_through_the_job_is_polled_and_each_step_told_once() -> None:
    first = {
        "status": "running",
        "steps": [{"name": "fetch", "status": "success"}, {"name": "plan", "status": "pending"}],
    }
    last = {
        "status": "failed",
        "error": "no luck",
        "steps": [{"name": "fetch", "status": "success"}, {"name": "plan", "status": "failed"}],
    }
    portal = ScriptedPortal([[BREAK]], [first, first, first, last])
    told = [(m.get("step"), m["status"]) for m in job_messages(as_client(portal), "job_1")]
    assert told == [("fetch", "success"), ("plan", "failed"), (None, "failed")]


def test_a_portal_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_PATIENCE", -1.0)
    with pytest.raises(PortalUnreachable):
        list(job_messages(as_client(ScriptedPortal([[BREAK]])), "job_1"))


def entry(second: int, message: str) -> dict[str, Any]:
    return {
        "timestamp": f"2026-03-29T10:00:{second:02}.000Z",
        "stream": "stdout",
        "message": message,
        "container": "i1",
    }


def test_followed_logs_go_on_after_a_break_without_gap_or_repeat() -> None:
    # The instant of the break holds three entries, two of them alike; one of those was not seen yet.
    first = [entry(1, "a"), entry(2, "b"), entry(2, "same"), BREAK]
    again = [entry(2, "b"), entry(2, "same"), entry(2, "same"), entry(3, "c")]
    portal = ScriptedPortal([first, [BREAK], again])
    told = [each["message"] for each in islice(followed(as_client(portal), "hello", 100, None), 5)]
    assert told == ["a", "b", "same", "same", "c"]
    assert [query["since"] for query in portal.asked[1:3]] == [entry(2, "")["timestamp"]] * 2


NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        (None, None),
        ("10m", "2026-03-29T11:50:00Z"),
        ("2h", "2026-03-29T10:00:00Z"),
        ("3d", "2026-03-26T12:00:00Z"),
        ("2026-03-29T12:00:00+02:00", "2026-03-29T10:00:00Z"),
    ],
)
def test_since_takes_a_span_or_an_instant(text: str | None, instant: str | None) -> None:
    assert since_of(text, NOW) == instant


@pytest.mark.parametrize("text", ["yesterday", "2026-03-29T10:00:00", "10 m", ""])
def test_since_refuses_what_is_neither(text: str) -> None:
    with pytest.raises(UsageWrong):
        since_of(text, NOW)
