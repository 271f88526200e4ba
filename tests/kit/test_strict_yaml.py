"""YAML without its traps."""

from __future__ import annotations

import time

import pytest

from homeport.kit.strict_yaml import YamlRefused, load_yaml


def test_plain_yaml_is_read() -> None:
    assert load_yaml("a: 1\nb: [x, 'y']\nc: {d: true}\n") == {"a": 1, "b": ["x", "y"], "c": {"d": True}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "Line 4: the key 'c' is there twice"),
        ("a: &x [1]\nb: *x\n", "anchors and aliases"),
        ("a: &x {k: 1}\nb: {<<: *x}\n", "anchors and aliases"),
        ("a: !!python/object/apply:os.system [id]\n", "tags are not accepted"),
        ("a: !env HOME\n", "tags are not accepted"),
        ("1: a\n", "the key 1 is not text"),
        ("a: [1\n", "Line 2"),
        ("a: 2026-99-99\n", "cannot be read"),
        ("a: " + "[" * 40 + "]" * 40, "nested more than 30 deep"),
        ("a: " + "x" * 300_000, "larger than 256 KB"),
        ("a: 1\n---\nb: 2\n", "another document"),
    ],
)
def test_traps_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(YamlRefused, match=reason):
        load_yaml(text)


def test_an_alias_bomb_is_refused_at_once() -> None:
    levels = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    levels += [
        f"{now}: &{now} [{','.join([f'*{before}'] * 9)}]" for before, now in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    started = time.thread_time()
    with pytest.raises(YamlRefused, match="anchors"):
        load_yaml("\n".join(levels))
    assert time.thread_time() - started < 1


def test_deep_nesting_breaks_nothing() -> None:
    with pytest.raises(YamlRefused):
        load_yaml("[" * 100_000)
