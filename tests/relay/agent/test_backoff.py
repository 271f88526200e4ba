"""How long the agent waits before it tries again."""

from __future__ import annotations

from homeport.relay.agent.backoff import Backoff


def test_the_most_doubles_up_to_the_longest() -> None:
    backoff = Backoff(lambda: 1.0, first=0.5, longest=20)

    assert [backoff.next() for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 20, 20]


def test_chance_decides_how_much_of_it() -> None:
    chances = iter([0.0, 0.5, 0.25])
    backoff = Backoff(lambda: next(chances), first=1)

    assert [backoff.next() for _ in range(3)] == [0.05, 1.0, 1.0]


def test_it_begins_anew_once_it_worked() -> None:
    backoff = Backoff(lambda: 1.0)
    for _ in range(100):
        backoff.next()

    backoff.reset()

    assert backoff.next() == 0.5
