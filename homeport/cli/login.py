"""`homeport login` and `homeport logout`: the credentials of this user for one portal."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeport.cli.options import Json

if TYPE_CHECKING:
    from homeport.cli.client import Client

_DEFAULT_URL = "https://localhost:8443"


def login(
    url: Annotated[
        str | None, typer.Argument(help="Address of the portal; the last one used otherwise.", show_default=False)
    ] = None,
    username: Annotated[str | None, typer.Option("--username", "-u", help="Who you are; asked for otherwise.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    code: Annotated[
        str | None, typer.Option("--code", help="6-digit or backup code of the second factor; asked for otherwise.")
    ] = None,
    ca: Annotated[Path | None, typer.Option("--ca", help="The portal's CA file (PEM).", dir_okay=False)] = None,
    trust: Annotated[
        str | None, typer.Option("--trust", help="SHA-256 fingerprint of the portal's CA, as the portal printed it.")
    ] = None,
    json: Json = False,
) -> None:
    """Sign in to a portal; the password comes from the terminal, standard input or HOMEPORT_PASSWORD."""
    from homeport.cli.client import Client
    from homeport.cli.connection import Connection, address_of, normalise
    from homeport.cli.credentials import Credentials, Known
    from homeport.cli.output import print_json, safe
    from homeport.cli.trust import trusted_ca

    credentials = Credentials()
    portal = normalise(url or credentials.current or _DEFAULT_URL)
    known = credentials.find(portal)
    given = str(ca.expanduser()) if ca else os.environ.get("HOMEPORT_CA", "")
    pem = trusted_ca(portal, _text(given) if given else (known.ca if known else ""), trust)
    name = username or (typer.prompt("Username", default="admin", err=True) if sys.stdin.isatty() else "admin")
    host, port = address_of(portal)
    stranger = Connection(url=portal, key="", ca=pem, address=host, port=port)
    with Client(stranger) as client:
        session = _sign_in(client, {"username": name, "password": _password(stdin=password_stdin)}, code)
    with Client(replace(stranger, key=session["token"])) as client:
        made = client.post("/api/auth/api-keys", {"name": f"homeport on {platform.node() or 'a machine'}"})
        client.post("/api/auth/logout")
    credentials.remember(Known(url=portal, username=name, key=made["key"], key_id=made["id"], ca=pem))
    if json:
        print_json({"url": portal, "username": name, "key_id": made["id"]})
    else:
        sys.stdout.write(f"Signed in to {portal} as {safe(name)}.\n")


def logout(
    url: Annotated[
        str | None, typer.Argument(help="Address of the portal; the last one used otherwise.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Forget a portal, and have it forget this machine's API key."""
    from homeport.cli.client import Client
    from homeport.cli.connection import normalise, resolve
    from homeport.cli.credentials import Credentials
    from homeport.cli.output import print_json
    from homeport.cli.problems import NotSignedIn

    credentials = Credentials()
    portal = normalise(url) if url else credentials.current
    known = credentials.find(portal)
    if known is None:
        raise NotSignedIn(f"You are not signed in to {portal or 'any portal'}.")
    if known.key_id:
        with Client(resolve(portal)) as client:
            client.delete(f"/api/auth/api-keys/{known.key_id}")
    credentials.forget(portal)
    if json:
        print_json({"url": portal, "signed_in": False})
    else:
        sys.stdout.write(f"Signed out of {portal}.\n")


def _sign_in(client: Client, body: dict[str, str], code: str | None) -> Any:
    """The session. Whoever has a second factor is asked for its code, where there is somebody to ask."""
    from homeport.cli.problems import NotSignedIn, PortalRefused

    try:
        return client.post("/api/auth/login", {**body, "totp_code": code} if code else body)
    except PortalRefused as refused:
        if refused.code != "2fa_required":
            raise
        if not sys.stdin.isatty():
            raise NotSignedIn("This account has a second factor: give its code with --code.") from refused
    asked = typer.prompt("Code of your second factor", err=True)
    return client.post("/api/auth/login", {**body, "totp_code": asked})


def _text(path: str) -> str:
    from homeport.cli.problems import UsageWrong

    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageWrong(f"The CA file {path} cannot be read: {fault}") from fault


def _password(*, stdin: bool) -> str:
    from homeport.cli.problems import UsageWrong

    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if os.environ.get("HOMEPORT_PASSWORD"):
        return os.environ["HOMEPORT_PASSWORD"]
    if not sys.stdin.isatty():
        raise UsageWrong("No terminal to ask for the password: use --password-stdin or HOMEPORT_PASSWORD.")
    password: str = typer.prompt("Password", hide_input=True, err=True)
    return password
