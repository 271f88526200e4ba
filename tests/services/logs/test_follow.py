"""A log as it grows, seen by one viewer and by many."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from homeport.services.logs import LogEntry, Skipped
from homeport.services.logs.files import FileLogs
from homeport.services.logs.viewer import CAPACITY, Viewer
from homeport.testing.waiting import eventually, within

if TYPE_CHECKING:
    from tests.services.logs.conftest import Writer


async def take(viewer: AsyncIterator[LogEntry | Skipped], count: int) -> list[str]:
    found = []
    async with asyncio.timeout(10):
        async for entry in viewer:
            assert isinstance(entry, LogEntry)
            found.append(entry.message)
            if len(found) == count:
                break
    return found


async def test_the_tail_comes_first_and_then_every_new_line(logs: FileLogs, writer: Writer) -> None:
    for number in range(5):
        writer.write("rel_1", str(number), second=number)
    async with logs.follow("svc_1", lines=2) as viewer:
        assert await take(viewer, 2) == ["3", "4"]
        writer.write("rel_1", "5", second=5)
        writer.write("rel_1", "6", second=6)
        assert await take(viewer, 2) == ["5", "6"]


async def test_a_new_line_comes_at_once(logs: FileLogs, writer: Writer) -> None:
    async with logs.follow("svc_1", lines=0) as viewer:
        writer.write("rel_1", "now")
        await within(0.5, take(viewer, 1))


async def test_a_service_without_logs_can_be_followed_from_its_first_line(logs: FileLogs, writer: Writer) -> None:
    async with logs.follow("svc_1", lines=100) as viewer:
        await asyncio.sleep(0.1)
        writer.write("rel_1", "first")
        assert await take(viewer, 1) == ["first"]


async def test_a_new_instance_is_followed_from_its_first_line(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "old")
    async with logs.follow("svc_1", lines=0) as viewer:
        writer.write("rel_2", "new", second=1)
        assert await take(viewer, 1) == ["new"]


async def test_since_bounds_the_tail(logs: FileLogs, writer: Writer) -> None:
    for number in range(5):
        writer.write("rel_1", str(number), second=number)
    async with logs.follow("svc_1", lines=100, since=writer.start + timedelta(seconds=3)) as viewer:
        assert await take(viewer, 2) == ["3", "4"]


async def test_a_line_written_in_pieces_comes_once_and_whole(logs: FileLogs, writer: Writer) -> None:
    writer.raw("rel_1", b"2026-03-29T10:00:01.000000000Z stdout F ha")
    async with logs.follow("svc_1", lines=10) as viewer:
        await asyncio.sleep(0.1)
        writer.raw("rel_1", b"lf")
        await asyncio.sleep(0.1)
        writer.raw("rel_1", b" and whole\n")
        assert await take(viewer, 1) == ["half and whole"]


async def test_rotation_loses_and_repeats_nothing(logs: FileLogs, writer: Writer) -> None:
    log = writer.supervisor("rel_1", 20_000)
    async with logs.follow("svc_1", lines=0) as viewer:
        for number in range(2000):
            log.write(b"stdout", [(b"F", b"%d %b" % (number, b"x" * 80))])
            if number % 50 == 0:
                await asyncio.sleep(0.02)
            if number % 100 == 99:
                got = await take(viewer, 100)
                assert [int(text.split()[0]) for text in got] == list(range(number - 99, number + 1))
    log.close()


@pytest.mark.parametrize("capacity", [CAPACITY, 1_000_000])
@pytest.mark.parametrize("lines", [10, 5000])
async def test_between_tail_and_follow_there_is_no_gap_and_no_repeat(writer: Writer, lines: int, capacity: int) -> None:
    logs = FileLogs(writer.directory.parent.parent, capacity=capacity)
    # While a tail is read from the files, more may be written than waits for one viewer: it is told so once.
    allowed = 1 if lines == 5000 and capacity == CAPACITY else 0
    log = writer.supervisor("rel_1", 1 << 20)
    stop = asyncio.Event()
    written = 0

    async def write() -> None:
        nonlocal written
        while not stop.is_set():
            log.write(b"stdout", [(b"F", b"%d" % (written + step)) for step in range(20)])
            written += 20
            await asyncio.sleep(0.001)

    async def view(delay: float) -> None:
        await asyncio.sleep(delay)
        async with logs.follow("svc_1", lines=lines) as viewer:
            wanted, taken, gaps, expected = min(lines, written) + 200, 0, 0, None
            async with asyncio.timeout(10):
                async for entry in viewer:
                    if isinstance(entry, Skipped):
                        gaps += 1
                        assert gaps <= allowed
                        assert expected is not None, "what was skipped stands before the tail"
                        expected += entry.lines
                        continue
                    number = int(entry.message)
                    assert expected in (None, number)
                    taken, expected = taken + 1, number + 1
                    if taken == wanted:
                        break
            assert taken == wanted

    writing = asyncio.create_task(write(), name="write")
    await asyncio.gather(*(view(0.1 + 0.03 * number) for number in range(20)))
    stop.set()
    await writing
    log.close()


async def test_there_is_one_reader_however_many_viewers_and_none_after_the_last(logs: FileLogs, writer: Writer) -> None:
    def followers() -> int:
        return len([task for task in asyncio.all_tasks() if task.get_name().startswith("log feed: follow")])

    writer.write("rel_1", "a")
    async with logs.follow("svc_1", lines=1), logs.follow("svc_1", lines=1):
        assert followers() == 1
    assert followers() == 0
    async with logs.follow("svc_1", lines=1) as again:
        assert await take(again, 1) == ["a"]


async def test_all_viewers_share_each_entry(logs: FileLogs, writer: Writer) -> None:
    async with logs.follow("svc_1", lines=0) as first, logs.follow("svc_1", lines=0) as second:
        writer.write("rel_1", "a")
        assert await anext(first) is await anext(second)


async def test_the_last_viewer_leaves_no_open_file(logs: FileLogs, writer: Writer) -> None:
    def opened() -> int:
        found = 0
        for link in Path("/proc/self/fd").iterdir():
            try:
                found += str(link.readlink()).startswith(str(writer.directory))
            except FileNotFoundError:
                continue
        return found

    writer.write("rel_1", "a")
    async with logs.follow("svc_1", lines=1):
        assert opened() >= 1
    assert opened() == 0


async def test_a_slow_viewer_is_told_what_it_missed_and_the_others_miss_nothing(logs: FileLogs, writer: Writer) -> None:
    log = writer.supervisor("rel_1", 1 << 20)
    async with logs.follow("svc_1", lines=0) as slow, logs.follow("svc_1", lines=0) as quick:
        for block in range(0, 1000, 50):
            log.write(b"stdout", [(b"F", b"%d" % (block + step)) for step in range(50)])
            assert await take(quick, 50) == [str(block + step) for step in range(50)]
        seen: list[LogEntry | Skipped] = await slow.batch()
        log.write(b"stdout", [(b"F", b"last")])
        while not (seen and isinstance(seen[-1], LogEntry) and seen[-1].message == "last"):
            seen += await slow.batch()
    log.close()
    assert [entry.message for entry in seen[:100] if isinstance(entry, LogEntry)] == [str(n) for n in range(100)]
    assert seen[100] == Skipped(900)
    assert len(seen) == 102


async def test_a_viewer_that_keeps_up_misses_nothing_of_a_burst(writer: Writer) -> None:
    logs = FileLogs(writer.directory.parent.parent)
    log = writer.supervisor("rel_1", 1 << 20)
    async with logs.follow("svc_1", lines=0) as viewer:
        log.write(b"stdout", [(b"F", b"%d" % number) for number in range(5000)])
        assert await take(viewer, 5000) == [str(number) for number in range(5000)]
    log.close()


async def test_the_removal_of_a_service_ends_its_viewers(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "a")
    async with logs.follow("svc_1", lines=1) as viewer:
        shutil.rmtree(writer.directory)
        async with asyncio.timeout(5):
            assert [entry async for entry in viewer if isinstance(entry, LogEntry)]
        assert await viewer.batch() == []


async def test_a_forgotten_instance_does_not_disturb_the_others(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "a")
    writer.write("rel_2", "b")
    async with logs.follow("svc_1", lines=0) as viewer:
        await logs.forget("svc_1", "rel_1")
        await asyncio.sleep(0.1)
        writer.write("rel_2", "c")
        assert await take(viewer, 1) == ["c"]


async def test_close_ends_the_viewers(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "a")
    async with logs.follow("svc_1", lines=0) as viewer:
        waiting = asyncio.create_task(viewer.batch(), name="wait")
        await asyncio.sleep(0.05)
        await logs.close()
        assert await waiting == []


async def test_a_viewer_that_is_cancelled_frees_its_place(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "a")

    async def view() -> None:
        async with logs.follow("svc_1", lines=0) as viewer:
            async for _ in viewer:
                pass

    task = asyncio.create_task(view(), name="view")
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await eventually(lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith("log feed")])


async def test_a_full_queue_speaks_again_only_when_half_of_it_was_read(writer: Writer) -> None:
    viewer = Viewer[LogEntry | Skipped](Skipped, capacity=4)
    entries = [LogEntry(writer.start, "stdout", str(number)) for number in range(20)]
    viewer.push(entries[:6])
    assert isinstance(await anext(viewer), LogEntry)
    viewer.push(entries[6:8])
    assert isinstance(await anext(viewer), LogEntry)
    viewer.push(entries[8:9])
    rest = [await anext(viewer) for _ in range(4)]
    assert rest == [entries[2], entries[3], Skipped(4), entries[8]]


async def test_a_gap_at_the_end_is_told_without_waiting_for_more(writer: Writer) -> None:
    viewer = Viewer[LogEntry | Skipped](Skipped, capacity=2)
    viewer.push([LogEntry(writer.start, "stdout", str(number)) for number in range(5)])
    assert [await anext(viewer) for _ in range(3)][-1] == Skipped(3)
