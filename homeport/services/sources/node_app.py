"""Node apps: servers, and pages that are built once and then served as files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeport.kit.files import Tree
from homeport.services.problems import BuildFailed, NothingDetected
from homeport.services.sources.manifests import first_line, from_mise, from_tool_versions, read_json, table, text_of
from homeport.services.sources.plan import Command, Plan, Procfile, path_of, shell
from homeport.services.sources.python_app import probe_of
from homeport.services.sources.static_root import relative_folder, serve_files
from homeport.services.sources.toolchain import Toolchain
from homeport.services.sources.versions import Choice, Wish, choose

_LOCKS = (
    ("pnpm-lock.yaml", "pnpm"),
    ("bun.lockb", "bun"),
    ("bun.lock", "bun"),
    (".yarnrc.yml", "yarn-berry"),
    ("yarn.lock", "yarn"),
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
)
_DEVELOPMENT = re.compile(
    r"^(?:vite(?: preview| dev| serve)?|astro (?:dev|preview|start)|react-scripts start|ng serve|next dev)\b(?! build)"
)


@dataclass(frozen=True)
class NodeApp:
    """What was found. `manager` is the one asked for, `locked` whether its lock file is there; `pages` is the folder of
    a page that is built once, None for a server; `main` a file to run, `script` the text of scripts.start."""

    framework: str | None
    manager: str
    manager_source: str
    locked: bool
    has_packages: bool
    build: bool
    pages: str | None
    script: str | None
    script_by_npm: bool
    main: str | None
    wish: Wish | None
    runs_typescript: bool


def find_node(tree: Tree, variables: Mapping[str, str]) -> NodeApp | None:
    """None without package.json. Reads RAILPACK_NODE_VERSION and RAILPACK_SPA_OUTPUT_DIR of the app's variables."""
    package = read_json(tree, "package.json")
    if package is None:
        return None
    scripts = table(package, "scripts")
    packages = {**table(package, "dependencies"), **table(package, "devDependencies")}
    build = text_of(scripts, "build") is not None
    framework, pages = _pages(tree, packages, scripts, variables) if build else (None, None)
    script = text_of(scripts, "start")
    manager, source, locked = _manager(tree, package)
    main = text_of(package, "main")
    if main is not None and not build and not tree.has(main.removeprefix("./")):
        main = None
    return NodeApp(
        framework=framework,
        manager=manager,
        manager_source=source,
        locked=locked,
        has_packages=bool(
            table(package, "dependencies")
            or table(package, "optionalDependencies")
            or (build and table(package, "devDependencies"))
            or package.get("workspaces")
        ),
        build=build,
        pages=pages,
        script=script,
        script_by_npm=bool(scripts.keys() & {"prestart", "poststart"}) or "npm_" in (script or ""),
        main=main or next((name for name in ("index.js", "index.ts") if tree.has(name)), None),
        wish=_version(tree, package, variables),
        runs_typescript="tsx" in packages,
    )


def plan_node(directory: Path, app: NodeApp, procfile: Procfile | None, toolchain: Toolchain) -> Plan:
    """Raises BuildFailed for a version that this machine cannot serve, NothingDetected without a start command."""
    choice = choose("Node", app.wish, toolchain.nodes)
    node = choice.interpreter
    path = path_of(directory / "node_modules" / ".bin", node.path.parent)
    notes = [choice.note] if choice.note else []
    build = list(_build(app, toolchain, path, notes))
    common: dict[str, Any] = {
        "kind": "node",
        "framework": app.framework,
        "version": node.text,
        "wanted": app.wish.text if app.wish else None,
        "interpreter": str(node.path),
        "build": tuple(build),
    }
    if app.pages is not None and procfile is None:
        how = f"{app.framework} page, because of its packages; built with {build[-1].argv[0].rpartition('/')[2]}"
        reason = f"{how} on Node {node.text}, and the files in {app.pages} are served"
        start, probe = serve_files(directory / app.pages, fallback=True)
        return Plan(reason=_sentence(reason, notes), start=start, probe=probe, root=app.pages, **common)
    start, how = _start(app, choice, procfile, toolchain)
    return Plan(
        reason=_sentence(f"Node app, because of package.json; runs on Node {node.text}, started {how}", notes),
        start=start,
        env={"NODE_ENV": "production", "PATH": path},
        probe=probe_of(procfile),
        **common,
    )


def _sentence(reason: str, notes: list[str]) -> str:
    return "; ".join([reason, *notes]) + "."


def _start(app: NodeApp, choice: Choice, procfile: Procfile | None, chain: Toolchain) -> tuple[tuple[str, ...], str]:
    node = choice.interpreter
    if procfile is not None:
        return shell(procfile.line), f"by the {procfile.entry} line of the Procfile"
    if app.script is not None:
        if app.script_by_npm and "npm" in chain.managers:
            return (chain.managers["npm"], "run", "start"), "with npm run start"
        return shell(app.script), "by scripts.start of package.json"
    if app.main is None:
        raise NothingDetected(
            "This is a Node app, because of package.json, but nothing says how to start it: add scripts.start, a main "
            "file that exists, index.js, or a Procfile."
        )
    if app.main.endswith(".ts") and app.runs_typescript:
        return (*shell('exec tsx "$0"'), app.main), f"with tsx {app.main}"
    if app.main.endswith(".ts") and node.version < (22, 18, 0):
        raise BuildFailed(
            f"{app.main} is TypeScript, which Node {node.text} does not run: add tsx to the packages, or scripts.start."
        )
    return (str(node.path), app.main), f"with node {app.main}"


def _build(app: NodeApp, toolchain: Toolchain, path: str, notes: list[str]) -> list[Command]:
    if not app.has_packages and not app.build:
        return []
    manager, locked = app.manager, app.locked
    program = toolchain.managers.get(manager.partition("-")[0])
    if program is None:
        if "npm" not in toolchain.managers:
            raise BuildFailed("This app needs npm, and this machine has none: install npm and deploy again.")
        notes.append(
            f"{app.manager_source} asks for {manager}, which is not installed; npm is used without a lock file"
        )
        manager, locked, program = "npm", False, toolchain.managers["npm"]
    env = {"PATH": path}
    commands: list[Command] = []
    if app.has_packages:
        commands.append(Command((program, *_install(manager, locked=locked, all_packages=app.build)), env))
    if app.build:
        commands.append(Command((program, "run", "build"), {**env, "NODE_ENV": "production"}))
    return commands


def _install(manager: str, *, locked: bool, all_packages: bool) -> list[str]:
    """Packages of development are left out when there is no build step that may want them."""
    match manager:
        case "pnpm":
            lock, production = ["--frozen-lockfile"], ["--prod"]
        case "bun":
            lock, production = ["--frozen-lockfile"], ["--production"]
        case "yarn":
            lock, production = ["--frozen-lockfile", "--non-interactive"], ["--production"]
        case "yarn-berry":
            lock, production = ["--immutable"], []
        case _:
            options = ["--no-audit", "--no-fund", *([] if all_packages else ["--omit=dev"])]
            return ["ci" if locked else "install", *options]
    return ["install", *(lock if locked else []), *([] if all_packages else production)]


def _manager(tree: Tree, package: dict[str, Any]) -> tuple[str, str, bool]:
    """Who installs, what says so, and whether its lock file is there: packageManager, lock files, engines, else npm."""
    locks = [(name, manager) for name, manager in _LOCKS if tree.has(name)]
    field = re.match(r"(npm|yarn|pnpm|bun)(?:@(\d+))?", text_of(package, "packageManager") or "")
    if field is not None:
        manager = "yarn-berry" if field[1] == "yarn" and int(field[2] or 1) > 1 else field[1]
        family = manager.partition("-")[0]
        return manager, "packageManager", any(other.partition("-")[0] == family for _, other in locks)
    if locks:
        return locks[0][1], locks[0][0], locks[0][0] != ".yarnrc.yml" or tree.has("yarn.lock")
    engines = table(package, "engines")
    return next((name for name in ("pnpm", "bun", "yarn") if name in engines), "npm"), "engines", False


def _version(tree: Tree, package: dict[str, Any], variables: Mapping[str, str]) -> Wish | None:
    for source, text in (
        ("RAILPACK_NODE_VERSION", variables.get("RAILPACK_NODE_VERSION")),
        ("engines.node", text_of(table(package, "engines"), "node")),
        (".nvmrc", first_line(tree, ".nvmrc")),
        (".node-version", first_line(tree, ".node-version")),
        ("mise.toml", from_mise(tree, "node", "nodejs")),
        (".tool-versions", from_tool_versions(tree, "nodejs", "node")),
    ):
        if text:
            return Wish(text.strip(), source)
    return None


def _pages(
    tree: Tree, packages: Mapping[str, Any], scripts: dict[str, Any], variables: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """The framework of a page that is only files once built, and the folder it builds into."""
    start = text_of(scripts, "start")
    if start is not None and not _DEVELOPMENT.match(start):
        return None, None
    framework, folder = _framework(tree, packages, text_of(scripts, "build") or "")
    wanted = variables.get("RAILPACK_SPA_OUTPUT_DIR")
    if wanted and (framework or start is None):
        return framework or "Static", relative_folder(wanted, "RAILPACK_SPA_OUTPUT_DIR")
    return framework, folder


def _framework(tree: Tree, packages: Mapping[str, Any], build: str) -> tuple[str | None, str | None]:
    if "astro" in packages:
        server = re.search(r"output\s*:\s*[\"'](?:server|hybrid)[\"']", _config(tree, "astro"))
        return (None, None) if server else ("Astro", "dist")
    if "next" in packages:
        exported = re.search(r"output\s*:\s*[\"']export[\"']", _config(tree, "next"))
        return ("Next.js", "out") if exported else (None, None)
    if "@react-router/dev" in packages:
        files_only = re.search(r"ssr\s*:\s*false", _config(tree, "react-router"))
        return ("React Router", "build/client") if files_only else (None, None)
    if "react-scripts" in packages:
        return "Create React App", "build"
    if "@angular/core" in packages and tree.has("angular.json"):
        return _angular(tree)
    if "vite" in packages and "vite" in build and not packages.keys() & {"@sveltejs/kit", "nuxt", "@remix-run/dev"}:
        out = re.search(r"outDir\s*:\s*[\"']([\w./-]+)[\"']", _config(tree, "vite"))
        out = re.search(r"--outDir[ =]([\w./-]+)", build) or out
        return "Vite", relative_folder(out[1], "outDir") if out else "dist"
    return None, None


def _config(tree: Tree, name: str) -> str:
    names = (f"{name}.config.{ending}" for ending in ("js", "mjs", "cjs", "ts", "mts"))
    return next((text for file in names if (text := tree.read(file)) is not None), "")


def _angular(tree: Tree) -> tuple[str | None, str | None]:
    projects = table(read_json(tree, "angular.json") or {}, "projects")
    for name, project in projects.items():
        build = table(project if isinstance(project, dict) else {}, "architect", "build")
        builder, path = str(build.get("builder", "")), table(build, "options").get("outputPath")
        if builder:
            base = path.get("base") if isinstance(path, dict) else path
            folder = relative_folder(str(base or f"dist/{name}"), "outputPath")
            return "Angular", f"{folder}/browser" if builder.endswith(":application") else folder
    return None, None
