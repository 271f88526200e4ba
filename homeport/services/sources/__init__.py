"""From a git address, an upload or a template to a built release with a start command.

fetch (`GitFetcher.fetch`, `unpack`, `Templates.copy`) -> `detect` -> `make_plan` -> `build`; then a driver runs
`plan.start` in the release's folder.
"""

from homeport.services.sources.address import GitAddress, check_branch, check_url
from homeport.services.sources.build import BuildResult, build, preflight
from homeport.services.sources.detect import Detected, detect, make_plan
from homeport.services.sources.git import GitFetcher
from homeport.services.sources.plan import Command, Plan, Probe, app_environment
from homeport.services.sources.revision import Revision
from homeport.services.sources.toolchain import Toolchain, discover

__all__ = [
    "BuildResult",
    "Command",
    "Detected",
    "GitAddress",
    "GitFetcher",
    "Plan",
    "Probe",
    "Revision",
    "Toolchain",
    "app_environment",
    "build",
    "check_branch",
    "check_url",
    "detect",
    "discover",
    "make_plan",
    "preflight",
]
