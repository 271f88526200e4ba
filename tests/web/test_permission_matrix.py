"""Every route and WebSocket, asked by every kind of caller: the whole application, over its own front."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import update
from starlette.requests import HTTPConnection

from homeport.identity import store
from homeport.identity.access import Verb
from homeport.identity.certificates import PEER, Peer
from homeport.identity.guard import Guard
from homeport.identity.models import Customer, Plan, User
from homeport.kit.ids import new_id
from homeport.kit.problems import Problem
from homeport.portal import Portal, built
from homeport.settings import Settings
from homeport.testing.callers import CALLERS, CUSTOMER, Caller, GuardedRoute, expected, guarded_routes
from homeport.testing.door import NO_LIMITS

# What each caller may do, written down by hand: the table of the code is judged by this one.
ANYBODYS = {Verb.CERTIFICATES_OWN}  # what a certificate may do about itself
OWN = ANYBODYS | {Verb.ACCOUNT_SELF, Verb.ACCOUNT_WRITE, Verb.ACCOUNT_KEYS, Verb.ACCOUNT_SECURITY}
READING = {Verb.SERVICES_READ, Verb.JOBS_READ, Verb.TEMPLATES_READ, Verb.TUNNELS_READ}
WRITING = {Verb.SERVICES_WRITE, Verb.TUNNELS_WRITE}
DEPLOYING = WRITING | {Verb.SERVICES_DEPLOY, Verb.SERVICES_SECRETS, Verb.JOBS_WRITE}
ONLY_SUPERADMIN = {Verb.USERS_DELETE, Verb.RETENTION_WRITE}
ONLY_PORTAL = {
    Verb.CUSTOMERS_WRITE,
    Verb.USERS_READ,
    Verb.USERS_WRITE,
    Verb.AUDIT_READ,
    Verb.CERTIFICATES_READ,
    Verb.CERTIFICATES_WRITE,
    Verb.SETTINGS_READ,
    Verb.SETTINGS_WRITE,
    Verb.RELAY_READ,
    Verb.RELAY_WRITE,
}
EVERY_VERB = set(Verb) - {Verb.PUBLIC}
MAY: dict[str, set[Verb]] = {
    "nobody": set(),
    "forged": set(),
    "banned": set(),
    "user": OWN | READING,
    "moderator": OWN | READING | {Verb.USERS_READ, Verb.AUDIT_READ},
    "admin": EVERY_VERB - ONLY_SUPERADMIN,
    "superadmin": EVERY_VERB,
    "viewer": OWN | READING,
    "operator": OWN | READING | WRITING,
    "deployer": OWN | READING | DEPLOYING,
    "customer": OWN | READING,
    "customer_admin": EVERY_VERB - ONLY_SUPERADMIN - ONLY_PORTAL,
    "reading_key": ANYBODYS | {Verb.ACCOUNT_SELF} | READING,
    "users_key": OWN | READING,
    "reading_agent": ANYBODYS | READING,
    "writing_agent": ANYBODYS | WRITING,
}


SUPERADMIN = next(caller.actor for caller in CALLERS if caller.name == "superadmin")


class LetIn(Problem):
    """Stops a request where its handler would begin: the matrix changes nothing."""

    code = "let_in"
    status = 418


@dataclass(frozen=True)
class House:
    """The whole application, and what each caller sends."""

    app: Any
    routes: list[GuardedRoute]
    credentials: dict[str, dict[str, Any]]

    async def ask(self, caller: Caller, route: GuardedRoute) -> int:
        """The status of the answer; a WebSocket's is that of its refusal, before the upgrade."""
        path = re.sub(r"\{[^}]+\}", "x", route.path)
        is_socket = route.method == "WS"
        status: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"} if is_socket else {"type": "http.request", "body": b""}

        async def send(message: Any) -> None:
            if "status" in message:
                status.append(message["status"])

        given = self.credentials[caller.name]
        scope = {
            "type": "websocket" if is_socket else "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "wss" if is_socket else "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost:8443"), *given.get("headers", ())],
            "client": ("192.0.2.1", 1),
            "server": ("127.0.0.1", 8443),
            "subprotocols": [],
            "state": {},
            "extensions": {"websocket.http.response": {}} if is_socket else {},
            **given.get("scope", {}),
        }
        if not is_socket:
            scope["method"] = route.method
        await self.app(scope, receive, send)
        return status[0]


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    portal = Portal(Settings(data_dir=tmp_path, docker_host="", **NO_LIMITS))
    await portal.prepare()
    app = await built(portal)
    credentials = {caller.name: await _credential(portal, caller) for caller in CALLERS}
    through = Guard.__call__

    async def stop(self: Guard, connection: HTTPConnection) -> None:
        await through(self, connection)
        raise LetIn("The handler would begin here.")

    monkeypatch.setattr(Guard, "__call__", stop)
    yield House(app, guarded_routes(app.routes), credentials)
    await portal.database.close()


async def _credential(portal: Portal, caller: Caller) -> dict[str, Any]:
    identity, now = portal.identity, portal.clock.now()
    if caller.presents == "nothing":
        return {}
    if caller.presents == "forged":
        return _bearer("portal_" + "0" * 64)
    if caller.presents == "certificate":
        label = caller.name.replace("_", "-")
        made = await identity.certificates.agents.issue(SUPERADMIN, label, capabilities=caller.scopes, form="pem")
        return {"scope": {"state": {PEER: Peer(made.certificate.public_bytes(Encoding.DER))}}}
    user = User(
        id=new_id("usr"),
        username=f"the_{caller.name}",
        email=None,
        name=caller.name,
        role=caller.role,
        scopes=",".join(caller.scopes) if caller.scopes else None,
        customer_id=caller.customer_id,
        password_hash="",
        created_at=now,
        updated_at=now,
    )
    async with portal.database.write() as db:
        if caller.customer_id and not await store.find_customer_with_plan(db, CUSTOMER):
            plan = (await store.list_plans(db, None, 1, 1))[0][0][0]
            assert isinstance(plan, Plan)
            db.add(
                Customer(
                    id=CUSTOMER, name="m", email="m@example.org", plan_id=plan.id, notes="", status="active",
                    created_at=now, updated_at=now,
                )
            )  # fmt: skip
            await db.flush()
        user.number = await store.next_number(db, "users")
        db.add(user)
    signed_in = await identity.sessions.begin(user, address=None, user_agent=None)
    if caller.presents == "key":
        key = await identity.api_keys.create(signed_in.actor, "matrix", style="portal", within=caller.within)
        return _bearer(key.secret)
    if caller.presents == "banned":
        async with portal.database.write() as db:
            await db.execute(update(User).where(User.id == user.id).values(banned_at=now))
    return _bearer(signed_in.token)


def _bearer(token: str) -> dict[str, Any]:
    return {"headers": [(b"authorization", f"Bearer {token}".encode())]}


def test_the_table_of_verbs_is_the_one_written_down_here() -> None:
    assert set(MAY) == {caller.name for caller in CALLERS}
    for caller in CALLERS:
        row = {verb for verb in Verb if expected(caller, GuardedRoute("GET", "/", verb)) == "in"}
        assert row == MAY[caller.name] | {Verb.PUBLIC}, caller.name


async def test_every_route_treats_every_caller_as_the_matrix_says(house: House) -> None:
    wrong = []
    for route in house.routes:
        for caller in CALLERS:
            status = await house.ask(caller, route)
            wanted = {"in": 418, "401": 401, "403": 403}[expected(caller, route)]
            if status != wanted:
                wrong.append(f"{caller.name} {route.method} {route.path}: {status}, not {wanted}")
    assert wrong == []


async def test_the_page_counts_the_cells_that_are_tested_here(house: House) -> None:
    page = Path("docs/reference/permissions.md").read_text()
    assert f"{len(house.routes) * len(CALLERS):,} cells" in page
