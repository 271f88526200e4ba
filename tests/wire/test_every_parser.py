"""Every parser of the wire package: cut anyhow the same comes out, and no input breaks, stops or fills one.

A parser that is not in the table (tests/wire/parsers.py) fails the first test here.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import random
import time
import types
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import homeport.wire
from tests.wire.parsers import LONGEST_INPUT, PARSERS, PIECE, Parser

FUZZED_INPUTS = 1500  # for each parser, the same on every run
CPU_SECONDS_AN_INPUT = 3.0  # a thousand times what any needs: what is caught is a hang, or work that grows by squares
FIRST_WORDS = ("parse", "read", "decode", "recover", "check", "is_")
STRANGE = (b"\xff\xff", b"\0\0", b"\x7f\xff", b"\r\n", b"\n\n", b"\\u", b"9" * 20)

each_parser = pytest.mark.parametrize("parser", PARSERS, ids=[parser.name for parser in PARSERS])


def parsers_of(module: types.ModuleType) -> set[object]:
    """What reads bytes or text of others: machines called …Reader or …Machine, functions by their first word."""
    found: set[object] = set()
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", "") != module.__name__:
            continue
        if inspect.isclass(thing) and name.endswith(("Reader", "Parser", "Machine", "Decoder")):
            found.add(thing)
        if inspect.isfunction(thing) and name.startswith(FIRST_WORDS):
            found.add(thing)
    return found


def test_every_parser_of_the_wire_package_is_in_the_table() -> None:
    covered = {thing for parser in PARSERS for thing in parser.covers}
    for info in pkgutil.walk_packages(homeport.wire.__path__, "homeport.wire."):
        module = importlib.import_module(info.name)
        found = parsers_of(module)
        missing = {getattr(thing, "__qualname__", "?") for thing in found - covered}
        assert not missing, f"{info.name} has parsers without an entry here: {missing}"
        assert found or info.ispkg, f"{info.name} has no parser that can be recognised by its name"


def held_by(thing: object, seen: set[int] | None = None) -> int:
    """Bytes in everything that a machine keeps, its suspended generators included."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, (bytes, bytearray, str, memoryview)):
        return len(thing)
    inner: list[object] = []
    if isinstance(thing, dict):
        inner = [*thing.keys(), *thing.values()]
    elif isinstance(thing, (list, tuple, set, frozenset)):
        inner = list(thing)
    elif isinstance(thing, types.GeneratorType):
        inner = [*(thing.gi_frame.f_locals.values() if thing.gi_frame else ()), thing.gi_yieldfrom]
    elif type(thing).__module__.startswith("homeport."):
        slots = (name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ()))
        inner = [getattr(thing, name, None) for name in slots] + list(getattr(thing, "__dict__", {}).values())
    return sum(held_by(one, seen) for one in inner)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """In pieces of at most PIECE bytes that end at `places`."""
    ends = sorted({*(place % (len(data) + 1) for place in places), *range(0, len(data), PIECE), len(data)} - {0})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def ignore(_machine: object) -> None:
    return


def mutations(examples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Good inputs, good ones with a hole or a strange byte in them, two after each other, and noise."""
    good = st.sampled_from(examples)
    bent = st.builds(
        lambda data, at, new, gone: data[: at % (len(data) + 1)] + new + data[at % (len(data) + 1) + gone :],
        good, st.integers(0, 4000), st.binary(max_size=4), st.integers(0, 6),
    )  # fmt: skip
    return st.one_of(good, bent, st.builds(bytes.__add__, bent, good), st.binary(max_size=300))


@each_parser
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_however_the_bytes_are_cut_the_same_comes_out(parser: Parser, data: st.DataObject) -> None:
    message = data.draw(mutations(parser.examples))
    places = data.draw(st.lists(st.integers(0, 4000), max_size=12))
    whole = parser.feed([message], ignore)
    assert parser.feed(cut(message, places), ignore) == whole
    assert parser.feed([bytes([byte]) for byte in message], ignore) == whole


@pytest.fixture(scope="module", autouse=True)
def _nothing_of_others_is_collected() -> Iterator[None]:
    """What other tests left on the heap is looked through on nobody's time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def inputs(parser: Parser) -> Iterator[tuple[bytes, list[bytes]]]:
    """The same on every run: an input, and the pieces it comes in."""
    for number in range(FUZZED_INPUTS):
        chance = random.Random(f"{parser.name} {number}")  # reproducible, not secret
        data = bytearray(chance.choice(parser.examples))
        for _ in range(chance.choice((0, 1, 1, 2, 4, 16))):
            at = chance.randrange(len(data) + 1)
            match chance.randrange(7):
                case 0:
                    data[at : at + 1] = chance.randbytes(1)
                case 1:
                    data[at:at] = chance.randbytes(chance.randrange(1, 9))
                case 2:
                    del data[at : at + chance.randrange(1, 33)]
                case 3:
                    data[at:at] = bytes(data[at : at + chance.randrange(1, 64)]) * chance.choice((1, 2, 50))
                case 4:
                    data[at:] = chance.choice(parser.examples)[chance.randrange(40) :]
                case 5:
                    data[at : at + 2] = chance.choice(
                        (b"\xff\xff", b"\0\0", b"\x7f\xff", b"\r\n", b"\n\n", b"\\u", b"9" * 20)
                    )
                case 6:
                    data[at:at] = bytes([chance.randrange(256)]) * chance.choice((30, 3000, 20000))
        whole = bytes(data[:LONGEST_INPUT])
        yield whole, cut(whole, [chance.randrange(len(whole) + 1) for _ in range(chance.randrange(6))])


@each_parser
def test_no_input_breaks_stops_or_fills_it(parser: Parser) -> None:
    most = 0

    def look(machine: object) -> None:
        nonlocal most
        most = max(most, held_by(machine))

    for whole, pieces in inputs(parser):
        began = time.thread_time()
        parser.feed(pieces, look)
        spent = time.thread_time() - began
        assert spent < CPU_SECONDS_AN_INPUT, f"{spent:.1f} s for {len(whole)} bytes: {whole[:200]!r}"
        assert most <= parser.holds, f"holds {most} bytes after {whole[:200]!r}"


@each_parser
@pytest.mark.parametrize("filler", [b"a", b"\0", b"\xff", b"\n", b"[", b"9", b" "])
def test_endless_input_neither_fills_nor_occupies_it(parser: Parser, filler: bytes) -> None:
    most = 0

    def look(machine: object) -> None:
        nonlocal most
        most = max(most, held_by(machine))

    for example in parser.examples:
        began = time.thread_time()
        parser.feed(cut(example[: len(example) * 2 // 3] + filler * (256 * 1024), []), look)
        assert time.thread_time() - began < CPU_SECONDS_AN_INPUT
        assert most <= parser.holds
