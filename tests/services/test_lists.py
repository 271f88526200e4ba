"""Lists of services: who sees what, and how often the database is asked for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeport.identity import Actor, Role
from homeport.services import store
from homeport.services.models import ServiceRow
from homeport.services.problems import ServiceNotFound
from homeport.services.store import ServiceFilter
from homeport.storage import Database
from homeport.testing.statements import asked

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
ADMIN = Actor(id="usr_1", kind="user", name="ada", role=Role.ADMIN)
USER = Actor(id="usr_2", kind="user", name="kate", role=Role.USER)
ALL = ServiceFilter()


def service(number: int, name: str, **values: Any) -> ServiceRow:
    at = NOON + timedelta(minutes=number)
    given: dict[str, Any] = {
        "id": f"svc_{number}", "name": name, "deploy_method": "template", "variables": "", "cpu_limit": 0.5,
        "memory_limit_mb": 100, "status": "running", "desired": "running", "created_at": at, "updated_at": at,
    }  # fmt: skip
    return ServiceRow(**{**given, **values})


def endpoint(number: int, name: str, desired: str, *scopes: str, **values: Any) -> ServiceRow:
    return service(number, name, kind="endpoint", desired=desired, endpoint={"scopes": list(scopes)}, **values)


@pytest.fixture(autouse=True)
async def rows(database: Database) -> None:
    async with database.write() as session:
        session.add_all(
            [
                service(1, "shop"),
                service(2, "blog", customer_id="cus_1", status="stopped"),
                service(3, "gone", deleting=True),
                endpoint(4, "printer", "running"),
                endpoint(5, "camera", "scoped", "access:camera"),
                endpoint(6, "router", "running", status="stopped"),
            ]
        )


async def names(database: Database, actor: Actor, wanted: ServiceFilter = ALL, page: int = 1) -> tuple[list[str], int]:
    async with database.read() as session:
        found, total = await store.list_services(session, actor, wanted, page, 3)
    return [row.name for row in found], total


async def directory(database: Database, actor: Actor) -> list[str]:
    async with database.read() as session:
        return [row.name for row in await store.all_services(session, actor)]


async def sees(database: Database, actor: Actor, ref: str) -> bool:
    async with database.read() as session:
        try:
            found = await store.get_service(session, actor, ref)
        except ServiceNotFound:
            return False
    return ref in (found.id, found.name)


async def test_administrators_see_all_but_what_is_being_deleted(database: Database) -> None:
    assert await names(database, ADMIN) == (["router", "camera", "printer"], 5)
    assert await names(database, ADMIN, page=2) == (["blog", "shop"], 5)
    assert await names(database, ADMIN, page=3) == ([], 5)
    assert await directory(database, ADMIN) == ["router", "camera", "printer", "blog", "shop"]
    assert await sees(database, ADMIN, "svc_6")
    assert not await sees(database, ADMIN, "gone")


async def test_others_see_endpoints_that_are_on_and_open_to_them_as_their_scopes_are_now(database: Database) -> None:
    without = replace(USER, scopes=("services:read",))
    for _ in range(2):  # what was asked before, for others too, changes nothing
        assert await names(database, without) == (["printer", "blog", "shop"], 3)
        assert not await sees(database, without, "camera")
        given = replace(without, scopes=("services:read", "access:camera"))
        assert await names(database, given) == (["camera", "printer", "blog"], 4)
        assert await directory(database, given) == ["camera", "printer", "blog", "shop"]
        assert await sees(database, given, "camera")
        assert not await sees(database, given, "router")


async def test_a_customers_people_see_their_customers_only(database: Database) -> None:
    for actor in (ADMIN, USER):
        theirs = replace(actor, customer_id="cus_1")
        assert await names(database, theirs) == (["blog"], 1)
        assert await directory(database, theirs) == ["blog"]
        assert not await sees(database, theirs, "shop")
        assert await sees(database, theirs, "blog")
        other = replace(actor, customer_id="cus_2")
        assert await names(database, other) == ([], 0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ServiceFilter(status="stopped"), ["router", "blog"]),
        (ServiceFilter(kind="app"), ["blog", "shop"]),
        (ServiceFilter(customer_id="cus_1"), ["blog"]),
        (ServiceFilter(search="O"), ["router", "blog", "shop"]),
        (ServiceFilter(search="%"), []),
        (ServiceFilter(sort="name", order="asc", search="r"), ["camera", "printer", "router"]),
    ],
)
async def test_a_list_is_what_was_asked_for(database: Database, wanted: ServiceFilter, found: list[str]) -> None:
    assert await names(database, ADMIN, wanted) == (found, len(found))


async def test_a_page_and_the_directory_cost_one_query_and_show_what_is_there_now(database: Database) -> None:
    for number in (7, 8):
        async with database.write() as session:
            session.add(service(number, f"app-{number}"))
        with asked(database) as statements:
            assert (await names(database, ADMIN))[0][0] == f"app-{number}"
            assert (await directory(database, ADMIN))[0] == f"app-{number}"
        assert len(statements) == 2
