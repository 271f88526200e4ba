"""From a git address, an upload or a template to a built release with a start command.

fetch (`GitFetcher.fetch`, `unpack`, `Templates.copy`) -> `detect` -> `make_plan` -> `build`; then a driver runs
`plan.start` in the release's folder.
"""

from homeport.services.sources.build import BuildResult, build, preflight
from homeport.services.sources.detect import Detected, detect, make_plan
from homeport.services.sources.plan import Command, Plan, Probe
from homeport.services.sources.revision import Revision
from homeport.services.sources.toolchain import Toolchain, discover

__all__ = [
    "BuildResult",
    "Command",
    "Detected",
    "Plan",
    "Probe",
    "Revision",
    "Toolchain",
    "build",
    "detect",
    "discover",
    "make_plan",
    "preflight",
]
