"""`homeport customers`: tenants, their plan and who belongs to them."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Customers: who else has apps here.", no_args_is_help=False)

Customer = Annotated[str, typer.Argument(help="The customer's name or id.", show_default=False)]
Plan = Annotated[str, typer.Option("--plan", help="The plan's name or id.", show_default=False)]


@app.callback(invoke_without_command=True)
def customers(
    context: typer.Context,
    search: Annotated[str | None, typer.Option("--search", "-s", help="Only names and addresses with this.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Only active or suspended ones.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List the customers."""
    if context.invoked_subcommand is not None:
        return None
    from homeport.cli.output import ago, print_json, print_table

    with _client(portal) as client:
        rows = every(client, "/api/customers", search=search, status=status)
    if json:
        return print_json({"data": rows, "total": len(rows)})
    cells = (
        (row["name"], row["plan"], row["services"], row["status"], ago(row["created_at"]), row["id"]) for row in rows
    )
    columns = ("name", "plan", "services", "status", "made", "id")
    return print_table(columns, cells, empty="No customers yet: `homeport customers add NAME` makes one.")


@app.command()
def show(customer: Customer, portal: PortalUrl = None, json: Json = False) -> None:
    """Show one with what it uses of its plan, and its users."""
    from homeport.cli.output import print_fields, print_json

    with _client(portal) as client:
        row = find(client, customer)
        path = f"/api/customers/{row['id']}"
        body = {**row, "usage": client.get(f"{path}/usage"), "users": client.get(f"{path}/users")["data"]}
    if json:
        return print_json(body)
    usage = ((name, body["usage"][name]) for name in ("services", "cpu", "memory_mb", "storage_mb"))
    return print_fields(
        (
            *((name, row[name]) for name in ("name", "id", "email", "plan", "status", "notes")),
            *((name, f"{one['used']:g} of {_limit(one['limit'])}") for name, one in usage),
            ("users", ", ".join(user["username"] for user in body["users"])),
        )
    )


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name.", show_default=False)],
    email: Annotated[str, typer.Option("--email", help="Whom to write to.", show_default=False)],
    plan: Plan = "Starter",
    notes: Annotated[str, typer.Option("--notes", help="For yourself.")] = "",
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Add a customer."""
    with _client(portal) as client:
        body = {"name": name, "email": email, "plan_id": plan, "notes": notes}
        _tell(client.post("/api/customers", body), "was added", as_json=json)


@app.command()
def edit(
    customer: Customer,
    name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="Another address.")] = None,
    plan: Annotated[str | None, typer.Option("--plan", help="Another plan: its name or id.")] = None,
    notes: Annotated[str | None, typer.Option("--notes", help="For yourself.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Change a customer; what is not named stays."""
    given = {"name": name, "email": email, "plan_id": plan, "notes": notes}
    _change(customer, {key: value for key, value in given.items() if value is not None}, "was changed", portal, json)


@app.command()
def suspend(customer: Customer, portal: PortalUrl = None, json: Json = False) -> None:
    """No new deploys for this customer; what runs goes on running."""
    _change(customer, {"status": "suspended"}, "is suspended", portal, json)


@app.command()
def resume(customer: Customer, portal: PortalUrl = None, json: Json = False) -> None:
    """Let a suspended customer deploy again."""
    _change(customer, {"status": "active"}, "is active", portal, json)


@app.command()
def rm(customer: Customer, portal: PortalUrl = None, json: Json = False) -> None:
    """Remove a customer that has neither services nor users."""
    with _client(portal) as client:
        row = find(client, customer)
        client.delete(f"/api/customers/{row['id']}")
    _tell({"id": row["id"], "name": row["name"], "removed": True}, "was removed", as_json=json)


@app.command()
def bind(
    customer: Customer,
    user: Annotated[str, typer.Argument(help="The account's name or e-mail address.", show_default=False)],
    remove: Annotated[bool, typer.Option("--remove", help="Take the account out instead.")] = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Give an account to a customer: from then on it sees that customer's services only."""
    with _client(portal) as client:
        row = find(client, customer)
        path = f"/api/customers/{row['id']}/users/{user}"
        if remove:
            client.delete(path)
        else:
            client.put(path)
    _tell({"id": row["id"], "name": row["name"], "user": user, "bound": not remove}, "was changed", as_json=json)


def find(client: Any, ref: str) -> dict[str, Any]:
    """By id or name. Raises NotFound."""
    from homeport.kit.problems import NotFound

    if ref.startswith("cust_"):
        return dict(client.get(f"/api/customers/{ref}"))
    found = [row for row in every(client, "/api/customers", search=ref) if row["name"] == ref]
    if not found:
        raise NotFound(f"There is no customer called {ref!r}.")
    return found[0]


def every(client: Any, path: str, **filters: str | None) -> list[dict[str, Any]]:
    """All pages of a list."""
    rows: list[dict[str, Any]] = []
    page = 0
    while True:
        page += 1
        answer = client.get(path, page=page, per_page=100, **filters)
        rows += answer["data"]
        if not answer["data"] or len(rows) >= answer["total"]:
            return rows


def _change(ref: str, body: dict[str, Any], words: str, portal: str | None, as_json: bool) -> None:
    with _client(portal) as client:
        row = client.patch(f"/api/customers/{find(client, ref)['id']}", body)
    _tell(row, words, as_json=as_json)


def _tell(row: dict[str, Any], words: str, *, as_json: bool) -> None:
    from homeport.cli.output import print_json, safe

    if as_json:
        print_json(row)
    else:
        sys.stdout.write(f"{safe(row['name'])} {words} ({safe(row['id'])})\n")


def _limit(limit: float | None) -> str:
    return "any" if limit is None else f"{limit:g}"


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
