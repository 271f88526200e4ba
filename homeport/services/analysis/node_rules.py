"""Node: version, package manager, system packages, build and start; pages that are only files once built."""

from __future__ import annotations

import re
import shlex
from typing import Any

from homeport.services.analysis.found import PLAIN_PATH, Found, Notes, copy, line_of, packages_for, pick_version
from homeport.services.analysis.inventory import Files
from homeport.services.analysis.result import Recipe
from homeport.services.analysis.static_rules import serve
from homeport.services.sources.manifests import read_json, table
from homeport.services.sources.node_app import NodeApp, find_node

DEFAULT = "22"
PORT = 3000
SYSTEM = (
    (frozenset({"canvas"}), ("libcairo2-dev", "libpango1.0-dev", "libjpeg-dev", "libgif-dev", "librsvg2-dev"),
     ("libcairo2", "libpango-1.0-0", "libpangocairo-1.0-0", "libjpeg62-turbo", "libgif7", "librsvg2-2")),
    (frozenset({"fluent-ffmpeg"}), (), ("ffmpeg",)),
    (frozenset({"puppeteer", "puppeteer-core"}), (), ("chromium",)),
    (frozenset({"@prisma/client", "prisma"}), (), ("openssl",)),
    (frozenset({"pdf-poppler"}), (), ("poppler-utils",)),
)  # fmt: skip
# manager, lock file or None -> files that steer the installation, install, build, drop what only the build needs
MANAGERS = {
    "npm": ("npm ci --no-audit --no-fund", "npm install --no-audit --no-fund", "npm run build", "npm prune --omit=dev"),
    "yarn": ("yarn install --frozen-lockfile", "yarn install", "yarn run build", None),
    "yarn-berry": ("yarn install --immutable", "yarn install", "yarn run build", None),
    "pnpm": ("pnpm install --frozen-lockfile", "pnpm install", "pnpm run build", "pnpm prune --prod"),
    "bun": ("bun install --frozen-lockfile", "bun install", "bun run build", None),
}
_FILES = (
    "package.json", "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", ".yarnrc.yml", "pnpm-lock.yaml",
    "bun.lock", "bun.lockb", ".npmrc",
)  # fmt: skip
_INSTALL_RUNS_SOURCE = {"preinstall", "install", "postinstall", "prepare"}
_STARTS_A_FILE = re.compile(r"^(?:node|tsx|ts-node)\s+(?:--?\S+\s+)*([\w./-]+)$")


def find(files: Files) -> Found | None:
    """None without package.json."""
    app = find_node(files, {})
    if app is None:
        return None
    notes = Notes()
    package = read_json(files, "package.json") or {}
    libraries = {**table(package, "dependencies"), **table(package, "devDependencies")}
    version = pick_version(app.wish, DEFAULT, 1)
    served = app.pages is not None or app.script is not None or app.main is not None
    notes.add(f"{app.framework or 'Node'} app", "package.json is there", 0.95 if served else 0.5)
    notes.add(f"Node {version.text}", version.because, version.confidence)
    if app.has_packages:
        because = (
            f"{app.manager_source} says so"
            if app.manager_source != "engines" or app.manager != "npm"
            else "the usual one"
        )
        notes.add(f"installed with {app.manager}", because, 0.95 if app.locked else 0.7)
        if not app.locked:
            notes.warnings.append("There is no lock file: each build may bring other versions.")
    build, runtime, wanting = packages_for(libraries, SYSTEM)
    if wanting:
        notes.add(f"system packages {', '.join(runtime)}", f"needed by {', '.join(wanting)}", 0.85)
    layer, steps = _install(files, app, table(package, "scripts"))
    if app.build:
        notes.add("built with its build script", line_of(files, "package.json", '"build"'), 0.9)
    common: dict[str, Any] = {
        "build_image": f"node:{version.text}",
        "build_packages": build,
        "layer": layer,
        "steps": steps,
    }
    if app.pages is not None and PLAIN_PATH.match(app.pages):
        notes.add(f"the files in {app.pages} are served", f"{app.framework} builds a page that is only files", 0.9)
        recipe = serve(f"/app/{app.pages}", fallback=True, language="node", version=version.text,
                       framework=app.framework, **common)  # fmt: skip
        return Found(
            recipe, 8080, "the file server listens there", True, (), tuple(notes.findings), tuple(notes.warnings)
        )
    start = _start(app)
    if start:
        where = line_of(files, "package.json", '"start"') if app.script else f"{app.main} is its main file"
        notes.add(f"starts with `{start}`", where, 0.9 if app.script else 0.75)
    recipe = Recipe(
        language="node", version=version.text, framework=app.framework, packages=runtime, start=start,
        image="oven/bun:1" if app.manager == "bun" else f"node:{version.text}-slim", copies=(("/app", "/app"),),
        env={"NODE_ENV": "production", "PATH": "/app/node_modules/.bin:$PATH"},
        **{**common, **({"build_image": "oven/bun:1"} if app.manager == "bun" else {})},
    )  # fmt: skip
    named = _STARTS_A_FILE.match(start or "")
    sources = dict.fromkeys([*([named[1].removeprefix("./")] if named else []), *_MAIN])
    next_port = app.script is not None and "next start" in app.script
    return Found(recipe, PORT, "Node apps usually listen there", next_port, tuple(sources), tuple(notes.findings),
                 tuple(notes.warnings))  # fmt: skip


_MAIN = ("index.js", "server.js", "app.js", "src/index.js", "src/server.js", "src/app.js", "src/index.ts",
         "src/server.ts", "src/main.ts", "src/app.ts", "index.ts", "server.ts")  # fmt: skip


def _start(app: NodeApp) -> str | None:
    if app.script is not None:
        return "npm run start" if app.script_by_npm else app.script
    if app.main is None:
        return None
    program = "tsx" if app.main.endswith(".ts") and app.runs_typescript else "node"
    return shlex.join([program, app.main])


def _install(files: Files, app: NodeApp, scripts: dict[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The dependency layer, and what follows the source; workspaces and scripts of its own need the source first."""
    locked, loose, build, prune = MANAGERS[app.manager]
    corepack = ("RUN corepack enable",) if app.manager in ("yarn", "yarn-berry", "pnpm") else ()
    install = (f"RUN {locked if app.locked else loose}",) if app.has_packages else ()
    after = (f"RUN {build}", *((f"RUN {prune}",) if prune and app.has_packages else ())) if app.build else ()
    whole = app.manager == "yarn-berry" or files.has("pnpm-workspace.yaml") or files.has_folder("prisma")
    whole = whole or bool(scripts.keys() & _INSTALL_RUNS_SOURCE) or "workspaces" in (files.read("package.json") or "")
    if whole or not install:
        return corepack, (*install, *after)
    return (*corepack, *copy(files, _FILES), *install), after
