"""The plan is asked in the transaction that inserts: two at the same moment never pass a limit together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeport.identity import Actor, Role
from homeport.identity.customers import Customers
from homeport.identity.customers.plans import Plans
from homeport.identity.problems import CustomerSuspended, FeatureNotInPlan
from homeport.identity.schemas import NewCustomer, NewPlan, PatchCustomer, PatchPlan
from homeport.kit.bus import Bus
from homeport.kit.ids import new_id
from homeport.kit.problems import ValidationFailed
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.problems import QuotaExceeded
from homeport.services.quota import admit, admit_feature, admit_limits, holdings
from homeport.storage import Database
from homeport.testing.clock import ManualClock

NOBODY = Actor(id="usr_1", kind="user", name="admin", role=Role.ADMIN)


class Tenant:
    """One customer whose plan the test decides."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = ManualClock()
        self.plans = Plans(database, self.clock, Bus())
        self.customers = Customers(database, self.clock, Bus(), holdings)
        self.id = ""

    async def begin(self, **plan: Any) -> None:
        await self.plans.create(NewPlan(name="Test", **plan))
        made = await self.customers.create(NewCustomer.model_validate({"name": "A", "email": "a@b", "plan_id": "Test"}))
        self.id = made["id"]

    def service(self, **values: Any) -> ServiceRow:
        """A new one: half a core, 100 MB."""
        now = self.clock.now()
        defaults: dict[str, Any] = {
            "id": new_id("svc"), "customer_id": self.id, "deploy_method": "template", "variables": "",
            "cpu_limit": 0.5, "memory_limit_mb": 100, "status": "deploying", "releases_made": 0, "deleting": False,
            "storage_mb": 0, "created_at": now, "updated_at": now,
        }  # fmt: skip
        service = ServiceRow(**{**defaults, **values})
        service.name = service.id.replace("_", "-")
        return service

    async def insert(self, service: ServiceRow, *, pause: float = 0.0, database: Database | None = None) -> ServiceRow:
        """As a deploy does it; `pause` (seconds) lies between the question and the commit."""
        async with (database or self.database).write() as session:
            await admit(session, service)
            session.add(service)
            service.releases_made = 1
            await asyncio.sleep(pause)
        return service

    async def deploy_again(self, service: ServiceRow, **changes: Any) -> None:
        async with self.database.write() as session:
            found = await session.get(ServiceRow, service.id)
            assert found is not None
            for name, value in changes.items():
                setattr(found, name, value)
            await admit(session, found)

    async def used(self) -> Any:
        return await self.customers.usage(NOBODY, self.id)


@pytest.fixture
def tenant(database: Database) -> Tenant:
    return Tenant(database)


@pytest.fixture
async def other_process(database_url: str, database: Database) -> AsyncIterator[Database]:
    """The same database, as another portal process has it open."""
    other = Database(database_url)
    yield other
    await other.close()


async def test_of_many_at_the_same_moment_as_many_pass_as_fit(tenant: Tenant) -> None:  # apps G.6
    await tenant.begin(max_services=3)
    outcomes = await asyncio.gather(
        *(tenant.insert(tenant.service(), pause=0.02) for _ in range(8)), return_exceptions=True
    )
    refused = [one for one in outcomes if isinstance(one, QuotaExceeded)]
    assert (len(refused), len(outcomes) - len(refused)) == (5, 3)
    assert (await tenant.used())["services"] == {"used": 3, "limit": 3}


async def test_two_processes_do_not_pass_the_limit_together(tenant: Tenant, other_process: Database) -> None:
    await tenant.begin(max_memory_mb=150)
    outcomes = await asyncio.gather(
        tenant.insert(tenant.service(), pause=0.3),
        tenant.insert(tenant.service(), pause=0.3, database=other_process),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in outcomes) == ["QuotaExceeded", "ServiceRow"]


@pytest.mark.parametrize(
    ("plan", "wanted", "details"),
    [
        ({"max_services": 1}, {}, {"quota": "max_services", "limit": 1, "used": 1, "wanted": 1}),
        ({"max_cpu": 0.9}, {}, {"quota": "max_cpu", "limit": 0.9, "used": 0.5, "wanted": 0.5}),
        ({"max_memory_mb": 199}, {}, {"quota": "max_memory_mb", "limit": 199, "used": 100, "wanted": 100}),
    ],
)
async def test_a_refusal_tells_the_limit_what_is_used_and_what_was_wanted(
    tenant: Tenant, plan: dict[str, Any], wanted: dict[str, Any], details: dict[str, Any]
) -> None:
    await tenant.begin(**plan)
    await tenant.insert(tenant.service())
    with pytest.raises(QuotaExceeded) as refused:
        await tenant.insert(tenant.service(**wanted))
    assert refused.value.details == {"plan": "Test", **details}
    assert (refused.value.status, refused.value.code) == (403, "quota_exceeded")


async def test_what_fits_exactly_fits(tenant: Tenant) -> None:
    await tenant.begin(max_services=2, max_cpu=1.0, max_memory_mb=200)
    for _ in range(2):
        await tenant.insert(tenant.service())


async def test_what_takes_no_memory_fits_where_none_is_left(tenant: Tenant) -> None:
    await tenant.begin(max_cpu=0.5, max_memory_mb=100)
    await tenant.insert(tenant.service())
    await tenant.plans.change("Test", PatchPlan(max_cpu=0.1))
    await tenant.insert(tenant.service(kind="endpoint", deploy_method="endpoint", cpu_limit=0.0, memory_limit_mb=0))


async def test_tenths_of_cores_add_up(tenant: Tenant) -> None:
    await tenant.begin(max_cpu=0.3)
    for _ in range(3):
        await tenant.insert(tenant.service(cpu_limit=0.1))


async def test_storage_that_is_full_admits_no_deploy(tenant: Tenant) -> None:
    await tenant.begin(max_storage_mb=50)
    first = await tenant.insert(tenant.service(storage_mb=20))
    second = await tenant.insert(tenant.service(storage_mb=20))
    await tenant.deploy_again(first)
    with pytest.raises(QuotaExceeded, match="50 MB of storage"):
        await tenant.deploy_again(second, storage_mb=30)


@pytest.mark.parametrize(
    ("method", "gate"),
    [("template", "template"), ("git", "git"), ("upload", "git"), ("compose", "compose"), ("ai", "ai")],
)
async def test_a_way_to_deploy_that_is_not_in_the_plan_is_refused(tenant: Tenant, method: str, gate: str) -> None:
    await tenant.begin(**{f"allow_{gate}": False})
    with pytest.raises(FeatureNotInPlan) as refused:
        await tenant.insert(tenant.service(deploy_method=method))
    assert refused.value.details == {"feature": gate, "plan": "Test"}
    other = "git" if gate != "git" else "template"
    await tenant.insert(tenant.service(deploy_method=other))


async def test_a_redeploy_by_a_way_that_left_the_plan_is_refused(tenant: Tenant) -> None:
    await tenant.begin()
    service = await tenant.insert(tenant.service(deploy_method="git"))
    await tenant.plans.change("Test", PatchPlan(allow_git=False))
    with pytest.raises(FeatureNotInPlan):
        await tenant.deploy_again(service)


async def test_a_smaller_plan_lets_what_is_there_be_deployed_again(tenant: Tenant) -> None:
    await tenant.begin(max_services=2)
    service = await tenant.insert(tenant.service())
    await tenant.insert(tenant.service())
    await tenant.plans.change("Test", PatchPlan(max_services=1, max_cpu=0.1))
    await tenant.deploy_again(service)
    with pytest.raises(QuotaExceeded):
        await tenant.insert(tenant.service())


async def test_a_suspended_customer_gets_no_deploy(tenant: Tenant) -> None:
    await tenant.begin()
    service = await tenant.insert(tenant.service())
    await tenant.customers.change(tenant.id, PatchCustomer(status="suspended"))
    for attempt in (tenant.insert(tenant.service()), tenant.deploy_again(service)):
        with pytest.raises(CustomerSuspended):
            await attempt
    await tenant.customers.change(tenant.id, PatchCustomer(status="active"))
    await tenant.deploy_again(service)


async def test_an_unknown_customer_is_a_field_that_does_not_fit(tenant: Tenant) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await tenant.insert(tenant.service(customer_id="cust_def456"))
    assert "customer_id" in (refused.value.details or {})["fields"]


async def test_the_portals_own_services_have_no_quota(tenant: Tenant) -> None:
    await tenant.begin(max_services=0)
    await tenant.insert(tenant.service(customer_id=None))


async def test_an_edit_that_grows_beyond_the_plan_is_refused_and_one_that_shrinks_is_not(tenant: Tenant) -> None:
    await tenant.begin(max_cpu=1.0, max_memory_mb=300)
    service = await tenant.insert(tenant.service())
    await tenant.insert(tenant.service())
    async with tenant.database.write() as session:
        with pytest.raises(QuotaExceeded):
            await admit_limits(session, service, cpu=0.6)
        with pytest.raises(QuotaExceeded):
            await admit_limits(session, service, memory_mb=201)
        await admit_limits(session, service, memory_mb=200)
    await tenant.plans.change("Test", PatchPlan(max_cpu=0.1, max_memory_mb=16))
    async with tenant.database.write() as session:
        await admit_limits(session, service, cpu=0.4, memory_mb=90)


async def test_a_limit_that_still_serves_counts_although_it_was_edited_away(tenant: Tenant) -> None:
    await tenant.begin(max_memory_mb=300)
    service = await tenant.insert(tenant.service(memory_limit_mb=250))
    async with tenant.database.write() as session:
        release = ReleaseRow(
            id=new_id("rel"), service_id=service.id, number=1, status="live", job_id="job_1", build_id="rel_1",
            source={}, variables="", cpu_limit=0.5, memory_limit_mb=250, routes=[], created_at=tenant.clock.now(),
        )  # fmt: skip
        session.add(release)
        found = await session.get(ServiceRow, service.id)
        assert found is not None
        found.live_release_id, found.memory_limit_mb = release.id, 16
    assert (await tenant.used())["memory_mb"] == {"used": 250, "limit": 300}
    with pytest.raises(QuotaExceeded):
        await tenant.insert(tenant.service())


async def test_a_feature_of_the_plan_is_asked_by_name(tenant: Tenant) -> None:
    await tenant.begin(allow_custom_domains=False)
    service = await tenant.insert(tenant.service())
    async with tenant.database.read() as session:
        with pytest.raises(FeatureNotInPlan, match="custom domains"):
            await admit_feature(session, service, "custom_domains")
        await admit_feature(session, service, "backup")


async def test_a_list_of_customers_counts_their_services_in_one_query(tenant: Tenant) -> None:
    await tenant.begin()
    asked: list[int] = []

    async def counting(db: Any, ids: Any, /) -> Any:
        asked.append(len(ids))
        return await holdings(db, ids)

    customers = Customers(tenant.database, tenant.clock, Bus(), counting)
    for number in range(4):
        await customers.create(NewCustomer.model_validate({"name": f"C{number}", "email": "a@b", "plan_id": "Test"}))
    for _ in range(2):
        await tenant.insert(tenant.service())
    page = await customers.page(NOBODY, search=None, status=None, plan_id=None, page=1, per_page=20)
    assert {row["name"]: row["services"] for row in page["data"]} == {"A": 2, "C0": 0, "C1": 0, "C2": 0, "C3": 0}
    assert asked == [5]
