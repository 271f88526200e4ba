"""A file under a passphrase: whole, unchanged and with the right words, or not at all."""

from __future__ import annotations

import io
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeport.kit import sealed_file
from homeport.kit.sealed_file import CHUNK, FileDamaged, NotSealed, PassphraseWrong, SealedReader, SealedWriter

WORDS = "correct horse battery staple"


def sealed(data: bytes, words: str = WORDS) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, words)
    writer.write(data)
    writer.finish()
    return file.getvalue()


def opened(data: bytes, words: str = WORDS) -> bytes:
    return SealedReader(io.BytesIO(data), words).read()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_sealed_opens(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert opened(sealed(data[:size])) == data[:size]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20), st.integers(1, 300))
def test_however_it_is_written_and_read_the_same_comes_out(parts: list[bytes], step: int) -> None:
    file = io.BytesIO()
    writer = SealedWriter(file, WORDS)
    for part in parts:
        writer.write(part)
    writer.finish()
    reader = SealedReader(io.BytesIO(file.getvalue()), WORDS)
    found = bytearray()
    while part := reader.read(step):
        assert len(part) <= step
        found += part
    assert bytes(found) == b"".join(parts)


def test_the_same_content_never_looks_the_same_twice() -> None:
    assert sealed(b"a") != sealed(b"a")
    assert b"hunter2" not in sealed(b"hunter2")


def test_another_passphrase_does_not_open_it() -> None:
    with pytest.raises(PassphraseWrong):
        opened(sealed(b"a secret"), "correct horse battery stable")


def test_every_changed_byte_is_found() -> None:
    data = sealed(b"a secret")
    for position in range(0, len(data), 7):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises((FileDamaged, NotSealed, PassphraseWrong)):
            opened(bytes(changed))


@pytest.mark.parametrize("lost", [1, 16, 17, CHUNK, CHUNK + 16, CHUNK + 17])
def test_a_cut_file_is_found(lost: int) -> None:
    data = sealed(bytes(2 * CHUNK + 5))
    with pytest.raises(FileDamaged):
        opened(data[:-lost])


def test_a_file_cut_between_two_chunks_is_found() -> None:
    data = sealed(bytes(2 * CHUNK))
    with pytest.raises(FileDamaged):
        opened(data[: -(CHUNK + 16)])


def test_something_put_behind_the_end_is_found() -> None:
    with pytest.raises(FileDamaged):
        opened(sealed(b"a") + b"more")


def test_chunks_in_another_order_are_found() -> None:
    data = sealed(bytes(CHUNK) + b"\1" * CHUNK + b"end")
    head = data.index(b"\n", len(sealed_file.MAGIC)) + 1
    one, other = data[head : head + CHUNK + 16], data[head + CHUNK + 16 : head + 2 * (CHUNK + 16)]
    with pytest.raises(FileDamaged):
        opened(data[:head] + other + one + data[head + 2 * (CHUNK + 16) :])


def test_damage_in_the_middle_gives_nothing_of_the_damaged_chunk() -> None:
    data = bytearray(sealed(b"a" * CHUNK + b"b" * CHUNK))
    data[-20] ^= 1
    reader = SealedReader(io.BytesIO(bytes(data)), WORDS)
    assert reader.read(CHUNK) == b"a" * CHUNK
    with pytest.raises(FileDamaged, match="1 MB from its beginning"):
        reader.read(1)


@pytest.mark.parametrize(
    "data", [b"", b"PK\3\4", sealed_file.MAGIC, sealed_file.MAGIC + b"{}\n", b"homeport backup 2\n{}"]
)
def test_another_kind_of_file_is_said_to_be_one(data: bytes) -> None:
    with pytest.raises(NotSealed):
        opened(data)


@pytest.mark.parametrize("name", ["time", "memory_kib", "lanes", "chunk"])
def test_a_head_that_asks_for_the_whole_machine_is_refused(name: str) -> None:
    head, _, rest = sealed(b"a")[len(sealed_file.MAGIC) :].partition(b"\n")
    changed = json.dumps({**json.loads(head), name: 1 << 40}).encode()
    with pytest.raises(NotSealed):
        opened(sealed_file.MAGIC + changed + b"\n" + rest)


def test_memory_stays_bounded_however_large_the_file() -> None:
    class Sink(io.RawIOBase):
        def write(self, data: object) -> int:
            return len(data)  # type: ignore[arg-type]

    writer = SealedWriter(Sink(), WORDS)  # type: ignore[arg-type]  # it only writes
    block = bytes(1 << 16)
    tracemalloc.start()
    for _ in range(1000):
        writer.write(block)
    writer.finish()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * CHUNK
