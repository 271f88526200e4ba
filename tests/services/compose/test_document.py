"""What is YAML here, and what it may cost."""

from __future__ import annotations

import time

import pytest

from homeport.services.compose import ComposeRefused, read
from homeport.services.compose.document import MAX_BYTES, MAX_DEPTH, Mapping, Scalar, parse


def refusal(text: str) -> str:
    with pytest.raises(ComposeRefused) as refused:
        parse(text)
    assert refused.value.status == 422
    assert refused.value.code == "compose_refused"
    (violation,) = refused.value.violations
    return f"{violation.line}: {violation.reason}"


def test_a_duplicate_key_is_refused() -> None:  # apps G.7
    assert refusal("services:\n  web:\n    image: a\n    image: b") == "4: The key 'image' is there twice."
    assert "twice" in refusal("a: {1: x, '1': y}")


def test_an_alias_bomb_is_refused_quickly() -> None:  # apps G.7
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    before = time.thread_time()
    assert "values once its aliases are written out" in refusal("\n".join(lines))
    assert time.thread_time() - before < 2


def test_a_merge_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 {x: 1}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)]
    before = time.thread_time()
    assert "written out" in refusal("\n".join(lines))
    assert time.thread_time() - before < 2


def test_an_alias_inside_of_itself_is_refused() -> None:
    assert "written out" in refusal("a: &a [*a]")
    assert "written out" in refusal("a: &a {b: *a}")


def test_too_many_values_are_refused_before_they_are_built() -> None:
    before = time.thread_time()
    assert refusal("a: [" + "a," * 120_000 + "]") == "1: It has more than 20000 values."
    assert time.thread_time() - before < 1


def test_too_large_and_too_deep_are_refused() -> None:
    assert refusal("#" * (MAX_BYTES + 1)) == "None: It is larger than 256 KB."
    assert "deep" in refusal("a: " + "[" * (MAX_DEPTH + 1))
    assert "deep" in refusal("[" * 100_000)


@pytest.mark.parametrize("text", ["", "# nothing", "- a", "plain", "a: !!python/object:os.system x", "a: !reset []",
                                  "a: b\n---\nc: d", "a: [", "a: \t- x", "? [x]\n: y", "'': x", "a: \"\\0\"",
                                  'a: "\\ud800"',
                                  "\ud800: x", "<<: x", "<<: {}\n<<: {}", "a: *b", "a: \"\\U0011ffff\""])  # fmt: skip
def test_what_is_no_plain_mapping_is_refused(text: str) -> None:
    assert refusal(text)


def test_scalars_keep_their_text_and_old_words_for_true_are_text() -> None:
    tree = parse("a: 1.10\nb: yes\nc: 22:22\nd: 2026-99-99\ne: ~\nf: '~'\ng: 0o17")
    nodes = [node for node in tree.entries.values() if isinstance(node, Scalar)]
    assert [node.text for node in nodes] == ["1.10", "yes", "22:22", "2026-99-99", "~", "~", "0o17"]
    assert [node.is_null for node in nodes] == [False, False, False, False, True, False, False]
    assert nodes[1].truth is None


def test_a_merge_gives_way_to_own_keys_and_the_first_source_wins() -> None:
    tree = parse("x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2, a: 2}\nz:\n  <<: [*y, *x]\n  a: 0")
    merged = tree.entries["z"]
    assert isinstance(merged, Mapping)
    texts = {key: node.text for key, node in merged.entries.items() if isinstance(node, Scalar)}
    assert texts == {"a": "0", "b": "2", "c": "2"}
    assert (merged.at("a"), merged.at("b")) == (5, 2)


def test_a_document_at_the_limit_is_read_within_two_seconds() -> None:
    lines = ["services:", "  web:", "    image: nginx", "    environment:"]
    lines += [f"      NAME_{n}: {'v' * 1200}" for n in range(200)]
    text = "\n".join(lines)
    before = time.thread_time()
    assert len(read(text, {}).web.environment) == 200
    assert time.thread_time() - before < 2
