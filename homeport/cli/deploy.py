"""`homeport deploy`: a folder, a git repository, a compose file or a template becomes a running app."""

from __future__ import annotations

import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from homeport.cli.options import Json, NoWait, PortalUrl, Verbose, complete_template
from homeport.cli.problems import UsageWrong
from homeport.kit.problems import Conflict, NotFound

if TYPE_CHECKING:
    from homeport.cli.client import Client

_GIT_URL = re.compile(r"^(https?|git|ssh)://|^[\w.-]+@[\w.-]+:", re.ASCII)


@dataclass(frozen=True)
class Source:
    """Where an app comes from: `method` is upload (`folder`), git (`git_url`), ai (`ai_url`), compose (`compose`, its
    text) or template (`template`)."""

    method: str
    name: str
    folder: Path | None = None
    git_url: str | None = None
    template: str | None = None
    ai_url: str | None = None
    compose: str | None = None


def dns_label(text: str) -> str:
    """`text` made a DNS label (RFC 1123): lower case letters, digits and inner hyphens, 63 at most."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return label or "app"


def source_of(what: str | None, template: str | None, *, analyse: bool = False) -> Source:
    """What the command line names. Raises UsageWrong."""
    if (what is None) == (template is None):
        raise UsageWrong("Say what to deploy: a folder, a compose file, a git address, or --template ID (one of them).")
    if analyse and not _GIT_URL.match(what or ""):
        raise UsageWrong("--ai is for a git repository: say its address.")
    if template is not None:
        return Source("template", dns_label(template), template=template)
    text = what or ""
    if _GIT_URL.match(text):
        path = urlsplit(text).path or text
        name = dns_label(path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git"))
        return Source("ai", name, ai_url=text) if analyse else Source("git", name, git_url=text)
    folder = Path(text).expanduser().resolve()
    if folder.suffix in (".yaml", ".yml") and folder.is_file():
        return Source("compose", dns_label(folder.parent.name), compose=_text_of(folder))
    if not folder.is_dir():
        raise UsageWrong(f"{text} is not a folder here, and not a git address.")
    return Source("upload", dns_label(folder.name), folder=folder)


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageWrong(f"{file} cannot be read: {fault}.") from fault


def variables_of(pairs: list[str], file: Path | None) -> dict[str, str]:
    """`K=V` pairs over the values of a .env file; a bare `K` is taken from the environment. Raises UsageWrong."""
    import os

    variables: dict[str, str] = {}
    if file is not None:
        from dotenv import dotenv_values

        if not file.is_file():
            raise UsageWrong(f"{file} is not a file.")
        variables.update({name: value or "" for name, value in dotenv_values(file, interpolate=False).items()})
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name:
            raise UsageWrong(f"--var {pair}: write it as NAME=VALUE.")
        if not equals and name not in os.environ:
            raise UsageWrong(f"--var {name}: {name} is not in the environment; write {name}=VALUE.")
        variables[name] = value if equals else os.environ[name]
    return variables


def deploy(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="[PATH|GIT_URL]", help="A folder, a compose file, or a git address.", show_default=False
        ),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", "-t", help="Deploy a template.", autocompletion=complete_template)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The app's name; made from the folder, repository or template.")
    ] = None,
    var: Annotated[
        list[str] | None, typer.Option("--var", "-e", help="NAME=VALUE, or NAME to take it from the environment.")
    ] = None,
    var_file: Annotated[Path | None, typer.Option("--var-file", help="Variables from a .env file.")] = None,
    branch: Annotated[str | None, typer.Option("--branch", "-b", help="The branch of a git repository.")] = None,
    ai: Annotated[
        bool, typer.Option("--ai", help="Read a git repository that says nothing about how it runs, and work it out.")
    ] = False,
    driver: Annotated[
        str | None, typer.Option("--driver", help="What runs it: process, compose or swarm; found out otherwise.")
    ] = None,
    no_wait: NoWait = False,
    verbose: Verbose = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Deploy a folder, a git repository, a compose file or a template; deploy again when the app exists."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.jobs import follow
    from homeport.cli.output import print_json, safe

    source = source_of(what, template, analyse=ai)
    if branch is not None and source.method not in ("git", "ai"):
        raise UsageWrong("--branch is for git repositories.")
    variables = variables_of(var or [], var_file)
    with Client(resolve(portal)) as client:
        started = _start(client, source, name or source.name, variables, branch, driver, quiet=json)
        if no_wait:
            job: dict[str, Any] = client.get(f"/api/jobs/{started['deploy_job_id']}")
        else:
            job = follow(client, started["deploy_job_id"], verbose=verbose, quiet=json)
        service = client.get(f"/api/services/{started['id']}")
        if json:
            print_json({"service": service, "job": job})
        else:
            sys.stdout.write(f"{safe(service['url'])}\n")


def _start(
    client: Client, source: Source, name: str, variables: dict[str, str], branch: str | None, driver: str | None,
    *, quiet: bool,
) -> dict[str, Any]:  # fmt: skip
    """Create the app, or redeploy the one of that name; the portal's answer, `deploy_job_id` in it."""
    existing = find_service(client, name)
    if existing is not None:
        _same_source(existing, source)
    upload_id = _send(client, source.folder, quiet=quiet) if source.folder else None
    if existing is None:
        body = {
            "name": name,
            "deploy_method": source.method,
            "template_id": source.template,
            "git_url": source.git_url,
            "git_branch": branch,
            "ai_url": source.ai_url,
            "compose": source.compose,
            "driver": driver,
            "upload_id": upload_id,
            "variables": variables or None,
        }
        created: dict[str, Any] = client.post(
            "/api/services", {key: value for key, value in body.items() if value is not None}, once=True
        )
        return created
    changes = {"variables": variables or None, "git_branch": branch, "compose": source.compose, "driver": driver}
    if any(changes.values()):
        client.patch(f"/api/services/{existing['id']}", {key: value for key, value in changes.items() if value})
    redeployed: dict[str, Any] = client.post(
        f"/api/services/{existing['id']}/redeploy", {"upload_id": upload_id} if upload_id else {}, once=True
    )
    return redeployed


def find_service(client: Client, ref: str) -> dict[str, Any] | None:
    """The app called `ref`, or None."""
    from homeport.cli.problems import PortalRefused

    try:
        found: dict[str, Any] = client.get(f"/api/services/{ref}")
    except PortalRefused as refusal:
        if refusal.status == NotFound.status:
            return None
        raise
    return found


def _same_source(existing: dict[str, Any], source: Source) -> None:
    """Refuse to turn one app into another one by accident."""
    same = existing["deploy_method"] == source.method and (
        source.method in ("upload", "compose", "ai")
        or (source.method == "git" and existing.get("git_url") == source.git_url)
        or (source.method == "template" and existing.get("template") == source.template)
    )
    if not same:
        origin = existing.get("git_url") or existing.get("template") or existing["deploy_method"]
        raise Conflict(
            f"{existing['name']} is already there and comes from {origin}: choose another name with --name, "
            f"or remove it first (`homeport rm {existing['name']}`)."
        )


def _send(client: Client, folder: Path, *, quiet: bool) -> str:
    """Pack and upload `folder`; the upload's id."""
    from homeport.cli.archive import pack
    from homeport.cli.output import stderr_console

    console = stderr_console()
    console.quiet = quiet
    with tempfile.TemporaryFile() as file:
        try:
            with console.status("Packing…"):
                files = pack(folder, file)
        except OSError as fault:
            raise UsageWrong(f"{fault.filename or folder} cannot be packed: {fault.strerror or fault}.") from fault
        if files == 0:
            raise UsageWrong(f"{folder} has no files to send (what .gitignore names is left out).")
        size = file.tell()
        file.seek(0)
        done = 0
        with console.status("Uploading…") as status:

            def sent(count: int) -> None:
                nonlocal done
                done += count
                status.update(f"Uploading… {done / 1e6:.1f} of {size / 1e6:.1f} MB")

            upload = client.upload(file, size, sent)
        console.print(f"Sent {files} files, {size / 1e6:.1f} MB.")
    return str(upload["id"])
