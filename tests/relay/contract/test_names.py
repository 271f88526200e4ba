"""A name below the portal's is an app's or a tunnel's, and never the other's as well."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeport.services.schemas import RESERVED_NAMES
from homeport.settings import Settings
from homeport.testing.relay_client import Refused, RelayClient, Tunnel, answer_http
from homeport.testing.relay_portal import RelayPortal

SITE = {"deploy_method": "template", "template_id": "static-site"}


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), "svc-1", "WWW"])
def test_nobody_registers_a_name_that_no_app_may_have(portal: RelayPortal, name: str) -> None:
    stranger = portal.agent(name)
    with pytest.raises(Refused) as refused:
        stranger.register()
    assert (refused.value.status, refused.value.code) == (409, "hostname_conflict")


def test_an_app_does_not_get_the_name_of_a_tunnel_that_is_there(portal: RelayPortal, client: RelayClient) -> None:
    with portal.api() as api:
        answer = api.post("/api/services", json={"name": client.name, **SITE})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_an_app_keeps_visitors_from_a_tunnel_that_only_waits_for_the_name(
    portal: RelayPortal, client: RelayClient
) -> None:
    name = client.name
    portal.judge(client, "POST", "deny")
    with portal.api() as api:
        made = api.post("/api/services", json={"name": name, **SITE})
        assert made.status_code == 201, made.text
    try:
        portal.wait(made.json()["deploy_job_id"])
        portal.judge(client, "POST", "approve")
        with Tunnel(client, answer_http(b"the tunnel's")):
            assert b"the tunnel's" not in portal.fetch(name).content
    finally:
        with portal.api() as api:
            api.delete(f"/api/services/{name}")


def test_the_portals_name_is_one_however_it_is_written(tmp_path: Path) -> None:  # relay B.1
    settings = Settings(data_dir=tmp_path, domain="Relay.Example.COM.", stream_domain="Live.Example.com")
    assert (settings.domain, settings.stream_domain) == ("relay.example.com", "live.example.com")
    assert settings.base_url.startswith("https://relay.example.com")
