"""Write the exact versions of this virtual environment to requirements.lock and requirements-dev.lock.

`python tools/lock.py` after a change of dependencies (`make lock`). The runtime lock holds what Homeport needs and what
builds it, the other one what its tests and checks need on top.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


def closure(roots: list[Requirement]) -> dict[str, str]:
    """Name and installed version of everything that `roots` need, extras and markers honoured."""
    found: dict[str, str] = {}
    queue = [(requirement, extra) for requirement in roots for extra in ("", *requirement.extras)]
    seen: set[tuple[str, str]] = set()
    while queue:
        requirement, extra = queue.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        package = distribution(name)
        found[name] = package.version
        for line in package.requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                queue += [(needed, each) for each in ("", *needed.extras)]
    return found


def render(title: str, versions: dict[str, str]) -> str:
    """The text of one lock file."""
    return f"# {title} Written by `make lock`.\n" + "".join(
        f"{name}=={version}\n" for name, version in sorted(versions.items())
    )


def locks() -> dict[Path, str]:
    """Both lock files by path, as they should be for this environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    build, needs = project["build-system"]["requires"], project["project"]["dependencies"]
    runtime = closure([Requirement(line) for line in build + needs])
    full = closure([Requirement(line) for line in project["project"]["optional-dependencies"]["dev"]])
    dev = {name: version for name, version in full.items() if name not in runtime}
    return {
        ROOT / "requirements.lock": render("What `make up` installs.", runtime),
        ROOT / "requirements-dev.lock": render("What `make test` and `make check` install on top.", dev),
    }


def main() -> int:
    """Write the lock files; with --check only say whether they are as they should be."""
    stale = [path for path, text in locks().items() if not path.is_file() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            sys.stderr.write(f"{path.name} does not fit this environment: run `make lock`.\n")
        return 1 if stale else 0
    for path, text in locks().items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
