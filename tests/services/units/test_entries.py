"""The journal's output becomes entries, wherever the bytes are cut."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from homeport.services.units.entries import LONGEST_LINE, JournalEntry, JournalLines, read_line

SEED = (
    'hostname nginx[1234]: 203.0.113.42 - - [13/Mar/2026:14:30:45 +0000] "GET /api/health HTTP/1.1" 200 32'
)  # fmt: skip


def line(message: object, **more: object) -> bytes:
    fields = {"_HOSTNAME": "hostname", "SYSLOG_IDENTIFIER": "nginx", "_PID": "1234", "MESSAGE": message}
    return json.dumps({"__REALTIME_TIMESTAMP": "1773412245123456", **fields, **more}).encode()


def test_an_entry_is_the_frame_of_the_seed() -> None:  # H03
    entry = read_line(line(SEED.partition(": ")[2]))
    assert entry is not None
    assert json.loads(entry.text()) == {"timestamp": "2026-03-13T14:30:45+0000", "message": SEED}


def test_what_has_no_time_is_shown_as_it_is() -> None:  # H03
    assert read_line(b"-- Boot 31f5a17d --") == JournalEntry("", "-- Boot 31f5a17d --")
    assert read_line(b"{ not json") == JournalEntry("", "{ not json")
    assert read_line(b"  ") is None


def test_short_iso_lines_are_understood_too() -> None:  # H03
    assert read_line(b"2026-03-13T14:30:45+01:00  h p[1]: a  b") == JournalEntry(
        "2026-03-13T14:30:45+01:00", "h p[1]: a  b"
    )


def test_bytes_repeated_fields_and_missing_ones_are_understood() -> None:  # host F7
    assert _message(line(list("grün \x1b[1m".encode()))) == "hostname nginx[1234]: grün \x1b[1m"
    assert _message(line(["one", "two"])) == "hostname nginx[1234]: one\ntwo"
    assert _message(line(None, _PID=None, SYSLOG_IDENTIFIER=None, _COMM="sh")) == "hostname sh: "
    assert _message(line([255, 65])) == "hostname nginx[1234]: \ufffdA"


def test_an_entry_without_end_does_not_fill_the_memory() -> None:  # host F9
    lines = JournalLines()
    found = [entry for _ in range(100) for entry in lines.receive(b"x" * 65536)]
    assert len(found) == 1
    assert "left out" in found[0].message
    assert len(lines._rest) <= LONGEST_LINE
    assert [entry.message for entry in lines.receive(b"rest\nnext\n")] == ["next"]


@given(st.lists(st.text(max_size=20), max_size=8), st.data())
def test_however_the_bytes_are_cut_the_same_entries_come(messages: list[str], data: st.DataObject) -> None:  # host F7
    stream = b"\n".join(
        json.dumps({"MESSAGE": message, "_HOSTNAME": "h"}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        for message in messages
    )
    whole = JournalLines()
    expected = [*whole.receive(stream), *whole.end()]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    cut = JournalLines()
    found = [entry for piece in pieces for entry in cut.receive(piece)] + list(cut.end())
    assert found == expected


def _message(raw: bytes) -> str:
    entry = read_line(raw)
    assert entry is not None
    return entry.message
