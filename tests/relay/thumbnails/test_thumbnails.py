"""Whose picture is shown to whom, and who makes the next one be taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from homeport.identity import Identity
from homeport.kit.guard import OutboundGuard
from homeport.relay.lease import Lease
from homeport.relay.thumbnails import Thumbnails, routes
from homeport.relay.thumbnails.pictures import NoPicture
from homeport.relay.thumbnails.thumbnails import MOST_QUEUED
from homeport.relay.thumbnails.timetable import AT_LEAST, COOLDOWN, EVERY
from homeport.storage import Database
from homeport.testing.clock import ManualClock
from homeport.testing.pictures import JPEG, SVG, data_url, png
from homeport.testing.relay_door import ControlPlane, CountedSessions, RelayDoor, open_relay_door
from homeport.testing.waiting import eventually

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Camera:
    """Sees `scenes`; what is not there fails."""

    def __init__(self) -> None:
        self.scenes: dict[str, bytes] = {}
        self.seen: list[str] = []

    async def capture(self, hostname: str) -> bytes:
        self.seen.append(hostname)
        if hostname not in self.scenes:
            raise NoPicture("nobody is there")
        return self.scenes[hostname]


class StillClock(ManualClock):
    """Whoever sleeps does so until the test is over: tests look themselves."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


async def nowhere(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


class Show:
    """Thumbnails behind a relay's door."""

    def __init__(self, relay: RelayDoor, thumbnails: Thumbnails, camera: Camera, clock: StillClock) -> None:
        self.relay = relay
        self.thumbnails = thumbnails
        self.camera = camera
        self.clock = clock

    async def open(self, name: str, *, ready: int = 1, **metadata: object) -> Lease:
        await self.relay.token(name, metadata=metadata)
        lease = self.relay.leases.at(f"{name}.localhost")
        assert lease is not None
        assert isinstance(lease.sessions, CountedSessions)
        lease.sessions.ready = ready
        return lease

    async def get(self, name: str) -> httpx.Response:
        return await self.relay.get(f"/thumbnail/{name}.localhost")

    async def look(self, captures: int) -> None:
        """Once, and until so many have been asked of the camera in all."""
        self.thumbnails.look()
        await eventually(lambda: len(self.camera.seen) == captures and not self.thumbnails.busy)


@pytest.fixture
async def show(database: Database, tmp_path: Path) -> AsyncIterator[Show]:
    late: list[Thumbnails] = []
    camera, clock = Camera(), StillClock()

    def own(_identity: Identity, plane: ControlPlane) -> Sequence[APIRouter]:
        late.append(Thumbnails(plane.leases, plane.policy, clock, plane.bus, OutboundGuard((), nowhere), camera))
        return [routes(late[0])]

    async with open_relay_door(database, tmp_path, own, administrator=False) as relay:
        running = asyncio.create_task(late[0].run(), name="thumbnails")
        yield Show(relay, late[0], camera, clock)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await late[0].close()


async def test_a_picture_that_the_holder_gives_is_served_with_strict_headers(show: Show) -> None:  # R30, relay A.12
    lease = await show.open("demo", thumbnail=data_url("image/png", png()))
    answer = await show.get("demo")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, png(), "image/png")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert show.thumbnails.path(lease) == "/thumbnail/demo.localhost"


async def test_a_page_without_one_is_captured_once_it_is_served(show: Show) -> None:  # R30, relay H
    show.camera.scenes["demo.localhost"] = JPEG
    lease = await show.open("demo", ready=0)
    await show.look(captures=0)
    assert isinstance(lease.sessions, CountedSessions)
    lease.sessions.ready = 1
    assert show.thumbnails.path(lease) == ""
    await show.look(captures=1)
    answer = await show.get("DEMO")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, JPEG, "image/jpeg")
    assert show.thumbnails.path(lease) == "/thumbnail/demo.localhost"


async def test_asking_for_a_picture_makes_none(show: Show) -> None:  # R30, relay L.20
    show.camera.scenes["demo.localhost"] = JPEG
    await show.open("demo")
    answers = await asyncio.gather(*(show.get("demo") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].text == "404 page not found\n"
    assert answers[0].headers["content-type"].startswith("text/plain")
    assert show.camera.seen == []


async def test_unknown_hidden_and_refused_tunnels_have_none(show: Show) -> None:  # R30, relay A.12
    picture = data_url("image/png", png())
    await show.open("shy", thumbnail=picture, hide=True)
    banned = await show.open("bad", thumbnail=picture)
    assert (await show.get("bad")).status_code == 200
    await show.relay.plane.policy.deny(banned.key)
    show.camera.scenes = {"shy.localhost": JPEG, "bad.localhost": JPEG}
    await show.look(captures=0)
    for name in ("shy", "bad", "nobody"):
        assert (await show.get(name)).status_code == 404
    assert show.thumbnails.path(banned) == ""


async def test_hidden_pages_are_not_even_looked_at(show: Show) -> None:
    show.camera.scenes = {"shy.localhost": JPEG}
    await show.open("shy", hide=True)
    await show.look(captures=0)


async def test_a_given_picture_that_is_none_leaves_the_page_to_be_captured(show: Show) -> None:
    show.camera.scenes["demo.localhost"] = JPEG
    await show.open("demo", thumbnail=data_url("image/svg+xml", SVG))
    assert (await show.get("demo")).status_code == 404
    await show.look(captures=1)
    assert (await show.get("demo")).content == JPEG


async def test_what_the_browser_gives_is_checked_too(show: Show) -> None:
    show.camera.scenes["demo.localhost"] = b"<html>"
    await show.open("demo")
    await show.look(captures=1)
    assert (await show.get("demo")).status_code == 404


async def test_a_named_picture_at_a_private_address_is_not_fetched(show: Show) -> None:  # R30, relay L.20
    lease = await show.open("demo", thumbnail="https://intranet.example/a.png")
    show.thumbnails.look()
    await eventually(lambda: not show.thumbnails.busy)
    assert (await show.get("demo")).status_code == 404
    assert show.thumbnails.path(lease) == ""
    assert show.camera.seen == []


async def test_a_page_is_captured_anew_after_hours_and_a_failure_waits(show: Show) -> None:  # relay H
    await show.open("demo")
    await show.look(captures=1)
    show.camera.scenes["demo.localhost"] = JPEG
    await show.look(captures=1)
    show.clock.advance(COOLDOWN)
    await show.look(captures=2)
    show.clock.advance(EVERY - 1)
    await show.look(captures=2)
    show.clock.advance(1)
    await show.look(captures=3)


async def test_who_registers_again_keeps_the_picture_until_the_next_one(show: Show) -> None:
    show.camera.scenes["demo.localhost"] = JPEG
    await show.open("demo")
    await show.look(captures=1)
    await show.open("demo")
    assert (await show.get("demo")).status_code == 200
    await show.look(captures=1)
    show.clock.advance(AT_LEAST)
    await show.look(captures=2)


async def test_a_picture_is_gone_with_the_tunnel(show: Show) -> None:
    show.camera.scenes["demo.localhost"] = JPEG
    lease = await show.open("demo")
    await show.look(captures=1)
    await show.relay.leases.end(lease)
    await show.open("demo")
    assert (await show.get("demo")).status_code == 404


async def test_naming_another_picture_takes_the_old_one_down(show: Show) -> None:
    show.camera.scenes["demo.localhost"] = JPEG
    lease = await show.open("demo")
    await show.look(captures=1)
    token = show.relay.plane.tokens.issue(lease.identity, lease.id, lease.last_seen_at, lease.expires_at)
    renewed = {"access_token": token, "metadata": {"thumbnail": data_url("image/png", png())}}
    assert (await show.relay.post("/sdk/renew", renewed)).status_code == 200
    assert (await show.get("demo")).content == png()


async def test_so_many_wait_for_the_browser(show: Show) -> None:  # relay H
    for number in range(MOST_QUEUED + 8):
        await show.open(f"demo{number}")
    show.thumbnails.look()
    assert show.thumbnails.busy == MOST_QUEUED
    await eventually(lambda: not show.thumbnails.busy)
    await show.look(captures=MOST_QUEUED + 8)
