"""Seed 000's services part against a real portal and a real systemd: every documented line and transcript."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from homeport.testing.portal import PortalProcess
from homeport.testing.systemd import SystemdHost
from tests.services.units.conftest import NAMES, Logs, say, until

UPTIME = re.compile(r"(\d+d)?( ?\d+h)?( ?\d+m)?|\d+s")
SHORT_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000")


def bearer(portal: PortalProcess) -> tuple[str, str]:
    return "-H", f"Authorization: Bearer {portal.key}"


class TestList:
    def test_curl_lists_every_unit_with_name_status_and_uptime(self, portal: PortalProcess) -> None:  # H01
        body = json.loads(portal.curl(*bearer(portal), f"{portal.base_url}/api/services").stdout)
        rows = [row for row in body["services"] if row["kind"] == "unit"]
        assert [row["name"] for row in rows] == list(NAMES)
        for row in rows:
            assert row["status"] in ("active", "inactive", "failed", "unknown")
            assert (row["uptime"] is not None) == (row["status"] == "active")
            assert row["uptime"] is None or UPTIME.fullmatch(row["uptime"])

    def test_units_come_first_in_the_directory_and_are_not_in_the_page(self, client: httpx.Client) -> None:  # H01
        body = client.get("/api/services").json()
        assert [row["kind"] for row in body["services"][: len(NAMES)]] == ["unit"] * len(NAMES)
        assert all(row["kind"] != "unit" for row in body["data"])
        only = client.get("/api/services", params={"type": "unit"}).json()
        assert (only["total"], [row["name"] for row in only["data"]]) == (len(NAMES), list(NAMES))

    def test_one_unit_by_name_and_by_id(self, client: httpx.Client) -> None:  # H01
        row = client.get("/api/services/web").json()
        assert (row["name"], row["status"], row["sub_state"]) == ("web", "active", "running")
        assert row["pid"] > 0
        assert "stop" in row["actions"]
        assert client.get(f"/api/services/{row['id']}").json()["name"] == "web"

    def test_a_unit_that_is_not_on_the_list_does_not_exist(self, client: httpx.Client) -> None:  # H01
        assert client.get("/api/services/secretive").status_code == 404
        assert "secretive" not in client.get("/api/services").text

    def test_a_units_name_is_reserved(self, client: httpx.Client) -> None:  # H01
        body = {"name": "web", "deploy_method": "template", "template_id": "static-site"}
        answer = client.post("/api/services", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")

    def test_without_a_credential_nothing_is_told(self, portal: PortalProcess) -> None:  # H01
        with portal.client() as stranger:
            assert stranger.get("/api/services").status_code == 401
            assert stranger.post("/api/services/web/restart").status_code == 401


class TestActions:
    def test_curl_restarts_a_unit_and_the_answer_echoes_name_and_action(  # H02
        self, portal: PortalProcess, host: SystemdHost
    ) -> None:
        before = host.systemctl("show", "web", "-p", "MainPID", "--value")
        done = portal.curl(*bearer(portal), "-X", "POST", f"{portal.base_url}/api/services/web/restart")
        body = json.loads(done.stdout)
        assert (body["ok"], body["name"], body["action"], body["status"]) == (True, "web", "restart", "active")
        assert host.systemctl("show", "web", "-p", "MainPID", "--value") != before

    @pytest.mark.parametrize(("action", "status"), [("start", "active"), ("reload", None), ("stop", "inactive")])
    def test_each_action_answers_with_the_state_after_it(  # H02
        self, client: httpx.Client, action: str, status: str | None
    ) -> None:
        name = "web" if action == "reload" else "idle"
        body = client.post(f"/api/services/{name}/{action}").json()
        assert (body["ok"], body["name"], body["action"]) == (True, name, action)
        assert body["status"] == (status or "active")

    @pytest.mark.parametrize(
        ("content", "headers"),
        [
            (b"", {}),
            (b"{}", {"content-type": "application/json"}),
            (b"", {"content-type": "application/json"}),
            (b"anything", {"content-type": "text/plain"}),
        ],
    )
    def test_the_body_does_not_matter(  # H02
        self, client: httpx.Client, content: bytes, headers: dict[str, str]
    ) -> None:
        answer = client.post("/api/services/web/reload", content=content, headers=headers)
        assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            ("sshd/restart", "Unknown service"),
            ("sshd/explode", "Unknown service"),
            ("secretive/stop", "Unknown service"),
            ("web.service/restart", "Unknown service"),
            ("WEB/restart", "Unknown service"),
            ("/restart", "Unknown service"),
            ("web/explode", "Invalid action"),
            ("web/redeploy", "Invalid action"),
            ("homeport/stop", "Cannot stop the panel service from the UI — it would terminate this session"),
        ],
    )
    def test_refusals_are_400_with_the_exact_sentence_name_before_action(  # H02
        self, client: httpx.Client, path: str, sentence: str
    ) -> None:
        answer = client.post(f"/api/services/{path}")
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"] == sentence

    @pytest.mark.parametrize("path", ["web/restart", "web/nothing", "nobody/x", "web/restart/"])
    def test_what_cannot_be_got_is_a_404(self, client: httpx.Client, path: str) -> None:  # host A.0: routing
        answer = client.get(f"/api/services/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    def test_a_percent_encoded_name_is_the_name(self, client: httpx.Client) -> None:  # H02
        assert client.post("/api/services/w%65b/reload").json()["name"] == "web"

    def test_a_failure_is_500_with_what_systemctl_said_as_a_string(self, client: httpx.Client) -> None:  # H02
        answer = client.post("/api/services/broken/reload")
        assert answer.status_code == 500
        body = answer.json()
        assert body["error"] == "Failed to reload broken"
        assert isinstance(body["details"], str)
        assert "not active" in body["details"] or "not applicable" in body["details"]

    def test_an_unknown_id_is_404(self, client: httpx.Client) -> None:  # H02
        assert client.post("/api/services/svc_nothing/restart").status_code == 404

    def test_a_viewer_may_look_and_not_touch(self, portal: PortalProcess, client: httpx.Client) -> None:  # H01, H02
        made = client.post("/api/auth/api-keys", json={"name": "looks", "role": "viewer"}).json()
        with portal.client(headers={"Authorization": f"Bearer {made['key']}"}) as viewer:
            assert viewer.get("/api/services").json()["services"][0]["name"] == "web"
            assert viewer.post("/api/services/web/restart").status_code == 403
            assert viewer.post("/api/services/nothing/restart").status_code == 403


class TestLogs:
    def test_the_last_hundred_lines_come_first_then_every_new_one(self, host: SystemdHost, logs: Logs) -> None:  # H03
        mark = uuid4().hex
        say(host, *(f"{mark} {number}" for number in range(120)))
        with logs("talker") as stream:
            past = [json.loads(stream.recv(timeout=5)) for _ in range(100)]
            assert [entry["message"].rpartition(" ")[2] for entry in past] == [str(n) for n in range(20, 120)]
            say(host, f"{mark} new")
            entry = json.loads(stream.recv(timeout=5))
        assert set(entry) == {"timestamp", "message"}
        assert SHORT_ISO.fullmatch(entry["timestamp"])
        assert re.fullmatch(rf"testhost say\[\d+\]: {mark} new", entry["message"])

    def test_an_unknown_name_is_closed_with_1008_after_the_upgrade(self, logs: Logs) -> None:  # H03
        for name in ("sshd", "secretive"):
            with logs(name) as stream, pytest.raises(ConnectionClosed) as closed:
                stream.recv(timeout=5)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "Unknown service")

    def test_an_unknown_id_and_a_stranger_are_refused_before_the_upgrade(self, logs: Logs) -> None:  # H03
        with pytest.raises(InvalidStatus) as refused:
            logs("svc_nothing")
        assert refused.value.response.status_code == 404
        with pytest.raises(InvalidStatus) as refused:
            logs("web", Authorization="Bearer nobody")
        assert refused.value.response.status_code == 401

    def test_the_snapshot_has_the_same_lines(self, client: httpx.Client, host: SystemdHost) -> None:  # H03
        mark = uuid4().hex
        say(host, f"{mark} One", f"{mark} Two")
        body = client.get("/api/services/talker/logs", params={"tail": 2}).json()
        assert [entry["message"].rpartition(" ")[2] for entry in body["logs"]] == ["One", "Two"]
        assert {entry["stream"] for entry in body["logs"]} == {"journal"}
        found = client.get("/api/services/talker/logs", params={"lines": 50, "grep": f"{mark} tWO"}).json()
        assert [entry["message"].rpartition(" ")[2] for entry in found["logs"]] == ["Two"]
        assert client.get("/api/services/talker/logs", params={"grep": uuid4().hex}).json()["logs"] == []

    def test_lines_since_and_grep_count_for_the_stream_too(self, host: SystemdHost, logs: Logs) -> None:  # H03
        mark = uuid4().hex
        say(host, *(f"{mark} {number}" for number in range(5)))
        with logs("talker", "?lines=2") as stream:
            assert [json.loads(stream.recv(timeout=5))["message"][-1] for _ in range(2)] == ["3", "4"]
        with logs("talker", f"?grep={mark}%203") as stream:
            assert json.loads(stream.recv(timeout=5))["message"].endswith(f"{mark} 3")
            say(host, f"{mark} 4 again", f"{mark} 3 again")
            assert json.loads(stream.recv(timeout=5))["message"].endswith(f"{mark} 3 again")

    def test_the_reader_is_called_as_the_seed_has_it(self, portal: PortalProcess, logs: Logs) -> None:  # H03
        calls = portal.data_dir.parent / "tools" / "calls"
        with logs("idle"):
            until(lambda: "journalctl -u idle -f -n 100 " in calls.read_text())
        assert "systemctl restart web" in calls.read_text()
