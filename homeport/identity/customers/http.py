"""Routes of customers and plans, a table of contents."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from homeport.identity import Identity, schemas
from homeport.identity.access import Verb
from homeport.identity.guard import CurrentActor, require
from homeport.kit.parameters import one_of, paging
from homeport.kit.routes import Router

READ = require(Verb.CUSTOMERS_READ)
WRITE = require(Verb.CUSTOMERS_WRITE)


def routes(identity: Identity) -> list[APIRouter]:
    """Both routers, bound to identity."""
    return [_customers(identity), _plans(identity)]


def _customers(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/customers", tags=["customers"])
    customers = identity.customers

    @router.get("", dependencies=[READ], response_model=schemas.CustomerPage)
    async def list_customers(
        actor: CurrentActor,
        page: str | None = None,
        per_page: str | None = None,
        search: str | None = None,
        status: str | None = None,
        plan_id: str | None = None,
    ) -> Any:
        """The customers, newest first, each with its plan and how many services it has."""
        number, size = paging(page, per_page)
        return await customers.page(
            actor,
            search=search,
            status=one_of(status, "status", ("active", "suspended")),
            plan_id=plan_id,
            page=number,
            per_page=size,
        )

    @router.post("", status_code=201, dependencies=[WRITE], response_model=schemas.CustomerOut)
    async def create_customer(body: schemas.NewCustomer) -> Any:
        """A new customer with a plan (its id or name)."""
        return await customers.create(body)

    @router.get("/{customer_id}", dependencies=[READ], response_model=schemas.CustomerOut)
    async def get_customer(actor: CurrentActor, customer_id: str) -> Any:
        """One customer."""
        return await customers.get(actor, customer_id)

    @router.patch("/{customer_id}", dependencies=[WRITE], response_model=schemas.CustomerOut)
    async def edit_customer(customer_id: str, body: schemas.PatchCustomer) -> Any:
        """Change it, give it another plan, suspend it: no new deploys then; what runs goes on running."""
        return await customers.change(customer_id, body)

    @router.delete("/{customer_id}", status_code=204, dependencies=[WRITE])
    async def delete_customer(customer_id: str) -> None:
        """Remove it; 409 while it has services or users."""
        await customers.delete(customer_id)

    @router.get("/{customer_id}/usage", dependencies=[READ], response_model=schemas.UsageOut)
    async def get_customer_usage(actor: CurrentActor, customer_id: str) -> Any:
        """What its services take, beside the limits of its plan (null: none)."""
        return await customers.usage(actor, customer_id)

    @router.get("/{customer_id}/users", dependencies=[READ], response_model=schemas.CustomerUsers)
    async def list_customer_users(actor: CurrentActor, customer_id: str) -> Any:
        """The accounts that see this customer's services and nothing else."""
        return await customers.users(actor, customer_id)

    @router.put("/{customer_id}/users/{user}", dependencies=[WRITE], response_model=schemas.CustomerUsers)
    async def add_customer_user(actor: CurrentActor, customer_id: str, user: str) -> Any:
        """Give an account (name or e-mail address) to the customer; its open connections end."""
        await identity.bind_to_customer(actor, customer_id, user)
        return await customers.users(actor, customer_id)

    @router.delete("/{customer_id}/users/{user}", status_code=204, dependencies=[WRITE])
    async def remove_customer_user(actor: CurrentActor, customer_id: str, user: str) -> None:
        """Take an account (id or name) out of the customer: it sees the whole portal then."""
        await identity.unbind_from_customer(actor, customer_id, user)

    return router


def _plans(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/plans", tags=["customers"])
    plans = identity.plans

    @router.get("", dependencies=[READ], response_model=schemas.PlanPage)
    async def list_plans(actor: CurrentActor, page: str | None = None, per_page: str | None = None) -> Any:
        """The plans in their order."""
        return await plans.page(actor, *paging(page, per_page))

    @router.post("", status_code=201, dependencies=[WRITE], response_model=schemas.PlanOut)
    async def create_plan(body: schemas.NewPlan) -> Any:
        """A new plan; a limit that is left out or null is no limit."""
        return await plans.create(body)

    @router.get("/{plan_id}", dependencies=[READ], response_model=schemas.PlanOut)
    async def get_plan(actor: CurrentActor, plan_id: str) -> Any:
        """One plan, by id or name."""
        return await plans.get(actor, plan_id)

    @router.patch("/{plan_id}", dependencies=[WRITE], response_model=schemas.PlanOut)
    async def edit_plan(plan_id: str, body: schemas.PatchPlan) -> Any:
        """Change a plan; it counts from the next deploy on."""
        return await plans.change(plan_id, body)

    @router.delete("/{plan_id}", status_code=204, dependencies=[WRITE])
    async def delete_plan(plan_id: str) -> None:
        """Remove a plan; 409 while a customer has it."""
        await plans.delete(plan_id)

    return router
