"""The agent needs no portal: it is loaded without what only a portal has."""

from __future__ import annotations

import subprocess
import sys


def test_the_agent_is_loaded_without_a_portal() -> None:
    asked = "import sys, homeport.relay.agent, homeport.cli.exposed; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()

    for heavy in ("homeport.portal", "homeport.web", "homeport.services", "homeport.storage", "homeport.identity"):
        assert heavy not in loaded
    for heavy in ("fastapi", "sqlalchemy", "uvicorn", "aioquic", "coincurve", "Crypto"):
        assert heavy not in loaded
