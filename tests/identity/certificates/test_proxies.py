"""Certificates that a listed reverse proxy has checked (spec/host.md B.1, F18, F19)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from homeport.identity.certificates.peer import common_name
from homeport.testing.door import BASE_URL, Door
from tests.identity.certificates.conftest import issue, own

PROXY, STRANGER = "10.9.1.1", "10.8.1.1"


async def ask(door: Door, peer: str, headers: Any, method: str = "GET", path: str = "/api/services") -> httpx.Response:
    transport = httpx.ASGITransport(app=door.app, client=(peer, 40_000), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        return await client.request(method, path, headers=headers)


def said(made: Mapping[str, Any], **more: str) -> dict[str, str]:
    """What nginx says of a certificate."""
    return {
        "x-ssl-client-verify": "SUCCESS",
        "x-ssl-client-dn": f"CN=agent:{made['label']},OU=agents,O=Homeport",
        "x-ssl-client-serial": str(made["serial"]).upper(),
        **more,
    }


async def test_a_listed_proxys_word_counts_and_nobody_elses(door: Door, admin: httpx.AsyncClient) -> None:  # host F18
    made = await issue(admin, "box", ["services:read"])
    assert (await ask(door, PROXY, said(made))).json()["name"] == "agent:box"
    assert (await ask(door, STRANGER, said(made))).status_code == 401


async def test_serials_are_told_in_every_way_of_writing_hexadecimal(door: Door, admin: httpx.AsyncClient) -> None:
    made = await issue(admin, "box", ["services:read"])  # host H10
    serial = str(made["serial"]).rjust(40, "0")
    colons = ":".join(serial[at : at + 2] for at in range(0, 40, 2))
    for written in (serial, serial.upper(), colons, colons.upper(), f"00{serial}"):
        assert (await ask(door, PROXY, said(made, **{"x-ssl-client-serial": written}))).status_code == 200, written


@pytest.mark.parametrize(
    "wrong",
    [
        {"x-ssl-client-verify": "NONE"},
        {"x-ssl-client-verify": "FAILED:certificate has expired"},
        {"x-ssl-client-verify": "success"},
        {"x-ssl-client-dn": ""},
        {"x-ssl-client-dn": "CN=admin,O=Homeport"},
        {"x-ssl-client-dn": "CN=Homeport Client,O=Homeport"},
        {"x-ssl-client-dn": "CN=agent:other,OU=agents,O=Homeport"},
        {"x-ssl-client-dn": "CN=agent:box,CN=admin,O=Homeport"},
        {"x-ssl-client-dn": "OU=agents,O=Homeport"},
        {"x-ssl-client-dn": "O=x\\,CN=agent:box"},
        {"x-ssl-client-serial": ""},
        {"x-ssl-client-serial": "0"},
        {"x-ssl-client-serial": "1234"},
        {"x-ssl-client-serial": "%"},
    ],
)
async def test_f19_whatever_does_not_fit_is_nobody(  # host F19: never an administrator
    door: Door, admin: httpx.AsyncClient, wrong: dict[str, str]
) -> None:
    made = await issue(admin, "box", ["*"])
    answer = await ask(door, PROXY, said(made, **wrong))
    assert (answer.status_code, answer.json()["error"]) == (403, "mTLS certificate required")
    assert (await ask(door, PROXY, said(made))).status_code == 200


async def test_f19_a_header_that_is_missing_or_said_twice_is_nobody(door: Door, admin: httpx.AsyncClient) -> None:
    made = await issue(admin, "box", ["*"])
    for name in ("x-ssl-client-dn", "x-ssl-client-serial"):
        headers = said(made)
        del headers[name]
        assert (await ask(door, PROXY, headers)).status_code == 403
    for name, value in said(made).items():
        assert (await ask(door, PROXY, [*said(made).items(), (name, value)])).status_code == 403


async def test_without_a_word_about_certificates_a_request_by_the_proxy_is_an_ordinary_one(door: Door) -> None:
    assert (await ask(door, PROXY, {})).status_code == 401
    headers = {"authorization": f"Bearer {await door.admin_token()}"}
    assert (await ask(door, PROXY, headers)).status_code == 200
    assert (await ask(door, PROXY, {**headers, "x-ssl-client-verify": "NONE"})).status_code == 403


async def test_revocation_and_foreign_origins_hold_behind_a_proxy_too(door: Door, admin: httpx.AsyncClient) -> None:
    made = await issue(admin, "box", ["services:*"])  # host F16
    path = "/api/services/web/restart"
    assert (await ask(door, PROXY, said(made), "POST", path)).status_code == 200
    foreign = said(made, origin="https://evil.example")
    assert (await ask(door, PROXY, foreign, "POST", path)).json()["code"] == "origin_refused"
    await admin.delete("/api/certs/agent/box")
    assert (await ask(door, PROXY, said(made))).json()["error"] == "Certificate has been revoked"


async def test_a_person_behind_a_proxy(door: Door, admin: httpx.AsyncClient) -> None:
    made = await own(admin)
    headers = said(made, **{"x-ssl-client-dn": "CN=person:laptop,OU=admin,O=Homeport"})
    assert (await ask(door, PROXY, headers, path="/api/auth/me")).json()["username"] == "admin"


def test_the_one_common_name_of_a_subject() -> None:
    assert common_name("CN=agent:x,O=Homeport") == "agent:x"
    assert common_name("O=Homeport,OU=a\\, b,CN=agent:x") == "agent:x"
    for none in ("", "O=Homeport", "CN=a,CN=b", "/O=Homeport/CN=x", "=", "CN", "CN=" + "x" * 2000):
        assert common_name(none) is None, none
