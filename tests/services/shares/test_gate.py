"""A tunnel for people who are signed in: the way in, what the service is told, and how soon a sign-out counts."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from homeport.kit.changes import Change
from homeport.relay.agent.problems import TargetUnreachable
from homeport.services.models import ServiceRow
from homeport.services.shares.gate import safe_path, state_of
from homeport.testing.front import ScriptedApp
from homeport.testing.waiting import eventually
from tests.services.shares.conftest import House

PAGE = "Accept: text/html"


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers every request with its own head; one for /slow begins and goes on for ever."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" /slow" in head:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegun")
            await asyncio.sleep(60)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(head), head))


@pytest.fixture
async def echo(house: House) -> AsyncIterator[ScriptedApp]:
    """The app behind the service `shop`."""
    app = ScriptedApp(_echo)
    await app.open()
    await house.service()
    house.point("shop", app.port)
    yield app
    await app.close()


class Browser:
    """Keeps the cookies of one tunnel's host."""

    def __init__(self, house: House, name: str = "demo") -> None:
        self.house = house
        self.name = name
        self.cookies: dict[str, str] = {}
        self.set: list[str] = []

    async def get(self, path: str, *lines: str) -> tuple[int, str, str]:
        """Status, Location, and the body."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given = [*lines, *([f"Cookie: {cookie}"] if cookie else [])]
        answer = (await self.house.ask(self.name, *given, path=path)).decode()
        head, _, body = answer.partition("\r\n\r\n")
        self.set = re.findall(r"(?m)^Set-Cookie: (.*)\r$", head + "\r")
        for line in self.set:
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies.pop(name, None)
            if value:
                self.cookies[name] = value
        location = re.search(r"(?m)^Location: (.*)\r$", head + "\r")
        return int(head.split()[1]), location[1] if location else "", body

    async def enter(self, token: str, path: str = "/") -> str:
        """Through the portal as the person with this session; where the browser is sent at the end."""
        status, location, _ = await self.get(path, PAGE)
        assert status == 303
        query = parse_qs(urlsplit(location).query)
        share_id = urlsplit(location).path.removeprefix("/share/")
        async with self.house.front.client(token) as client:
            body = {"next": query["next"][0], "state": query["state"][0]}
            answer = await client.post(f"/api/tunnels/{share_id}/enter", json=body)
        assert answer.status_code == 200, answer.text
        gate = urlsplit(answer.json()["location"])
        status, location, _ = await self.get(f"{gate.path}?{gate.query}", PAGE)
        assert status == 303
        return location


async def test_everybody_passes_where_everybody_may(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo")
    status, _, body = await Browser(house).get("/a?b=c")
    assert status == 200
    assert body.startswith("GET /a?b=c HTTP/1.1\r\nHost: demo.localhost:8443\r\n")
    assert "X-Forwarded-Proto: https" in body


async def test_nobody_can_say_who_they_are(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo")
    _, _, body = await Browser(house).get("/", "X-Homeport-User: admin", "X_Homeport_User: admin")
    assert "homeport" not in body.lower().replace("_", "-")


async def test_a_page_without_sign_in_leads_to_the_portal(house: House, echo: ScriptedApp) -> None:
    made = await house.share(name="demo", access="signed_in")
    browser = Browser(house)
    status, location, body = await browser.get("/private?x=1&y=2", PAGE)
    assert (status, body, echo.connections) == (303, "", 0)
    url = urlsplit(location)
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"https://localhost:8443/share/{made['id']}"
    assert parse_qs(url.query)["next"] == ["/private?x=1&y=2"]
    assert parse_qs(url.query)["state"] == [state_of(browser.cookies["__Host-homeport_enter"].encode())]
    (cookie,) = browser.set
    assert {"HttpOnly", "Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


async def test_whoever_is_signed_in_gets_in_and_the_service_learns_who_it_is(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo", access="signed_in")
    browser = Browser(house)
    assert await browser.enter(await house.person("eve"), "/private?x=1") == "/private?x=1"
    assert list(browser.cookies) == ["__Host-homeport_share"]
    browser.cookies["own"] = "kept"
    status, _, body = await browser.get("/private", "X-Homeport-User: admin")
    assert status == 200
    assert re.findall(r"(?im)^x-homeport-user: (.*)\r$", body) == ["eve"]
    assert re.findall(r"(?im)^cookie: (.*)\r$", body) == ["own=kept"]


async def test_programs_without_a_grant_are_told_so_instead_of_being_sent_around(
    house: House, echo: ScriptedApp
) -> None:
    await house.share(name="demo", access="signed_in")
    for lines in (["Accept: application/json"], [PAGE, "Sec-Fetch-Mode: cors"]):
        status, location, _ = await Browser(house).get("/", *lines)
        assert (status, location) == (401, "")
    assert echo.connections == 0


async def test_a_ticket_opens_once_soon_and_only_for_the_browser_that_asked(house: House, echo: ScriptedApp) -> None:
    made = await house.share(name="demo", access="signed_in")
    token = await house.person("eve")
    browser, other = Browser(house), Browser(house)
    _, location, _ = await browser.get("/", PAGE)
    await other.get("/", PAGE)
    state = parse_qs(urlsplit(location).query)["state"][0]

    async def ticket() -> str:
        async with house.front.client(token) as client:
            answer = await client.post(f"/api/tunnels/{made['id']}/enter", json={"next": "/", "state": state})
        return str(urlsplit(answer.json()["location"]).query)

    first = await ticket()
    assert (await other.get(f"/.homeport/enter?{first}", PAGE))[0] == 403
    assert (await browser.get(f"/.homeport/enter?{first}", PAGE))[0] == 403, "a try uses it up"
    late = await ticket()
    house.front.clock.advance(31)
    assert (await browser.get(f"/.homeport/enter?{late}", PAGE))[0] == 403
    good = await ticket()
    used = dict(browser.cookies)
    assert (await browser.get(f"/.homeport/enter?{good}", PAGE))[0] == 303
    browser.cookies = used
    assert (await browser.get(f"/.homeport/enter?{good}", PAGE))[0] == 403


async def test_a_ticket_and_a_grant_are_for_one_share(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo", access="signed_in")
    await house.share(name="other", access="signed_in")
    browser = Browser(house)
    await browser.enter(await house.person("eve"))
    elsewhere = Browser(house, "other")
    elsewhere.cookies = dict(browser.cookies)
    assert (await elsewhere.get("/", PAGE))[0] == 303


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/a\tb", "/a\r\nb", "", "/.homeport/enter?ticket=1",
     "/" + "a" * 3000],
)  # fmt: skip
def test_nothing_leads_to_another_site(path: str) -> None:
    assert safe_path(path) == "/"


async def test_a_request_for_another_site_comes_back_to_the_root(house: House, echo: ScriptedApp) -> None:
    made = await house.share(name="demo", access="signed_in")
    token = await house.person("eve")
    browser = Browser(house)
    _, location, _ = await browser.get("/", PAGE)
    state = parse_qs(urlsplit(location).query)["state"][0]
    async with house.front.client(token) as client:
        answer = await client.post(f"/api/tunnels/{made['id']}/enter", json={"next": "//evil.example/", "state": state})
    gate = urlsplit(answer.json()["location"])
    assert gate.netloc == "demo.localhost:8443"
    assert (await browser.get(f"{gate.path}?{gate.query}", PAGE))[1] == "/"


@pytest.mark.parametrize(
    "lines",
    [
        ["Origin: https://other.localhost:8443"],
        ["Origin: null"],
        ["Sec-Fetch-Site: same-site"],
        ["Sec-Fetch-Site: cross-site"],
    ],
)
async def test_pages_of_other_tunnels_change_nothing_in_a_visitors_name(
    house: House, echo: ScriptedApp, lines: list[str]
) -> None:
    await house.share(name="demo", access="signed_in")
    browser = Browser(house)
    await browser.enter(await house.person("eve"))
    cookie = f"Cookie: __Host-homeport_share={browser.cookies['__Host-homeport_share']}"
    own = "Origin: https://demo.localhost:8443"
    assert (await house.ask("demo", cookie, own, method="DELETE")).startswith(b"HTTP/1.1 200 ")
    assert (await house.ask("demo", cookie, *lines, method="DELETE")).startswith(b"HTTP/1.1 403 ")
    switch = ["Connection: Upgrade", "Upgrade: websocket"]
    assert (await house.ask("demo", cookie, *lines, *switch, close=False)).startswith(b"HTTP/1.1 403 ")
    assert (await house.ask("demo", cookie, *lines)).startswith(b"HTTP/1.1 200 "), "what only reads is the browser's"


async def test_a_sign_out_ends_what_is_open_and_asks_again(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo", access="signed_in")
    token = await house.person("eve")
    browser = Browser(house)
    await browser.enter(token)
    cookie = f"__Host-homeport_share={browser.cookies['__Host-homeport_share']}"
    slow = asyncio.create_task(house.ask("demo", f"Cookie: {cookie}", path="/slow"))
    await eventually(lambda: echo.connections)  # it passed the gate
    await asyncio.sleep(0.2)
    assert not slow.done()
    async with house.front.client(token) as client:
        assert (await client.post("/api/auth/logout")).is_success
    async with asyncio.timeout(5):
        (ended,) = await asyncio.gather(slow, return_exceptions=True)
    assert isinstance(ended, ConnectionError) or (isinstance(ended, bytes) and len(ended) < 1000), "it was cut"
    assert (await browser.get("/", PAGE))[0] == 303
    assert len(house.shares.grants) == 0


async def test_a_ban_by_another_process_counts_within_a_minute(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo", access="signed_in")
    token = await house.person("eve")
    browser = Browser(house)
    await browser.enter(token)
    actor = await house.front.identity.sessions.find(token)
    assert actor is not None
    await house.front.identity.sessions.end(str(actor.credential_id))  # in the database only
    await house.front.identity.end_stale_sockets()  # which the upkeep does every second
    assert (await browser.get("/", PAGE))[0] == 303


async def test_a_grant_lasts_an_hour_without_use_and_half_a_day_at_most(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo", access="signed_in")
    token = await house.person("eve")
    browser = Browser(house)
    await browser.enter(token)
    for _ in range(13):
        house.front.clock.advance(3300)
        assert (await browser.get("/", PAGE))[0] == 200
    house.front.clock.advance(3300)
    assert (await browser.get("/", PAGE))[0] == 303
    await browser.enter(token)
    house.front.clock.advance(3601)
    assert (await browser.get("/", PAGE))[0] == 303


async def test_the_end_of_the_share_ends_its_grants(house: House, echo: ScriptedApp) -> None:
    made = await house.share(name="demo", access="signed_in")
    await Browser(house).enter(await house.person("eve"))
    async with house.front.client(await house.front.admin_token()) as client:
        assert (await client.delete(f"/api/tunnels/{made['id']}")).status_code == 204
    assert len(house.shares.grants) == 0


async def test_another_host_than_the_tunnels_is_refused(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo")
    answer = await house.ask("demo", host="shop.localhost")
    assert answer.startswith(b"HTTP/1.1 421 ")


async def test_a_stopped_service_says_so_and_a_new_release_is_reached_at_once(house: House, echo: ScriptedApp) -> None:
    await house.share(name="demo")
    house.apps.pause("shop", "stopped")
    assert (await house.ask("demo")).startswith(b"HTTP/1.1 503 ")
    house.point("shop", echo.port)
    assert (await house.ask("demo")).startswith(b"HTTP/1.1 200 ")


async def test_an_endpoint_is_reached_where_the_guard_allows_and_nowhere_else(house: House, echo: ScriptedApp) -> None:
    own = {"plugin": "http", "host": "127.0.0.1", "port": echo.port}
    await house.service("here", kind="endpoint", endpoint=own)
    await house.service("there", kind="endpoint", endpoint={**own, "host": "169.254.169.254"})
    await house.share("here", name="here-1")
    await house.share("there", name="there-1")
    assert (await house.ask("here-1")).startswith(b"HTTP/1.1 200 ")
    assert (await house.ask("there-1")).startswith(b"HTTP/1.1 502 ")


async def test_an_endpoint_that_is_no_web_page_any_more_is_not_reached_past_the_gate(
    house: House, echo: ScriptedApp
) -> None:
    own = {"plugin": "http", "host": "127.0.0.1", "port": echo.port}
    service_id = await house.service("here", kind="endpoint", endpoint=own)
    await house.share("here", name="here-1", access="signed_in")
    async with house.front.database.write() as session:
        row = await session.get(ServiceRow, service_id)
        assert row is not None
        row.endpoint = {**own, "plugin": "tcp"}
    house.front.bus.publish(Change("endpoint", "changed", service_id, {}))
    await house.shares.tidy()
    with pytest.raises(TargetUnreachable):
        await house.ask("here-1")
    assert echo.connections == 0


@pytest.mark.parametrize("query", ["&".join(["a=b"] * 50), "ticket=%FF%00", "ticket=" + "x" * 4000])
async def test_nonsense_instead_of_a_ticket_is_answered(house: House, echo: ScriptedApp, query: str) -> None:
    await house.share(name="demo", access="signed_in")
    browser = Browser(house)
    await browser.get("/", PAGE)
    assert (await browser.get(f"/.homeport/enter?{query}", PAGE))[0] == 403


async def test_a_state_that_no_browser_has_is_refused(house: House, echo: ScriptedApp) -> None:
    made = await house.share(name="demo", access="signed_in")
    browser = Browser(house)
    await browser.get("/", PAGE)
    async with house.front.client(await house.person("eve")) as client:
        answer = await client.post(f"/api/tunnels/{made['id']}/enter", json={"next": "/", "state": "\u00e9"})
    assert answer.status_code == 422, answer.text


async def test_trailers_say_nothing_of_who_one_is(house: House, echo: ScriptedApp) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not heard.endswith(b"\r\n0\r\n\r\n") and b"kept" not in heard:
            heard.extend(await reader.read(4096))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    app = ScriptedApp(listen)
    await app.open()
    house.point("shop", app.port)
    await house.share(name="demo")
    reader, writer = await asyncio.open_connection(sock=await house.agents["demo"].visit())
    writer.write(
        b"POST / HTTP/1.1\r\nHost: demo.localhost:8443\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"2\r\nhi\r\n0\r\nX-Homeport-User: admin\r\nx_homeport_user: admin\r\nDigest: kept\r\n\r\n"
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await app.close()
    assert b"admin" not in heard
    assert b"Digest: kept\r\n" in heard


async def test_a_relay_that_lends_a_tunnel_anothers_name_gets_none_of_its_visitors(
    house: House, echo: ScriptedApp
) -> None:
    async def steal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")

    thief = ScriptedApp(steal)
    await thief.open()
    await house.service("other")
    house.point("other", thief.port)
    await house.share(name="demo")
    await house.share("other", name="evil", relays=["https://relay.example.org"])
    request = b"GET /a HTTP/1.1\r\nHost: demo.localhost:8443\r\n\r\n"
    reader, writer = await asyncio.open_connection(sock=await house.agents["demo"].visit())
    writer.write(request)
    assert b"GET /a " in await reader.readuntil(b"GET /a HTTP")
    house.agents["evil"].hostname = "demo.localhost"  # as its relay says
    for relays in (("https://relay.example.org",), ()):
        house.agents["evil"].wanted = replace(house.agents["evil"].wanted, relays=relays)
        with pytest.raises(TargetUnreachable):
            await house.agents["evil"].visit()
    writer.write(request)
    async with asyncio.timeout(10):
        assert b"GET /a " in await reader.readuntil(b"GET /a HTTP")
    writer.close()
    await thief.close()
