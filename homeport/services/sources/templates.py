"""The catalogue of templates: those that come with Homeport, and those of other folders of the same form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog

from homeport.services.problems import TemplateNotFound
from homeport.services.sources.template import Template, TemplateInvalid, load_template
from homeport.services.sources.template_variables import Resolved

__all__ = ["BUILT_IN", "Resolved", "Template", "TemplateInvalid", "Templates"]

BUILT_IN = Path(__file__).parent.parent / "templates"
log = structlog.get_logger()


class Templates:
    """All templates by id. Later folders win over earlier ones."""

    def __init__(self, templates: Iterable[Template]) -> None:
        self._templates = {template.id: template for template in templates}

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Templates:
        """The built-in ones, which must be valid, and those of `extra`, where a faulty one is logged and left out."""
        found = [load_template(folder) for folder in _folders(BUILT_IN)]
        for parent in extra:
            for folder in _folders(parent):
                try:
                    found.append(load_template(folder))
                except TemplateInvalid as problem:
                    log.warning("template left out", folder=str(folder), reason=problem.message)
        return cls(found)

    def get(self, template_id: str) -> Template:
        """Raises TemplateNotFound."""
        template = self._templates.get(template_id)
        if template is None:
            known = ", ".join(sorted(self._templates))
            raise TemplateNotFound(f"There is no template {template_id[:80]!r}; there are: {known}.")
        return template

    def list(
        self,
        *,
        category: str | None = None,
        featured: bool | None = None,
        search: str | None = None,
        sort: str = "name",
    ) -> Sequence[Template]:
        """`search` looks at name, description and tags. `sort` is name, category or featured (these first)."""
        words = (search or "").casefold().split()
        found = [
            template
            for template in self._templates.values()
            if (category is None or template.category == category)
            and (featured is None or template.featured == featured)
            and all(word in _searched(template) for word in words)
        ]
        found.sort(key=lambda template: (template.name.casefold(), template.id))
        if sort == "category":
            found.sort(key=lambda template: template.category)
        elif sort == "featured":
            found.sort(key=lambda template: not template.featured)
        return found


def _searched(template: Template) -> str:
    return " ".join((template.id, template.name, template.description, *template.tags)).casefold()


def _folders(parent: Path) -> Sequence[Path]:
    if not parent.is_dir():
        return ()
    return sorted(folder for folder in parent.iterdir() if (folder / "template.yaml").is_file())
