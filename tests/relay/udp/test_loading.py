"""What UDP costs those who do not use it: nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["homeport.portal", "homeport.relay.agent", "homeport.cli.expose", "homeport.cli.agent"]
)
def test_quic_is_loaded_with_the_first_tunnel_that_wants_it(module: str) -> None:
    code = f"import sys, {module}; sys.exit('aioquic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
