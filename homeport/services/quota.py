"""What a customer's plan lets its services be: asked in the transaction that writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import CustomerPlan, Holding, plan_of
from homeport.identity.problems import CustomerSuspended, FeatureNotInPlan
from homeport.kit.problems import ValidationFailed
from homeport.services import store
from homeport.services.models import ServiceRow
from homeport.services.problems import QuotaExceeded

# What a way to deploy is called in a plan; a folder that is sent is a source of one's own, as a repository is.
GATE = {"template": "template", "git": "git", "upload": "git", "compose": "compose", "ai": "ai"}


async def holdings(session: AsyncSession, customer_ids: Collection[str], /) -> Mapping[str, Holding]:
    """What each customer's services take, in one query: identity's seam `Holdings`."""
    held = await store.held_by(session, customer_ids)
    return {customer_id: Holding(*each) for customer_id, each in held.items()}


async def admit(session: AsyncSession, service: ServiceRow) -> None:
    """Whether this service may be deployed now. Call it before a new one is added, with no limits changed yet.

    A service without a customer is the portal's own and always may. A new one needs its room in the plan. One that is
    there needs a plan that still includes its way to deploy: what was admitted once is not counted again.
    Raises ValidationFailed (no such customer), CustomerSuspended, FeatureNotInPlan, QuotaExceeded.
    """
    if service.customer_id is None:
        return
    is_new = not service.releases_made
    with session.no_autoflush:
        plan = await plan_of(session, service.customer_id, hold=True)
        if plan is None:
            if is_new:
                raise ValidationFailed({"customer_id": f"there is no customer {service.customer_id!r}"})
            return  # one that a portal without customers was told
        if plan.suspended:
            raise CustomerSuspended(f"{plan.customer_name} is suspended: nothing is deployed for it.")
        gate = GATE.get(service.deploy_method)
        if gate is not None and gate not in plan.gates:
            raise FeatureNotInPlan(gate, plan.plan)
        held = await _held(session, plan, service)
    if is_new:
        _fits(plan, "max_services", plan.max_services, held.services, 1)
        _fits(plan, "max_cpu", plan.max_cpu, held.cpu, service.cpu_limit)
        _fits(plan, "max_memory_mb", plan.max_memory_mb, held.memory_mb, service.memory_limit_mb)
    stored = held.storage_mb + (service.storage_mb or 0)
    if plan.max_storage_mb is not None and stored >= plan.max_storage_mb:
        raise QuotaExceeded(plan.plan, "max_storage_mb", plan.max_storage_mb, stored, 1)


async def admit_limits(
    session: AsyncSession, service: ServiceRow, *, cpu: float | None = None, memory_mb: int | None = None
) -> None:
    """Whether a service may have these limits (None: it keeps what it has). Less than before always fits.

    Raises QuotaExceeded.
    """
    grows = (cpu or 0) > service.cpu_limit or (memory_mb or 0) > service.memory_limit_mb
    if service.customer_id is None or not grows:
        return
    with session.no_autoflush:
        plan = await plan_of(session, service.customer_id, hold=True)
        if plan is None:
            return
        held = await _held(session, plan, service)
    if cpu is not None and cpu > service.cpu_limit:
        _fits(plan, "max_cpu", plan.max_cpu, held.cpu, cpu)
    if memory_mb is not None and memory_mb > service.memory_limit_mb:
        _fits(plan, "max_memory_mb", plan.max_memory_mb, held.memory_mb, memory_mb)


async def admit_feature(session: AsyncSession, service: ServiceRow, feature: str) -> None:
    """Whether the plan of the service's customer includes a feature. Raises CustomerSuspended, FeatureNotInPlan."""
    plan = await plan_of(session, service.customer_id) if service.customer_id else None
    if plan is None:
        return
    if plan.suspended:
        raise CustomerSuspended(f"{plan.customer_name} is suspended.")
    if feature not in plan.gates:
        raise FeatureNotInPlan(feature, plan.plan)


async def _held(session: AsyncSession, plan: CustomerPlan, service: ServiceRow) -> Holding:
    """What the customer's other services take."""
    held = await store.held_by(session, [plan.customer_id], without=service.id)
    return Holding(*held[plan.customer_id]) if plan.customer_id in held else Holding()


def _fits(plan: CustomerPlan, limit: str, allowed: float | None, used: float, wanted: float) -> None:
    if allowed is not None and wanted and used + wanted > allowed + 1e-9:  # tenths of cores do not add up exactly
        raise QuotaExceeded(plan.plan, limit, allowed, used, wanted)
