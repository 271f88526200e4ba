"""`homeport ssh-keys`: key pairs that the portal makes; the private one is kept here or nowhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="SSH key pairs: the private key is shown once.", no_args_is_help=True)

KeyId = Annotated[int, typer.Argument(min=1, help="Its id, as `list` shows it.", show_default=False)]


@app.command("list")
def list_keys(portal: PortalUrl = None, json: Json = False) -> None:
    """List your public keys."""
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        answer = client.get("/api/ssh-keys")
    if json:
        return print_json(answer)
    cells = (
        (row["id"], row["name"], row["key_type"], row["fingerprint"], ago(row["created_at"])) for row in answer["keys"]
    )
    return print_table(("id", "name", "type", "fingerprint", "made"), cells, empty="You have no SSH keys.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name, which becomes the key's comment.", show_default=False)],
    key_type: Annotated[str, typer.Option("--type", help="ed25519 or rsa.")] = "ed25519",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the private key here (0600) and the public one beside it.", dir_okay=False),
    ] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Make a pair. Without --out the private key is printed, this once."""
    from homeport.cli.output import print_json, safe
    from homeport.cli.problems import UsageWrong

    if out is None:
        with _client(portal) as client:
            made = client.post("/api/ssh-keys", {"name": name, "key_type": key_type})
        if json:
            return print_json(made)
        sys.stdout.write(made["private_key"])
        sys.stderr.write(f"{safe(made['public_key'])}\n{made['fingerprint']}\nIt is not shown again.\n")
        return None
    file = out.expanduser()
    public = file.with_name(f"{file.name}.pub")
    if os.path.lexists(public):
        raise UsageWrong(f"{public} exists already: name another file with --out.")
    descriptor = _new_file(file)
    try:
        with _client(portal) as client:
            made = client.post("/api/ssh-keys", {"name": name, "key_type": key_type})
        with os.fdopen(descriptor, "w", closefd=False) as writer:
            writer.write(made.pop("private_key"))
    except BaseException:
        file.unlink(missing_ok=True)  # an empty file is no key
        raise
    finally:
        os.close(descriptor)
    with os.fdopen(_new_file(public, 0o644), "w") as writer:  # never through a link that somebody put there
        writer.write(f"{made['public_key']}\n")
    if json:
        return print_json({**made, "private_key_file": str(file)})
    sys.stdout.write(f"{file} holds the private key, {public.name} beside it the public one: {made['fingerprint']}\n")
    return None


@app.command()
def rm(key_id: KeyId, portal: PortalUrl = None, json: Json = False) -> None:
    """Forget a key; remove it from the machines that trust it yourself."""
    from homeport.cli.output import print_json

    with _client(portal) as client:
        client.delete(f"/api/ssh-keys/{key_id}")
    if json:
        print_json({"id": key_id, "removed": True})
    else:
        sys.stdout.write(f"Key {key_id} is gone here. Remove it from authorized_keys where it was put.\n")


@app.command()
def authorized(portal: PortalUrl = None, json: Json = False) -> None:
    """Print your public keys as an authorized_keys file has them."""
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        lines = [str(row["public_key"]) for row in client.get("/api/ssh-keys")["keys"]]
    if json:
        return print_json({"authorized_keys": lines})
    sys.stdout.write("".join(f"{safe(line)}\n" for line in lines))
    return None


def _new_file(path: Path, mode: int = 0o600) -> int:
    """A descriptor of a new file, for its owner only unless `mode` says else. Raises UsageWrong when one is there."""
    from homeport.cli.problems import UsageWrong

    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    except FileExistsError as fault:
        raise UsageWrong(f"{path} exists already: name another file with --out.") from fault
    except OSError as fault:
        raise UsageWrong(f"{path} cannot be written: {fault.strerror}.") from fault


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
