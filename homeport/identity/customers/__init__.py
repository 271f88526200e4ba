"""Customers: tenants, each with a plan, services of its own and the users who see nothing else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import store
from homeport.identity.access import Actor
from homeport.identity.accounts import store as accounts_store
from homeport.identity.customers.plans import find_plan, limits_of
from homeport.identity.models import Customer, Plan, User
from homeport.identity.problems import CustomerInUse, CustomerNotFound, PlanNotFound, UserNotFound
from homeport.identity.registration import store as invites_store
from homeport.identity.schemas import NewCustomer, PatchCustomer
from homeport.identity.users import check_management
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict, ValidationFailed
from homeport.storage import Database


@dataclass(frozen=True)
class Holding:
    """What a customer's services take together: cores and MB that they may use, MB that they have stored."""

    services: int = 0
    cpu: float = 0.0
    memory_mb: int = 0
    storage_mb: int = 0


class Holdings(Protocol):
    """Whoever owns the services answers what customers hold, all of them in one query; no entry: nothing."""

    async def __call__(self, db: AsyncSession, customer_ids: Collection[str], /) -> Mapping[str, Holding]: ...


async def customer_name(db: AsyncSession, customer_id: str | None) -> str | None:
    """None for the portal's own, and for a customer that is not known."""
    return await store.customer_name(db, customer_id) if customer_id else None


class Customers:
    """Owns the table `customers`, and which customer a user belongs to."""

    def __init__(self, database: Database, clock: Clock, bus: Bus, holdings: Holdings) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._holdings = holdings

    async def page(
        self, actor: Actor, *, search: str | None, status: str | None, plan_id: str | None, page: int, per_page: int
    ) -> dict[str, Any]:
        """Newest first; a customer's own people see their customer only."""
        async with self._database.read() as db:
            rows, total = await store.list_customers(
                db, actor.customer_id, search=search, status=status, plan_id=plan_id, page=page, per_page=per_page
            )
            held = await self._holdings(db, [customer.id for customer, _ in rows])
        data = [_body(customer, plan, held.get(customer.id, Holding())) for customer, plan in rows]
        return {"data": data, "total": total, "page": page, "per_page": per_page}

    async def get(self, actor: Actor, customer_id: str) -> dict[str, Any]:
        """Raises CustomerNotFound, also for another customer's people."""
        async with self._database.read() as db:
            customer, plan = await self._find(db, customer_id, actor)
            return _body(customer, plan, await self._held(db, customer_id))

    async def usage(self, actor: Actor, customer_id: str) -> dict[str, Any]:
        """What its services take, beside the limits of its plan. Raises CustomerNotFound."""
        async with self._database.read() as db:
            customer, plan = await self._find(db, customer_id, actor)
            held = await self._held(db, customer_id)
        limits = limits_of(plan)
        return {
            "customer_id": customer.id,
            "plan_id": plan.id,
            "plan": plan.name,
            "services": {"used": held.services, "limit": limits["max_services"]},
            "cpu": {"used": round(held.cpu, 3), "limit": limits["max_cpu"]},
            "memory_mb": {"used": held.memory_mb, "limit": limits["max_memory_mb"]},
            "storage_mb": {"used": held.storage_mb, "limit": limits["max_storage_mb"]},
        }

    async def create(self, wanted: NewCustomer) -> dict[str, Any]:
        """Raises ValidationFailed for an unknown plan, Conflict for a name that is taken."""
        now = self._clock.now()
        try:
            async with self._database.write() as db:
                plan = await _wanted_plan(db, wanted.plan_id)
                customer = Customer(
                    id=new_id("cust"), name=wanted.name, email=wanted.email, plan_id=plan.id, notes=wanted.notes,
                    status=wanted.status, created_at=now, updated_at=now,
                )  # fmt: skip
                db.add(customer)
        except IntegrityError:
            raise _taken(wanted.name) from None
        return self._told(_body(customer, plan, Holding()), "created")

    async def change(self, customer_id: str, patch: PatchCustomer) -> dict[str, Any]:
        """A smaller plan or a suspension stops nothing that runs: it counts from the next deploy on."""
        try:
            async with self._database.write() as db:
                customer, plan = await self._find(db, customer_id, hold=True)
                for name, value in patch.model_dump(exclude_unset=True, exclude={"plan_id"}).items():
                    setattr(customer, name, value)
                if patch.plan_id is not None:
                    plan = await _wanted_plan(db, patch.plan_id)
                    customer.plan_id = plan.id
                customer.updated_at = self._clock.now()
                await db.flush()
                held = await self._held(db, customer_id)
        except IntegrityError:
            raise _taken(patch.name or customer_id) from None
        return self._told(_body(customer, plan, held), "changed")

    async def delete(self, customer_id: str) -> None:
        """Raises CustomerInUse while it has services, or users: without a customer they would see everything."""
        async with self._database.write() as db:
            customer, _ = await self._find(db, customer_id, hold=True)
            held = (await self._held(db, customer_id)).services
            users = len(await store.users_of_customer(db, customer_id))
            if held or users:
                raise CustomerInUse(
                    f"{customer.name} has {held} services and {users} users: remove them first.",
                    details={"services": held, "users": users},
                )
            await db.delete(customer)
        data = {"id": customer.id, "name": customer.name}
        self._bus.publish(Change("customer", "deleted", customer.id, data, customer.id))

    async def users(self, actor: Actor, customer_id: str) -> dict[str, Any]:
        """Its users, by name. Raises CustomerNotFound."""
        async with self._database.read() as db:
            await self._find(db, customer_id, actor)
            users = await store.users_of_customer(db, customer_id)
        return {"data": [_user_body(user) for user in users], "total": len(users)}

    async def bind(self, actor: Actor, customer_id: str, login: str) -> User:
        """Make a user one of the customer's; what was known of them counts no more.

        Raises UserNotFound, RoleTooHigh, LastSuperadmin, Conflict.
        """
        async with self._database.write() as db:
            await self._find(db, customer_id, hold=True)
            superadmins = await accounts_store.hold_superadmins(db)
            user = await store.find_user_by_login(db, login.strip().lower())
            if user is None:
                raise UserNotFound(f"There is no user {login[:80]!r}.")
            if user.id == actor.id:
                raise Conflict("You cannot give yourself to a customer: you would lose sight of everything else.")
            if user.customer_id not in (None, customer_id):
                raise Conflict(f"{user.username} belongs to another customer: take them out there first.")
            check_management(actor, user, superadmins)
            user.customer_id, user.updated_at = customer_id, self._clock.now()
            await invites_store.revoke_of(db, user.id, user.updated_at)  # they let in people who see everything
            return user

    async def unbind(self, actor: Actor, customer_id: str, login: str) -> User:
        """The user becomes one of the portal's own people. Raises CustomerNotFound, UserNotFound, RoleTooHigh."""
        async with self._database.write() as db:
            await self._find(db, customer_id)
            users = await store.users_of_customer(db, customer_id)
            user = next((one for one in users if login in (one.id, one.username)), None)
            if user is None:
                raise UserNotFound(f"The customer has no user {login[:80]!r}.")
            check_management(actor, user)
            user.customer_id, user.updated_at = None, self._clock.now()
            return user

    async def _find(
        self, db: AsyncSession, customer_id: str, actor: Actor | None = None, *, hold: bool = False
    ) -> tuple[Customer, Plan]:
        stranger = actor is not None and actor.customer_id not in (None, customer_id)
        found = None if stranger else await store.find_customer_with_plan(db, customer_id, hold=hold)
        if found is None:
            raise CustomerNotFound(f"There is no customer {customer_id[:80]!r}.")
        return found

    async def _held(self, db: AsyncSession, customer_id: str) -> Holding:
        return (await self._holdings(db, [customer_id])).get(customer_id, Holding())

    def _told(self, body: dict[str, Any], action: Any) -> dict[str, Any]:
        self._bus.publish(Change("customer", action, body["id"], body, body["id"]))
        return body


async def _wanted_plan(db: AsyncSession, ref: str) -> Plan:
    try:
        return await find_plan(db, ref)
    except PlanNotFound as problem:
        raise ValidationFailed({"plan_id": problem.message}) from None


def _body(customer: Customer, plan: Plan, held: Holding) -> dict[str, Any]:
    return {
        "id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "plan_id": plan.id,
        "plan": plan.name,
        "notes": customer.notes,
        "status": customer.status,
        "services": held.services,
        "created_at": rfc3339(customer.created_at),
        "updated_at": rfc3339(customer.updated_at),
    }


def _user_body(user: User) -> dict[str, Any]:
    return {"id": user.id, "username": user.username, "name": user.name, "email": user.email, "role": user.role}


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a customer called {name!r} already.")
