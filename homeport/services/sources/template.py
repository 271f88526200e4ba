"""One template of the catalogue, spec v2: read from its file, checked, shown, resolved, copied."""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.kit.files import Tree, UnsafePath
from homeport.kit.problems import Problem
from homeport.kit.strict_yaml import YamlRefused, load_yaml
from homeport.services.sources.contents import check_tree
from homeport.services.sources.fields import Fields
from homeport.services.sources.revision import Revision
from homeport.services.sources.template_variables import Resolved, TemplateVariable, read_variables, resolve

CATEGORIES = ("ai", "webapps", "databases", "devtools")
PROFILES = ("secure", "advanced")
FILES, COMPOSE = "files", "compose"
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DURATION = re.compile(r"([1-9]\d{0,3})(s|m)")
_BAD_LOGO = re.compile(r"<script|<foreignObject|javascript:|\son\w+\s*=|<!|href\s*=\s*[\"'](?!#)", re.IGNORECASE)
_PLAIN_LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="#868e96"/>'
    '<path d="M18 24 32 16l14 8v16l-14 8-14-8Z" fill="none" stroke="#fff" stroke-width="4" stroke-linejoin="round"/>'
    "</svg>"
)


class TemplateInvalid(Problem):
    """A template file that does not follow spec v2; `details["fields"]` maps each path to its reason."""

    code = "template_invalid"
    status = 422


@dataclass(frozen=True)
class Healthcheck:
    """Times are text as the file writes them: `30s`, `2m`. `start_period` is how long a first start may take."""

    path: str
    port: int | None
    interval: str
    timeout: str
    start_period: str | None = None


@dataclass(frozen=True)
class Template:
    """`folder` holds template.yaml and, for a template that runs without containers, `files/`. `compose` is the text of
    one that needs containers, its variables not yet filled in. `port` is where the app listens when nobody hands it a
    PORT; in a stack, where the routed service does."""

    id: str
    name: str
    description: str
    category: str
    featured: bool
    trending: bool
    coming_soon: bool
    tags: tuple[str, ...]
    logo: str
    security_profile: str
    cpu: float
    memory_mb: int
    storage_mb: int
    port: int | None
    healthcheck: Healthcheck | None
    variables: tuple[TemplateVariable, ...]
    folder: Path
    compose: str | None = None

    @property
    def driver(self) -> str:
        """`compose` needs a driver that runs containers, `process` none."""
        return "process" if self.compose is None else "compose"

    def row(self) -> dict[str, Any]:
        """One row of the catalogue."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "featured": self.featured,
            "trending": self.trending,
            "coming_soon": self.coming_soon,
            "tags": list(self.tags),
            "driver": self.driver,
            "logo": f"/api/templates/{self.id}/logo",
            "security_profile": self.security_profile,
            "min_resources": {"cpu": self.cpu, "memory_mb": self.memory_mb, "storage_mb": self.storage_mb},
        }

    def detail(self) -> dict[str, Any]:
        """The row, and healthcheck, expose, variables and source."""
        check = self.healthcheck
        return {
            **self.row(),
            "healthcheck": None
            if check is None
            else {
                "path": check.path,
                "port": check.port,
                "interval": check.interval,
                "timeout": check.timeout,
                "start_period": check.start_period,
            },
            "expose": {"port": self.port, "protocol": "http"},
            "variables": [variable.shown() for variable in self.variables],
            "source": FILES if self.compose is None else COMPOSE,
        }

    def probe(self) -> dict[str, Any] | None:
        """Its health check as the health monitor takes it: seconds, and the port that the app is given.
        `start_period` is there when the template states one: a gate should wait at least as long."""
        if self.healthcheck is None:
            return None
        probe = {
            "type": "http",
            "path": self.healthcheck.path,
            "interval": _seconds(self.healthcheck.interval),
            "timeout": _seconds(self.healthcheck.timeout),
        }
        if self.healthcheck.start_period is not None:
            probe["start_period"] = _seconds(self.healthcheck.start_period)
        return probe

    def resolve(self, given: Mapping[str, Any], kept: Mapping[str, str], *, service_name: str) -> Resolved:
        """The values of all variables. Raises ValidationFailed naming every field at fault."""
        if self.coming_soon:
            raise TemplateInvalid(f"The template {self.id} cannot be deployed yet: it is announced as coming soon.")
        return resolve(self.variables, given, kept, service_name=service_name)

    async def copy(self, into: Path) -> Revision:
        """Put the template's files into `into`, which is replaced. The revision is a digest of the files; of a
        template with compose text, which has none, of the text, and `into` holds it as compose.yaml."""
        return Revision(await asyncio.to_thread(self._copy, into), f"Template {self.name}")

    def _copy(self, into: Path) -> str:
        source = self.folder / FILES
        partial = into.with_name(f".{into.name}.fetch")
        for folder in (partial, into):
            if folder.exists():
                shutil.rmtree(folder)
        digest = hashlib.sha256()
        try:
            if self.compose is not None:
                partial.mkdir()
                (partial / "compose.yaml").write_text(self.compose)
            else:
                shutil.copytree(source, partial, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            check_tree(partial)
            for file in sorted(path for path in partial.rglob("*") if path.is_file()):
                digest.update(f"{file.relative_to(partial)}\0{file.stat().st_size}\0".encode())
                digest.update(file.read_bytes())
            partial.rename(into)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return digest.hexdigest()[:12]


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    return 30.0 if match is None else int(match[1]) * (60.0 if match[2] == "m" else 1.0)


def load_template(folder: Path) -> Template:
    """Read `folder`/template.yaml. Raises TemplateInvalid with every reason at once."""
    try:
        text = Tree(folder).read("template.yaml", limit=256 * 1024)
        if text is None:
            raise TemplateInvalid(f"{folder.name}: template.yaml is missing.")
        data = load_yaml(text)
    except (YamlRefused, UnsafePath) as problem:
        raise TemplateInvalid(f"{folder.name}/template.yaml: {problem.message}") from None
    fields = Fields(data)
    template = _read(fields, folder)
    fields.finish()
    if fields.reasons:
        path, reason = next(iter(fields.reasons.items()))
        raise TemplateInvalid(f"{folder.name}/template.yaml: {path} {reason}.", details={"fields": fields.reasons})
    return template


def _read(fields: Fields, folder: Path) -> Template:
    fields.one_of("apiVersion", ("v2",))
    fields.one_of("kind", ("Template",))
    name = fields.text("metadata.name", pattern=_SLUG, rule="must be a slug: lower case letters, digits, hyphens")
    if name and name != folder.name:
        fields.refuse("metadata.name", f"must be the folder's name, {folder.name}")
    logo = fields.text("metadata.icon", default="", most=32 * 1024)
    if logo and (not logo.lstrip().startswith("<svg") or _BAD_LOGO.search(logo)):
        fields.refuse("metadata.icon", "must be an inline SVG without scripts, links or declarations")
    compose = None
    if fields.has("spec.compose"):
        compose = fields.text("spec.compose", most=128 * 1024) + "\n"
        if fields.has("spec.source"):
            fields.refuse("spec.source", "cannot stand beside 'compose'")
    else:
        fields.one_of("spec.source", (FILES,), missing="is required: 'source: files', or else 'compose'")
        if not (folder / FILES).is_dir():
            fields.refuse("spec.source", f"needs a folder {FILES} beside template.yaml")
    healthcheck = None
    if fields.has("spec.healthcheck"):
        healthcheck = Healthcheck(
            path=fields.text("spec.healthcheck.path", pattern=re.compile(r"/[^\s#]*"), rule="must begin with /"),
            port=fields.integer("spec.healthcheck.port", default=None, least=1, most=65535),
            interval=fields.text(
                "spec.healthcheck.interval", default="30s", pattern=_DURATION, rule="must be like 30s"
            ),
            timeout=fields.text("spec.healthcheck.timeout", default="10s", pattern=_DURATION, rule="must be like 10s"),
            start_period=fields.text(
                "spec.healthcheck.startPeriod", default="", pattern=_DURATION, rule="must be like 2m"
            )
            or None,
        )
    trending = fields.flag("metadata.trending")
    return Template(
        id=name,
        name=fields.text("metadata.displayName", most=80),
        description=fields.text("metadata.description", most=600),
        category=fields.one_of("metadata.category", CATEGORIES),
        featured=fields.flag("metadata.featured", default=trending),
        trending=trending,
        coming_soon=fields.flag("metadata.comingSoon"),
        tags=fields.texts("metadata.tags"),
        logo=logo.strip() or _PLAIN_LOGO,
        security_profile=fields.one_of("spec.securityProfile", PROFILES, default="secure"),
        cpu=fields.number("spec.minResources.cpuCores", default=0.1, least=0.01, most=1024),
        memory_mb=fields.integer("spec.minResources.memoryMB", default=64, least=1, most=10_000_000) or 64,
        storage_mb=fields.integer("spec.minResources.storageMB", default=16, least=0, most=10_000_000) or 0,
        port=fields.first_port("spec.domains"),
        healthcheck=healthcheck,
        variables=read_variables(fields, "spec.variables"),
        folder=folder,
        compose=compose,
    )
