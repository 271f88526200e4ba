"""How the objects of a swarm are named and labelled, beyond what `homeport.services.docker.labels` says of all."""

from __future__ import annotations

from homeport.services.docker.labels import CONFIG, PART, PORTAL, RELEASE, SERVICE, of, project

__all__ = ["CONFIG", "EXIT", "NODE", "PART", "PORTAL", "RELEASE", "RUN", "SERVICE", "STOPPED", "of", "project"]

RUN = "homeport.run"  # on containers: new with each start, so that a start's history is its own
NODE = "homeport.node"  # on a stack's record: where its volumes are
STOPPED = "homeport.stopped"  # RFC 3339, where it was stopped on request
EXIT = "homeport.exit"  # the exit code that it had then


def volume(service_id: str, name: str) -> str:
    """A volume on its node; `name` is the document's."""
    return f"{project(service_id)}-{name}"


def backing(service_id: str, part: str) -> str:
    """A service that the stack's releases share."""
    return f"{project(service_id)}-{part}"


def routed(release_id: str) -> str:
    """The service that requests go to, one a release."""
    return f"hp-{release_id}"
