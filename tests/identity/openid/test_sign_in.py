"""Signing in at a real OpenID provider, by its form."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.identity import COOKIE, Role
from homeport.storage import Database
from homeport.testing.door import BASE_URL
from homeport.testing.oidc_provider import query_of, sign_in_there
from tests.identity.openid.conftest import CALLBACK, House, open_house

OWN = {"origin": BASE_URL}


async def test_a_person_signs_in_there_and_is_somebody_here(house: House) -> None:
    answer = await house.sign_in("alice", then="/services?sort=name")
    assert (answer.status_code, answer.headers["location"]) == (302, "/services?sort=name")
    assert answer.headers["cache-control"] == "no-store"
    cookies = {cookie.partition("=")[0]: cookie.lower() for cookie in answer.headers.get_list("set-cookie")}
    assert "samesite=strict" in cookies[COOKIE]
    assert "httponly" in cookies[COOKIE]
    assert "max-age=0" in cookies["__Host-homeport_oidc"]
    async with house.door.client() as client:
        me = (await client.get("/api/auth/me", headers={"cookie": f"{COOKIE}={answer.cookies[COOKIE]}"})).json()
    assert (me["username"], me["name"], me["email"]) == ("alice", "Alice", "alice@home.example")
    assert (me["rank"], me["roles"][0]) == ("admin", "admin")


async def test_the_browser_is_sent_with_pkce_a_state_a_nonce_and_a_sealed_cookie(house: House) -> None:
    async with house.door.client() as portal:
        begun = await portal.get("/api/auth/oidc/login")
    query = query_of(begun.headers["location"])
    assert begun.headers["location"].startswith(f"{house.provider.issuer}/protocol/openid-connect/auth?")
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert (query["redirect_uri"], query["client_id"]) == (CALLBACK, "homeport")
    assert min(len(query["state"]), len(query["nonce"]), len(query["code_challenge"])) >= 43
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-homeport_oidc=")
    assert {"httponly", "secure", "samesite=lax", "path=/", "max-age=600"} <= {
        part.strip().lower() for part in cookie.split(";")
    }
    assert not any(query[name] in cookie for name in ("state", "nonce"))


async def test_the_second_time_it_is_the_same_account(house: House) -> None:
    first, second = await house.token("vera"), await house.token("vera")
    async with house.door.client(first) as one, house.door.client(second) as two:
        assert (await one.get("/api/auth/me")).json()["id"] == (await two.get("/api/auth/me")).json()["id"]


async def test_an_account_of_here_is_never_somebody_of_there(house: House) -> None:
    """Neither by name nor by e-mail address: whoever may choose those at the provider would be let in."""
    await house.door.add_user("vera", Role.ADMIN)  # vera@example.org
    await house.provider.change("vera", email="vera@example.org")
    async with house.door.client(await house.token("vera")) as client:
        vera = (await client.get("/api/auth/me")).json()
    assert (vera["username"], vera["email"], vera["rank"]) == ("vera-2", None, "user")
    async with house.door.client(await house.token("admin")) as client:
        admin = (await client.get("/api/auth/me")).json()
    assert (admin["username"], admin["rank"]) == ("admin-2", "user")


async def test_nobody_opens_such_an_account_with_a_password(house: House) -> None:
    await house.token("alice")
    async with house.door.client() as client:
        for password in ("alice", " ", "x"):
            body = {"username": "alice", "password": password}
            assert (await client.post("/api/auth/login", json=body)).status_code == 401


@pytest.mark.parametrize(
    "where", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"]
)
async def test_afterwards_the_browser_goes_nowhere_else(house: House, where: str) -> None:
    answer = await house.sign_in("vera", then=where)
    assert answer.headers["location"] == "/"


async def test_roles_there_are_roles_and_scopes_here(house: House) -> None:
    expected = {
        "alice": ["admin", "deployer", "operator", "viewer"],
        "dora": ["deployer", "operator", "viewer"],
        "oscar": ["operator", "viewer"],
        "vera": ["viewer"],
        "ann": [],
    }
    for name, roles in expected.items():
        async with house.door.client(await house.token(name)) as client:
            assert (await client.get("/api/auth/me")).json()["roles"] == roles, name


async def test_who_loses_a_role_there_loses_it_here_at_the_next_sign_in_in_older_sessions_too(house: House) -> None:
    token = await house.token("alice")
    async with house.door.client(token) as client:
        assert (await client.post("/api/try/settings.write")).status_code == 200
        await house.provider.change("alice", roles=["viewer"])
        await house.token("alice")
        assert (await client.post("/api/try/settings.write")).status_code == 403
        assert (await client.post("/api/try/services.deploy")).status_code == 403
        assert (await client.get("/api/auth/me")).json()["rank"] == "user"


async def test_a_banned_person_is_not_let_in(house: House) -> None:
    await house.token("vera")
    async with house.door.client(await house.door.admin_token()) as client:
        users = (await client.get("/api/users?search=vera")).json()["users"]
        assert users[0]["oidc"] is True
        assert (await client.post(f"/api/users/{users[0]['id']}/ban", json={"reason": "spam"})).status_code == 200
    answer = await house.sign_in("vera")
    assert answer.headers["location"] == "/?sign_in_problem=account_banned"
    assert COOKIE not in answer.cookies


async def test_without_automatic_accounts_only_those_come_in_who_have_one(database: Database, tmp_path: Path) -> None:
    async with open_house(database, tmp_path, {"oidc_auto_register": False}) as house:
        answer = await house.sign_in("vera")
    assert answer.headers["location"] == "/?sign_in_problem=accounts_closed"


async def test_where_a_role_is_required_nobody_without_one_gets_an_account(database: Database, tmp_path: Path) -> None:
    async with open_house(database, tmp_path, {"oidc_require_role": True}) as house:
        assert (await house.sign_in("ann")).headers["location"] == "/?sign_in_problem=role_missing"
        token = await house.token("vera")
        await house.provider.change("vera", roles=[])
        assert (await house.sign_in("vera")).headers["location"] == "/?sign_in_problem=role_missing"
        async with house.door.client(token) as client:  # what she had is gone as well
            assert (await client.post("/api/try/services.read")).status_code == 403


async def test_a_code_is_good_once_and_only_in_the_browser_that_asked_for_it(house: House) -> None:
    async with house.door.client() as portal, house.provider.browser() as browser:
        begun = await portal.get("/api/auth/oidc/login")
        url = await sign_in_there(browser, begun.headers["location"], "vera", "vera", until=CALLBACK)
        path = url.removeprefix(BASE_URL)
        async with house.door.client() as another:
            stolen = await another.get(path)
        assert stolen.headers["location"] == "/?sign_in_problem=sign_in_refused"
        kept = portal.cookies["__Host-homeport_oidc"]
        assert (await portal.get(path)).headers["location"] == "/"
        again = await portal.get(path, headers={"cookie": f"__Host-homeport_oidc={kept}"})
    assert again.headers["location"] == "/?sign_in_problem=sign_in_refused"


async def test_a_sign_in_that_took_too_long_is_refused(house: House) -> None:
    async with house.door.client() as portal, house.provider.browser() as browser:
        begun = await portal.get("/api/auth/oidc/login")
        url = await sign_in_there(browser, begun.headers["location"], "vera", "vera", until=CALLBACK)
        house.door.clock.advance(601)
        answer = await portal.get(url.removeprefix(BASE_URL))
    assert answer.headers["location"] == "/?sign_in_problem=sign_in_refused"


async def test_signing_in_and_being_refused_are_in_the_audit_log(house: House) -> None:
    await house.token("vera")
    async with house.door.client() as client:
        await client.get("/api/auth/oidc/callback?state=x&code=y")
    async with house.door.client(await house.door.admin_token()) as client:
        entries = (await client.get("/api/admin/audit-log?action=login")).json()["entries"]
    refused, done = entries[:2]
    assert (refused["result"], refused["details"]["problem"]) == ("refused", "sign_in_refused")
    assert (done["result"], done["actor_username"], done["target_id"]) == ("done", "vera", "vera")


async def test_what_the_provider_makes_of_people_is_in_the_audit_log_and_said_once(house: House) -> None:
    await house.token("dora")
    await house.token("dora")
    await house.provider.change("dora", roles=["viewer"])
    await house.token("dora")
    async with house.door.client(await house.door.admin_token()) as client:
        made = (await client.get("/api/admin/audit-log?action=oidc_create_user")).json()["entries"]
        told = (await client.get("/api/admin/audit-log?action=oidc_set_role")).json()["entries"]
    assert [(entry["target_id"], entry["details"]["roles_there"]) for entry in made] == [("dora", ["deployer"])]
    assert [(entry["actor_username"], entry["details"]["scopes"]) for entry in told] == [
        ("the portal", "services:read")
    ]


async def test_config_says_how_people_sign_in(house: House) -> None:
    """fleet C.2: before anybody has."""
    async with house.door.client() as client:
        config = (await client.get("/api/config")).json()
    assert config["auth_enabled"] is True
    assert config["keycloak_url"] == f"http://127.0.0.1:{house.provider.port}"
    assert (config["keycloak_realm"], config["keycloak_client_id"]) == ("home", "homeport")
    assert config["oidc"] == {"enabled": True, "name": "Single sign-on", "login_url": "/api/auth/oidc/login"}
    assert (config["registration"], config["passkeys"], config["onboarding"]) == ({"enabled": True}, True, "COMPLETE")
