#!/usr/bin/env bash
# How exposed systemd finds the unit of `homeport init --systemd` (0 is none, 10 all): alone, and with units to control.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
for kind in alone units; do
    .venv/bin/python - "$kind" >"$folder/homeport.service" <<'PYTHON'
import sys
from pathlib import Path
from homeport.services.units.own_unit import OwnUnit

command = ("/opt/homeport/bin/homeport", "up", "--data-dir", "/var/lib/homeport")
sys.stdout.write(OwnUnit("homeport", Path("/var/lib/homeport"), command, controls=sys.argv[1] == "units").text())
PYTHON
    score="$(systemd-analyze security --offline=true --no-pager "$folder/homeport.service" | tail -1)"
    echo "$kind: ${score#→ }"
done
