"""The names and labels on everything that this portal makes in an engine; nothing else is ever touched."""

from __future__ import annotations

import re

PORTAL = "homeport.portal"
SERVICE = "homeport.service"
RELEASE = "homeport.release"
PART = "homeport.part"
CONFIG = "homeport.config"
PORT = "homeport.published"  # the routed container's port on this machine
VOLUME = "homeport.volume"  # a volume's name in the document


def of(portal_id: str, service_id: str, *, release_id: str | None = None, part: str | None = None) -> dict[str, str]:
    """Ours, and those that Docker's own tools group by."""
    found = {PORTAL: portal_id, SERVICE: service_id, "com.docker.compose.project": project(service_id)}
    if release_id is not None:
        found[RELEASE] = release_id
    if part is not None:
        found |= {PART: part, "com.docker.compose.service": part}
    return found


def project(service_id: str) -> str:
    """The name of a service's network, and what its volumes' and backing containers' names begin with."""
    return f"hp-{service_id}"


def repository(service_id: str) -> str:
    """Of the names that pin images: `homeport/svc_…`."""
    return f"homeport/{_lower(service_id)}"


def tag(release_id: str, part: str) -> str:
    """`rel_…-web`; with an empty part what all names of the release begin with."""
    return f"{_lower(release_id)}-{_lower(part)}"[:128]


def _lower(text: str) -> str:
    return re.sub(r"[^a-z0-9_.-]", "-", text.lower())
