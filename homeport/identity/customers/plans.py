"""Plans: what a customer may use and which doors are open to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import store
from homeport.identity.access import Actor
from homeport.identity.models import Plan
from homeport.identity.problems import PlanInUse, PlanNotFound
from homeport.identity.schemas import NewPlan, PatchPlan
from homeport.kit.bus import Bus
from homeport.kit.changes import Change
from homeport.kit.clock import Clock, rfc3339
from homeport.kit.ids import new_id
from homeport.kit.problems import Conflict
from homeport.storage import Database

GATES = ("template", "git", "ai", "compose", "custom_domains", "backup", "notifications", "api_access")
LIMITS = ("max_services", "max_cpu", "max_memory_mb", "max_storage_mb", "bandwidth_mb")

# What the apps seed's product ships with (spec/apps.md B.6); made when there is no plan at all.
DEFAULTS = (
    NewPlan(
        name="Starter", description="For a first app or two, from templates.", sort_order=1,
        max_services=3, max_cpu=2, max_memory_mb=4096, max_storage_mb=20_480,
        allow_git=False, allow_ai=False, allow_compose=False, allow_custom_domains=False, allow_backup=False,
    ),
    NewPlan(
        name="Pro", description="Every way to deploy, with room for a team.", sort_order=2,
        max_services=10, max_cpu=8, max_memory_mb=16_384, max_storage_mb=102_400,
    ),
    NewPlan(name="Enterprise", description="Everything, without limits.", sort_order=3),
)  # fmt: skip


@dataclass(frozen=True)
class CustomerPlan:
    """A customer's plan as the services need it: None is no limit; `gates` are the names of what it may use."""

    customer_id: str
    customer_name: str
    suspended: bool
    plan: str
    gates: frozenset[str]
    max_services: int | None
    max_cpu: float | None
    max_memory_mb: int | None
    max_storage_mb: int | None


async def plan_of(db: AsyncSession, customer_id: str, *, hold: bool = False) -> CustomerPlan | None:
    """The customer's plan, None for an unknown customer. `hold` keeps others who hold it waiting until this
    transaction ends: what is counted then stays true (on SQLite writers wait for each other anyway)."""
    found = await store.find_customer_with_plan(db, customer_id, hold=hold)
    if found is None:
        return None
    customer, plan = found
    return CustomerPlan(
        customer_id=customer.id,
        customer_name=customer.name,
        suspended=customer.status == "suspended",
        plan=plan.name,
        gates=frozenset(gate for gate in GATES if getattr(plan, f"allow_{gate}")),
        max_services=plan.max_services,
        max_cpu=plan.max_cpu,
        max_memory_mb=plan.max_memory_mb,
        max_storage_mb=plan.max_storage_mb,
    )


class Plans:
    """Owns the table `plans`."""

    def __init__(self, database: Database, clock: Clock, bus: Bus) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus

    async def open(self) -> None:
        """Make the default plans where there is none."""
        async with self._database.read() as db:
            if await store.has_plans(db):
                return
        try:
            async with self._database.write() as db:
                db.add_all([self._new(wanted) for wanted in DEFAULTS])
        except IntegrityError:
            return  # another process that started at the same moment was first

    async def page(self, actor: Actor, page: int, per_page: int) -> dict[str, Any]:
        """In their order; a customer's own people see their plan only."""
        async with self._database.read() as db:
            rows, total = await store.list_plans(db, actor.customer_id, page, per_page)
        data = [plan_body(plan, customers) for plan, customers in rows]
        return {"data": data, "total": total, "page": page, "per_page": per_page}

    async def get(self, actor: Actor, ref: str) -> dict[str, Any]:
        """By id or name. Raises PlanNotFound."""
        async with self._database.read() as db:
            return await self._body(db, await find_plan(db, ref, actor.customer_id))

    async def create(self, wanted: NewPlan) -> dict[str, Any]:
        """Raises Conflict when the name is taken."""
        plan = self._new(wanted)
        try:
            async with self._database.write() as db:
                db.add(plan)
        except IntegrityError:
            raise _taken(wanted.name) from None
        return self._told(plan_body(plan, 0), "created")

    async def change(self, ref: str, patch: PatchPlan) -> dict[str, Any]:
        """Counts from the next deploy on: what runs goes on running."""
        try:
            async with self._database.write() as db:
                plan = await find_plan(db, ref)
                for name, value in patch.model_dump(exclude_unset=True).items():
                    setattr(plan, name, value)
                plan.updated_at = self._clock.now()
                await db.flush()
                body = await self._body(db, plan)
        except IntegrityError:
            raise _taken(patch.name or ref) from None
        return self._told(body, "changed")

    async def delete(self, ref: str) -> None:
        """Raises PlanInUse while a customer has it."""
        try:
            async with self._database.write() as db:
                plan = await find_plan(db, ref)
                if customers := await store.count_customers_of(db, plan.id):
                    raise PlanInUse(
                        f"{customers} customer{'s have' if customers > 1 else ' has'} the plan {plan.name}: "
                        "give them another one first.",
                        details={"customers": customers},
                    )
                await db.delete(plan)
        except IntegrityError:  # a customer was made at this moment
            raise PlanInUse("A customer has this plan: give it another one first.") from None
        self._bus.publish(Change("plan", "deleted", plan.id, {"id": plan.id, "name": plan.name}))

    def _new(self, wanted: NewPlan) -> Plan:
        now = self._clock.now()
        return Plan(id=new_id("plan"), created_at=now, updated_at=now, **wanted.model_dump())

    @staticmethod
    async def _body(db: AsyncSession, plan: Plan) -> dict[str, Any]:
        return plan_body(plan, await store.count_customers_of(db, plan.id))

    def _told(self, body: dict[str, Any], action: Any) -> dict[str, Any]:
        self._bus.publish(Change("plan", action, body["id"], body))
        return body


async def find_plan(db: AsyncSession, ref: str, customer_id: str | None = None) -> Plan:
    """By id or name; for a customer's own people, theirs only. Raises PlanNotFound."""
    plan = await store.find_plan(db, ref, customer_id)
    if plan is None:
        raise PlanNotFound(f"There is no plan {ref[:80]!r}.")
    return plan


def plan_body(plan: Plan, customers: int) -> dict[str, Any]:
    """As the API shows it; `customers` is how many have it."""
    names = ("id", "name", "description", "sort_order", *LIMITS, *(f"allow_{gate}" for gate in GATES))
    body: dict[str, Any] = {name: getattr(plan, name) for name in names}
    return {
        **body,
        "customers": customers,
        "created_at": rfc3339(plan.created_at),
        "updated_at": rfc3339(plan.updated_at),
    }


def limits_of(plan: Plan) -> Mapping[str, float | None]:
    """Its limits by name; None is no limit."""
    return {name: getattr(plan, name) for name in LIMITS}


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a plan called {name!r} already.")
