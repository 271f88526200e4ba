"""YAML from people, without its traps: no tags, no anchors or aliases, no duplicate keys, bounded size and depth."""

from __future__ import annotations

from typing import Any

import yaml
from yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent
from yaml.nodes import MappingNode

from homeport.kit.problems import MalformedBody

MAX_BYTES = 256 * 1024
MAX_DEPTH = 30
# libyaml reads the same language some ten times faster; builds of PyYAML without it have the plain one only.
_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlRefused(MalformedBody):
    """Text that is not YAML, or not of the plain kind that is accepted; the message says where and why."""

    code = "malformed_yaml"


class _Loader(_Base):  # type: ignore[misc,valid-type]
    """A mapping with the same key twice is refused instead of silently keeping the last."""

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise YamlRefused(f"{_where(key_node)}: the key {key!r} is not text; put it in quotes.")
            if key in seen:
                raise YamlRefused(f"{_where(key_node)}: the key {key!r} is there twice.")
            seen.add(key)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def load_yaml(text: str, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Any:
    """One document as plain Python values. Raises YamlRefused."""
    if len(text.encode(errors="replace")) > max_bytes:
        raise YamlRefused(f"It is larger than {max_bytes // 1024} KB.")
    try:
        _survey(text, max_depth)
        return yaml.load(text, Loader=_Loader)  # noqa: S506  the loader is the safe one, made stricter
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"Line {mark.line + 1}: " if mark is not None else ""
        raise YamlRefused(f"{at}{getattr(error, 'problem', None) or 'it is not valid YAML'}.") from None
    except ValueError as error:  # such as the date 2026-99-99
        raise YamlRefused(f"It holds a value that cannot be read: {error}.") from None


def _survey(text: str, max_depth: int) -> None:
    """Before anything is built: depth, aliases, tags. A scanner of events never expands anything."""
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor is not None):
            raise YamlRefused(f"{_where(event)}: anchors and aliases are not accepted; write the value out.")
        if getattr(event, "tag", None) is not None:
            raise YamlRefused(f"{_where(event)}: tags are not accepted.")
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > max_depth:
                raise YamlRefused(f"{_where(event)}: it is nested more than {max_depth} deep.")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def _where(thing: Any) -> str:
    return f"Line {thing.start_mark.line + 1}"
