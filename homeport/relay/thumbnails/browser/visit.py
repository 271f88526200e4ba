"""One visit to a tunnel's page, in a browser context of its own, and a picture of it (digest H)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import urlsplit

from homeport.relay.thumbnails.browser.devtools import BrowserFailed, DevTools, Link, Message
from homeport.relay.thumbnails.pictures import NoPicture

WIDTH, HEIGHT = 1280, 720
QUALITY = 80
LOAD_SECONDS = 15.0
AFTER_LOAD_SECONDS = 1.0


class Visit:
    """To `url`, and to nothing that has another scheme, host or port."""

    def __init__(self, link: Link, url: str) -> None:
        self._tools = DevTools(link)
        self._tools.heard = self._heard
        self._url = url
        self._origin = _origin(url)
        self._loaded = False
        self._frame = ""
        self._status: dict[str, int] = {}  # of each frame's last document

    async def picture(self) -> bytes:
        """A JPEG of what is there when the page has loaded, or after 15 seconds.

        Raises NoPicture when the page is not there, BrowserFailed when the browser is not.
        """
        tools = self._tools
        context = (await tools.call("Target.createBrowserContext", disposeOnDetach=True))["browserContextId"]
        await tools.call("Browser.setDownloadBehavior", behavior="deny", browserContextId=context)
        target = await tools.call("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await tools.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        tools.session = str(attached["sessionId"])
        try:
            await self._prepare()
            await self._go()
            return await self._taken()
        finally:
            tools.session = ""
            await tools.call("Target.disposeBrowserContext", browserContextId=context)

    async def _prepare(self) -> None:
        tools = self._tools
        await tools.call("Page.enable")
        await tools.call("Network.enable")
        await tools.call("Security.setIgnoreCertificateErrors", ignore=True)
        await tools.call("Fetch.enable", patterns=[{"urlPattern": "*"}])
        await tools.call(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT, deviceScaleFactor=1, mobile=False
        )

    async def _go(self) -> None:
        gone = await self._tools.call("Page.navigate", url=self._url)
        if gone.get("errorText"):
            raise NoPicture(f"its page cannot be opened ({str(gone['errorText'])[:100]})")
        self._frame = str(gone.get("frameId"))
        await self._tools.listen(LOAD_SECONDS, lambda: self._loaded or self._refused > 0)
        if not self._refused:
            await self._tools.listen(AFTER_LOAD_SECONDS, lambda: False)
        if self._refused:
            raise NoPicture(f"its page is answered with {self._refused}")

    @property
    def _refused(self) -> int:
        """The status of the page, if it is that of an error."""
        status = self._status.get(self._frame, 200)
        return status if status >= 400 else 0

    async def _taken(self) -> bytes:
        taken = await self._tools.call("Page.captureScreenshot", format="jpeg", quality=QUALITY)
        try:
            return base64.b64decode(str(taken.get("data")), validate=True)
        except binascii.Error:
            raise BrowserFailed("its picture is no base64") from None

    def _heard(self, name: str, event: Message) -> None:
        if name == "Fetch.requestPaused":
            self._judge(event)
        elif name == "Page.javascriptDialogOpening":
            self._tools.tell("Page.handleJavaScriptDialog", accept=False)
        elif name == "Page.loadEventFired":
            self._loaded = True
        elif name == "Network.responseReceived" and event.get("type") == "Document":
            self._status[str(event.get("frameId"))] = int(event.get("response", {}).get("status", 0))
            if len(self._status) > 256:
                raise BrowserFailed("the page has too many frames")

    def _judge(self, event: Message) -> None:
        asked = str(event.get("request", {}).get("url", ""))
        if asked.startswith(("data:", "blob:")) or _origin(asked) == self._origin:
            self._tools.tell("Fetch.continueRequest", requestId=event.get("requestId"))
        else:
            self._tools.tell("Fetch.failRequest", requestId=event.get("requestId"), errorReason="BlockedByClient")


def _origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port; nothing's for what is no https URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        return ("", "", 0)
    return (parts.scheme, (parts.hostname or "").lower(), port) if parts.scheme == "https" else ("", "", 0)
