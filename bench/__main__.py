"""`python -m bench [NAME…] [--driver compose|swarm] [--unit]`: run the measurements, show one table, keep the numbers.

Each measurement is a module with `measure() -> list[Figure]`; those of DRIVEN take the driver. Results are kept in
bench/results/. The exit code is 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure

NAMES = ("redeploy", "crash", "deploy", "list", "auth", "logs", "proxy", "sign", "relay", "udp", "idle")
DRIVEN = ("redeploy", "crash")
NEEDS_DOCKER = ("deploy",)  # asked for by name only
RESULTS = Path(__file__).parent / "results"


def main(words: list[str]) -> int:
    """Run what is named (without a name: all that need no Docker), in the order of NAMES."""
    parser = argparse.ArgumentParser(prog="python -m bench", allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--unit", action="store_true", help="logs: a systemd unit's journal instead of an app's log")
    parser.add_argument("--driver", choices=("process", "compose", "swarm"), default="process")
    asked = parser.parse_args(words)
    unknown = set(asked.names) - set(NAMES)
    if unknown:
        print(f"bench: unknown: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    wanted = asked.names or [name for name in NAMES if name not in NEEDS_DOCKER]
    measured: dict[str, list[Figure]] = {}
    for name in (one for one in NAMES if one in wanted):
        print(f"bench: {name}…", file=sys.stderr, flush=True)
        unit = name == "logs" and asked.unit
        measure = importlib.import_module("bench.unit_logs" if unit else f"bench.{name}").measure
        measured[name] = measure(asked.driver) if name in DRIVEN else measure()
        driven = f"-{asked.driver}" if name in DRIVEN and asked.driver != "process" else ""
        _keep(f"{name}{'-unit' if unit else driven}", measured[name])
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
            goal = f"≤ {figure.at_most:.4g}" if figure.at_most is not None else ""
            goal = f"≥ {figure.at_least:.4g}" if figure.at_least is not None else goal
            mark = "" if figure.met else "  MISSED"
            print(f"{name:<10} {figure.what:<46} {figure.value:>12,.2f} {figure.unit:<8} {goal:>10}{mark}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
