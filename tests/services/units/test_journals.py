"""Journals of a real journald, and readers that misbehave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from homeport.kit.clock import SystemClock
from homeport.services.units import Tools
from homeport.services.units.entries import JournalEntry
from homeport.services.units.journals import Following, Journals
from homeport.services.units.problems import JournalUnavailable
from homeport.services.units.reader import Ending
from homeport.testing.systemd import SystemdHost
from tests.services.units.conftest import say

PATIENCE = 10


def journals_of(folder: Path, program: str) -> Journals:
    """Journals whose journalctl is `program`."""
    path = folder / "tool"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    return Journals(Tools((str(path),), elevate=()), SystemClock())


async def everything(journals: Journals) -> tuple[list[str], Ending]:
    async with asyncio.timeout(PATIENCE), journals.follow("web") as following:
        return [entry.message async for entry in following], following.ending


async def until_marked(following: Following, mark: str) -> list[JournalEntry]:
    """Everything up to the entry that ends with `mark`."""
    found = []
    async with asyncio.timeout(PATIENCE):
        async for entry in following:
            found.append(entry)
            if entry.message.endswith(mark):
                break
    return found


async def test_a_reader_that_ends_by_itself_ends_the_stream_as_normal(tmp_path: Path) -> None:  # H03
    messages, ending = await everything(journals_of(tmp_path, "echo one; printf two"))
    assert messages == ["one", "two"]  # also the last line, which has no newline: host F7
    assert (ending.code, ending.reason, ending.message) == (1000, "Log stream ended", "[Log stream ended]")


async def test_a_reader_that_fails_at_its_start_is_1011(tmp_path: Path) -> None:  # H03, host F2, F3
    _, ending = await everything(journals_of(tmp_path, "echo 'No permission.' >&2; exit 1"))
    assert (ending.code, ending.reason) == (1011, "Failed to spawn journalctl")
    assert ending.message == "[Error: Failed to start log stream for web]"


async def test_a_reader_that_is_not_there_is_1011(tmp_path: Path) -> None:  # H03, host F3
    journals = Journals(Tools((str(tmp_path / "nothing"),), elevate=()), SystemClock())
    _, ending = await everything(journals)
    assert ending.code == 1011
    with pytest.raises(JournalUnavailable):
        await journals.tail("web", lines=10)


async def test_a_reader_that_ignores_sigterm_is_killed(  # H03
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.services.units.reader.KILL_AFTER", 0.3)
    journals = journals_of(tmp_path, f"trap '' TERM; echo $$ >{tmp_path}/pid; echo up; while :; do sleep 1; done")
    async with asyncio.timeout(PATIENCE), journals.follow("web") as following:
        assert (await anext(aiter(following))).message == "up"
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


async def test_a_viewer_who_asks_for_more_than_is_kept_gets_it_without_gap_or_repeat(  # H03
    host: SystemdHost,
) -> None:
    journals = Journals(Tools(host.tools, elevate=()), SystemClock())
    say(host, *(f"deep {number}" for number in range(300)))
    async with journals.follow("talker", lines=250) as following:
        say(host, "deep 300", "deep 301")
        found = await until_marked(following, "deep 301")
    assert [entry.message.partition(": ")[2] for entry in found] == [f"deep {number}" for number in range(50, 302)]
    await journals.close()


async def test_a_reader_that_is_slow_to_begin_tells_no_more_of_the_past_than_was_asked_for(  # H03
    host: SystemdHost, tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    slow.write_text('#!/bin/sh\ncase "$*" in *" -f "*) sleep 1;; esac\nexec "$@"\n')
    slow.chmod(0o755)
    journals = Journals(Tools((str(slow), *host.tools), elevate=()), SystemClock())
    say(host, *(f"slow {number}" for number in range(5)))
    async with journals.follow("talker", lines=2) as following:
        say(host, "slow 5")
        found = await until_marked(following, "slow 5")
    assert [entry.message.partition(": ")[2] for entry in found] == ["slow 3", "slow 4", "slow 5"]
    async with journals.follow("talker", lines=1, grep="slow") as following:
        say(host, "another", "slow 6")
        found = await until_marked(following, "slow 6")
    assert [entry.message.partition(": ")[2] for entry in found] == ["slow 5", "slow 6"]
    await journals.close()


async def test_one_viewer_after_the_other_shares_what_is_kept(host: SystemdHost) -> None:  # host F10
    journals = Journals(Tools(host.tools, elevate=()), SystemClock())
    say(host, "shared 1", "shared 2")
    async with journals.follow("talker") as first:
        await until_marked(first, "shared 2")
        async with journals.follow("talker", lines=1) as second:
            assert len(await until_marked(second, "shared 2")) == 1
    await journals.close()
