"""A tunnel for a service: who may open, see and end it, how long it lives, and what a restart does to it."""

from __future__ import annotations

from typing import Any

import pytest

from homeport.identity import Role
from homeport.kit.changes import Change
from homeport.relay.lease import Lease, TunnelIdentity
from homeport.services.models import ServiceRow
from homeport.services.shares import store
from homeport.services.shares.keeper import AGAIN_SECONDS
from homeport.storage import Database
from homeport.testing.statements import asked
from tests.services.shares.conftest import House


async def listed(house: House, token: str | None = None, **query: Any) -> list[dict[str, Any]]:
    async with house.front.client(token or await house.front.admin_token()) as client:
        answer = await client.get("/api/tunnels", params=query)
    assert answer.status_code == 200
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


async def test_a_share_is_connecting_and_then_online_at_its_address(house: House) -> None:
    await house.service()
    made = await house.share(name="demo")
    assert made["status"] == "connecting"
    (row,) = await listed(house)
    assert (row["name"], row["status"], row["url"]) == ("demo", "online", "https://demo.localhost:8443")
    assert (row["service_name"], row["mine"], row["can_end"]) == ("shop", True, True)


async def test_it_is_in_no_public_list_unless_that_was_asked_for(house: House) -> None:
    await house.service()
    assert (await house.share(name="quiet"))["hide"] is True
    assert house.agents["quiet"].wanted.metadata.hide is True
    assert (await house.share(name="loud", hide=False))["hide"] is False
    assert house.agents["loud"].wanted.metadata.hide is False


async def test_a_share_without_a_name_gets_one_that_no_app_has(house: House) -> None:
    await house.service()
    house.point("shop", 1)
    made = await house.share()
    assert made["name"].startswith("shop-")
    assert len(made["name"]) == len("shop-") + 5


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"name": "No.Label"}, "name"),
        ({"name": "portal"}, "name"),
        ({"relays": ["http://relay.example.org"]}, "relays"),
        ({"relays": ["https://user@relay.example.org"]}, "relays"),
        ({"expires_in": 5}, "expires_in"),
        ({"access": "friends"}, "access"),
    ],
)
async def test_what_cannot_be_is_said_at_its_field(house: House, wanted: dict[str, Any], field: str) -> None:
    await house.service()
    async with house.front.client(await house.front.admin_token()) as client:
        answer = await client.post("/api/services/shop/share", json=wanted)
    assert answer.status_code == 422
    assert field in str(answer.json()["details"])


async def test_a_name_belongs_to_one_tunnel_or_app(house: House) -> None:
    await house.service()
    house.point("shop", 1)
    await house.share(name="demo")
    async with house.front.client(await house.front.admin_token()) as client:
        for name in ("demo", "shop"):
            answer = await client.post("/api/services/shop/share", json={"name": name})
            assert answer.status_code == 409
            assert answer.json()["details"]["fields"] == {"name": "this name is taken"}


async def test_it_ends_for_good_and_its_identity_is_forgotten_by_the_relay(house: House) -> None:
    await house.service()
    made = await house.share(name="demo")
    assert house.relay.approved == [f"demo:{house.agents['demo'].wanted.identity.address.lower()}"]
    async with house.front.client(await house.front.admin_token()) as client:
        assert (await client.delete(f"/api/tunnels/{made['id']}")).status_code == 204
        assert (await client.delete(f"/api/tunnels/{made['id']}")).status_code == 404
    assert house.agents["demo"].stopped == 1
    assert house.relay.approved == []
    assert await listed(house) == []


async def test_it_expires_by_itself_and_is_shown_so_for_a_day(house: House) -> None:
    await house.service()
    await house.share(name="demo", expires_in=60)
    house.front.clock.advance(61)
    await house.shares.tidy()
    assert house.agents["demo"].stopped == 1
    (row,) = await listed(house)
    assert row["status"] == "expired"
    assert (await house.share(name="demo"))["name"] == "demo", "its name is free again"
    house.front.clock.advance(86_400)
    await house.shares.tidy()
    assert [row["status"] for row in await listed(house)] == ["online"]


async def test_it_comes_back_after_a_restart_with_the_same_key(house: House) -> None:
    await house.service()
    await house.share(name="demo")
    await house.share(name="short", expires_in=60)
    before = house.agents["demo"].wanted.identity
    await house.shares.close()
    house.agents.clear()
    house.front.clock.advance(61)
    house.build()
    await house.shares.open()
    await house.settle()
    assert list(house.agents) == ["demo"]
    assert house.agents["demo"].wanted.identity == before


async def test_its_key_is_sealed_on_disk(house: House) -> None:
    await house.service()
    await house.share(name="demo")
    async with house.front.database.read() as session:
        ((row, _),) = await store.every_share(session)
    assert house.agents["demo"].wanted.identity.key.hex() not in row.key
    assert row.key.startswith("hs2")


async def test_it_ends_with_its_service(house: House) -> None:
    service_id = await house.service()
    await house.share(name="demo")
    async with house.front.database.write() as session:
        row = await session.get(ServiceRow, service_id)
        await session.delete(row)
    house.front.bus.publish(Change("service", "deleted", service_id, {"id": service_id}))
    await house.shares.tidy()
    assert house.agents["demo"].stopped == 1
    assert await listed(house) == []


async def test_it_ends_with_its_owners_account(house: House) -> None:
    await house.service()
    token = await house.person("mallory", scopes="services:read,services:write")
    await house.share(name="demo", token=token)
    await house.shares.tidy_people()
    assert house.agents["demo"].running
    async with house.front.client(await house.front.admin_token()) as client:
        users = (await client.get("/api/users")).json()
        rows = users.get("data") or users.get("users")
        user_id = next(row["id"] for row in rows if row["username"] == "mallory")
        assert (await client.post(f"/api/users/{user_id}/ban", json={})).is_success
    await house.shares.tidy_people()
    assert not house.agents["demo"].running


async def test_people_of_a_customer_share_and_see_their_own_services_only(house: House) -> None:
    await house.service("theirs", customer_id="cust_a")
    await house.service("others", customer_id="cust_b")
    token = await house.person("anna", scopes="services:read,services:write", customer_id="cust_a")
    await house.share("theirs", token=token, name="anna")
    hidden = await house.share("others", name="secret")
    async with house.front.client(token) as client:
        assert (await client.post("/api/services/others/share", json={})).status_code == 404
        assert (await client.get("/api/services/others/shares")).status_code == 404
        assert (await client.get(f"/api/tunnels/{hidden['id']}")).status_code == 404
        assert (await client.delete(f"/api/tunnels/{hidden['id']}")).status_code == 404
        assert (await client.post(f"/api/tunnels/{hidden['id']}/enter", json={})).status_code == 404
    assert [row["name"] for row in await listed(house, token, all=True)] == ["anna"]


async def test_whoever_sees_the_service_sees_its_tunnels_and_only_owners_and_administrators_end_them(
    house: House,
) -> None:
    await house.service()
    made = await house.share(name="demo")
    token = await house.person("bob", scopes="services:read,services:write")
    async with house.front.client(token) as client:
        (row,) = (await client.get("/api/services/shop/shares")).json()["data"]
        assert (row["mine"], row["can_end"]) == (False, False)
        assert (await client.get(f"/api/tunnels/{made['id']}")).json()["qr"].startswith("data:image/svg+xml;base64,")
        assert (await client.delete(f"/api/tunnels/{made['id']}")).status_code == 403
    assert await listed(house, token) == []
    bobs = await house.share(name="bobs", token=token)
    assert [row["name"] for row in await listed(house)] == ["demo"]
    assert {row["name"] for row in await listed(house, all=True)} == {"demo", "bobs"}
    async with house.front.client(await house.front.admin_token()) as client:
        assert (await client.delete(f"/api/tunnels/{bobs['id']}")).status_code == 204


async def test_only_administrators_put_devices_of_the_network_on_the_internet(house: House) -> None:
    own = {"plugin": "http", "host": "127.0.0.1", "port": 80}
    await house.service("camera", kind="endpoint", endpoint=own)
    token = await house.person("olga", scopes="services:read,services:write")
    async with house.front.client(token) as client:
        assert (await client.get("/api/services/camera/shares")).status_code == 200
        assert (await client.post("/api/services/camera/share", json={})).status_code == 403
    await house.share("camera")


async def test_an_owner_who_may_not_see_the_service_any_more_does_not_get_in(house: House) -> None:
    service_id = await house.service(customer_id="cust_a")
    token = await house.person("anna", scopes="services:read,services:write", customer_id="cust_a")
    made = await house.share(token=token, access="signed_in")
    async with house.front.client(token) as client:
        asked = {"next": "/", "state": "x"}
        assert (await client.post(f"/api/tunnels/{made['id']}/enter", json=asked)).status_code == 200
        async with house.front.database.write() as session:
            row = await session.get(ServiceRow, service_id)
            assert row is not None
            row.customer_id = "cust_b"
        assert (await client.post(f"/api/tunnels/{made['id']}/enter", json=asked)).status_code == 404
        assert (await client.delete(f"/api/tunnels/{made['id']}")).status_code == 204


async def test_reading_is_not_sharing(house: House) -> None:
    await house.service()
    token = await house.person("carl")
    async with house.front.client(token) as client:
        assert (await client.post("/api/services/shop/share", json={})).status_code == 403


async def test_what_is_no_web_page_cannot_ask_visitors_to_sign_in(house: House) -> None:
    own = {"plugin": "ssh", "host": "127.0.0.1", "port": 22}
    await house.service("shell", kind="endpoint", endpoint=own)
    async with house.front.client(await house.front.admin_token()) as client:
        answer = await client.post("/api/services/shell/share", json={"access": "signed_in"})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_shareable")
    await house.share("shell", name="shell-1")
    assert house.agents["shell-1"].wanted.tcp


async def test_the_audit_log_tells_who_shared_what_and_who_ended_it(house: House) -> None:
    await house.service()
    made = await house.share(name="demo", access="signed_in")
    async with house.front.client(await house.front.admin_token()) as client:
        await client.delete(f"/api/tunnels/{made['id']}")
        rows = (await client.get("/api/admin/audit-log")).json()["entries"]
    told = {row["action"]: row for row in rows}
    assert told["share_service"]["details"]["access"] == "signed_in"
    assert told["share_service"]["details"]["service"] == "shop"
    assert told["end_tunnel"]["target_id"] == made["id"]


def lease_of(house: House, name: str, owner_id: str | None) -> Lease:
    """A tunnel of an agent elsewhere."""
    now = house.front.clock.now()
    address = "0x" + "ab" * 20
    lease = Lease(f"lse_{name}", TunnelIdentity(name, address), f"{name}.localhost", now, now, now, owner_id=owner_id)
    lease.traffic.received = 7
    house.relay.held.append(lease)
    return lease


async def test_tunnels_of_agents_elsewhere_are_their_owners(house: House) -> None:
    token = await house.person("kate", scopes="services:read,services:write")
    kate = await house.front.identity.sessions.find(token)
    assert kate is not None
    lease_of(house, "hers", kate.id)
    lease_of(house, "nobodys", None)
    (row,) = await listed(house, token)
    assert (row["kind"], row["url"], row["bytes_in"], row["mine"]) == ("lease", "https://hers.localhost:8443", 7, True)
    assert [row["name"] for row in await listed(house)] == []
    assert {row["name"] for row in await listed(house, all=True)} == {"hers", "nobodys"}
    async with house.front.client(token) as client:
        assert (await client.get("/api/tunnels/lse_nobodys")).status_code == 404
        assert (await client.delete("/api/tunnels/lse_nobodys")).status_code == 404
        assert (await client.delete("/api/tunnels/lse_hers")).status_code == 204
    assert [lease.id for lease in house.relay.held] == ["lse_nobodys"]


async def test_the_lease_of_a_share_is_not_listed_beside_it(house: House) -> None:
    await house.service()
    await house.share(name="demo")
    lease = lease_of(house, "demo", None)
    lease.identity = TunnelIdentity("demo", house.agents["demo"].wanted.identity.address)
    assert [row["kind"] for row in await listed(house, all=True)] == ["share"]


async def test_the_list_costs_one_query_and_one_more_beside_agents_elsewhere(
    house: House, sqlite_database: Database
) -> None:
    await house.service()
    await house.share(name="demo")
    token = await house.front.admin_token()
    await listed(house, token)
    with asked(sqlite_database) as statements:
        assert len(await listed(house, token)) == 1
        assert len(await listed(house, token, all=True)) == 1
    assert len(statements) == 2
    lease_of(house, "nobodys", None)
    with asked(sqlite_database) as statements:
        assert len(await listed(house, token)) == 1
    assert len(statements) == 1
    with asked(sqlite_database) as statements:
        assert len(await listed(house, token, all=True)) == 2
    assert len(statements) == 2


async def test_an_agent_that_gets_nowhere_is_made_anew(house: House) -> None:
    await house.service()
    await house.share(name="demo")
    first = house.agents["demo"]
    first.state = "offline"
    await house.shares.tidy()
    (row,) = await listed(house)
    assert row["status"] == "error"
    house.front.clock.advance(AGAIN_SECONDS + 1)
    await house.shares.tidy()
    await house.settle()
    assert first.stopped == 1
    assert house.agents["demo"].running
    assert house.agents["demo"].wanted.identity == first.wanted.identity


async def test_an_owner_is_a_person_of_the_portal(house: House) -> None:
    await house.service()
    token = await house.person("dora", Role.ADMIN)
    made = await house.share(name="demo", token=token)
    assert made["owner"] == "dora"
