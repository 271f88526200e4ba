"""`python -m bench [NAME…]`: run the measurements, show one table, keep the numbers in bench/results/.

Each measurement is a module with `measure() -> list[Figure]`. The exit code is 1 when a goal is missed.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure

NAMES = ("redeploy", "crash", "list", "logs", "proxy", "idle")
RESULTS = Path(__file__).parent / "results"


def main(wanted: list[str]) -> int:
    """Run `wanted` (all when empty), in the order of NAMES."""
    unknown = set(wanted) - set(NAMES)
    if unknown:
        print(f"bench: unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    measured: dict[str, list[Figure]] = {}
    for name in NAMES:
        if not wanted or name in wanted:
            print(f"bench: {name}…", file=sys.stderr, flush=True)
            measured[name] = importlib.import_module(f"bench.{name}").measure()
            _keep(name, measured[name])
    _show(measured)
    return 0 if all(figure.met for figures in measured.values() for figure in figures) else 1


def _keep(name: str, figures: list[Figure]) -> None:
    RESULTS.mkdir(exist_ok=True)
    content = {
        "name": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "figures": [{**asdict(figure), "met": figure.met} for figure in figures],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def _show(measured: dict[str, list[Figure]]) -> None:
    print(f"\n{'measurement':<10} {'what':<46} {'value':>12} {'unit':<8} {'goal':>10}")
    for name, figures in measured.items():
        for figure in figures:
            goal = f"≤ {figure.at_most:g}" if figure.at_most is not None else ""
            mark = "" if figure.met else "  MISSED"
            print(f"{name:<10} {figure.what:<46} {figure.value:>12,.2f} {figure.unit:<8} {goal:>10}{mark}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
