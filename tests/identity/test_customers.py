"""Customers and their plans over the API, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from homeport.identity import Role
from homeport.testing.door import Door

GATES = ("template", "git", "ai", "compose", "custom_domains", "backup", "notifications", "api_access")


@pytest.fixture
async def admin(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.client(await door.admin_token()) as client:
        yield client


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    return body


async def customer(admin: httpx.AsyncClient, name: str = "Acme", plan: str = "Starter") -> str:
    answer = await admin.post("/api/customers", json={"name": name, "email": "it@acme.example", "plan_id": plan})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_new_portal_has_the_three_plans_of_the_seed(admin: httpx.AsyncClient) -> None:  # apps B.6
    page = (await admin.get("/api/plans")).json()
    assert (page["total"], page["page"], page["per_page"]) == (3, 1, 20)
    assert [plan["name"] for plan in page["data"]] == ["Starter", "Pro", "Enterprise"]
    starter, pro, enterprise = page["data"]
    limits = ("max_services", "max_cpu", "max_memory_mb", "max_storage_mb", "bandwidth_mb")
    assert [starter[name] for name in limits] == [3, 2.0, 4096, 20_480, 0]
    assert [pro[name] for name in limits] == [10, 8.0, 16_384, 102_400, 0]
    assert [enterprise[name] for name in limits] == [None, None, None, None, 0]
    assert starter["allow_template"]
    assert not any(starter[f"allow_{gate}"] for gate in ("git", "ai", "compose"))
    assert all(pro[f"allow_{gate}"] and enterprise[f"allow_{gate}"] for gate in GATES)
    assert starter["id"].startswith("plan_")


async def test_the_first_plans_are_made_once(door: Door, admin: httpx.AsyncClient) -> None:
    await admin.patch("/api/plans/Starter", json={"name": "Small"})
    await door.identity.plans.open()
    assert [plan["name"] for plan in (await admin.get("/api/plans")).json()["data"]] == ["Small", "Pro", "Enterprise"]


async def test_a_plan_is_made_changed_and_removed(admin: httpx.AsyncClient) -> None:
    made = await admin.post("/api/plans", json={"name": "Tiny", "max_services": 1, "allow_git": False, "sort_order": 9})
    assert made.status_code == 201
    plan = made.json()
    assert (plan["max_services"], plan["max_cpu"], plan["allow_git"], plan["customers"]) == (1, None, False, 0)
    changed = await admin.patch(f"/api/plans/{plan['id']}", json={"max_services": None, "max_cpu": 0.5})
    assert (changed.json()["max_services"], changed.json()["max_cpu"], changed.json()["name"]) == (None, 0.5, "Tiny")
    assert (await admin.delete("/api/plans/Tiny")).status_code == 204
    error(await admin.get(f"/api/plans/{plan['id']}"), 404, "plan_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x", "max_services": -1}, "max_services"),
        ({"name": "x", "max_cpu": "many"}, "max_cpu"),
        ({"name": "x", "bandwidth_mb": None}, "bandwidth_mb"),
    ],
)
async def test_a_plan_that_does_not_fit_names_the_field(
    admin: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    told = error(await admin.post("/api/plans", json=body), 422, "validation_error")
    assert field in told["details"]["fields"]


async def test_a_plans_gate_cannot_be_neither_open_nor_shut(admin: httpx.AsyncClient) -> None:
    error(await admin.patch("/api/plans/Pro", json={"allow_git": None}), 422, "validation_error")


async def test_names_of_plans_and_customers_are_unique(admin: httpx.AsyncClient) -> None:
    error(await admin.post("/api/plans", json={"name": "Pro"}), 409, "conflict")
    error(await admin.patch("/api/plans/Starter", json={"name": "Pro"}), 409, "conflict")
    await customer(admin)
    again = {"name": "Acme", "email": "a@b", "plan_id": "Pro"}
    error(await admin.post("/api/customers", json=again), 409, "conflict")


async def test_a_plan_in_use_stays(admin: httpx.AsyncClient) -> None:
    customer_id = await customer(admin)
    told = error(await admin.delete("/api/plans/Starter"), 409, "plan_in_use")
    assert told["details"] == {"customers": 1}
    await admin.patch(f"/api/customers/{customer_id}", json={"plan_id": "Pro"})
    assert (await admin.delete("/api/plans/Starter")).status_code == 204


async def test_a_customer_is_made_shown_changed_and_removed(admin: httpx.AsyncClient) -> None:  # apps B.6
    body = {"name": "Acme", "email": "it@acme.example", "plan": "Pro", "notes": "pays late"}
    made = await admin.post("/api/customers", json=body)
    assert made.status_code == 201
    row = made.json()
    assert row["id"].startswith("cust_")
    assert row.items() >= {
        "name": "Acme", "email": "it@acme.example", "plan": "Pro", "notes": "pays late", "status": "active",
        "services": 0, "created_at": "2026-03-29T10:00:00Z",
    }.items()  # fmt: skip
    assert (await admin.get(f"/api/customers/{row['id']}")).json() == row
    changed = await admin.patch(f"/api/customers/{row['id']}", json={"status": "suspended", "notes": ""})
    assert (changed.json()["status"], changed.json()["notes"], changed.json()["plan"]) == ("suspended", "", "Pro")
    assert (await admin.delete(f"/api/customers/{row['id']}")).status_code == 204
    error(await admin.get(f"/api/customers/{row['id']}"), 404, "customer_not_found")


async def test_an_unknown_plan_is_named(admin: httpx.AsyncClient) -> None:
    body = {"name": "Acme", "email": "it@acme.example", "plan_id": "plan_none"}
    assert (
        "plan_id" in error(await admin.post("/api/customers", json=body), 422, "validation_error")["details"]["fields"]
    )


@pytest.mark.parametrize("missing", ["name", "email", "plan_id"])
async def test_name_e_mail_and_plan_are_required(admin: httpx.AsyncClient, missing: str) -> None:  # apps B.6
    body = {"name": "Acme", "email": "it@acme.example", "plan_id": "Pro"}
    del body[missing]
    error(await admin.post("/api/customers", json=body), 422, "validation_error")


async def test_customers_are_listed_in_pages_and_found_by_name_status_and_plan(admin: httpx.AsyncClient) -> None:
    for number in range(5):
        await customer(admin, f"Firm {number}", "Pro" if number == 2 else "Starter")
    page = (await admin.get("/api/customers?page=2&per_page=2")).json()
    assert (page["total"], page["page"], page["per_page"], len(page["data"])) == (5, 2, 2, 2)
    assert [row["name"] for row in (await admin.get("/api/customers?search=FIRM 3")).json()["data"]] == ["Firm 3"]
    assert (await admin.get("/api/customers?search=%25")).json()["total"] == 0
    assert (await admin.get("/api/customers?status=suspended")).json()["total"] == 0
    plan = (await admin.get("/api/plans/Pro")).json()
    assert plan["customers"] == 1
    assert [row["name"] for row in (await admin.get(f"/api/customers?plan_id={plan['id']}")).json()["data"]] == [
        "Firm 2"
    ]


@pytest.mark.parametrize("query", ["page=0", "per_page=x", "status=sleepy"])
async def test_a_parameter_that_does_not_fit_is_refused(admin: httpx.AsyncClient, query: str) -> None:  # apps A.8
    error(await admin.get(f"/api/customers?{query}"), 400, "invalid_parameter")


async def test_usage_of_a_customer_without_services_is_nothing_of_its_limits(admin: httpx.AsyncClient) -> None:
    usage = (await admin.get(f"/api/customers/{await customer(admin)}/usage")).json()
    assert usage["plan"] == "Starter"
    assert usage["services"] == {"used": 0, "limit": 3}
    assert usage["cpu"] == {"used": 0, "limit": 2}
    assert usage["memory_mb"] == {"used": 0, "limit": 4096}
    assert usage["storage_mb"] == {"used": 0, "limit": 20_480}


async def test_a_viewer_sees_no_customers(door: Door) -> None:
    async with door.client(await door.add_user("ann", Role.USER)) as client:
        for path in ("/api/customers", "/api/plans"):
            error(await client.get(path), 403, "forbidden")


async def test_a_customers_administrator_sees_their_own_customer_and_plan_and_changes_neither(  # apps G.7
    door: Door, admin: httpx.AsyncClient
) -> None:
    own, other = await customer(admin, "Own", "Pro"), await customer(admin, "Other")
    token = await door.add_user("ann", Role.ADMIN, own)
    async with door.client(token) as client:
        assert [row["id"] for row in (await client.get("/api/customers")).json()["data"]] == [own]
        assert [plan["name"] for plan in (await client.get("/api/plans")).json()["data"]] == ["Pro"]
        assert (await client.get(f"/api/customers/{own}/usage")).status_code == 200
        for path in (f"/api/customers/{other}", f"/api/customers/{other}/usage", f"/api/customers/{other}/users"):
            error(await client.get(path), 404, "customer_not_found")
        error(await client.get("/api/plans/Starter"), 404, "plan_not_found")
        error(await client.patch(f"/api/customers/{own}", json={"plan_id": "Enterprise"}), 403, "forbidden")
        error(await client.patch("/api/plans/Pro", json={"max_services": None}), 403, "forbidden")
        assert "customers.write" not in (await client.get("/api/auth/me")).json()["verbs"]


async def test_a_user_who_is_given_to_a_customer_is_bound_from_the_next_request_on(
    door: Door, admin: httpx.AsyncClient
) -> None:
    customer_id = await customer(admin)
    async with door.client(await door.add_user("ann", Role.ADMIN)) as ann:
        assert (await ann.get("/api/auth/me")).json()["customer_id"] is None
        given = await admin.put(f"/api/customers/{customer_id}/users/ann")
        assert [user["username"] for user in given.json()["data"]] == ["ann"]
        assert (await ann.get("/api/auth/me")).json()["customer_id"] == customer_id
        error(await ann.post("/api/plans", json={"name": "Mine"}), 403, "forbidden")
        assert (await admin.delete(f"/api/customers/{customer_id}/users/ann")).status_code == 204
        assert (await ann.post("/api/plans", json={"name": "Mine"})).status_code == 201


async def test_a_user_has_one_customer_and_nobody_gives_themselves_away(admin: httpx.AsyncClient, door: Door) -> None:
    first, second = await customer(admin, "First"), await customer(admin, "Second")
    await door.add_user("ann", Role.USER, first)
    error(await admin.put(f"/api/customers/{second}/users/ann"), 409, "conflict")
    error(await admin.put(f"/api/customers/{second}/users/admin"), 409, "conflict")
    error(await admin.put(f"/api/customers/{second}/users/nobody"), 404, "user_not_found")


async def test_a_customer_with_users_stays_for_without_it_they_would_see_everything(
    door: Door, admin: httpx.AsyncClient
) -> None:
    customer_id = await customer(admin)
    await door.add_user("ann", Role.USER, customer_id)
    told = error(await admin.delete(f"/api/customers/{customer_id}"), 409, "customer_in_use")
    assert told["details"] == {"services": 0, "users": 1}


async def test_a_plan_without_api_access_makes_no_key_and_takes_none(door: Door, admin: httpx.AsyncClient) -> None:
    customer_id = await customer(admin, plan="Pro")
    async with door.client(await door.add_user("ann", Role.USER, customer_id)) as ann:
        key = (await ann.post("/api/auth/api-keys", json={"name": "ci"})).json()["key"]
        async with door.client(key) as program:
            assert (await program.get("/api/auth/me")).status_code == 200
            await admin.patch("/api/plans/Pro", json={"allow_api_access": False})
            door.clock.advance(10)
            assert (await program.get("/api/auth/me")).status_code == 401
        told = error(await ann.post("/api/auth/api-keys", json={"name": "more"}), 403, "feature_not_in_plan")
    assert told["details"] == {"feature": "api_access", "plan": "Pro"}
