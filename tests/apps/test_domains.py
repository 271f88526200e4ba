"""Domains of one's own, by curl against a real portal and a real name server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from homeport.testing.dns_server import DnsServer
from homeport.testing.portal import PortalProcess
from homeport.testing.postgres import PostgresServer

SITE = {"deploy_method": "template", "template_id": "static-site"}


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def portal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dns: DnsServer
) -> Iterator[PortalProcess]:
    """Asks our name server for proofs."""
    settings: dict[str, object] = {"dns_servers": dns.address, "gate_timeout": 15, "stop_grace": 3}
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        settings["database_url"] = server.create_database(f"d{uuid4().hex[:12]}")
    with PortalProcess(tmp_path_factory.mktemp("portal"), settings) as portal:
        yield portal


@pytest.fixture
def client(portal: PortalProcess) -> Iterator[httpx.Client]:
    with portal.api() as client:
        yield client


@pytest.fixture
def app(portal: PortalProcess, client: httpx.Client) -> Iterator[str]:
    """The name of an app that runs."""
    name = f"app-{uuid4().hex[:8]}"
    made = client.post("/api/services", json={"name": name, **SITE})
    assert portal.wait(made.json()["deploy_job_id"])["status"] == "success"
    yield name
    client.delete(f"/api/services/{name}")


@pytest.fixture
def domain() -> str:
    return f"shop-{uuid4().hex[:8]}.example.com"


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    return body


def add(client: httpx.Client, app: str, domain: str) -> dict[str, Any]:
    answer = client.post(f"/api/services/{app}/domains", json={"domain": domain})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def proven(client: httpx.Client, dns: DnsServer, app: str, domain: str) -> None:
    record = add(client, app, domain)["dns"]
    dns.records[record["name"]] = [record["value"]]
    answer = client.post(f"/api/services/{app}/domains/{domain}/verify")
    assert answer.status_code == 200, answer.text


def visit(portal: PortalProcess, domain: str, *words: str) -> subprocess.CompletedProcess[str]:
    """curl to the domain, which leads to the portal's address."""
    url = f"https://{domain}:{portal.port}/"
    return portal.curl("--resolve", f"{domain}:{portal.port}:127.0.0.1", *words, url)


def test_a_proven_domain_leads_to_its_service_with_a_certificate_of_its_own(
    portal: PortalProcess, client: httpx.Client, dns: DnsServer, app: str, domain: str
) -> None:
    wanted = add(client, app, domain.upper())
    assert (wanted["domain"], wanted["status"], wanted["verified_at"]) == (domain, "pending", None)
    assert wanted["dns"].items() >= {"name": f"_homeport.{domain}", "type": "TXT"}.items()
    assert wanted["http"]["path"] == f"/.well-known/homeport/{wanted['token']}"
    assert visit(portal, domain).returncode != 0  # the portal's own certificate, which is for another name
    dns.records[wanted["dns"]["name"]] = [wanted["dns"]["value"]]
    verified = client.post(f"/api/services/{app}/domains/{domain}/verify").json()
    assert verified["status"] == "verified"
    page = visit(portal, domain)
    assert page.returncode == 0, page.stderr
    assert page.stdout == portal.fetch(app).text
    detail = client.get(f"/api/services/{app}").json()
    assert detail["custom_domains"] == [
        {"domain": domain, "status": "verified", "verified_at": verified["verified_at"]}
    ]


def test_without_the_record_nothing_is_proven_and_both_ways_say_why(
    portal: PortalProcess, client: httpx.Client, app: str, domain: str
) -> None:
    add(client, app, domain)
    told = error(client.post(f"/api/services/{app}/domains/{domain}/verify"), 422, "domain_not_proven")
    assert "TXT" in told["details"]["dns"]
    assert told["details"]["http"]
    assert client.get(f"/api/services/{app}").json()["custom_domains"][0]["status"] == "pending"
    assert visit(portal, domain, "-k").stdout != portal.fetch(app).text


def test_an_app_behind_its_domain_stops_starts_and_is_replaced_like_at_its_name(
    portal: PortalProcess, client: httpx.Client, dns: DnsServer, app: str, domain: str
) -> None:
    proven(client, dns, app, domain)
    client.post(f"/api/services/{app}/stop")
    assert visit(portal, domain, "-o", "/dev/null", "-w", "%{http_code}").stdout == "503"
    client.post(f"/api/services/{app}/start")
    portal.wait(client.post(f"/api/services/{app}/redeploy").json()["deploy_job_id"])
    assert visit(portal, domain, "-o", "/dev/null", "-w", "%{http_code}").stdout == "200"


def test_a_domain_survives_a_restart_of_the_portal(
    portal: PortalProcess, client: httpx.Client, dns: DnsServer, app: str, domain: str
) -> None:
    proven(client, dns, app, domain)
    portal.kill()
    portal.start()
    page = visit(portal, domain)
    assert (page.returncode, page.stdout) == (0, portal.fetch(app).text)


def test_a_domain_belongs_to_the_first_who_proves_it(
    portal: PortalProcess, client: httpx.Client, dns: DnsServer, app: str, domain: str
) -> None:
    other = f"other-{uuid4().hex[:6]}"
    made = client.post("/api/services", json={"name": other, **SITE})
    portal.wait(made.json()["deploy_job_id"])
    late = add(client, other, domain)["dns"]  # asked for before it was proven
    proven(client, dns, app, domain)
    dns.records[late["name"]].append(late["value"])
    error(client.post(f"/api/services/{other}/domains/{domain}/verify"), 409, "domain_taken")
    third = client.post(f"/api/services/{other}/domains", json={"domain": f"x.{domain}"})
    assert third.status_code == 201  # a name below it is another name, to be proven by itself
    client.delete(f"/api/services/{other}/domains/{domain}")
    error(client.post(f"/api/services/{other}/domains", json={"domain": domain}), 409, "domain_taken")
    assert client.delete(f"/api/services/{app}/domains/{domain}").status_code == 204
    again = add(client, other, domain)["dns"]
    assert again["value"] != late["value"]
    client.delete(f"/api/services/{other}")


def test_a_removed_domain_and_that_of_a_removed_service_lead_nowhere(
    portal: PortalProcess, client: httpx.Client, dns: DnsServer, app: str, domain: str
) -> None:
    proven(client, dns, app, domain)
    proven(client, dns, app, f"www.{domain}")
    assert client.delete(f"/api/services/{app}/domains/{domain}").status_code == 204
    error(client.delete(f"/api/services/{app}/domains/{domain}"), 404, "domain_not_found")
    assert visit(portal, domain).returncode != 0
    assert visit(portal, f"www.{domain}").returncode == 0
    client.delete(f"/api/services/{app}")
    assert visit(portal, f"www.{domain}").returncode != 0


def test_a_connection_for_one_domain_does_not_reach_another(
    portal: PortalProcess, client: httpx.Client, dns: DnsServer, app: str, domain: str
) -> None:
    proven(client, dns, app, domain)
    code = visit(portal, domain, "-H", f"Host: {app}.localhost", "-o", "/dev/null", "-w", "%{http_code}").stdout
    assert code == "421"


@pytest.mark.parametrize("bad", ["localhost", "panel.localhost", "192.0.2.1", "*.example.com", "", "a b.example"])
def test_what_cannot_be_a_domain_is_named(client: httpx.Client, app: str, bad: str) -> None:
    told = error(client.post(f"/api/services/{app}/domains", json={"domain": bad}), 422, "validation_error")
    assert "domain" in told["details"]["fields"]


def test_a_plan_without_custom_domains_has_none(portal: PortalProcess, client: httpx.Client, domain: str) -> None:
    body = {"name": f"firm {uuid4().hex[:6]}", "email": "a@b.example", "plan_id": "Starter"}
    customer = client.post("/api/customers", json=body).json()["id"]
    name = f"app-{uuid4().hex[:8]}"
    made = client.post("/api/services", json={"name": name, "customer_id": customer, **SITE})
    portal.wait(made.json()["deploy_job_id"])
    told = error(client.post(f"/api/services/{name}/domains", json={"domain": domain}), 403, "feature_not_in_plan")
    assert told["details"]["feature"] == "custom_domains"
    client.delete(f"/api/services/{name}")
