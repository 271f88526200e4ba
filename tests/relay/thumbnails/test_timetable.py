"""When a picture is due."""

from __future__ import annotations

from homeport.relay.thumbnails.timetable import AT_LEAST, COOLDOWN, EVERY, Timetable


def test_the_first_one_is_due_at_once_and_the_next_hours_later() -> None:
    table = Timetable()
    assert table.due("a", "", 0)
    table.done("a", "", 0)
    assert not table.due("a", "", EVERY - 1)
    assert table.due("a", "", EVERY)


def test_after_failures_it_waits_ever_longer() -> None:  # relay H
    table = Timetable()
    now = 0.0
    for wait in (COOLDOWN, 2 * COOLDOWN, 4 * COOLDOWN):
        table.failed("a", "", now)
        assert not table.due("a", "", now + wait - 1)
        now += wait
        assert table.due("a", "", now)
    for _ in range(40):
        table.failed("a", "", now)
    assert table.due("a", "", now + EVERY)


def test_a_new_lease_is_looked_at_again_but_not_all_the_time() -> None:
    table = Timetable()
    table.done("a", "", 0)
    table.anew("a", 10)
    assert not table.due("a", "", AT_LEAST - 1)
    assert table.due("a", "", AT_LEAST)
    table.done("a", "", 1000)
    table.anew("a", 5000)
    assert table.due("a", "", 5000)


def test_registering_again_does_not_shorten_the_wait_after_failures() -> None:
    table = Timetable()
    for _ in range(4):
        table.failed("a", "", 0)
    table.anew("a", 1)
    assert not table.due("a", "", AT_LEAST)


def test_another_picture_that_is_named_is_due_soon() -> None:
    table = Timetable()
    table.done("a", "https://one.example/", 0)
    assert not table.due("a", "https://two.example/", COOLDOWN - 1)
    assert table.due("a", "https://two.example/", COOLDOWN)


def test_it_remembers_so_many() -> None:
    table = Timetable(most=2)
    for key in ("a", "b", "c"):
        table.done(key, "", 0)
    assert [table.due(key, "", 1) for key in ("a", "b", "c")] == [True, False, False]
