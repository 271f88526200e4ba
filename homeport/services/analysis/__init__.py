"""What a repository is and how it can run, told without running any of it: the analyser behind `deploy_method: ai`.

`analyse` works by rules alone and blocks; `Analyst` does the same beside the event loop, and asks a model where one is
set up; `repair` mends what a failed try has shown.
"""

from homeport.services.analysis.analyse import analyse
from homeport.services.analysis.analyst import Analyst
from homeport.services.analysis.repairs import MAX_ATTEMPTS, Repair, repair
from homeport.services.analysis.result import WRITTEN_DOCKERFILE, Analysis, AskedVariable, Finding, Need

__all__ = [
    "MAX_ATTEMPTS",
    "WRITTEN_DOCKERFILE",
    "Analysis",
    "Analyst",
    "AskedVariable",
    "Finding",
    "Need",
    "Repair",
    "analyse",
    "repair",
]
