"""Guessing is slow for the guesser, and for nobody else."""

from __future__ import annotations

import pytest

from homeport.identity.problems import TooManyAttempts
from homeport.identity.throttle import AT_ONCE, FORGOTTEN_AFTER, FREE_FAILURES, LONGEST_WAIT, Throttle
from homeport.testing.clock import ManualClock


def fail(throttle: Throttle, times: int, account: str = "ann", address: str = "192.0.2.1") -> None:
    for _ in range(times):
        throttle.failed(account, address)


def wait_for(throttle: Throttle, account: str = "ann", address: str = "192.0.2.1") -> int:
    try:
        with throttle.attempt(account, address):
            return 0
    except TooManyAttempts as problem:
        return int((problem.details or {})["retry_after"])


def test_a_few_typing_mistakes_cost_nothing() -> None:
    throttle = Throttle(ManualClock())
    fail(throttle, FREE_FAILURES - 1)
    assert wait_for(throttle) == 0


def test_each_further_failure_doubles_the_wait_up_to_the_longest() -> None:
    throttle = Throttle(ManualClock())
    fail(throttle, FREE_FAILURES)
    waits = [wait_for(throttle)]
    for _ in range(12):
        fail(throttle, 1)
        waits.append(wait_for(throttle))
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == LONGEST_WAIT


def test_the_wait_passes() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    fail(throttle, FREE_FAILURES + 2)
    clock.advance(3.9)
    assert wait_for(throttle) == 1
    clock.advance(0.2)
    assert wait_for(throttle) == 0


def test_the_owner_at_another_address_is_not_locked_out() -> None:
    throttle = Throttle(ManualClock())
    fail(throttle, 50, address="203.0.113.9")
    assert wait_for(throttle, address="192.0.2.1") == 0
    assert wait_for(throttle, account="bob", address="203.0.113.9") == 0


def test_all_addresses_of_one_ipv6_network_count_as_one() -> None:
    throttle = Throttle(ManualClock())
    for host in range(FREE_FAILURES):
        throttle.failed("ann", f"2001:db8:0:1::{host}")
    assert wait_for(throttle, address="2001:db8:0:1:ffff::1") == 1
    assert wait_for(throttle, address="2001:db8:0:2::1") == 0


def test_a_success_and_a_quiet_quarter_of_an_hour_clear_the_count() -> None:
    clock = ManualClock()
    throttle = Throttle(clock)
    fail(throttle, FREE_FAILURES)
    throttle.succeeded("ann", "192.0.2.1")
    assert wait_for(throttle) == 0
    fail(throttle, FREE_FAILURES + 20)
    clock.advance(FORGOTTEN_AFTER)
    assert wait_for(throttle) == 0
    fail(throttle, 1)
    assert wait_for(throttle) == 0


def test_one_address_has_only_so_many_checks_at_once() -> None:
    throttle = Throttle(ManualClock())
    checks = [throttle.attempt(f"user{number}", "192.0.2.1") for number in range(AT_ONCE)]
    for check in checks:
        check.__enter__()
    with pytest.raises(TooManyAttempts), throttle.attempt("ann", "192.0.2.1"):
        pass
    assert wait_for(throttle, address="192.0.2.2") == 0
    for check in checks:
        check.__exit__(None, None, None)
    assert wait_for(throttle) == 0
