"""A compose text as a tree with line numbers: anchors and merge keys resolved, every size and depth bounded.

Scalars stay text, as written: what type one has is known by the key that it stands at (so `1.10` stays `1.10`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent, NodeEvent
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from homeport.services.compose.problems import ComposeRefused, Violation

MAX_BYTES = 256 * 1024
MAX_DEPTH = 30
MAX_NODES = 20_000  # after aliases are written out

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Scalar:
    """`text` is the value, `written` what the document says (for messages: a value may come from a secret)."""

    text: str
    line: int
    plain: bool = False  # without quotes, so that it may mean null, true or false
    written: str = ""
    unfilled: bool = False  # a variable in it has no value, which is told already

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULL

    @property
    def is_false(self) -> bool:
        return self.plain and self.text in _FALSE

    @property
    def truth(self) -> bool | None:
        """True, False, or None where it says neither."""
        return True if self.text in _TRUE else False if self.text in _FALSE else None

    @property
    def shown(self) -> str:
        text = self.written or self.text
        return repr(text if len(text) <= 60 else text[:59] + "…")


@dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    line: int


@dataclass(frozen=True)
class Mapping:
    entries: dict[str, Node] = field(default_factory=dict)
    line: int = 1
    key_lines: dict[str, int] = field(default_factory=dict)

    def at(self, key: str) -> int:
        """The line on which the key stands."""
        return self.key_lines.get(key, self.line)


Node = Scalar | Sequence | Mapping


def parse(text: str) -> Mapping:
    """The document as a tree. Raises ComposeRefused for what is not YAML of this kind, with the line."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _refused("It holds half of a character (a lone surrogate).") from None
    if size > MAX_BYTES:
        raise _refused(f"It is larger than {MAX_BYTES // 1024} KB.")
    try:
        _survey(text)
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "it is not valid YAML"
        last = text.count("\n") + 1  # the end of the text is marked one line further
        line = min(mark.line + 1, last) if mark is not None else None
        raise _refused(f"It is not YAML: {reason}.", line) from None
    except (ValueError, IndexError) as error:  # such as an escape for a character that does not exist
        raise _refused(f"It is not YAML: {error}.") from None
    if root is None:
        raise _refused("It is empty.")
    tree = _Expansion().node(root, 0)
    if not isinstance(tree, Mapping):
        raise _refused("It is not a compose document: it must begin with keys such as `services:`.", tree.line)
    return tree


def _survey(text: str) -> None:
    """Depth, tags and number, before anything is built: a scanner of events never expands anything."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        if getattr(event, "tag", None) is not None:
            raise _refused("Tags (`!…`) are not accepted.", _line(event))
        nodes += isinstance(event, NodeEvent)
        if nodes > MAX_NODES:
            raise _refused(f"It has more than {MAX_NODES} values.", _line(event))
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _refused(f"It is nested more than {MAX_DEPTH} deep.", _line(event))
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


class _Expansion:
    """Writes the aliases out, and stops at the limits: an alias bomb costs no more than an honest document."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def node(self, node: Any, depth: int) -> Node:
        line = _line(node)
        self._left -= 1
        if self._left < 0:
            raise _refused(f"It has more than {MAX_NODES} values once its aliases are written out.", line)
        if depth > MAX_DEPTH:
            raise _refused(f"It is nested more than {MAX_DEPTH} deep once its aliases are written out.", line)
        if isinstance(node, MappingNode):
            return self._mapping(node, depth, line)
        if isinstance(node, SequenceNode):
            return Sequence(tuple(self.node(item, depth + 1) for item in node.value), line)
        return Scalar(_clean(node.value, line), line, node.style in {None, ""}, node.value)

    def _mapping(self, node: MappingNode, depth: int, line: int) -> Mapping:
        own: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[Mapping] = []
        merges = 0
        for key_node, value_node in node.value:
            at = _line(key_node)
            if not isinstance(key_node, ScalarNode) or not key_node.value:
                raise _refused("A key must be a word.", at)
            key = _clean(key_node.value, at)
            if key == "<<" and key_node.style in {None, ""}:
                merges += 1
                if merges > 1:
                    raise _refused("The merge key `<<` is there twice.", at)
                merged = list(self._sources(value_node, depth, at))
                continue
            if key in own:
                raise _refused(f"The key {key[:60]!r} is there twice.", at)
            own[key] = self.node(value_node, depth + 1)
            lines[key] = at
        for source in merged:
            for key, value in source.entries.items():
                if key not in own:
                    own[key] = value
                    lines[key] = source.at(key)
        return Mapping(own, line, lines)

    def _sources(self, node: Any, depth: int, line: int) -> Iterator[Mapping]:
        for item in node.value if isinstance(node, SequenceNode) else [node]:
            source = self.node(item, depth + 1)
            if not isinstance(source, Mapping):
                raise _refused("The merge key `<<` takes a mapping or a list of mappings.", line)
            yield source


def _line(thing: Any) -> int:
    return int(thing.start_mark.line) + 1


def _clean(text: str, line: int) -> str:
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise _refused("It holds a NUL character or half of a character.", line)
    return text


def _refused(reason: str, line: int | None = None) -> ComposeRefused:
    return ComposeRefused([Violation("", reason, line)])
