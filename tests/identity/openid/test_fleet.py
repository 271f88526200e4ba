"""A whole portal, and what each role of a realm may do on its real routes (fleet C.3, H.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from homeport.testing.oidc_provider import CLIENT_ID, Client, OidcProvider, oidc_provider_is_installed
from homeport.testing.portal import PortalProcess
from tests.identity.openid.conftest import FLEET_CALLBACK, LOOPBACK, fleet_tokens, people

# method, path, body, and who may; whoever may is not refused, whatever else the answer is
ROUTES = (
    ("GET", "/api/services", None, {"alice", "dora", "oscar", "vera"}),
    ("POST", "/api/services/none/stop", None, {"alice", "dora", "oscar"}),
    ("POST", "/api/services/none/restart", None, {"alice", "dora", "oscar"}),
    ("POST", "/api/services", {"name": "hello"}, {"alice", "dora"}),
    ("DELETE", "/api/services/none", None, {"alice", "dora"}),
    ("GET", "/api/users", None, {"alice"}),
    ("GET", "/api/auth/me", None, {"alice", "dora", "oscar", "vera", "ann"}),
)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> OidcProvider:
    if not oidc_provider_is_installed():
        pytest.skip("the OpenID provider of the tests is not installed: `make test` says how")
    clients = [Client(CLIENT_ID, FLEET_CALLBACK, "unused"), Client("fleet", FLEET_CALLBACK, audience=CLIENT_ID)]
    return OidcProvider(tmp_path_factory.mktemp("oidc"), people(), clients)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory, provider: OidcProvider) -> Iterator[PortalProcess]:
    settings = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "outbound_allow": LOOPBACK}
    with provider, PortalProcess(tmp_path_factory.mktemp("portal"), settings) as process:
        yield process


@pytest.mark.parametrize("name", ["alice", "dora", "oscar", "vera", "ann"])
def test_a_role_of_the_realm_opens_what_it_should_and_nothing_else(
    portal: PortalProcess, provider: OidcProvider, name: str
) -> None:
    token = asyncio.run(fleet_tokens(provider, name))["access_token"]
    with portal.client(headers={"Authorization": f"Bearer {token}"}) as client:
        for method, path, body, who in ROUTES:
            answer = client.request(method, path, json=body)
            assert (answer.status_code not in {401, 403}) is (name in who), f"{method} {path}: {answer.text}"


def test_the_shell_says_whether_the_provider_can_be_used_and_what_to_enter_there(
    portal: PortalProcess, provider: OidcProvider
) -> None:
    checked = portal.ask("openid")
    assert (checked["issuer"], checked["problem"]) == (provider.issuer, None)
    assert checked["keys"] >= 1
    assert checked["redirect_uri"] == f"{portal.base_url}/api/auth/oidc/callback"
    assert "answers, with" in portal.homeport("openid").stdout
