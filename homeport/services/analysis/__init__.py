"""What a repository is and how it can run, told without running any of it: the analyser behind `deploy_method: ai`.

`analyse.analyse` works by rules alone and blocks; `analyst.Analyst` does the same beside the event loop, and asks a
model where one is set up; `repairs.repair` mends what a failed try has shown. All three are imported where they are
called: their rules take 1 MB that a portal needs only while it analyses.
"""

from homeport.services.analysis.result import WRITTEN_DOCKERFILE, Analysis, AskedVariable, Finding, Need

__all__ = ["WRITTEN_DOCKERFILE", "Analysis", "AskedVariable", "Finding", "Need"]
