"""The faults of the reference product's services part (digest F), each shown not to be ours, on a real systemd."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from homeport.kit.clock import SystemClock
from homeport.kit.durations import spell
from homeport.services.units import Tools, Units
from homeport.services.units.journals import Journals
from homeport.services.units.problems import ActionFailed, CannotStopItself, UnitBusy
from homeport.testing.portal import PortalProcess
from homeport.testing.systemd import SystemdHost
from homeport.testing.waiting import Stopwatch, eventually
from tests.services.units.conftest import NAMES, Logs, say, until
from tests.services.units.test_journals import everything, journals_of, until_marked


def fake(folder: Path, program: str) -> Tools:
    """Tools that are all `program`, a shell script."""
    path = folder / "tool"
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    return Tools((str(path),), elevate=())


def units_with(tools: Tools, timeout: float = 30) -> Units:
    return Units(("web", "homeport"), own="homeport", clock=SystemClock(), timeout=timeout, tools=tools)


def readers(host: SystemdHost, unit: str) -> list[psutil.Process]:
    return [one for one in host.processes("journalctl") if {unit, "-f"} <= set(words(one))]


def words(process: psutil.Process) -> list[str]:
    """Its command line; nothing of one that has just ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # a zombie too
        return []


class HeldClock(SystemClock):
    """Its first sleep is told by `asked`, in seconds, and lasts until `go`."""

    def __init__(self) -> None:
        self.asked: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.go = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.set_result(seconds)
        await self.go.wait()


@contextmanager
def held(portal: PortalProcess, call: str) -> Iterator[None]:
    """Keeps this call of a tool back until the context is left."""
    hold = portal.data_dir.parent / "tools" / "hold"
    hold.write_text(call)
    try:
        yield
    finally:
        hold.unlink()


def test_buttons_work_with_an_empty_json_body(client: httpx.Client) -> None:  # host F1
    answer = client.post("/api/services/web/reload", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["ok"]) == (200, True)


async def test_a_reader_without_permission_is_no_clean_end_and_our_log_has_the_reason(
    tmp_path: Path,
) -> None:  # host F2
    with capture_logs() as logged:
        _, ending = await everything(journals_of(tmp_path, "echo 'No journal files were opened' >&2; exit 1"))
    assert ending.code == 1011
    assert any("No journal files were opened" in str(one.get("said")) for one in logged)


async def test_a_missing_journalctl_is_1011(tmp_path: Path) -> None:  # host F3
    _, ending = await everything(Journals(Tools((str(tmp_path / "none"),), elevate=()), SystemClock()))
    assert (ending.code, ending.reason) == (1011, "Failed to spawn journalctl")


def test_an_idle_stream_is_kept_alive_by_pings_of_the_server() -> None:  # host F4, F11
    from homeport.web import PortalServer

    config = PortalServer(lambda *_: None)._config  # type: ignore[arg-type]
    assert config.ws_ping_interval is not None
    assert config.ws_ping_interval <= 30
    assert config.ws_ping_timeout is not None


async def test_every_state_has_a_documented_word_and_its_own_beside(units: Units) -> None:  # host F5
    found = {status.name: status for status in await units.all()}
    assert {name: (one.status, one.active_state) for name, one in found.items()} == {
        "web": ("active", "active"),
        "idle": ("inactive", "inactive"),
        "broken": ("failed", "failed"),
        "slow": ("unknown", "activating"),
        "rereading": ("active", "reloading"),
        "stubborn": ("active", "active"),
        "talker": ("active", "active"),
        "homeport": ("active", "active"),
    }
    assert found["slow"].sub_state == "start-pre"
    assert found["broken"].exit_code == 3


async def test_uptimes_are_right_in_every_time_zone(units: Units, host: SystemdHost) -> None:  # host F5
    assert "JST" in host.systemctl("show", "web", "-p", "ActiveEnterTimestamp")
    before = time.monotonic()
    host.systemctl("restart", "web")
    after = time.monotonic()
    await asyncio.sleep(2)  # a time that is read hours ahead counts as 0 seconds, which is wrong from now on
    status = await units.get("web")
    now = time.monotonic()
    uptime = status.uptime_seconds(now)
    assert uptime is not None
    assert now - after - 1 < uptime <= now - before  # whole seconds
    assert status.uptime(now) == spell(uptime)


def test_reload_is_offered_only_where_the_unit_has_one(client: httpx.Client) -> None:  # host F6
    rows = {row["name"]: row for row in client.get("/api/services", params={"type": "unit"}).json()["data"]}
    assert "reload" in rows["web"]["actions"]
    assert "reload" not in rows["talker"]["actions"]
    assert rows["homeport"]["actions"] == ["start", "restart"]


async def test_utf8_cr_and_entries_of_several_lines_come_whole(host: SystemdHost) -> None:  # host F7
    (host.root / "opt/poem").write_text("MESSAGE=roses äöü 🌹\nviolets\r\n")
    host.unit("poet", "Type=oneshot\nExecStart=/usr/bin/logger --journald=/opt/poem")
    journals = Journals(Tools(host.tools, elevate=()), SystemClock())
    say(host, "grün 🌱 " * 400, "ends with CR\r", b"invalid \xff byte", "the last")
    async with journals.follow("talker") as following:
        found = [entry.message.partition(": ")[2] for entry in await until_marked(following, "the last")][-4:]
    assert found == [("grün 🌱 " * 400).rstrip(), "ends with CR", "invalid \ufffd byte", "the last"]
    await journals.close()


async def test_a_multi_line_entry_is_one_message(tmp_path: Path) -> None:  # host F7
    entry = json.dumps({"MESSAGE": "one\n  two", "_HOSTNAME": "h", "_COMM": "c", "_PID": "1"})
    (tmp_path / "entry").write_text(entry)
    messages, _ = await everything(journals_of(tmp_path, f"cat {tmp_path}/entry"))
    assert messages == ["h c[1]: one\n  two"]


def test_the_streams_place_answers_plain_http_too(client: httpx.Client) -> None:  # host F8
    assert client.get("/api/services/web/logs").status_code == 200


async def test_a_viewer_that_never_reads_is_told_what_it_missed_and_costs_little(tmp_path: Path) -> None:  # host F9
    line = '{"MESSAGE":"' + "x" * 1000 + '"}'
    program = f"i=0; while [ $i -lt 300 ]; do {'echo ' + chr(39) + line + chr(39) + '; ' * 1} i=$((i+1)); done"
    journals = Journals(journals_of(tmp_path, f"sleep 0.3; {program}")._tools, SystemClock(), queue=50)
    before = psutil.Process().memory_info().rss
    async with asyncio.timeout(20), journals.follow("web") as slow, journals.follow("web") as fast:
        got = [entry.message async for entry in fast]
        missed = [entry.message async for entry in slow]
    assert len(got) >= 50
    assert len(missed) <= 52
    told = [message for message in missed if "lines dropped" in message]
    assert int(told[0].partition(" ")[0][1:]) + len(missed) - len(told) == 300
    assert psutil.Process().memory_info().rss - before < 30_000_000


async def test_all_viewers_of_a_unit_share_one_reader(host: SystemdHost) -> None:  # host F10
    journals = Journals(Tools(host.tools, elevate=()), SystemClock())
    say(host, "before")
    async with journals.follow("talker") as one, journals.follow("talker") as two, journals.follow("talker") as three:
        for following in (one, two, three):  # once the reader has said something, there is one
            await until_marked(following, "before")
        assert len(readers(host, "talker")) == 1
        say(host, "to all")
        for following in (one, two, three):
            assert (await until_marked(following, "to all"))[-1].message.endswith("to all")
    await asyncio.to_thread(until, lambda: not readers(host, "talker"))
    await journals.close()


def test_the_reader_ends_with_its_last_viewer(logs: Logs, host: SystemdHost) -> None:  # host F11
    with logs("talker"), logs("talker"):
        until(lambda: len(readers(host, "talker")) == 1)
    until(lambda: not readers(host, "talker"))


async def test_one_look_serves_everybody_for_a_second(tmp_path: Path) -> None:  # host F12
    tools = fake(tmp_path, f'echo "$*" >>{tmp_path}/calls; printf "ActiveState=active\\n\\nActiveState=failed\\n"')
    units = units_with(tools)
    for found in await asyncio.gather(*(units.all() for _ in range(50))):
        assert [status.status for status in found] == ["active", "failed"]
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


async def test_a_systemd_that_hangs_is_unknown_within_the_limit(  # host F12
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("homeport.services.units.units.SHOW_LIMIT", 0.3)
    units = units_with(fake(tmp_path, "sleep 60"))
    watch = Stopwatch()
    assert [status.status for status in await units.all()] == ["unknown", "unknown"]
    assert watch.seconds() < 3


async def test_without_systemd_everything_is_unknown_and_an_action_says_why(tmp_path: Path) -> None:  # host A.1
    units = units_with(Tools((str(tmp_path / "none"),), elevate=()))
    assert [status.status for status in await units.all()] == ["unknown", "unknown"]
    with pytest.raises(ActionFailed) as failed:
        await units.act("web", "start", by="test")
    assert "managed by systemd" in failed.value.said


async def test_the_limit_is_hard_for_a_unit_that_ignores_sigterm(host: SystemdHost) -> None:  # host F13
    tools = Tools(host.tools, elevate=())
    units = Units(("stubborn",), own="homeport", clock=SystemClock(), timeout=1, tools=tools)
    watch = Stopwatch()
    with pytest.raises(ActionFailed) as failed:
        await units.act("stubborn", "stop", by="test")
    assert "timed out after 1 seconds" in failed.value.said
    # On a busy machine the end of a process comes a moment after its SIGKILL; the unit itself takes 40 seconds.
    until(lambda: not [one for one in host.processes("systemctl") if "stubborn" in words(one)])
    assert watch.seconds() < 5
    await units.close()


async def test_actions_on_one_unit_wait_for_each_other(tmp_path: Path) -> None:  # host F13
    program = f"echo $* >>{tmp_path}/calls; [ $2 != start ] || sleep 0.3; echo end $2 >>{tmp_path}/calls"
    units = units_with(fake(tmp_path, f"[ $2 = web ] || true; {program}"))
    await asyncio.gather(units.act("web", "start", by="a"), units.act("web", "reload", by="b"))
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if "show" not in line]
    assert calls == ["systemctl start web", "end start", "systemctl reload web", "end reload"]


async def test_an_action_that_waited_too_long_is_refused(tmp_path: Path) -> None:  # host F13
    units = units_with(fake(tmp_path, "sleep 60"), timeout=0.3)
    await units._locks["web"].acquire()
    with pytest.raises(UnitBusy):
        await units.act("web", "start", by="test")


def test_the_portal_answers_before_it_restarts_itself(  # host F14
    portal: PortalProcess, client: httpx.Client, host: SystemdHost
) -> None:
    before = host.systemctl("show", "homeport", "-p", "MainPID", "--value")
    with held(portal, "systemctl --no-block restart homeport"):
        body = client.post("/api/services/homeport/restart").json()
        assert (body["ok"], body["action"]) == (True, "restart")
        assert host.systemctl("show", "homeport", "-p", "MainPID", "--value") == before
    until(lambda: host.systemctl("show", "homeport", "-p", "MainPID", "--value") != before)


async def test_a_restart_of_the_portal_begins_only_a_while_after_it_was_promised(tmp_path: Path) -> None:  # host F14
    clock = HeldClock()
    tools = fake(tmp_path, f'echo "$*" >>{tmp_path}/calls; printf "ActiveState=active\\n\\nActiveState=active\\n"')
    units = Units(("web", "homeport"), own="homeport", clock=clock, tools=tools)
    assert (await units.act("homeport", "restart", by="test")).status == "active"
    async with asyncio.timeout(10):
        assert await clock.asked == 0.5
    calls = tmp_path / "calls"
    assert "restart" not in calls.read_text()
    clock.go.set()
    await eventually(lambda: "--no-block restart homeport" in calls.read_text())
    await units.close()


async def test_the_portal_never_stops_itself(units: Units) -> None:  # host F14
    with pytest.raises(CannotStopItself):
        await units.act("homeport", "stop", by="test")


def test_an_action_answers_with_the_state_after_it(client: httpx.Client) -> None:  # host F15
    before = time.monotonic()
    body = client.post("/api/services/web/restart").json()
    took = time.monotonic() - before
    assert (body["status"], body["active_state"]) == ("active", "active")
    assert 0 <= body["uptime_seconds"] <= took  # nothing but a second that has passed is counted
    assert body["uptime"] == spell(body["uptime_seconds"])


def test_a_page_of_another_site_cannot_act_with_a_visitors_cookie(portal: PortalProcess) -> None:  # host F16
    with portal.client() as browser:
        signed = browser.post("/api/auth/login", json={"username": "admin", "password": portal.password})
        assert signed.status_code == 200
        headers = {"origin": "https://evil.example", "content-type": "text/plain"}
        answer = browser.post("/api/services/web/restart", content="", headers=headers)
    assert answer.status_code == 403


def test_a_page_of_another_site_cannot_read_logs(portal: PortalProcess, logs: Logs) -> None:  # host F17
    with portal.client() as browser:
        browser.post("/api/auth/login", json={"username": "admin", "password": portal.password})
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with pytest.raises(InvalidStatus) as refused:
        logs("web", Authorization="", Cookie=cookie, Origin="https://evil.example")
    assert refused.value.response.status_code in (401, 403)


def test_a_stream_ends_with_its_credential(client: httpx.Client, logs: Logs) -> None:  # host F20
    made = client.post("/api/auth/api-keys", json={"name": "short"}).json()
    with logs("talker", Authorization=f"Bearer {made['key']}") as stream:
        client.delete(f"/api/auth/api-keys/{made['id']}")
        closed = _end_of(stream)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 4401


async def test_what_systemctl_said_is_cut_and_has_no_secrets(tmp_path: Path) -> None:  # host F21
    said = "Failed: password=hunter2222 token: abcdef https://user:pw@h/ \x1b[31mred"
    units = units_with(fake(tmp_path, f"echo '{said}' >&2; yes 'and on' | head -c 9000 >&2; exit 1"))
    with pytest.raises(ActionFailed) as failed:
        await units.act("web", "start", by="test")
    for secret in ("hunter2222", "abcdef", "user:pw", "\x1b"):
        assert secret not in failed.value.said
    assert len(failed.value.said) <= 2000


async def test_who_did_what_is_logged(tmp_path: Path) -> None:  # host F21
    units = units_with(fake(tmp_path, "exit 0"))
    with capture_logs() as logged:
        await units.act("web", "start", by="ada")
    told = [(one["unit"], one["action"], one["by"]) for one in logged if one["event"] == "unit action"]
    assert told == [("web", "start", "ada")]


async def test_the_stream_goes_on_when_its_reader_is_killed(host: SystemdHost) -> None:  # host F4
    journals = Journals(Tools(host.tools, elevate=()), SystemClock())
    say(host, "before the crash")
    async with journals.follow("talker", lines=1) as following:
        await until_marked(following, "before the crash")
        await asyncio.sleep(2.1)  # it has worked for a while
        os.kill(readers(host, "talker")[0].pid, signal.SIGKILL)
        say(host, "while it was gone")
        found = [entry.message.partition(": ")[2] for entry in await until_marked(following, "while it was gone")]
    assert found == ["while it was gone"]
    await journals.close()


async def test_following_goes_on_over_rotation_and_vacuum(host: SystemdHost) -> None:  # host A.3
    journals = Journals(Tools(host.tools, elevate=()), SystemClock())
    say(host, "before the rotation")
    async with journals.follow("talker") as following:
        await until_marked(following, "before the rotation")
        host.run("journalctl", "--rotate")
        host.run("journalctl", "--vacuum-size=1")
        say(host, "after the rotation")
        assert len(await until_marked(following, "after the rotation")) == 1
    await journals.close()


def test_only_the_list_is_ever_asked_for(portal: PortalProcess, client: httpx.Client) -> None:  # host A.0
    client.post("/api/services/secretive/stop")
    client.get("/api/services/secretive/logs")
    client.get("/api/services")
    calls = (portal.data_dir.parent / "tools" / "calls").read_text()
    assert "secretive" not in calls
    assert f"systemctl show {' '.join(NAMES)} " in calls


def _end_of(stream: ClientConnection) -> ConnectionClosed:
    while True:
        try:
            stream.recv(timeout=10)
        except ConnectionClosed as closed:
            return closed
