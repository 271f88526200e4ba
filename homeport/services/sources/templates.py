"""The catalogue of templates: those that come with Homeport, and those of other folders of the same form."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import structlog

from homeport.services.problems import TemplateNotFound
from homeport.services.sources.template import Template, TemplateInvalid, load_template
from homeport.services.sources.template_variables import Resolved

__all__ = ["BUILT_IN", "Resolved", "Template", "TemplateInvalid", "Templates"]

BUILT_IN = Path(__file__).parent.parent / "templates"
log = structlog.get_logger()


class Templates:
    """All templates by id. A folder is read when it is first asked for and then kept: the portal starts, and stays
    small, without them. Later folders win over earlier ones. Safe to call from a thread."""

    def __init__(self, folders: Iterable[Path], *, own: Collection[Path] = ()) -> None:
        self._folders: dict[str, list[Path]] = {}
        for folder in folders:
            self._folders.setdefault(folder.name, []).insert(0, folder)
        self._own = frozenset(own)
        self._read: dict[str, Template | None] = {}

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Templates:
        """The built-in ones, which must be valid, and those of `extra`, where a faulty one is logged and left out."""
        own = [folder for parent in extra for folder in _folders(parent)]
        return cls([*_folders(BUILT_IN), *own], own=own)

    def get(self, template_id: str) -> Template:
        """Raises TemplateNotFound."""
        template = self._find(template_id)
        if template is None:
            near = difflib.get_close_matches(template_id[:80], self._folders, n=3)
            hint = (
                f"did you mean {' or '.join(near)}?" if near else f"there are {len(self._folders)}, none of that name."
            )
            raise TemplateNotFound(f"There is no template {template_id[:80]!r}; {hint}")
        return template

    def _find(self, template_id: str) -> Template | None:
        if template_id not in self._read and template_id in self._folders:
            self._read[template_id] = self._first_valid(self._folders[template_id])
        return self._read.get(template_id)

    def _first_valid(self, folders: Iterable[Path]) -> Template | None:
        for folder in folders:
            try:
                return load_template(folder)
            except TemplateInvalid as problem:
                if folder not in self._own:
                    raise
                log.warning("template left out", folder=str(folder), reason=problem.message)
        return None

    def list(
        self,
        *,
        category: str | None = None,
        featured: bool | None = None,
        search: str | None = None,
        sort: str = "name",
    ) -> Sequence[Template]:
        """`search` looks at name, description and tags. `sort` is name, category or featured (these first,
        and among them those that run everywhere)."""
        words = (search or "").casefold().split()
        found = [
            template
            for template in map(self._find, self._folders)
            if template is not None
            and (category is None or template.category == category)
            and (featured is None or template.featured == featured)
            and all(word in _searched(template) for word in words)
        ]
        found.sort(key=lambda template: (template.name.casefold(), template.id))
        if sort == "category":
            found.sort(key=lambda template: template.category)
        elif sort == "featured":
            found.sort(key=lambda template: (not template.featured, template.compose is not None))
        return found


def _searched(template: Template) -> str:
    return " ".join((template.id, template.name, template.description, *template.tags)).casefold()


def _folders(parent: Path) -> Sequence[Path]:
    if not parent.is_dir():
        return ()
    return sorted(folder for folder in parent.iterdir() if (folder / "template.yaml").is_file())
