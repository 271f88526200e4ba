"""A visit, with a browser that is a script: what it is asked, and what it tells."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest

from homeport.relay.thumbnails.browser import visit
from homeport.relay.thumbnails.browser.devtools import BrowserFailed
from homeport.relay.thumbnails.browser.visit import Visit
from homeport.relay.thumbnails.pictures import NoPicture
from homeport.testing.pictures import JPEG

URL = "https://demo.example:8443/"


class Script:
    """Answers each command; before the answer to `Page.navigate` it tells `events`."""

    def __init__(self, events: list[tuple[str, Mapping[str, Any]]] | None = None, **results: Mapping[str, Any]) -> None:
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self._events = events if events is not None else [("Page.loadEventFired", {})]
        self._results: Mapping[str, Mapping[str, Any]] = {
            "createBrowserContext": {"browserContextId": "C"},
            "createTarget": {"targetId": "T"},
            "attachToTarget": {"sessionId": "S"},
            "navigate": {"frameId": "F"},
            "captureScreenshot": {"data": base64.b64encode(JPEG).decode()},
            **results,
        }
        self._said: asyncio.Queue[bytes] = asyncio.Queue()

    async def send(self, message: bytes) -> None:
        command = json.loads(message)
        self.asked.append((command["method"], command["params"]))
        name = command["method"].partition(".")[2]
        if name == "navigate":
            for event, params in self._events:
                self._say({"method": event, "params": params, "sessionId": "S"})
        result = self._results.get(name, {})
        self._say({"id": command["id"], **({"error": result} if "message" in result else {"result": result})})

    async def receive(self) -> bytes:
        return await self._said.get()

    def _say(self, message: Mapping[str, Any]) -> None:
        self._said.put_nowait(json.dumps(message).encode())

    def told(self, name: str) -> list[Mapping[str, Any]]:
        return [params for method, params in self.asked if method == name]


def request(url: str, number: int) -> tuple[str, Mapping[str, Any]]:
    return "Fetch.requestPaused", {"requestId": f"R{number}", "request": {"url": url}}


def document(status: int, frame: str = "F") -> tuple[str, Mapping[str, Any]]:
    return "Network.responseReceived", {"type": "Document", "frameId": frame, "response": {"status": status}}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visit, "LOAD_SECONDS", 0.3)
    monkeypatch.setattr(visit, "AFTER_LOAD_SECONDS", 0.05)


async def test_a_page_is_seen_at_1280_by_720_in_a_context_that_is_disposed_of() -> None:  # R30, relay H
    script = Script()
    assert await Visit(script, URL).picture() == JPEG
    [screen] = script.told("Emulation.setDeviceMetricsOverride")
    assert (screen["width"], screen["height"]) == (1280, 720)
    assert script.told("Page.captureScreenshot") == [{"format": "jpeg", "quality": 80}]
    assert script.told("Page.navigate") == [{"url": URL}]
    assert script.told("Browser.setDownloadBehavior") == [{"behavior": "deny", "browserContextId": "C"}]
    assert script.asked[-1] == ("Target.disposeBrowserContext", {"browserContextId": "C"})


async def test_only_the_tunnels_own_origin_may_be_asked() -> None:  # R30, relay L.20
    own = [URL, "https://DEMO.example:8443/a?b#c", "data:image/png;base64,AA", "blob:https://demo.example:8443/1"]
    others = [
        "http://demo.example:8443/", "https://demo.example/", "https://demo.example:8444/", "https://[bad/", "",
        "https://demo.example.evil:8443/", "https://demo.example:8443@evil.example/", "http://127.0.0.1:9222/json",
        "file:///etc/passwd",
    ]  # fmt: skip
    script = Script([request(url, number) for number, url in enumerate([*own, *others])])
    await Visit(script, URL).picture()
    assert [told["requestId"] for told in script.told("Fetch.continueRequest")] == ["R0", "R1", "R2", "R3"]
    assert len(script.told("Fetch.failRequest")) == len(others)


async def test_dialogs_are_dismissed_and_a_page_that_never_loads_is_seen_as_it_is() -> None:
    script = Script([("Page.javascriptDialogOpening", {"type": "alert"})])
    assert await Visit(script, URL).picture() == JPEG
    assert script.told("Page.handleJavaScriptDialog") == [{"accept": False}]


async def test_an_error_of_the_page_is_no_picture_but_one_of_a_frame_is_none_of_its() -> None:
    with pytest.raises(NoPicture, match="502"):
        await Visit(Script([document(200), document(502)]), URL).picture()
    assert await Visit(Script([document(200), document(404, "other")]), URL).picture() == JPEG


async def test_a_page_that_cannot_be_opened_is_no_picture() -> None:
    script = Script(navigate={"frameId": "F", "errorText": "net::ERR_NAME_NOT_RESOLVED"})
    with pytest.raises(NoPicture, match="ERR_NAME_NOT_RESOLVED"):
        await Visit(script, URL).picture()
    assert script.asked[-1][0] == "Target.disposeBrowserContext"


async def test_a_browser_that_refuses_or_babbles_has_failed() -> None:
    with pytest.raises(BrowserFailed, match="no targets"):
        await Visit(Script(createTarget={"message": "no targets"}), URL).picture()
    with pytest.raises(BrowserFailed, match="base64"):
        await Visit(Script(captureScreenshot={"data": "?"}), URL).picture()
    with pytest.raises(BrowserFailed, match="frames"):
        await Visit(Script([document(200, str(number)) for number in range(300)]), URL).picture()
