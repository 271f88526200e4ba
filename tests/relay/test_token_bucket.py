"""The limit of bytes per second."""

from __future__ import annotations

from homeport.relay.token_bucket import TokenBucket


def test_without_a_rate_nothing_waits() -> None:
    bucket = TokenBucket(None, 0.0)
    assert bucket.take(10**9, 0.0) == 0.0
    assert bucket.largest(65536) == 65536


def test_it_starts_empty_and_lets_through_its_rate() -> None:  # relay E
    bucket = TokenBucket(1000, 0.0)
    now, moved = 0.0, 0
    while now < 10.0:
        moved += 100
        now += bucket.take(100, now)
    assert 9_900 <= moved <= 10_200


def test_it_saves_up_one_second_at_most() -> None:
    bucket = TokenBucket(1000, 0.0)
    assert bucket.take(1000, 100.0) == 0.0
    assert bucket.take(100, 100.0) == 0.1


def test_pieces_are_a_tenth_of_a_second_and_never_nothing() -> None:
    assert TokenBucket(1000, 0.0).largest(65536) == 100
    assert TokenBucket(1000, 0.0).largest(10) == 10
    assert TokenBucket(3, 0.0).largest(65536) == 1


def test_a_new_rate_holds_at_once() -> None:  # relay L.12
    bucket = TokenBucket(10, 0.0)
    assert bucket.take(100, 0.0) == 10.0
    bucket.set_rate(None, 0.0)
    assert bucket.take(10**6, 0.0) == 0.0
    bucket.set_rate(1000, 5.0)
    assert bucket.take(100, 5.0) == 0.1
