"""Endpoints over the real portal: services that run elsewhere, and the machine under it."""

# P010, P011, P012: services, one, its health; F03, F04: the registry's fields

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from homeport.testing.portal import PortalProcess


@pytest.fixture
def listener() -> Iterator[int]:
    """A port on which something greets as an SSH server does."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-test\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]


@pytest.fixture
def endpoint(client: httpx.Client, name: str, listener: int) -> Iterator[dict[str, Any]]:
    body = {
        "kind": "endpoint", "name": name, "display_name": "The shelf", "plugin": "ssh", "host": "127.0.0.1",
        "port": listener, "icon": "terminal", "category": "machines", "current_host": "shelf", "dependencies": ["dns"],
    }  # fmt: skip
    created = client.post("/api/services", json=body)
    assert created.status_code == 201, created.text
    yield created.json()
    client.delete(f"/api/services/{name}")


@pytest.fixture
def viewer(portal: PortalProcess, client: httpx.Client) -> Iterator[httpx.Client]:
    """A client that may only look."""
    made = client.post("/api/auth/api-keys", json={"name": "looking", "role": "viewer"})
    assert made.status_code in (200, 201), made.text
    with portal.api() as other:
        other.headers["Authorization"] = f"Bearer {made.json()['key']}"
        yield other


def test_an_endpoint_is_a_service_with_the_fields_of_both_seeds(endpoint: dict[str, Any], name: str) -> None:
    # P010: id, name, plugin, path, icon, category, enabled; F03: hostname … requires_auth, always there
    assert endpoint["kind"] == "endpoint"
    assert endpoint["name"] == name
    assert (endpoint["plugin"], endpoint["icon"], endpoint["category"]) == ("ssh", "terminal", "machines")
    assert endpoint["enabled"] is True
    assert endpoint["current_host"] == endpoint["machine_name"] == "shelf"
    assert endpoint["dependencies"] == ["dns"]
    for field in ("hostname", "deployment_type", "docker_compose", "service_file", "service_name", "description"):
        assert field in endpoint
    assert endpoint["tls_enabled"] is endpoint["requires_auth"] is False


def test_it_stands_in_the_directory_and_in_its_own_list(
    client: httpx.Client, endpoint: dict[str, Any], name: str
) -> None:
    directory = client.get("/api/services").json()["services"]
    assert name in [row["name"] for row in directory]
    for kind in ("endpoint", "proxy"):
        rows = client.get("/api/services", params={"type": kind}).json()["data"]
        assert all(row["kind"] == "endpoint" for row in rows)
        assert name in [row["name"] for row in rows]
    assert name not in [row["name"] for row in client.get("/api/services", params={"type": "app"}).json()["data"]]


def test_health_tells_that_it_answers_and_how_fast(client: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    # P012
    body = client.get(f"/api/services/{name}/health").json()
    assert body["healthy"] is True
    assert body["status"] == "healthy"
    assert 0 <= body["latency_ms"] < 5000


def test_what_answers_otherwise_is_unhealthy(client: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    client.patch(f"/api/services/{name}", json={"plugin": "vnc"})
    body = client.get(f"/api/services/{name}/health").json()
    assert (body["healthy"], body["status"], body["latency_ms"]) == (False, "unhealthy", None)


def test_an_address_that_the_guard_refuses_is_not_connected_to(
    client: httpx.Client, endpoint: dict[str, Any], name: str
) -> None:
    client.patch(f"/api/services/{name}", json={"host": "169.254.169.254"})
    body = client.get(f"/api/services/{name}/health").json()
    assert body["healthy"] is False
    assert "does not connect" in body["message"]


def test_where_it_is_stays_with_the_administrators(
    client: httpx.Client, viewer: httpx.Client, endpoint: dict[str, Any], name: str
) -> None:
    assert client.get(f"/api/services/{name}").json()["host"] == "127.0.0.1"
    assert viewer.get(f"/api/services/{name}").json()["host"] is None
    assert "127.0.0.1" not in viewer.get("/api/services", params={"type": "endpoint"}).text


@pytest.mark.parametrize("change", [{"enabled": False}, {"scopes": ["lab:use"]}])
def test_one_that_is_off_or_scoped_is_hidden_from_others(
    client: httpx.Client, viewer: httpx.Client, endpoint: dict[str, Any], name: str, change: dict[str, Any]
) -> None:
    changed = client.patch(f"/api/services/{name}", json=change)
    assert changed.status_code == 200, changed.text
    assert viewer.get(f"/api/services/{name}").status_code == 404
    assert viewer.get(f"/api/services/{name}/health").status_code == 404
    assert name not in viewer.get("/api/services").text
    assert client.get(f"/api/services/{name}").status_code == 200


def test_one_with_scopes_is_there_for_who_holds_one_of_them(
    portal: PortalProcess, client: httpx.Client, endpoint: dict[str, Any], name: str
) -> None:  # portal E3.36: the list ignores no scopes
    client.patch(f"/api/services/{name}", json={"scopes": ["lab:use", "garage:use"]})
    for scopes, seen in (("services:read, lab:*", True), ("services:read, lab", False), ("services:read", False)):
        key = client.post("/api/api-keys", json={"name": f"{name} {scopes}", "scopes": scopes}).json()["api_key"]
        with portal.api() as other:
            other.headers["Authorization"] = f"Bearer {key}"
            assert (name in other.get("/api/services").text) is seen, scopes
            assert (other.get(f"/api/services/{name}").status_code == 200) is seen
            assert other.patch(f"/api/services/{name}", json={"port": 1}).status_code == 403


def test_a_viewer_may_not_add_change_or_remove_one(viewer: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    body = {"kind": "endpoint", "name": f"{name}-x", "plugin": "ssh", "host": "h", "port": 22}
    assert viewer.post("/api/services", json=body).status_code == 403
    assert viewer.patch(f"/api/services/{name}", json={"port": 1}).status_code == 403
    assert viewer.delete(f"/api/services/{name}").status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [("host", "http://x/"), ("host", "a b"), ("port", 0), ("plugin", "SSH!"), ("name", "Über"), ("path", "no-slash")],
)
def test_what_does_not_fit_is_refused_by_field(client: httpx.Client, name: str, field: str, value: object) -> None:
    body = {"kind": "endpoint", "name": name, "plugin": "ssh", "host": "h", "port": 22, field: value}
    answer = client.post("/api/services", json=body)
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == [field]


def test_a_change_that_does_not_fit_changes_nothing(client: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    answer = client.patch(f"/api/services/{name}", json={"port": 70000, "icon": "x"})
    assert answer.status_code == 422
    assert list(answer.json()["details"]["fields"]) == ["port"]
    assert client.get(f"/api/services/{name}").json()["icon"] == "terminal"


def test_a_name_belongs_to_one_service(client: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    body = {"kind": "endpoint", "name": name, "plugin": "ssh", "host": "h", "port": 22}
    assert client.post("/api/services", json=body).status_code == 409


def test_there_is_nothing_to_start_or_deploy(client: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    for action in ("start", "stop", "restart", "redeploy"):
        assert client.post(f"/api/services/{name}/{action}").status_code == 409, action


def test_deleted_is_gone(client: httpx.Client, endpoint: dict[str, Any], name: str) -> None:
    assert client.delete(f"/api/services/{name}").status_code == 204
    assert client.get(f"/api/services/{name}").status_code == 404
    assert client.get(f"/api/services/{name}/health").status_code == 404


def test_the_machine_tells_how_it_is(client: httpx.Client) -> None:
    # host C: GET /api/system/stats; portal B1: GET /api/system/health
    stats = client.get("/api/system/stats").json()
    assert stats.keys() == {"cpu", "memory", "disk", "uptime"}
    assert 0 <= stats["cpu"]["usage"] <= 100
    assert stats["cpu"]["cores"] >= 1
    for space in ("memory", "disk"):
        assert 0 < stats[space]["used"] < stats[space]["total"]
    health = client.get("/api/system/health").json()
    assert health.keys() >= {"cpu", "memory", "disk", "process", "uptime_seconds", "net_io", "disk_io", "swap"}
    assert len(health["cpu"]["load_avg"]) == 3
    assert health["process"]["pid"] > 0


def test_the_machine_is_for_administrators(viewer: httpx.Client) -> None:
    assert viewer.get("/api/system/stats").status_code == 403
    assert viewer.get("/api/system/health").status_code == 403
