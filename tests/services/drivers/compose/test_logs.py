"""What containers print, in files: whole, once, in order and without secrets."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from homeport.services.drivers.compose.logs import positions
from homeport.testing.waiting import eventually
from homeport.wire.log_line import parse_line
from tests.services.drivers.compose.world import STEADY, ComposeWorld, one

COUNT = "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.02; done"


async def test_both_streams_are_kept_with_the_engines_time(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("web", "echo out; sleep 0.1; echo err >&2; exec sleep 1000")))
    await eventually(lambda: stacks.messages("rel_1") == ["out", "err"])
    lines = [parse_line(line) for line in stacks.log("rel_1").encode().splitlines()]
    assert [line.stream for line in lines if line] == ["stdout", "stderr"]


async def test_a_backing_service_has_a_log_of_its_own(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("cache", f"echo cached; {STEADY}"), one("web", STEADY)))
    await eventually(lambda: stacks.messages("cache") == ["cached"])


# apps G.6
async def test_secrets_are_masked_before_they_are_stored(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    told = one("web", f"echo token=$TOKEN.; {STEADY}", environment={"TOKEN": "hush-hush"})
    await driver.start(stacks.stack_spec("rel_1", told, secret="hush-hush"))
    await eventually(lambda: stacks.messages("rel_1") == ["token=••••••••."])


async def test_a_secret_that_lies_across_two_pieces_of_a_long_line_is_masked(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    script = "printf '%016380d' 0; echo hush-hush; exec sleep 1000"
    await driver.start(stacks.stack_spec("rel_1", one("web", script), secret="hush-hush"))
    await eventually(lambda: "••••••••" in stacks.log("rel_1"))
    assert "hush" not in stacks.log("rel_1")
    assert "".join(stacks.messages("rel_1")) == "0" * 16380 + "••••••••"


async def test_every_line_of_a_secret_of_several_lines_is_masked(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    told = one("web", 'echo "$KEY"; exec sleep 1000', environment={"KEY": "first-line\nsecond-line"})
    await driver.start(stacks.stack_spec("rel_1", told, secret="first-line\nsecond-line"))
    await eventually(lambda: stacks.messages("rel_1") == ["••••••••", "••••••••"])


async def test_after_a_portals_restart_nothing_is_lost_or_repeated(stacks: ComposeWorld) -> None:
    first = await stacks.driver()
    spec = stacks.stack_spec("rel_1", one("web", COUNT), secret="line 30")
    await first.start(spec)
    await eventually(lambda: len(stacks.messages("rel_1")) > 10)
    await first.close()
    await asyncio.sleep(0.7)
    second = await stacks.driver()
    before = len(stacks.messages("rel_1"))
    await second.start(spec)
    await eventually(lambda: len(stacks.messages("rel_1")) > before + 30)
    await second.stop("rel_1", timedelta(0))
    found = stacks.messages("rel_1")
    expected = [f"line {number}".replace("line 30", "••••••••") for number in range(len(found))]
    assert found == expected


async def test_the_last_words_are_kept_when_it_is_removed(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("web", "for i in 1 2 3; do echo $i; done; exec sleep 1000")))
    await eventually(lambda: "3" in stacks.said("hp-rel_1"))  # they were spoken
    await driver.remove("rel_1")
    assert stacks.messages("rel_1") == ["1", "2", "3"]


async def test_the_log_goes_on_over_a_crash(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("web", "echo born; sleep 0.3; exit 1")))
    await eventually(lambda: len(stacks.messages("rel_1")) >= 3)


async def test_a_line_that_is_too_long_comes_in_parts(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(
        stacks.stack_spec("rel_1", one("web", "head -c 40000 /dev/zero | cat -v; echo end; exec sleep 1000"))
    )
    await eventually(lambda: "end" in stacks.log("rel_1"))
    lines = [parse_line(line) for line in stacks.log("rel_1").encode().splitlines()]
    assert [line.partial for line in lines if line][:2] == [True, True]


async def test_a_terminals_output_is_kept_too(stacks: ComposeWorld) -> None:
    driver = await stacks.driver()
    await driver.start(stacks.stack_spec("rel_1", one("web", f"echo typed; {STEADY}", tty=True)))
    await eventually(lambda: stacks.messages("rel_1") == ["typed"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {b"stdout": 0, b"stderr": 0}),
        ("1970-01-01T00:00:01.5Z stdout F a\n1970-01-01T00:00:02.000000001Z stderr F b\n",
         {b"stdout": 1_500_000_000, b"stderr": 2_000_000_001}),
        ("1970-01-01T00:00:03Z stdout F a\n1970-01-01T00:00:04Z stdout F b\ntorn",
         {b"stdout": 4_000_000_000, b"stderr": 2_999_999_999}),
    ],
)  # fmt: skip
def test_where_a_log_stopped_is_read_from_its_end(tmp_path: Path, text: str, expected: dict[bytes, int]) -> None:
    (tmp_path / "a.log").write_text(text)
    assert positions(tmp_path / "a.log") == expected
