"""Which browser takes the pictures: a program of this machine, or one that runs elsewhere and is asked by its URL."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

from homeport.relay.thumbnails.browser.devtools import BrowserFailed
from homeport.relay.thumbnails.browser.remote import RemoteCamera
from homeport.relay.thumbnails.browser.visit import Visit
from homeport.relay.thumbnails.pictures import NoPicture
from homeport.relay.thumbnails.thumbnails import Camera
from homeport.settings import Settings

SECONDS = 30.0  # for a picture, from the start of the browser to its end


def camera(settings: Callable[[], Settings]) -> Camera | None:
    """As `relay_browser` says; None where it is empty."""
    named = settings().relay_browser.strip()
    if not named:
        return None
    if named.startswith(("http://", "https://")):
        return RemoteCamera(settings, named)
    return OwnCamera(settings, named)


class OwnCamera:
    """A Chromium that is started for each picture."""

    def __init__(self, settings: Callable[[], Settings], program: str) -> None:
        self._settings = settings
        self._program = program

    async def capture(self, hostname: str) -> bytes:
        """A JPEG. Raises NoPicture."""
        from homeport.relay.thumbnails.browser.chromium import started  # only who has pictures taken

        settings = self._settings()
        program = shutil.which(self._program)
        if program is None:
            raise NoPicture(f"there is no program {self._program}")
        where = hostname, _own_address(settings.bind), settings.port
        try:
            async with asyncio.timeout(SECONDS), started(program, *where) as pipes:
                return await Visit(pipes, f"https://{hostname}{settings.port_suffix}/").picture()
        except (BrowserFailed, KeyError) as problem:
            raise NoPicture(f"the browser failed: {problem}") from problem
        except TimeoutError:
            raise NoPicture(f"the browser was stopped after {SECONDS:g} seconds") from None


def _own_address(bind: str) -> str:
    """Where this machine itself finds the portal."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(bind, bind)
