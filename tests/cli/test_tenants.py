"""The verbs customers, plans and domains against a real portal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeport.testing.dns_server import DnsServer
from homeport.testing.portal import PortalProcess


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, dns: DnsServer) -> Iterator[PortalProcess]:
    """One that asks our name server."""
    with PortalProcess(tmp_path_factory.mktemp("portal"), {"dns_servers": dns.address}) as portal:
        yield portal


def test_a_customer_is_added_shown_changed_suspended_and_removed(portal: PortalProcess) -> None:
    made = portal.ask("customers", "add", "Acme", "--email", "it@acme.example", "--plan", "Pro")
    assert portal.ask("customers", "show", "Acme")["usage"]["services"] == {"used": 0, "limit": 10}
    assert portal.ask("customers", "edit", "Acme", "--plan", "Starter")["plan"] == "Starter"
    assert portal.ask("customers", "suspend", made["id"])["status"] == "suspended"
    assert portal.ask("customers", "--status", "suspended")["total"] == 1
    assert portal.ask("customers", "resume", "Acme")["status"] == "active"
    table = portal.homeport("customers").stdout
    assert table.splitlines()[0].split() == ["NAME", "PLAN", "SERVICES", "STATUS", "MADE", "ID"]
    shown = portal.homeport("customers", "show", "Acme").stdout
    assert "0 of 3" in shown
    assert portal.homeport("customers", "rm", "Acme").stdout == f"Acme was removed ({made['id']})\n"
    assert portal.homeport("customers", "show", "Acme").returncode == 4


def test_an_account_that_does_not_exist_cannot_be_bound(portal: PortalProcess) -> None:
    portal.ask("customers", "add", "Bound", "--email", "it@acme.example")
    assert portal.homeport("customers", "bind", "Bound", "nobody").returncode == 4
    assert portal.homeport("customers", "bind", "Bound", "admin").returncode == 5


def test_a_plan_is_added_changed_and_removed(portal: PortalProcess) -> None:
    made = portal.ask(
        "plans", "add", "Tiny", "--set", "max_services=1", "--set", "allow_git=no", "--set", "max_cpu=0.5"
    )
    assert (made["max_services"], made["max_cpu"], made["allow_git"], made["max_memory_mb"]) == (1, 0.5, False, None)
    assert portal.ask("plans", "edit", "Tiny", "--set", "max_services=none")["max_services"] is None
    assert "all but git" in portal.homeport("plans").stdout
    assert portal.ask("plans", "show", "Tiny")["id"] == made["id"]
    assert portal.homeport("plans", "edit", "Tiny", "--set", "max_services").returncode == 2
    assert portal.homeport("plans", "edit", "Tiny", "--set", "max_services=many").returncode == 6
    assert portal.ask("plans", "rm", "Tiny")["removed"] is True
    assert [row["name"] for row in portal.ask("plans")["data"]] == ["Starter", "Pro", "Enterprise"]


def test_a_plan_in_use_stays(portal: PortalProcess) -> None:
    portal.ask("customers", "add", "Keeper", "--email", "it@acme.example", "--plan", "Enterprise")
    assert portal.homeport("plans", "rm", "Enterprise").returncode == 5


def test_a_domain_is_added_proven_and_removed(portal: PortalProcess, dns: DnsServer, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "index.html").write_text("the shop")
    portal.ask("deploy", str(folder))
    told = portal.homeport("domains", "add", "shop", "shop.example.com").stdout
    assert "_homeport.shop.example.com. TXT" in told
    assert "homeport domains verify shop shop.example.com" in told
    refused = portal.homeport("domains", "verify", "shop", "shop.example.com")
    assert (refused.returncode, refused.stdout) == (6, "")
    row = portal.ask("domains", "list", "shop")["data"][0]
    dns.records[row["dns"]["name"]] = [row["dns"]["value"]]
    assert portal.ask("domains", "verify", "shop", "shop.example.com")["status"] == "verified"
    there = ("--resolve", f"shop.example.com:{portal.port}:127.0.0.1", f"https://shop.example.com:{portal.port}/")
    assert portal.curl(*there).stdout == "the shop"
    assert portal.homeport("domains", "rm", "shop", "shop.example.com").returncode == 0
    assert portal.ask("domains", "list", "shop")["total"] == 0
