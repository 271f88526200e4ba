"""`homeport users`: who has an account, what they may do, and who is kept out."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="People: who has an account and what they may do.", no_args_is_help=False)

User = Annotated[str, typer.Argument(help="The user name, e-mail address or id.", show_default=False)]
Role = Annotated[str, typer.Option("--role", help="user, moderator, admin or superadmin.")]
Scopes = Annotated[
    str | None, typer.Option("--scopes", help="What they may do instead of what the role brings: services:read,…")
]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input; made by the portal otherwise.")
]


@app.callback(invoke_without_command=True)
def users(context: typer.Context, portal: PortalUrl = None, json: Json = False) -> None:
    """List everybody who has an account."""
    if context.invoked_subcommand is None:
        list_(None, portal, json)


@app.command("list")
def list_(
    search: Annotated[str | None, typer.Option("--search", "-s", help="Only names and addresses with this.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List everybody who has an account."""
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        rows = _every(client, search)
    if json:
        return print_json({"users": rows, "total": len(rows)})
    cells = (
        (
            row["id"],
            row["username"],
            row["role"],
            "banned" if row["banned_at"] else "",
            row["scopes"] if row["scopes_given"] else "",
            row["customer_id"],
            "yes" if row["totp_enabled"] else "",
            ago(row["last_login_at"]),
        )
        for row in rows
    )
    columns = ("id", "name", "role", "state", "scopes", "customer", "2fa", "signed in")
    return print_table(columns, cells, empty="Nobody is found.")


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="3 to 30 letters, digits, _ and -.", show_default=False)],
    role: Role = "user",
    email: Annotated[str | None, typer.Option("--email", help="Their e-mail address.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Their name.")] = None,
    scopes: Scopes = None,
    customer: Annotated[
        str | None, typer.Option("--customer", help="The customer (name or id) they belong to.")
    ] = None,
    password_stdin: PasswordStdin = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Add an account; the password is shown once."""
    from homeport.cli.customers import find as find_customer

    with _client(portal) as client:
        body = {
            "username": username,
            "role": role,
            "email": email,
            "name": name,
            "scopes": scopes,
            "customer_id": find_customer(client, customer)["id"] if customer else None,
            "password": _password() if password_stdin else None,
        }
        row = client.post("/api/users", body)
    _tell(row, "was added", as_json=json)
    _tell_password(row["password"], as_json=json)


@app.command("role")
def set_role(
    user: User,
    role: Annotated[str, typer.Argument(help="user, moderator, admin or superadmin.", show_default=False)],
    scopes: Scopes = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Give somebody another role; they are signed out."""
    with _client(portal) as client:
        row = client.put(f"/api/users/{find(client, user)['id']}/role", {"role": role, "scopes": scopes})
    _tell(row, f"is {row['role']} now", as_json=json)


@app.command()
def ban(
    user: User,
    reason: Annotated[str | None, typer.Option("--reason", help="They are told when they try to sign in.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Keep somebody out: sessions and API keys end at once."""
    with _client(portal) as client:
        row = client.post(f"/api/users/{find(client, user)['id']}/ban", {"reason": reason})
    _tell(row, "is banned", as_json=json)


@app.command()
def unban(user: User, portal: PortalUrl = None, json: Json = False) -> None:
    """Let somebody sign in again."""
    with _client(portal) as client:
        row = client.post(f"/api/users/{find(client, user)['id']}/unban")
    _tell(row, "may sign in again", as_json=json)


@app.command("reset-password")
def reset_password(
    user: User, password_stdin: PasswordStdin = False, portal: PortalUrl = None, json: Json = False
) -> None:
    """Give somebody a new password, shown once; sessions and API keys end at once."""
    with _client(portal) as client:
        row = find(client, user)
        body = {"new_password": _password() if password_stdin else None}
        answer = client.post(f"/api/users/{row['id']}/reset-password", body)
    _tell({**row, **answer}, "has a new password", as_json=json)
    _tell_password(answer["password"], as_json=json)


@app.command()
def rm(user: User, portal: PortalUrl = None, json: Json = False) -> None:
    """Remove an account with its keys and sessions."""
    with _client(portal) as client:
        row = find(client, user)
        client.delete(f"/api/users/{row['id']}")
    _tell({**row, "removed": True}, "was removed", as_json=json)


def find(client: Any, ref: str) -> dict[str, Any]:
    """By user name, e-mail address or id. Raises NotFound."""
    from homeport.kit.problems import NotFound

    wanted = ref.lower()
    rows = _every(client, None if ref.isdecimal() or ref.startswith("usr_") else ref)
    by_name = [row for row in rows if wanted in (row["username"], row["email"])]
    found = by_name or [row for row in rows if ref in (str(row["id"]), row["user_id"])]
    if not found:
        raise NotFound(f"There is no user {ref!r}.")
    return found[0]


def _every(client: Any, search: str | None) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    page = 0
    while True:
        page += 1
        answer = client.get("/api/users", page=page, per_page=100, search=search)
        rows += answer["users"]
        if not answer["users"] or len(rows) >= answer["total"]:
            return rows


def _password() -> str:
    return sys.stdin.readline().rstrip("\r\n")


def _tell(row: dict[str, Any], words: str, *, as_json: bool) -> None:
    from homeport.cli.output import print_json, safe

    if as_json:
        print_json(row)
    else:
        sys.stdout.write(f"{safe(row['username'])} {words}.\n")


def _tell_password(password: str | None, *, as_json: bool) -> None:
    if password and not as_json:
        sys.stdout.write(f"Password (shown this once): {password}\n")


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
