"""The table of names, and waiting for what is in flight."""

from __future__ import annotations

import asyncio

import pytest

from homeport.services.exposure import Routes, Target


class Request:
    """In flight until `leave` or `cut`."""

    def __init__(self, routes: Routes, instance: str) -> None:
        self._routes, self._instance = routes, instance
        self.was_cut = False
        routes.enter(instance, self)

    def leave(self) -> None:
        self._routes.leave(self._instance, self)

    def cut(self) -> None:
        self.was_cut = True
        self.leave()


@pytest.fixture
def routes() -> Routes:
    return Routes()


def test_a_name_leads_to_its_target_whatever_its_case(routes: Routes) -> None:
    target = Target(20000, "rel_1")
    routes.point("Hello", target, service_id="svc_1")
    for name in ("hello", "HELLO"):
        route = routes.find(name)
        assert route is not None
        assert (route.name, route.target, route.service_id) == ("hello", target, "svc_1")


def test_a_name_points_to_one_target_at_a_time(routes: Routes) -> None:
    routes.point("hello", Target(20000, "rel_1"), service_id="svc_1")
    routes.point("hello", Target(20001, "rel_2"), service_id="svc_1")
    assert [route.target for route in routes.list()] == [Target(20001, "rel_2")]


def test_a_paused_name_is_known_and_leads_nowhere(routes: Routes) -> None:
    routes.point("hello", Target(20000, "rel_1"), service_id="svc_1")
    routes.pause("hello", "stopped")
    route = routes.find("hello")
    assert route is not None
    assert (route.target, route.pause, route.service_id) == (None, "stopped", "svc_1")


def test_a_dropped_name_is_unknown_and_its_counters_are_gone(routes: Routes) -> None:
    routes.point("hello", Target(20000, "rel_1"), service_id="svc_1")
    routes.traffic("hello").requests = 3
    routes.drop("hello")
    assert routes.find("hello") is None
    assert routes.traffic("hello").requests == 0


def test_counters_outlive_a_switch(routes: Routes) -> None:
    routes.point("hello", Target(20000, "rel_1"), service_id="svc_1")
    routes.traffic("hello").requests += 1
    routes.point("hello", Target(20001, "rel_2"), service_id="svc_1")
    assert routes.traffic("hello").requests == 1


async def test_draining_an_idle_instance_is_instant(routes: Routes) -> None:
    closed: list[str] = []
    routes.on_drained(closed.append)
    assert await routes.drain("rel_1", 10) == 0
    assert closed == ["rel_1"]


async def test_draining_waits_for_the_last_request_and_cuts_none(routes: Routes) -> None:
    requests = [Request(routes, "rel_1") for _ in range(2)]
    draining = asyncio.create_task(routes.drain("rel_1", 10))
    await asyncio.sleep(0)
    requests[0].leave()
    await asyncio.sleep(0)
    assert not draining.done()
    requests[1].leave()
    assert await draining == 0
    assert routes.in_flight("rel_1") == 0


async def test_what_does_not_end_in_time_is_cut_and_counted(routes: Routes) -> None:
    requests = [Request(routes, "rel_1") for _ in range(3)]
    other = Request(routes, "rel_2")
    requests[0].leave()
    assert await routes.drain("rel_1", 0.01) == 2
    assert [request.was_cut for request in requests] == [False, True, True]
    assert not other.was_cut


async def test_leaving_twice_is_leaving_once(routes: Routes) -> None:
    request = Request(routes, "rel_1")
    request.leave()
    request.leave()
    assert routes.in_flight("rel_1") == 0


def test_a_domain_of_its_own_stands_for_the_app_whatever_that_leads_to(routes: Routes) -> None:
    routes.alias("Shop.Example.com", "hello")
    assert routes.app_at("shop.example.com") == routes.app_at("SHOP.example.com.") == "hello"
    routes.point("hello", Target(20000, "rel_1"), service_id="svc_1")
    routes.pause("hello", "stopped")
    assert routes.app_at("shop.example.com") == "hello"
    assert [route.name for route in routes.list()] == ["hello"]


def test_a_domain_goes_by_itself_or_with_its_app(routes: Routes) -> None:
    for domain, name in (("a.example.com", "hello"), ("b.example.com", "hello"), ("c.example.com", "other")):
        routes.alias(domain, name)
    routes.unalias("A.example.com")
    assert routes.app_at("a.example.com") is None
    routes.drop("hello")
    assert routes.app_at("b.example.com") is None
    assert routes.app_at("c.example.com") == "other"
