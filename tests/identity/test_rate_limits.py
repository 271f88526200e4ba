"""How often one may ask: the documented numbers, headers, and who counts as one caller."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from homeport.identity import Role
from homeport.identity.problems import RateLimited
from homeport.identity.rate_limits import REMEMBERED, WINDOW, MemoryWindows, RateLimits, RedisWindows
from homeport.storage import Database
from homeport.testing.clock import ManualClock
from homeport.testing.door import Door, open_door
from homeport.testing.redis import RedisServer, redis_is_installed

# The documented numbers (portal A17), as the settings have them by default.
DOCUMENTED = {"rate_limit_api": 60, "rate_limit_pages": 600, "rate_limit_auth": 10, "sockets_per_user": 10}


@pytest.fixture
async def limited(database: Database, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(database, tmp_path, settings={**DOCUMENTED, "trusted_proxies": ("127.0.0.1",)}) as opened:
        yield opened


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    if not redis_is_installed():
        pytest.skip("Redis is not installed (Debian package redis-server): `make test` says how")
    with tempfile.TemporaryDirectory(prefix="homeport-redis-") as folder, RedisServer(Path(folder)) as server:
        yield server


def test_the_documented_numbers_are_the_defaults(tmp_path: Path) -> None:
    from homeport.settings import Settings

    assert {name: getattr(Settings(data_dir=tmp_path), name) for name in DOCUMENTED} == DOCUMENTED


async def test_the_sixty_first_request_of_a_minute_is_refused_and_the_headers_count_down(limited: Door) -> None:
    async with limited.client(await limited.admin_token()) as client:
        answers = [await client.get("/api/auth/me") for _ in range(61)]
        assert [answer.status_code for answer in answers] == [200] * 60 + [429]
        assert [answers[n].headers["x-ratelimit-remaining"] for n in (0, 1, 59, 60)] == ["59", "58", "0", "0"]
        assert {answer.headers["x-ratelimit-limit"] for answer in answers} == {"60"}
        reset = int(answers[0].headers["x-ratelimit-reset"])
        assert 0 < reset - limited.clock.now().timestamp() <= WINDOW + 1
        refused = answers[-1]
        assert refused.json()["code"] == "rate_limited"
        assert int(refused.headers["retry-after"]) == refused.json()["retry_after"] <= WINDOW + 1
        limited.clock.advance(WINDOW)
        assert (await client.get("/api/auth/me")).status_code == 200


async def test_people_have_a_minute_each_and_a_key_has_its_own(limited: Door) -> None:
    admin, ann = await limited.admin_token(), await limited.add_user("ann", Role.USER)
    async with limited.client(admin) as client:
        key = (await client.post("/api/api-keys", json={"name": "slow", "rate_limit_rpm": 3})).json()["api_key"]
        for _ in range(60):
            last = await client.get("/api/auth/me")
        assert last.status_code == 429
    async with limited.client(ann) as client:
        assert (await client.get("/api/auth/me")).headers["x-ratelimit-remaining"] == "59"
    async with limited.client(key) as client:
        assert [(await client.get("/api/auth/me")).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_a_browsers_pages_have_a_minute_of_their_own(limited: Door) -> None:
    async with limited.client() as client:
        signed_in = await client.post("/api/auth/login", json={"username": "admin", "password": limited.password})
        assert signed_in.status_code == 200
        assert (await client.get("/api/auth/me")).headers["x-ratelimit-limit"] == "600"


async def test_the_eleventh_sign_in_of_a_minute_from_one_address_is_refused(limited: Door) -> None:  # portal E2.18
    async with limited.client() as client:
        body = {"username": "admin", "password": limited.password}
        answers = [await client.post("/api/auth/login", json=body) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [200] * 10 + [429]
        elsewhere = {"x-forwarded-for": "203.0.113.9"}  # 127.0.0.1 is a listed proxy here
        assert (await client.post("/api/auth/login", json=body, headers=elsewhere)).status_code == 200


async def test_forged_addresses_do_not_escape_the_limit(database: Database, tmp_path: Path) -> None:  # portal E2.9
    async with open_door(database, tmp_path, settings={"rate_limit_auth": 3}) as door, door.client() as client:
        codes = [
            (
                await client.post(
                    "/api/auth/login",
                    json={"username": "x", "password": "y"},
                    headers={"x-forwarded-for": f"203.0.113.{n}", "cf-connecting-ip": f"203.0.113.{n}"},
                )
            ).status_code
            for n in range(5)
        ]
    assert codes == [401, 401, 401, 429, 429]


async def test_one_person_has_one_minute_by_whatever_way(limited: Door) -> None:
    token = await limited.add_user("ann", Role.USER)
    async with limited.client(token) as client:
        assert (await client.get("/api/auth/me")).headers["x-ratelimit-remaining"] == "59"
    async with limited.client() as client:
        assert (await client.get(f"/api/auth/me?token={token}")).headers["x-ratelimit-remaining"] == "58"


async def test_nobody_but_an_administrator_makes_keys_faster(limited: Door) -> None:
    for token, limit in ((await limited.add_user("ann", Role.USER), "60"), (await limited.admin_token(), "1000")):
        async with limited.client(token) as client:
            key = (await client.post("/api/api-keys", json={"name": "fast", "rate_limit_rpm": 1000})).json()["api_key"]
        async with limited.client(key) as client:
            assert (await client.get("/api/auth/me")).headers["x-ratelimit-limit"] == limit


async def test_credentials_that_are_no_good_are_counted_by_address(database: Database, tmp_path: Path) -> None:
    settings = {"rate_limit_pages": 3, "rate_limit_api": 100}
    async with open_door(database, tmp_path, settings=settings) as door, door.client("no token") as client:
        assert [(await client.get("/api/auth/me")).status_code for _ in range(4)] == [401, 401, 401, 429]
        async with door.client() as somebody:  # who presents nothing where nothing is needed
            assert (await somebody.get("/api/config")).status_code == 200


async def test_health_is_never_refused(limited: Door) -> None:
    async with limited.client() as client:
        assert {(await client.get("/api/health")).status_code for _ in range(100)} == {200}


async def test_callers_that_never_come_back_are_forgotten() -> None:
    windows = MemoryWindows(ManualClock())
    for number in range(REMEMBERED + 10):
        await windows.count(f"caller {number}")
    assert len(windows._windows) == REMEMBERED


async def test_portals_that_share_a_redis_share_the_minute(redis: RedisServer) -> None:
    from redis.asyncio import Redis

    clock = ManualClock()
    portals = [RateLimits(RedisWindows(Redis.from_url(redis.url), MemoryWindows(clock)), clock) for _ in range(2)]
    taken = [await portals[n % 2].take("api:usr_1", 5) for n in range(5)]
    assert [one.remaining for one in taken] == [4, 3, 2, 1, 0]
    for portal in portals:
        with pytest.raises(RateLimited):
            await portal.take("api:usr_1", 5)
    together = await asyncio.gather(*(portals[n % 2].take("api:usr_2", 100) for n in range(50)))
    assert sorted(one.remaining for one in together) == list(range(50, 100))


async def test_without_its_redis_a_portal_counts_for_itself(redis: RedisServer) -> None:
    from redis.asyncio import Redis

    clock = ManualClock()
    limits = RateLimits(RedisWindows(Redis.from_url(redis.url), MemoryWindows(clock)), clock)
    assert (await limits.take("api:usr_1", 2)).remaining == 1
    redis.stop()
    await limits.take("api:usr_1", 2)
    await limits.take("api:usr_1", 2)
    with pytest.raises(RateLimited):
        await limits.take("api:usr_1", 2)
