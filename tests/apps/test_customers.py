"""Quotas, gates and strangers over the API of a real portal, on each database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from homeport.testing.git_server import Repository
from homeport.testing.portal import PortalProcess

SITE = {"deploy_method": "template", "template_id": "static-site"}


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    return body


class Tenant:
    """A customer with a plan of its own; its services are removed at the end."""

    def __init__(self, portal: PortalProcess, client: httpx.Client) -> None:
        self.portal = portal
        self.client = client
        self.mark = uuid4().hex[:6]
        self.id = ""

    def begin(self, **plan: object) -> None:
        made = self.client.post("/api/plans", json={"name": f"plan {self.mark}", **plan})
        body = {"name": f"firm {self.mark}", "email": "a@b.example", "plan_id": made.json()["id"]}
        self.id = self.client.post("/api/customers", json=body).json()["id"]

    def create(self, number: int = 0, **fields: object) -> httpx.Response:
        body = {"name": f"t{self.mark}-{number}", "customer_id": self.id, **SITE, **fields}
        return self.client.post("/api/services", json=body)

    def deployed(self, number: int = 0, **fields: object) -> str:
        """The id of a service that runs."""
        answer = self.create(number, **fields)
        assert answer.status_code == 201, answer.text
        assert self.portal.wait(answer.json()["deploy_job_id"])["status"] == "success"
        return str(answer.json()["id"])

    def end(self) -> None:
        listed = self.client.get("/api/services", params={"customer_id": self.id or "none"}).json()
        for row in listed["data"]:
            self.client.delete(f"/api/services/{row['id']}")


@pytest.fixture
def tenant(portal: PortalProcess, client: httpx.Client) -> Iterator[Tenant]:
    tenant = Tenant(portal, client)
    yield tenant
    tenant.end()


def test_an_unknown_customer_is_named_and_none_is_the_portals_own(tenant: Tenant) -> None:  # A03
    told = error(tenant.create(customer_id="cust_def456"), 422, "validation_error")
    assert "customer_id" in told["details"]["fields"]
    assert tenant.client.get(f"/api/services/t{tenant.mark}-0").status_code == 404
    own = tenant.create(customer_id=None)
    assert own.status_code == 201
    detail = tenant.client.get(f"/api/services/{own.json()['id']}").json()
    assert (detail["customer_id"], detail["customer_name"]) == (None, None)
    tenant.client.delete(f"/api/services/{own.json()['id']}")


def test_the_detail_names_the_customer_and_the_customer_counts_its_services(tenant: Tenant) -> None:  # A02, apps B.6
    tenant.begin()
    service = tenant.deployed(resources={"cpu_limit": 0.5, "memory_limit_mb": 64})
    detail = tenant.client.get(f"/api/services/{service}").json()
    assert (detail["customer_id"], detail["customer_name"]) == (tenant.id, f"firm {tenant.mark}")
    assert tenant.client.get(f"/api/customers/{tenant.id}").json()["services"] == 1
    usage = tenant.client.get(f"/api/customers/{tenant.id}/usage").json()
    assert usage["services"] == {"used": 1, "limit": None}
    assert (usage["cpu"]["used"], usage["memory_mb"]["used"]) == (0.5, 64)
    told = error(tenant.client.delete(f"/api/customers/{tenant.id}"), 409, "customer_in_use")
    assert told["details"] == {"services": 1, "users": 0}


def test_creates_at_the_same_moment_do_not_pass_the_limit_together(tenant: Tenant) -> None:  # apps G.6
    tenant.begin(max_services=2)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(tenant.create, range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 403, 403, 403, 403]
    refused = next(answer for answer in answers if answer.status_code == 403)
    details = error(refused, 403, "quota_exceeded")["details"]
    assert details.items() >= {"quota": "max_services", "limit": 2, "used": 2, "wanted": 1}.items()
    for answer in answers:
        if answer.status_code == 201:
            tenant.portal.wait(answer.json()["deploy_job_id"])


def test_a_refused_create_leaves_its_name_free(tenant: Tenant) -> None:
    tenant.begin(max_services=0)
    error(tenant.create(), 403, "quota_exceeded")
    body = {"name": f"t{tenant.mark}-0", **SITE}
    mine = tenant.client.post("/api/services", json=body)
    assert mine.status_code == 201
    tenant.client.delete(f"/api/services/{mine.json()['id']}")


def test_a_way_to_deploy_outside_the_plan_is_refused(tenant: Tenant, repository: Repository) -> None:  # apps B.6
    tenant.begin(allow_git=False)
    answer = tenant.create(deploy_method="git", git_url=repository.url, git_branch="main")
    assert error(answer, 403, "feature_not_in_plan")["details"]["feature"] == "git"


def test_limits_are_edited_within_the_plan_only(tenant: Tenant) -> None:
    tenant.begin(max_memory_mb=200)
    service = tenant.deployed(resources={"memory_limit_mb": 100})
    path = f"/api/services/{service}"
    error(tenant.client.patch(path, json={"resources": {"memory_limit_mb": 201}}), 403, "quota_exceeded")
    assert tenant.client.get(path).json()["resources"]["memory_limit_mb"] == 100
    assert tenant.client.patch(path, json={"resources": {"memory_limit_mb": 200}}).status_code == 200


def test_a_suspended_customer_is_not_deployed_for_and_goes_on_running(tenant: Tenant) -> None:
    tenant.begin()
    service = tenant.deployed()
    name = f"t{tenant.mark}-0"
    tenant.client.patch(f"/api/customers/{tenant.id}", json={"status": "suspended"})
    error(tenant.client.post(f"/api/services/{service}/redeploy"), 403, "customer_suspended")
    error(tenant.create(1), 403, "customer_suspended")
    assert tenant.portal.fetch(name).status_code == 200
    assert tenant.client.post(f"/api/services/{service}/restart").status_code == 200
    tenant.client.patch(f"/api/customers/{tenant.id}", json={"status": "active"})
    job = tenant.client.post(f"/api/services/{service}/redeploy").json()["deploy_job_id"]
    assert tenant.portal.wait(job)["status"] == "success"


@pytest.fixture
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PortalProcess, httpx.Client, httpx.Client]]:
    """A portal with a service of customer one, its owner's client, and that of customer two's administrator."""
    with PortalProcess(tmp_path_factory.mktemp("strangers")) as portal, portal.api() as owner:
        ids = [
            owner.post("/api/customers", json={"name": n, "email": "a@b.example", "plan_id": "Pro"}).json()["id"]
            for n in ("one", "two")
        ]
        made = owner.post("/api/services", json={"name": "theirs", "customer_id": ids[0], **SITE}).json()
        portal.wait(made["deploy_job_id"])
        key = owner.post("/api/auth/api-keys", json={"name": "stranger"}).json()["key"]
        assert portal.stop() == 0
        with sqlite3.connect(portal.data_dir / "homeport.db") as db:
            # A second administrator who is one of customer two's: made by hand, which is quicker than inviting.
            db.execute(
                "INSERT INTO users (id, number, username, email, name, role, customer_id, password_hash, created_at, "
                "updated_at) SELECT 'usr_two', 2, 'two', 'two@b.example', 'Two', 'admin', ?, password_hash, "
                "created_at, updated_at FROM users",
                (ids[1],),
            )
            db.execute("UPDATE api_keys SET user_id = 'usr_two' WHERE name = 'stranger'")
        portal.start()
        with portal.client(headers={"Authorization": f"Bearer {key}"}) as client:
            yield portal, owner, client


def test_a_strangers_service_is_404_on_every_verb(  # apps G.7: foreign customer id on each verb
    stranger: tuple[PortalProcess, httpx.Client, httpx.Client],
) -> None:
    portal, owner, client = stranger
    detail = owner.get("/api/services/theirs").json()
    job = owner.get("/api/jobs").json()["data"][0]["id"]
    assert client.get("/api/auth/me").json()["customer_id"] not in (None, detail["customer_id"])
    body: dict[str, Any] = {}
    for ref in (detail["id"], "theirs"):
        for method, path in (
            ("GET", ""), ("PATCH", ""), ("GET", "/logs"), ("GET", "/events"), ("GET", "/releases"),
            ("GET", "/variables"), ("GET", "/metrics"), ("GET", "/containers"), ("GET", "/domains"),
            ("POST", "/domains"), ("POST", "/domains/shop.example.com/verify"), ("DELETE", "/domains/shop.example.com"),
            ("POST", "/redeploy"), ("POST", "/rollback"), ("DELETE", ""),
        ):  # fmt: skip
            sent = {"domain": "shop.example.com"} if path == "/domains" else body
            answer = client.request(method, f"/api/services/{ref}{path}", json=sent if method != "GET" else None)
            assert (method, path, error(answer, 404, "service_not_found")["status"]) == (method, path, 404)
    for action in ("start", "stop", "restart"):
        error(client.post(f"/api/services/{detail['id']}/{action}"), 404, "service_not_found")
        assert client.post(f"/api/services/theirs/{action}").status_code in (400, 404)
    error(client.get(f"/api/jobs/{job}"), 404, "job_not_found")
    error(client.post(f"/api/jobs/{job}/cancel"), 404, "job_not_found")
    for path in (f"/api/services/{detail['id']}/logs", f"/api/jobs/{job}/stream"):
        with pytest.raises(InvalidStatus) as refused:
            portal.live(path, key=client.headers["Authorization"].removeprefix("Bearer ")).recv()
        assert refused.value.response.status_code == 404
    for path in ("/api/services", f"/api/services?customer_id={detail['customer_id']}", "/api/jobs", "/api/events"):
        assert client.get(path).json()["data"] == []
    error(client.get(f"/api/customers/{detail['customer_id']}"), 404, "customer_not_found")
    assert portal.fetch("theirs").status_code == 200


def test_what_a_customers_own_people_create_is_the_customers_whatever_they_say(
    stranger: tuple[PortalProcess, httpx.Client, httpx.Client],
) -> None:
    portal, owner, client = stranger
    foreign = owner.get("/api/services/theirs").json()["customer_id"]
    for number, customer_id in enumerate((foreign, None)):
        made = client.post("/api/services", json={"name": f"mine-{number}", "customer_id": customer_id, **SITE})
        portal.wait(made.json()["deploy_job_id"])
        assert client.get(f"/api/services/{made.json()['id']}").json()["customer_name"] == "two"
