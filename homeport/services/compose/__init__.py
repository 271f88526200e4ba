"""Compose documents: read, resolved, judged by the policy. Pure: no engine, and no files but those of a clone.

`read` turns text into a Stack or raises ComposeRefused with every violation; `inspect` tells the same and never
raises; `variables_of` names what a document asks for; `check_build_paths` holds a stack's builds against a clone,
and `settle_builds` writes Dockerfiles that came as text into it.
"""

from homeport.services.compose.build_paths import check_build_paths, settle_builds
from homeport.services.compose.fields import StackLimits
from homeport.services.compose.inspection import Inspection, inspect
from homeport.services.compose.model import Build, Healthcheck, Mount, Stack, StackService
from homeport.services.compose.problems import ComposeRefused, Violation
from homeport.services.compose.reading import Origin, read, variables_of

__all__ = [
    "Build",
    "ComposeRefused",
    "Healthcheck",
    "Inspection",
    "Mount",
    "Origin",
    "Stack",
    "StackLimits",
    "StackService",
    "Violation",
    "check_build_paths",
    "inspect",
    "read",
    "settle_builds",
    "variables_of",
]
