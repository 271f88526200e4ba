"""Says what a source is: Procfile, Python, Node, static, in this order. Reads files and runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeport.kit.files import Tree, UnsafePath
from homeport.services.problems import NothingDetected, SourceRefused
from homeport.services.sources.node_app import NodeApp, find_node, plan_node
from homeport.services.sources.plan import Plan, Procfile, parse_procfile, path_of, shell
from homeport.services.sources.python_app import PythonApp, find_python, plan_python, probe_of
from homeport.services.sources.static_root import StaticSite, find_static, plan_static
from homeport.services.sources.toolchain import Toolchain


@dataclass(frozen=True)
class Detected:
    """`app` is None for a Procfile without a language that is known here."""

    procfile: Procfile | None
    app: PythonApp | NodeApp | StaticSite | None

    @property
    def kind(self) -> str:
        match self.app:
            case PythonApp():
                return "python"
            case NodeApp():
                return "node"
            case StaticSite():
                return "static"
            case None:
                return "procfile"

    @property
    def sentence(self) -> str:
        """For the job's log."""
        by = f", started by the {self.procfile.entry} line of the Procfile" if self.procfile else ""
        match self.app:
            case PythonApp(framework=framework, evidence=evidence):
                return f"Found a {framework or 'Python'} app ({evidence}){by}."
            case NodeApp(framework=framework):
                return f"Found a {framework or 'Node'} app (package.json){by}."
            case StaticSite(evidence=evidence):
                return f"Found a static site ({evidence})."
            case None:
                return f"Found a Procfile{by}."


def detect(directory: Path, variables: Mapping[str, str] | None = None) -> Detected:
    """What is in `directory`; `variables` are the app's own, of which the RAILPACK_… ones steer detection.

    Raises NothingDetected with what to add, and SourceRefused for a manifest that is a link or not a regular file.
    """
    tree, variables = Tree(directory), variables or {}
    try:
        return _detect(tree, variables)
    except UnsafePath as problem:
        raise SourceRefused(problem.message) from None


def _detect(tree: Tree, variables: Mapping[str, str]) -> Detected:
    text = tree.read("Procfile")
    procfile = parse_procfile(text) if text is not None else None
    python = find_python(tree, variables.get("RAILPACK_PYTHON_VERSION"))
    if python is not None and (procfile is not None or python.target is not None):
        return Detected(procfile, python)
    node = find_node(tree, variables)
    if node is not None and (procfile is not None or _starts(node)):
        return Detected(procfile, node)
    if procfile is not None:
        return Detected(procfile, None)
    static = find_static(tree, variables)
    if static is not None:
        return Detected(None, static)
    if python is not None or node is not None:
        return Detected(None, python or node)  # planning says what is missing
    if text is not None:
        raise NothingDetected("The Procfile has no line such as 'web: python serve.py'.")
    names = [name for name in tree.names(limit=200) if not name.startswith(".")]
    if not names:
        raise NothingDetected("The source is empty.")
    raise NothingDetected(
        "Nothing here says how to run it. Add a Procfile ('web: <command>'), main.py, requirements.txt, package.json "
        f"or index.html at the top. Found: {', '.join(names[:8])}{'…' if len(names) > 8 else ''}."
    )


def _starts(node: NodeApp) -> bool:
    return node.pages is not None or node.script is not None or node.main is not None


def make_plan(directory: Path, detected: Detected, toolchain: Toolchain) -> Plan:
    """How to build and start what was detected in `directory`, where it will stay.

    Raises BuildFailed, NothingDetected.
    """
    match detected.app:
        case PythonApp() as app:
            plan = plan_python(directory, app, detected.procfile, toolchain)
        case NodeApp() as app:
            plan = plan_node(directory, app, detected.procfile, toolchain)
        case StaticSite() as app:
            plan = plan_static(directory, app)
        case None:
            procfile = detected.procfile or Procfile("web", "false")
            plan = Plan(
                kind="procfile",
                reason=f"Procfile, no language of its own; started by its {procfile.entry} line.",
                start=shell(procfile.line),
                probe=probe_of(procfile),
            )
    return _with_defaults(plan)


def _with_defaults(plan: Plan) -> Plan:
    """Every app listens on loopback only, behind the portal's own front."""
    env = {"HOST": "127.0.0.1", "LANG": "C.UTF-8", "PATH": path_of(), **plan.env}
    return Plan(**{**vars(plan), "env": env})
