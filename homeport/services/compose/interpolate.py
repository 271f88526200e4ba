"""Variables in a document: filled in after parsing, from the variables handed in and from nothing else.

`${NAME}`, `$NAME`, `${NAME:-d}`, `${NAME-d}`, `${NAME:?e}`, `${NAME?e}`, `${NAME:+x}`, `${NAME+x}` and `$$`. The
portal's own environment is never looked at, and a value can add neither keys nor further variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Map

from homeport.services.compose.document import Mapping, Node, Scalar, Sequence
from homeport.services.compose.problems import Findings

MAX_FILLED = 1024 * 1024  # characters of all values that hold a variable
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_OPERATOR = re.compile(r":?[-?+]")
_MAX_NESTED = 8


class Unfilled(Exception):
    """A value that cannot be filled in; the message says why and names no value."""


def fill(tree: Mapping, variables: Map[str, str], findings: Findings) -> Mapping:
    """The tree with its variables filled in; what cannot be is a violation and keeps its text."""
    return _Filling(variables, findings).mapping(tree, "")


def names(tree: Mapping) -> tuple[str, ...]:
    """The variables that a document asks for, in the order in which they stand there."""
    seen: dict[str, None] = {}
    for text in (text for key, value in tree.entries.items() if not is_extension(key) for text in _texts(value)):
        for name in _asked(text, 0):
            seen.setdefault(name)
    return tuple(seen)


def substitute(text: str, variables: Map[str, str], depth: int = 0) -> str:
    """One text with its variables filled in. Raises Unfilled."""
    if depth > _MAX_NESTED:
        raise Unfilled(f"holds variables nested more than {_MAX_NESTED} deep")
    return "".join(part if isinstance(part, str) else _value(part, variables, depth) for part in _parts(text))


def is_extension(key: str) -> bool:
    """Keys that begin with `x-` mean nothing by themselves; documents keep anchors there."""
    return key.startswith("x-")


class _Filling:
    def __init__(self, variables: Map[str, str], findings: Findings) -> None:
        self._variables = variables
        self._findings = findings
        self._room = MAX_FILLED

    def _node(self, node: Node, path: str) -> Node:
        if isinstance(node, Mapping):
            return self.mapping(node, path)
        if isinstance(node, Sequence):
            return Sequence(tuple(self._node(item, f"{path}[{i}]") for i, item in enumerate(node.items)), node.line)
        if "$" not in node.text:
            return node
        try:
            text = substitute(node.text, self._variables)
            self._room -= len(text)
            if self._room < 0:
                raise Unfilled(f"makes the document larger than {MAX_FILLED // 1024} KB with its variables filled in")
            if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
                raise Unfilled("gets a NUL character or half of a character from a variable")
        except Unfilled as why:
            self._findings.refuse(path, f"It {why}.", node.line)
            return Scalar(node.text, node.line, False, node.text, unfilled=True)
        return Scalar(text, node.line, False, node.text)

    def mapping(self, node: Mapping, path: str) -> Mapping:
        entries = {
            key: self._node(value, f"{path}.{key}" if path else key)
            for key, value in node.entries.items()
            if path or not is_extension(key)
        }
        return Mapping(entries, node.line, node.key_lines)


class _Variable:
    __slots__ = ("name", "operator", "rest")

    def __init__(self, name: str, operator: str = "", rest: str = "") -> None:
        self.name, self.operator, self.rest = name, operator, rest


def _parts(text: str) -> Iterator[str | _Variable]:
    """Text and variables in turn. Raises Unfilled for a `$` that is neither."""
    at = 0
    while True:
        dollar = text.find("$", at)
        if dollar < 0:
            yield text[at:]
            return
        yield text[at:dollar]
        after = text[dollar + 1 : dollar + 2]
        if after == "$":
            yield "$"
            at = dollar + 2
        elif after == "{":
            end = _closing(text, dollar + 2)
            yield _braced(text[dollar + 2 : end])
            at = end + 1
        else:
            bare = _NAME.match(text, dollar + 1)
            if bare is None:
                raise Unfilled("holds a `$` that begins no variable: write `$$` for a dollar sign")
            yield _Variable(bare.group())
            at = bare.end()


def _closing(text: str, at: int) -> int:
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth += 1
            at += 2
            continue
        if text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise Unfilled("holds a `${` without its `}`")


def _braced(inside: str) -> _Variable:
    name = _NAME.match(inside)
    if name is None:
        raise Unfilled("holds `${…}` without the name of a variable: letters, digits and _")
    rest = inside[name.end() :]
    if not rest:
        return _Variable(name.group())
    operator = _OPERATOR.match(rest)
    if operator is None:
        raise Unfilled(f"holds ${{{name.group()}…}} in a form that is not known")
    return _Variable(name.group(), operator.group(), rest[operator.end() :])


def _value(one: _Variable, variables: Map[str, str], depth: int) -> str:
    value = variables.get(one.name)
    there = value is not None and (value != "" or not one.operator.startswith(":"))
    match one.operator[-1:]:
        case "+":
            return substitute(one.rest, variables, depth + 1) if there else ""
        case "-":
            return value or "" if there else substitute(one.rest, variables, depth + 1)
        case "?" if not there:
            raise Unfilled(f"needs the variable {one.name}: {one.rest[:200] or 'it is required'}")
    if value is None:
        raise Unfilled(f"needs the variable {one.name}, which has no value")
    return value


def _asked(text: str, depth: int) -> Iterator[str]:
    try:
        parts = list(_parts(text)) if depth <= _MAX_NESTED else []
    except Unfilled:
        return
    for part in parts:
        if isinstance(part, _Variable):
            yield part.name
            if not part.operator.endswith("?"):
                yield from _asked(part.rest, depth + 1)


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield node.text
    else:
        for inner in node.items if isinstance(node, Sequence) else node.entries.values():
            yield from _texts(inner)
