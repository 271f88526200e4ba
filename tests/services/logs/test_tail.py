"""The end of a log, read from its end."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from homeport.services.logs import LogEntry
from homeport.services.logs.files import FileLogs

if TYPE_CHECKING:
    from tests.services.logs.conftest import Writer


def texts(entries: list[LogEntry]) -> list[str]:
    return [entry.message for entry in entries]


async def test_a_service_without_logs_has_none(logs: FileLogs) -> None:
    assert await logs.tail("svc_1", lines=10) == []


async def test_the_last_lines_come_oldest_first(logs: FileLogs, writer: Writer) -> None:
    for number in range(20):
        writer.write("rel_1", str(number), second=number)
    entries = await logs.tail("svc_1", lines=3)
    assert texts(entries) == ["17", "18", "19"]
    assert entries[0] == LogEntry(writer.start + timedelta(seconds=17), "stdout", "17", "rel_1")


async def test_instances_are_merged_by_time(logs: FileLogs, writer: Writer) -> None:
    for second in range(0, 10, 2):
        writer.write("rel_1", f"old {second}", second=second)
    for second in range(5, 10, 2):
        writer.write("rel_2", f"new {second}", second=second)
    assert texts(await logs.tail("svc_1", lines=4)) == ["old 6", "new 7", "old 8", "new 9"]


async def test_only_lines_since_an_instant(logs: FileLogs, writer: Writer) -> None:
    for number in range(10):
        writer.write("rel_1", str(number), second=number)
    since = writer.start + timedelta(seconds=7)
    assert texts(await logs.tail("svc_1", lines=100, since=since)) == ["7", "8", "9"]
    assert texts(await logs.tail("svc_1", lines=2, since=since)) == ["8", "9"]


async def test_rotated_files_are_read_when_the_current_one_is_not_enough(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "a", second=1, age=".2")
    writer.write("rel_1", "b", second=2, age=".1")
    writer.write("rel_1", "c", second=3)
    assert texts(await logs.tail("svc_1", lines=100)) == ["a", "b", "c"]
    assert texts(await logs.tail("svc_1", lines=2)) == ["b", "c"]


async def test_lines_across_blocks_come_whole(logs: FileLogs, writer: Writer) -> None:
    long = [str(number) + "x" * 9000 for number in range(60)]
    for number, message in enumerate(long):
        writer.write("rel_1", message, second=number)
    assert texts(await logs.tail("svc_1", lines=50)) == long[-50:]
    assert texts(await logs.tail("svc_1", lines=100)) == long


async def test_a_line_that_is_still_being_written_is_left_out(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "whole")
    writer.raw("rel_1", b"2026-03-29T10:00:01.000000000Z stdout F ha")
    assert texts(await logs.tail("svc_1", lines=10)) == ["whole"]


async def test_what_is_no_log_line_is_left_out(logs: FileLogs, writer: Writer) -> None:
    writer.raw("rel_1", b"garbage\n\xff\xfe\n\n")
    writer.write("rel_1", "whole")
    assert texts(await logs.tail("svc_1", lines=10)) == ["whole"]


async def test_a_big_log_is_not_read_from_its_beginning(
    logs: FileLogs, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3000):
        writer.write("rel_1", f"{number} {'x' * 900}", second=number)
    read = []
    pread = os.pread

    def counting(fd: int, length: int, offset: int) -> bytes:
        read.append(length)
        return pread(fd, length, offset)

    monkeypatch.setattr("os.pread", counting)
    assert len(await logs.tail("svc_1", lines=10)) == 10
    assert sum(read) < 200_000


async def test_a_link_is_not_followed(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "ours")
    (writer.directory / "rel_2.log").symlink_to(writer.directory / "rel_1.log")
    assert texts(await logs.tail("svc_1", lines=10)) == ["ours"]


async def test_what_the_portal_says_stands_between(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "before")
    await logs.append("svc_1", "deploy started\nsecond line")
    entries = await logs.tail("svc_1", lines=10)
    assert texts(entries) == ["before", "deploy started", "second line"]
    assert (entries[1].stream, entries[1].instance) == ("system", "portal")


async def test_the_portals_own_log_is_bounded(logs: FileLogs, writer: Writer) -> None:
    for _ in range(300):
        await logs.append("svc_1", "x" * 20_000)
    sizes = [path.stat().st_size for path in writer.directory.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 20


async def test_a_forgotten_instance_has_no_lines(logs: FileLogs, writer: Writer) -> None:
    writer.write("rel_1", "a", age=".1")
    writer.write("rel_1", "b")
    await logs.forget("svc_1", "rel_1")
    assert await logs.tail("svc_1", lines=10) == []


@pytest.mark.parametrize("name", ["../svc_1", "", "a/b", "."])
async def test_a_name_that_is_a_path_is_refused(logs: FileLogs, name: str) -> None:
    with pytest.raises(ValueError, match="not a service id"):
        await logs.tail(name, lines=1)


def test_an_entry_is_made_into_text_once(writer: Writer) -> None:
    entry = LogEntry(writer.start + timedelta(microseconds=123456), "stderr", 'say "é"', "rel_1")
    assert json.loads(entry.json()) == {
        "timestamp": "2026-03-29T10:00:00.123Z",
        "stream": "stderr",
        "message": 'say "é"',
        "container": "rel_1",
    }
    assert entry.text() is entry.text()
    assert entry.text().encode() == entry.json()
