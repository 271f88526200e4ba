"""How often a code may be wrong."""

from __future__ import annotations

import pytest

from homeport.identity.problems import TooManyCodes
from homeport.identity.second_factors.guesses import (
    MOST,
    MOST_ANYWHERE,
    PAUSE,
    REMEMBERED,
    WITHIN,
    WITHIN_ANYWHERE,
    Guesses,
)
from homeport.testing.clock import ManualClock


def wrong(guesses: Guesses, address: str, times: int, user: str = "usr_1") -> None:
    for _ in range(times):
        guesses.begin(user, address)


# host B.5
def test_after_five_the_sixth_waits_and_is_told_how_long() -> None:
    clock = ManualClock()
    guesses = Guesses(clock)
    wrong(guesses, "192.0.2.1", MOST)
    clock.advance(0.5)
    with pytest.raises(TooManyCodes) as refused:
        guesses.begin("usr_1", "192.0.2.1")
    assert refused.value.extra == {"retryAfter": PAUSE}
    clock.advance(PAUSE - 0.5)
    guesses.begin("usr_1", "192.0.2.1")


def test_those_of_more_than_two_minutes_ago_do_not_count() -> None:
    clock = ManualClock()
    guesses = Guesses(clock)
    wrong(guesses, "192.0.2.1", MOST - 1)
    clock.advance(WITHIN)
    wrong(guesses, "192.0.2.1", MOST)


def test_a_right_code_begins_the_count_anew() -> None:
    guesses = Guesses(ManualClock())
    wrong(guesses, "192.0.2.1", MOST - 1)
    guesses.right("usr_1", "192.0.2.1")
    wrong(guesses, "192.0.2.1", MOST)


def test_another_address_and_another_account_count_apart() -> None:
    guesses = Guesses(ManualClock())
    wrong(guesses, "192.0.2.1", MOST)
    wrong(guesses, "192.0.2.2", MOST)
    wrong(guesses, "192.0.2.1", MOST, user="usr_2")


def test_the_addresses_of_one_ipv6_network_count_together() -> None:
    guesses = Guesses(ManualClock())
    for n in range(MOST):
        guesses.begin("usr_1", f"2001:db8:1:2::{n}")
    with pytest.raises(TooManyCodes):
        guesses.begin("usr_1", "2001:db8:1:2:ffff::1")
    guesses.begin("usr_1", "2001:db8:1:3::1")


def test_it_remembers_a_bounded_number() -> None:
    guesses = Guesses(ManualClock())
    wrong(guesses, "192.0.2.1", MOST)
    for n in range(REMEMBERED):
        guesses.begin(f"usr_{n}_", "192.0.2.2")
    guesses.begin("usr_1", "192.0.2.1")  # the oldest went


def test_from_everywhere_together_an_account_takes_thirty_an_hour() -> None:
    clock = ManualClock()
    guesses = Guesses(clock)
    for n in range(MOST_ANYWHERE):
        guesses.begin("usr_1", f"2001:db8:1:{n:x}::1")
    with pytest.raises(TooManyCodes) as refused:
        guesses.begin("usr_1", "198.51.100.7")
    assert refused.value.extra == {"retryAfter": WITHIN_ANYWHERE}
    guesses.begin("usr_2", "198.51.100.7")
    clock.advance(WITHIN_ANYWHERE)
    guesses.begin("usr_1", "198.51.100.7")


def test_right_codes_are_no_guesses() -> None:
    guesses = Guesses(ManualClock())
    for _ in range(MOST_ANYWHERE + 1):
        guesses.begin("usr_1", "192.0.2.1")
        guesses.right("usr_1", "192.0.2.1")
