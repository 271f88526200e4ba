"""Seed 001 against a real portal: every documented call, and every decision of the digest's A.8."""

from __future__ import annotations

import io
import json
import re
import tarfile
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from homeport.testing.git_server import Repository
from homeport.testing.portal import PortalProcess

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
LIST_FIELDS = {
    "id", "name", "status", "url", "customer_id", "template", "deploy_method", "created_at", "updated_at", "resources",
}  # fmt: skip
DETAIL_FIELDS = LIST_FIELDS | {"customer_name", "compose", "variables", "custom_domains", "health", "deployed_at"}


def until(true: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)
    return value


def error(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The one error body."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["error"] == body["message"]
    assert set(body) >= {"error", "code", "status", "message", "details"}
    return body


class TestCreate:
    def test_git_answers_at_once_and_is_live_at_its_address(  # A04
        self, portal: PortalProcess, client: httpx.Client, name: str, customer: str, repository: Repository
    ) -> None:
        answer = client.post(
            "/api/services",
            json={
                "name": name, "customer_id": customer, "deploy_method": "git", "git_url": repository.url,
                "git_branch": "main",
            },
        )  # fmt: skip
        assert answer.status_code == 201
        body = answer.json()
        assert set(body) == {"id", "name", "status", "url", "deploy_job_id"}
        assert body["id"].startswith("svc_")
        assert body["deploy_job_id"].startswith("job_")
        assert (body["name"], body["status"]) == (name, "deploying")
        assert body["url"] == f"https://{name}.localhost:{portal.port}"
        assert portal.wait(body["deploy_job_id"])["status"] == "success"
        assert portal.fetch(name).json()["version"] == "one"
        assert client.get(f"/api/services/{name}").json()["status"] == "running"
        assert client.delete(f"/api/services/{name}").status_code == 204

    def test_template_by_curl_as_the_seed_writes_it(  # A03
        self, portal: PortalProcess, name: str, customer: str
    ) -> None:
        made = portal.curl(
            "-X", "POST", f"{portal.base_url}/api/services", "-H", f"Authorization: Bearer {portal.key}",
            "-H", "Content-Type: application/json",
            "-d", json.dumps({
                "name": name, "customer_id": customer, "deploy_method": "template",
                "template_id": "static-site", "variables": {"SERVICE_NAME": name},
            }),
        )  # fmt: skip
        body = json.loads(made.stdout)
        assert body["status"] == "deploying"
        assert portal.wait(body["deploy_job_id"])["status"] == "success"
        with portal.api() as client:
            detail = client.get(f"/api/services/{body['id']}").json()
            assert (detail["template"], detail["deploy_method"]) == ("static-site", "template")
            assert detail["variables"]["SERVICE_NAME"] == name
            assert client.get(f"/api/services/{name}/events").json()["data"][-1]["message"] in (
                "Deployed from template static-site", "Health check passed",
            )  # fmt: skip
            assert client.delete(f"/api/services/{name}").status_code == 204

    @pytest.mark.parametrize(
        "bad", ["../x", "a;b", "a" * 64, "Upper", "-a", "a-", "", "www", "api", "panel", "auth", "traefik", "ä", "a b"]
    )
    def test_a_name_that_is_no_host_name_is_refused(self, client: httpx.Client, bad: str) -> None:  # A03
        body = {"name": bad, "deploy_method": "template", "template_id": "static-site"}
        told = error(client.post("/api/services", json=body), 422, "validation_error")
        assert "name" in told["details"]["fields"]

    def test_a_missing_field_is_named(self, client: httpx.Client) -> None:  # A04
        told = error(client.post("/api/services", json={"name": "x", "deploy_method": "git"}), 422, "validation_error")
        assert "git_url" in str(told["details"]["fields"])

    def test_a_body_that_is_no_json_is_another_matter(self, client: httpx.Client) -> None:  # A03
        headers = {"Content-Type": "application/json"}
        error(client.post("/api/services", content=b"{", headers=headers), 400, "malformed_body")

    def test_an_unknown_template_is_told(self, client: httpx.Client, name: str) -> None:  # A03
        body = {"name": name, "deploy_method": "template", "template_id": "nope"}
        error(client.post("/api/services", json=body), 404, "template_not_found")

    def test_a_name_belongs_to_one_service(self, deploy: Any, client: httpx.Client, name: str) -> None:  # A03
        deploy()
        body = {"name": name, "deploy_method": "template", "template_id": "static-site"}
        error(client.post("/api/services", json=body), 409, "conflict")

    @pytest.mark.parametrize(
        "url",
        ["--upload-pack=/bin/sh", "ext::sh -c id", "file:///etc", "ssh://-oProxyCommand=id/x", "https://a:b@h/x.git",
         "/etc", "https://2130706433/x.git", "https://[::ffff:127.0.0.1]:1/x", "https://169.254.169.254/x.git"],
    )  # fmt: skip
    def test_a_hostile_address_never_becomes_a_service(self, client: httpx.Client, name: str, url: str) -> None:  # A04
        answer = client.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": url})
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] in ("source_refused", "destination_refused")
        assert client.get(f"/api/services/{name}").status_code == 404

    @pytest.mark.parametrize("branch", ["--x", "a..b", "$(id)", "x.lock", "@{u}", "/x"])
    def test_a_hostile_branch_is_refused(self, client: httpx.Client, name: str, branch: str) -> None:  # A04
        body = {"name": name, "deploy_method": "git", "git_url": "https://example.com/x.git", "git_branch": branch}
        error(client.post("/api/services", json=body), 422, "source_refused")


class TestUpload:
    def test_an_archive_is_deployed_and_redeployed_by_its_id(
        self, portal: PortalProcess, client: httpx.Client, name: str
    ) -> None:
        first, second = (
            client.post("/api/uploads", content=archive({"index.html": text})).json() for text in ("one", "two")
        )
        assert first["id"].startswith("upl_")
        assert INSTANT.match(first["expires_at"])
        made = client.post("/api/services", json={"name": name, "deploy_method": "upload", "upload_id": first["id"]})
        assert portal.wait(made.json()["deploy_job_id"])["status"] == "success"
        assert portal.fetch(name).text == "one"
        again = client.post(f"/api/services/{name}/redeploy", json={"upload_id": second["id"]})
        assert portal.wait(again.json()["deploy_job_id"])["status"] == "success"
        assert portal.fetch(name).text == "two"
        client.delete(f"/api/services/{name}")

    def test_an_archive_that_leads_out_of_its_folder_is_refused_with_its_reason(
        self, portal: PortalProcess, client: httpx.Client, name: str
    ) -> None:
        upload = client.post("/api/uploads", content=archive({"../../evil": "x"})).json()
        made = client.post("/api/services", json={"name": name, "deploy_method": "upload", "upload_id": upload["id"]})
        job = portal.wait(made.json()["deploy_job_id"])
        assert (job["status"], job["step"]) == ("failed", "fetch")
        assert "evil" in job["error"]
        assert not list(portal.data_dir.rglob("evil"))
        client.delete(f"/api/services/{name}")

    def test_an_empty_body_and_an_unknown_id_are_told(self, client: httpx.Client, name: str) -> None:
        error(client.post("/api/uploads", content=b""), 400, "malformed_body")
        body = {"name": name, "deploy_method": "upload", "upload_id": "upl_nothing"}
        error(client.post("/api/services", json=body), 404, "upload_not_found")


def archive(files: dict[str, str]) -> bytes:
    """A .tar.gz."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


class TestIdempotency:
    def test_the_same_key_and_body_gives_the_same_answer_and_one_service(  # A04
        self, portal: PortalProcess, client: httpx.Client, name: str, repository: Repository
    ) -> None:
        body = {"name": name, "deploy_method": "git", "git_url": repository.url}
        headers = {"Idempotency-Key": f"key-{name}"}
        first, second = (client.post("/api/services", json=body, headers=headers) for _ in range(2))
        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert client.get("/api/services", params={"search": name}).json()["total"] == 1
        other = client.post("/api/services", json={**body, "name": f"{name}-2"}, headers=headers)
        error(other, 409, "idempotency_conflict")
        portal.wait(first.json()["deploy_job_id"])
        client.delete(f"/api/services/{name}")

    def test_a_redeploy_with_a_key_runs_once(  # A10
        self, portal: PortalProcess, client: httpx.Client, deploy: Any, name: str
    ) -> None:
        deploy()
        headers = {"Idempotency-Key": f"again-{name}"}
        first, second = (client.post(f"/api/services/{name}/redeploy", headers=headers) for _ in range(2))
        assert first.json() == second.json()
        portal.wait(first.json()["deploy_job_id"])
        assert client.get(f"/api/services/{name}/releases").json()["total"] == 2


class TestList:
    def test_the_envelope_and_each_row_have_the_documented_fields(  # A01
        self, deploy: Any, client: httpx.Client, name: str
    ) -> None:
        deploy()
        body = client.get("/api/services", params={"status": "running", "per_page": "10"}).json()
        assert set(body) == {"data", "total", "page", "per_page"}
        assert (body["page"], body["per_page"]) == (1, 10)
        row = next(row for row in body["data"] if row["name"] == name)
        assert set(row) >= LIST_FIELDS
        assert set(row["resources"]) == {"cpu_usage", "memory_usage_mb", "memory_limit_mb"}
        assert INSTANT.match(row["created_at"])
        assert isinstance(row["resources"]["cpu_usage"], float)

    def test_without_parameters_the_complete_directory_comes_too(
        self, deploy: Any, client: httpx.Client
    ) -> None:  # A01
        deploy()
        body = client.get("/api/services").json()
        assert set(body) == {"services", "data", "total", "page", "per_page"}
        assert len(body["services"]) == body["total"]

    @pytest.mark.parametrize(
        ("query", "status"),
        [("page=0", 400), ("page=x", 400), ("page=-1", 400), ("per_page=0", 400), ("per_page=1.5", 400),
         ("status=sleeping", 400), ("sort=color", 400), ("order=up", 400), ("page=99999", 200)],
    )  # fmt: skip
    def test_bad_parameters_are_told(self, client: httpx.Client, query: str, status: int) -> None:  # A01
        answer = client.get(f"/api/services?{query}")
        if status == 200:
            assert answer.json()["data"] == []
        else:
            error(answer, status, "invalid_parameter")

    def test_an_unknown_word_is_answered_with_the_allowed_ones(self, client: httpx.Client) -> None:  # A01
        told = error(client.get("/api/services?status=sleeping"), 400, "invalid_parameter")
        assert told["details"]["allowed"] == ["running", "stopped", "deploying", "failed"]

    def test_per_page_is_capped_at_100_and_echoed(self, client: httpx.Client) -> None:  # A01
        assert client.get("/api/services?per_page=5000").json()["per_page"] == 100

    def test_search_takes_percent_and_underscore_literally(  # A01
        self, deploy: Any, client: httpx.Client, name: str
    ) -> None:
        deploy()
        assert client.get("/api/services", params={"search": name[2:9].upper()}).json()["total"] >= 1
        assert client.get("/api/services", params={"search": "%"}).json()["total"] == 0
        assert client.get("/api/services", params={"search": "app_"}).json()["total"] == 0

    def test_a_customers_services_are_found_by_the_customer(
        self, deploy: Any, client: httpx.Client, name: str, customer: str
    ) -> None:  # A01
        deploy()
        found = client.get("/api/services", params={"customer_id": customer}).json()
        assert name in {row["name"] for row in found["data"]}
        assert client.get("/api/services", params={"customer_id": "cust_other"}).json()["total"] == 0

    def test_nobody_gets_401(self, portal: PortalProcess) -> None:  # A01
        with portal.client() as stranger:
            error(stranger.get("/api/services"), 401, "unauthenticated")


class TestDetail:
    def test_has_the_documented_fields(self, deploy: Any, client: httpx.Client, name: str) -> None:  # A02
        deploy(variables={"GREETING": "hi", "API_TOKEN": "geheim"})
        body = client.get(f"/api/services/{name}").json()
        assert set(body) >= DETAIL_FIELDS
        assert set(body["resources"]) == {
            "cpu_usage", "cpu_limit", "memory_usage_mb", "memory_limit_mb", "storage_mb",
        }  # fmt: skip
        assert body["variables"]["GREETING"] == "hi"
        assert "geheim" not in json.dumps(body)
        assert body["health"]["status"] == "healthy"
        assert body["health"]["consecutive_failures"] == 0
        assert INSTANT.match(body["health"]["last_check"])
        assert INSTANT.match(body["deployed_at"])
        assert body["custom_domains"] == []
        assert body["template"] is None
        assert client.get(f"/api/services/{body['id']}").json()["name"] == name

    def test_an_unknown_service_is_404(self, client: httpx.Client) -> None:  # A02
        error(client.get("/api/services/svc_nothing"), 404, "service_not_found")

    def test_secrets_are_revealed_only_on_purpose(self, deploy: Any, client: httpx.Client, name: str) -> None:
        deploy(variables={"API_TOKEN": "geheim"})
        hidden = client.get(f"/api/services/{name}/variables").json()["data"][0]
        shown = client.get(f"/api/services/{name}/variables", params={"reveal": "true"}).json()["data"][0]
        assert hidden["value"] != "geheim"
        assert (shown["value"], shown["secret"]) == ("geheim", True)


class TestLifecycle:
    def test_stop_start_and_restart_answer_with_the_final_status(  # A07 A08 A09
        self, deploy: Any, client: httpx.Client, portal: PortalProcess, name: str
    ) -> None:
        deploy()
        for action, status, message in (
            ("stop", "stopped", "Service stopped"), ("stop", "stopped", "Service stopped"),
            ("start", "running", "Service started"), ("start", "running", "Service started"),
            ("restart", "running", "Service restarted"),
        ):  # fmt: skip
            answer = client.post(f"/api/services/{name}/{action}", headers={"Content-Type": "application/json"})
            assert answer.status_code == 200
            body = answer.json()
            assert (body["status"], body["message"], body["name"]) == (status, message, name)
            assert body["id"].startswith("svc_")
            assert body["ok"] is True
            visible = portal.fetch(name)
            assert visible.status_code == (200 if status == "running" else 503)

    def test_a_restart_keeps_data_and_release(
        self, deploy: Any, client: httpx.Client, portal: PortalProcess, name: str
    ) -> None:  # A09
        deploy()
        portal.fetch(name, "/hit")
        client.post(f"/api/services/{name}/restart")
        assert portal.fetch(name).json()["hits"] == 1

    def test_while_deploying_lifecycle_answers_409_with_the_job(  # A07 A10
        self, portal: PortalProcess, client: httpx.Client, name: str, repository: Repository
    ) -> None:
        repository.commit({"main.py": "import time; time.sleep(60)"}, "Never listens")
        made = client.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": repository.url})
        job_id = made.json()["deploy_job_id"]
        error(client.post(f"/api/services/{name}/start"), 409, "deploy_in_progress")
        told = error(client.post(f"/api/services/{name}/redeploy"), 409, "deploy_in_progress")
        assert told["details"]["deploy_job_id"] == job_id
        assert client.delete(f"/api/services/{name}").status_code == 204  # cancels the job first
        error(client.get(f"/api/jobs/{job_id}"), 404, "job_not_found")
        assert not list((portal.data_dir / "services").glob(f"{made.json()['id']}*"))


class TestRedeploy:
    def test_brings_the_newest_commit_and_rollback_the_old_one_and_data_stays(  # A10
        self, deploy: Any, client: httpx.Client, portal: PortalProcess, name: str, repository: Repository
    ) -> None:
        deploy(variables={"GREETING": "one"})
        portal.fetch(name, "/hit")
        repository.commit({"main.py": (repository.folder / "main.py").read_text().replace("'one'", "'two'")})
        client.patch(f"/api/services/{name}", json={"variables": {"GREETING": "two"}})
        assert client.get(f"/api/services/{name}").json()["variables_changed"] is True
        answer = client.post(f"/api/services/{name}/redeploy")
        assert answer.status_code == 200
        assert (answer.json()["status"], "deploy_job_id" in answer.json()) == ("deploying", True)
        assert portal.wait(answer.json()["deploy_job_id"])["status"] == "success"
        second = portal.fetch(name).json()
        assert (second["version"], second["GREETING"], second["hits"]) == ("two", "two", 1)
        back = client.post(f"/api/services/{name}/rollback", json={"release": 1})
        assert portal.wait(back.json()["deploy_job_id"])["status"] == "success"
        third = portal.fetch(name).json()
        assert (third["version"], third["GREETING"], third["hits"]) == ("one", "one", 1)
        assert third["HOMEPORT_RELEASE"] == "3"
        releases = client.get(f"/api/services/{name}/releases").json()["data"]
        assert [(one["number"], one["status"]) for one in releases] == [(3, "live"), (2, "retired"), (1, "retired")]
        assert releases[0]["revision"] == releases[2]["revision"]
        assert client.get(f"/api/services/{name}").json()["variables"]["GREETING"] == "one"

    def test_a_version_that_never_answers_leaves_the_old_one_serving(  # A10
        self, deploy: Any, client: httpx.Client, portal: PortalProcess, name: str, repository: Repository
    ) -> None:
        deploy()
        repository.commit({"main.py": "raise SystemExit('broken on purpose')"})
        job = portal.wait(client.post(f"/api/services/{name}/redeploy").json()["deploy_job_id"])
        assert (job["status"], job["step"]) == ("failed", "gate")
        assert "keeps ending" in job["error"]
        assert portal.fetch(name).json()["version"] == "one"
        detail = client.get(f"/api/services/{name}").json()
        assert (detail["status"], detail["release"]) == ("running", 1)
        assert detail["error"] == job["error"]

    def test_rollback_without_an_earlier_release_is_404(self, deploy: Any, client: httpx.Client, name: str) -> None:
        deploy()
        error(client.post(f"/api/services/{name}/rollback"), 404, "release_not_found")


class TestDelete:
    def test_leaves_nothing_and_the_second_time_is_404(  # A11
        self, deploy: Any, client: httpx.Client, portal: PortalProcess, name: str
    ) -> None:
        deploy()
        service_id = client.get(f"/api/services/{name}").json()["id"]
        answer = client.delete(f"/api/services/{service_id}")
        assert (answer.status_code, answer.content) == (204, b"")
        error(client.delete(f"/api/services/{service_id}"), 404, "service_not_found")
        assert not (portal.data_dir / "services" / service_id).exists()
        assert portal.fetch(name).status_code == 404
        states = [json.loads(one.read_text()) for one in portal.data_dir.glob("instances/*/state.json")]
        assert service_id not in {state["service_id"] for state in states}


class TestLogs:
    def test_oldest_first_with_the_documented_fields(
        self, deploy: Any, client: httpx.Client, portal: PortalProcess, name: str
    ) -> None:  # A12
        deploy()
        for number in range(5):
            portal.fetch(name, f"/{number}")

        def lines() -> list[dict[str, str]]:
            found: list[dict[str, str]] = client.get(f"/api/services/{name}/logs?tail=50").json()["logs"]
            return found if any(entry["message"] == "GET /4" for entry in found) else []

        entries = until(lines)
        assert set(entries[0]) >= {"timestamp", "stream", "message"}
        numbered = [
            one["message"] for one in entries if re.fullmatch(r"GET /\d", one["message"])
        ]  # no probe of "GET /"
        assert numbered == [f"GET /{n}" for n in range(5)]
        assert sorted(one["timestamp"] for one in entries) == [one["timestamp"] for one in entries]
        assert len(client.get(f"/api/services/{name}/logs?tail=2").json()["logs"]) == 2
        later = client.get(f"/api/services/{name}/logs", params={"since": "2999-01-01T00:00:00Z"})
        assert later.json() == {"logs": []}
        assert client.get(f"/api/services/{name}/logs?follow=true").status_code == 200  # so that curl works

    @pytest.mark.parametrize("query", ["tail=0", "tail=all", "tail=-5", "since=yesterday", "since=2026-01-01"])
    def test_bad_bounds_are_400(self, deploy: Any, client: httpx.Client, name: str, query: str) -> None:  # A12
        deploy()
        error(client.get(f"/api/services/{name}/logs?{query}"), 400, "invalid_parameter")

    def test_following_sends_one_entry_a_message(self, deploy: Any, portal: PortalProcess, name: str) -> None:  # A13
        deploy()
        with portal.live(f"/api/services/{name}/logs?follow=true", key=portal.key) as socket:
            first = json.loads(socket.recv(timeout=5))
            assert set(first) >= {"timestamp", "stream", "message"}
            portal.fetch(name, "/live")
            while json.loads(socket.recv(timeout=5))["message"] != "GET /live":
                pass

    def test_a_stranger_gets_no_socket(self, deploy: Any, portal: PortalProcess, name: str) -> None:  # A13
        deploy()
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        with portal.client(headers={**upgrade, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}) as stranger:
            answer = stranger.get(f"/api/services/{name}/logs")
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthenticated"


class TestEvents:
    def test_oldest_first_with_the_documented_pairs(self, deploy: Any, client: httpx.Client, name: str) -> None:  # A14
        deploy()
        until(lambda: "health" in {one["type"] for one in client.get(f"/api/services/{name}/events").json()["data"]})
        client.post(f"/api/services/{name}/stop")
        body = client.get(f"/api/services/{name}/events").json()
        assert set(body["data"][0]) >= {"type", "status", "message", "timestamp"}
        pairs = [(one["type"], one["status"]) for one in body["data"]]
        assert pairs[0] == ("deploy", "started")
        assert ("deploy", "success") in pairs
        assert ("health", "healthy") in pairs
        assert pairs[-1] == ("stop", "success")
        recent = client.get("/api/events?limit=5").json()["data"]
        assert recent[0]["service_name"] == name


class TestJobs:
    def test_a_job_names_its_steps_and_its_stream_replays_from_any_number(
        self, deploy: Any, portal: PortalProcess, client: httpx.Client
    ) -> None:
        job = deploy()
        assert [step["name"] for step in job["steps"]] == [
            "fetch", "detect", "plan", "build", "start", "gate", "switch", "retire",
        ]  # fmt: skip
        assert {step["status"] for step in job["steps"]} == {"success"}
        assert job["progress"] == 100
        assert client.get(f"/api/deploy-jobs/{job['id']}").json() == job

        def messages(since: int) -> list[dict[str, Any]]:
            with portal.live(f"/api/jobs/{job['id']}/stream?since={since}&token={portal.key}") as socket:
                return [json.loads(message) for message in socket]

        every = messages(0)
        assert [one["seq"] for one in every] == list(range(1, len(every) + 1))
        assert (every[-1]["type"], every[-1]["status"]) == ("status", "success")
        assert messages(5) == every[5:]

    def test_cancel_ends_a_job_and_what_it_started(
        self, portal: PortalProcess, client: httpx.Client, name: str, repository: Repository
    ) -> None:
        repository.commit({"main.py": "import time; time.sleep(60)"}, "Never listens")
        made = client.post("/api/services", json={"name": name, "deploy_method": "git", "git_url": repository.url})
        job_id = made.json()["deploy_job_id"]
        until(lambda: client.get(f"/api/jobs/{job_id}").json()["step"] == "gate")
        assert client.post(f"/api/jobs/{job_id}/cancel").status_code == 200
        job = portal.wait(job_id, seconds=10)
        assert job["status"] == "cancelled"
        error(client.post(f"/api/jobs/{job_id}/cancel"), 409, "job_finished")
        assert client.get(f"/api/services/{name}").json()["status"] == "failed"
        states = [json.loads(one.read_text()) for one in portal.data_dir.glob("instances/*/state.json")]
        assert made.json()["id"] not in {state["service_id"] for state in states}
        client.delete(f"/api/services/{name}")


def test_an_app_reaches_neither_the_portals_keys_nor_the_other_apps(
    deploy: Any, client: httpx.Client, portal: PortalProcess, name: str, repository: Repository
) -> None:
    program = (repository.folder / "main.py").read_text()
    spy = f"""
import glob
def reach(path):
    try:
        return open(path).read()[:1] != ""
    except OSError as problem:
        return type(problem).__name__
data = {str(portal.data_dir)!r}
FOUND = {{path: reach(f"{{data}}/{{path}}") for path in ("local.json", "keys/seal.key", "ca/ca.key")}}
print("found", FOUND, glob.glob(f"{{data}}/services/*/data/hits"), flush=True)
"""
    repository.commit({"main.py": spy + program}, "Spy")
    assert deploy()["status"] == "success"

    def found() -> str:
        entries = client.get(f"/api/services/{name}/logs").json()["logs"]
        return next((one["message"] for one in entries if one["message"].startswith("found")), "")

    said = until(found)
    assert said.count("PermissionError") == 3, said
    assert said.endswith("[]")
