"""`homeport certs`: certificates by which machines and people come in at the second port."""

from __future__ import annotations

import base64
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Client certificates: who may come in by one, and what it may do.", no_args_is_help=False)

Label = Annotated[str, typer.Argument(help="The machine's label.", show_default=False)]
Capability = Annotated[
    list[str] | None,
    typer.Option("--capability", "-c", help="A scope, as in services:read; several times for several."),
]
Mine = Annotated[bool, typer.Option("--me", help="Your own certificates: they stand for you.")]


@app.callback(invoke_without_command=True)
def certs(context: typer.Context, me: Mine = False, portal: PortalUrl = None, json: Json = False) -> None:
    """List the certificates of machines and people."""
    if context.invoked_subcommand is None:
        _list(portal, me=me, as_json=json)


@app.command("list")
def list_certificates(me: Mine = False, portal: PortalUrl = None, json: Json = False) -> None:
    """List the certificates of machines and people, or your own."""
    _list(portal, me=me, as_json=json)


@app.command()
def issue(
    label: Label,
    capability: Capability = None,
    form: Annotated[str, typer.Option("--format", help="p12 for browsers and key chains, pem for programs.")] = "p12",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where to write it (0600); LABEL.p12 or LABEL.pem here otherwise.", dir_okay=False),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, max=730, help="How long it is good.")] = None,
    legacy: Annotated[bool, typer.Option("--legacy", help="A P12 that old versions of macOS can read.")] = False,
    me: Mine = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Make a certificate with its key, and write them to a file."""
    from homeport.cli.output import print_json, safe
    from homeport.cli.problems import UsageWrong

    if form not in ("p12", "pem"):
        raise UsageWrong(f"--format is p12 or pem, not {form}.")
    if me and capability:
        raise UsageWrong("A certificate of your own may do what you may: leave out --capability.")
    file = (out or Path(f"{label.replace('/', '_')}.{form}")).expanduser()
    body = {"label": label, "format": form, "legacy": legacy, "days": days}
    descriptor = _new_file(file)
    try:
        with _client(portal) as client:
            if me:
                made = client.post("/api/me/certificates", body)
            else:
                made = client.post("/api/certs/agent", {**body, "capabilities": capability})
        with os.fdopen(descriptor, "wb", closefd=False) as writer:
            writer.write(base64.b64decode(made["p12"]) if form == "p12" else made["pem"].encode())
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    told = {name: made[name] for name in ("id", "label", "serial", "expiresAt", "capabilities", "p12Password")}
    if json:
        return print_json({**told, "file": str(file)})
    sys.stdout.write(f"{safe(made['label'])}: {file}, good until {made['expiresAt'][:10]}\n")
    if made["p12Password"]:
        sys.stdout.write(f"Its password, shown this once: {made['p12Password']}\n")
    return None


@app.command()
def enroll(label: Label, capability: Capability = None, portal: PortalUrl = None, json: Json = False) -> None:
    """Let a machine make its own key and get a certificate for it: a token, good once and for ten minutes."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        made = client.post("/api/certs/agent/enroll", {"label": label, "capabilities": capability})
        url = client.url
    if json:
        return print_json(made)
    sys.stdout.write(f"{made['token']}\n\nOn {safe(made['label'])}, before {made['expiresAt']} (paste the token):\n")
    sys.stdout.write(
        "  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        " -subj /CN=any -keyout key.pem -out csr.pem\n"
        "  jq -Rn --rawfile csr csr.pem '{token: input, csr: $csr}' \\\n"
        f"    | curl --cacert ca.pem --json @- {url}/api/enroll | jq -r .cert >cert.pem\n"
    )
    return None


@app.command()
def revoke(
    label: Annotated[str, typer.Argument(help="A machine's label, or the id of a certificate.", show_default=False)],
    me: Mine = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Refuse a certificate from now on, with all that it delegated; what is open by it ends."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        if me:
            client.delete(f"/api/me/certificates/{label}")
            done: Any = {"ok": True, "label": label, "revoked": [label]}
        else:
            done = client.delete(f"/api/certs/agent/{label}")
    if json:
        return print_json(done)
    sys.stdout.write(f"Revoked: {safe(', '.join(done['revoked']))}\n")
    return None


@app.command()
def capabilities(
    label: Label,
    scopes: Annotated[list[str], typer.Argument(help="All that it may do from now on.", show_default=False)],
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Say anew what a machine may do; what is open by its certificate ends."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        changed = client.patch(f"/api/certs/agent/{label}/capabilities", {"capabilities": scopes})
    if json:
        return print_json(changed)
    sys.stdout.write(f"{safe(changed['label'])} may do {safe(', '.join(changed['capabilities']))}\n")
    return None


def _list(portal: str | None, *, me: bool, as_json: bool) -> None:
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        answer = client.get("/api/me/certificates" if me else "/api/certs/agent")
    if as_json:
        return print_json(answer)
    rows = answer["certificates" if me else "agents"]
    cells = (
        (
            row["label"],
            "revoked" if row["revoked"] else f"good until {row['expiresAt'][:10]}",
            ", ".join(row["scopes" if me else "capabilities"]) or f"what {row.get('username')} may",
            ago(row["lastUsedAt"]) if row["lastUsedAt"] else "never",
            row["id"],
        )
        for row in rows
    )
    empty = "No certificates yet: `homeport certs issue LABEL` makes one."
    return print_table(("label", "state", "may do", "last used", "id"), cells, empty=empty)


def _new_file(path: Path) -> int:
    """A file that was not there, for its owner alone, before anything is asked for. Raises UsageWrong."""
    from homeport.cli.problems import UsageWrong

    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as problem:
        raise UsageWrong(f"{path} is there already: name another file with --out.") from problem
    except OSError as problem:
        raise UsageWrong(f"{path} cannot be written: {problem.strerror}.") from problem


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
