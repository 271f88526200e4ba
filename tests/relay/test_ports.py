"""Which port a tunnel is given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from homeport.relay.ports import ASIDE_SECONDS, RESERVED_SECONDS, PortPool


def test_the_lowest_free_port_comes_first() -> None:
    pool = PortPool(40000, 40002)
    assert [pool.take(name, 0) for name in ("a", "b", "c", "d")] == [40000, 40001, 40002, None]


def test_a_port_waits_for_who_had_it_and_then_is_everybody_s() -> None:
    pool = PortPool(40000, 40001)  # relay C.7
    assert pool.take("a", 0) == 40000
    pool.release(40000, 0)
    assert pool.take("b", RESERVED_SECONDS - 1) == 40001
    assert pool.take("a", RESERVED_SECONDS - 1) == 40000
    pool.release(40000, 300)
    assert pool.take("c", 300 + RESERVED_SECONDS) == 40000


def test_a_port_that_waits_is_given_away_when_there_is_no_other() -> None:
    pool = PortPool(40000, 40000)
    pool.take("a", 0)
    pool.release(40000, 0)
    assert pool.take("b", 1) == 40000
    assert pool.take("a", 1) is None


def test_a_port_that_others_listen_on_is_left_alone_for_a_minute() -> None:
    pool = PortPool(40000, 40001)  # relay L.14
    assert pool.take("a", 0) == 40000
    pool.set_aside(40000, 0)
    assert pool.take("a", 1) == 40001
    pool.release(40001, 1)
    assert pool.take("b", ASIDE_SECONDS) == 40000


def test_a_port_from_before_a_restart_is_claimed_once() -> None:
    pool = PortPool(40000, 40002)
    assert pool.claim(40001, "a")
    assert not pool.claim(40001, "b")
    assert not pool.claim(50000, "a")
    assert [pool.take("b", 0), pool.take("b", 0), pool.take("b", 0)] == [40000, 40002, None]


def test_there_may_be_no_port_at_all() -> None:
    assert PortPool(40001, 40000).take("a", 0) is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 400)), max_size=60))
def test_no_port_is_ever_lost_or_given_twice(steps: list[tuple[str, int, int]]) -> None:
    pool, now, held = PortPool(40000, 40003), 0.0, []  # relay L.14
    for holder, what, seconds in steps:
        now += seconds
        if what <= 1:
            if (port := pool.take(holder, now)) is not None:
                assert port not in held
                held.append(port)
        elif held:
            port = held.pop(0)
            (pool.release if what == 2 else pool.set_aside)(port, now)
        assert len(pool) == len(held)
    later = now + RESERVED_SECONDS + ASIDE_SECONDS
    assert sorted([*held, *filter(None, (pool.take("z", later) for _ in range(4)))]) == list(range(40000, 40004))
