"""Pictures that tunnels' holders have elsewhere: fetched by the portal: nobody else learns who looks at them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from homeport.kit.guard import OutboundGuard
from homeport.relay.thumbnails.pictures import MOST_BYTES, NoPicture, Picture, picture_of

if TYPE_CHECKING:
    import httpx

SECONDS = 20.0  # for all of it
SECONDS_FOR_A_STEP = 10.0
MOST_REDIRECTS = 3


class Fetcher:
    """Every connection, also after a redirect, is judged by the guard. `ca_file` (PEM) is trusted besides the system's
    authorities."""

    def __init__(self, guard: OutboundGuard, ca_file: Path | None = None) -> None:
        self._guard = guard
        self._ca_file = ca_file
        self._client: httpx.AsyncClient | None = None

    async def fetch(self, url: str) -> Picture:
        """The picture at an https URL. Raises NoPicture, whatever the reason is."""
        import httpx

        from homeport.kit.outbound_http import AnswerTooLarge
        from homeport.kit.problems import Problem

        try:
            async with asyncio.timeout(SECONDS):
                return await self._follow(url)
        except Problem as problem:
            raise NoPicture(problem.message) from problem
        except AnswerTooLarge:
            raise NoPicture(f"it is larger than {MOST_BYTES // 1024} KB") from None
        except TimeoutError:
            raise NoPicture(f"it did not come within {SECONDS:g} seconds") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            raise NoPicture(str(problem) or type(problem).__name__) from problem

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _follow(self, url: str) -> Picture:
        from homeport.kit.outbound_http import guarded_client, read_at_most

        if self._client is None:
            self._client = await asyncio.to_thread(
                guarded_client, self._guard, seconds=SECONDS_FOR_A_STEP, ca_file=self._ca_file
            )
        request = self._client.build_request("GET", url, headers={"accept": "image/*", "accept-encoding": "identity"})
        for _ in range(MOST_REDIRECTS + 1):
            if request.url.scheme != "https":
                raise NoPicture("it is not at an https URL")
            answer = await self._client.send(request, stream=True)
            try:
                if answer.next_request is None:
                    if answer.status_code != 200:
                        raise NoPicture(f"it was answered with {answer.status_code}")
                    return picture_of(await read_at_most(answer, MOST_BYTES))
                request = answer.next_request
            finally:
                await answer.aclose()
        raise NoPicture("there are too many redirects")
