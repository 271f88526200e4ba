"""The images that a Dockerfile starts from or copies from: any but those that the portal keeps of other apps.

The engine's builder takes a base from what is here before it asks a registry, by name and by the beginning of an id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from homeport.kit.files import Tree
from homeport.services.compose.interpolate import Unfilled, substitute
from homeport.services.compose.values import why_not_named
from homeport.services.problems import BuildFailed

# What continues a line: builders disagree about a line that ends in two escape characters, so both readings count.
_CONTINUED = (r"{0}[ \t]*$", r"(^|[^{0}]){0}[ \t]*$")


def check_bases(context: Path, dockerfile: str, args: Mapping[str, str]) -> None:
    """Raises BuildFailed for a Dockerfile that reaches for an image of another app. Blocks.

    `args` are the build's own, which win over the defaults in the file. A file that is absent is not judged here.
    """
    text = Tree(context).read(dockerfile) or ""
    for pattern in _CONTINUED:
        _check(dockerfile, list(_instructions(text, pattern)), args)


def _check(dockerfile: str, instructions: list[str], args: Mapping[str, str]) -> None:
    stages: set[str] = set()
    known: dict[str, str] = {}
    count = 0
    for line in instructions:
        words = line.split()
        while words and words[0].upper() == "ONBUILD":
            words = words[1:]
        kind = words[0].upper() if words else ""
        rest = [word for word in words[1:] if not word.startswith("--")]
        if kind == "ARG" and count == 0:
            known.update(_declared(rest, known, args))
        elif kind == "FROM" and rest:
            _judge(dockerfile, rest[0], stages, known)
            count += 1
            if len(rest) == 3:
                stages.add(rest[2].lower())
        elif kind in {"COPY", "ADD"}:
            numbers = {str(number) for number in range(count)}
            for word in words[1:]:
                if word.lower().startswith("--from="):
                    _judge(dockerfile, word.partition("=")[2], stages | numbers, {})


def _declared(words: list[str], known: Mapping[str, str], args: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The arguments that an ARG declares and that have a value."""
    for word in words:
        name, equals, default = word.partition("=")
        if name in args:
            yield name, args[name]
        elif equals:
            try:
                yield name, substitute(_bare(default), known)
            except Unfilled:
                yield name, default  # still with its `$`, which is refused where it is used


def _judge(dockerfile: str, written: str, stages: set[str], known: Mapping[str, str]) -> None:
    try:
        wanted = _bare(substitute(_bare(written), known))
    except Unfilled as why:
        raise BuildFailed(f"{dockerfile} uses the image {written[:200]}, which {why}.") from None
    if wanted.lower() in stages:
        return
    why_not = "its name holds a `$`" if "$" in wanted else why_not_named(wanted)
    if why_not is not None:
        raise BuildFailed(f"{dockerfile} uses the image {wanted[:200]}: {why_not}.")


def _bare(text: str) -> str:
    """Without the quotes and escapes that the builder takes away."""
    return re.sub(r"[\"'\\`]", "", text)


def _instructions(text: str, continued: str) -> Iterator[str]:
    """Logical lines: continued ones joined, comments and empty ones left out."""
    escape = "`" if re.search(r"(?im)^[ \t]*#[ \t]*escape[ \t]*=[ \t]*`[ \t]*$", text) else "\\"
    ends = re.compile(continued.format(re.escape(escape)))
    whole = ""
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if ends.search(line):
            whole += line.rstrip()[:-1]
            continue
        yield whole + line
        whole = ""
    if whole:
        yield whole
