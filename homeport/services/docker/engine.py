"""The connection to a Docker Engine: every call is bounded in time and in size, every refusal is a Problem.

aiodocker is loaded with the first call; a portal without containers never pays for it. (Docker Engine API from 1.41.)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from homeport.services.docker.problems import EngineRefused, EngineUnavailable

if TYPE_CHECKING:
    import aiodocker
    from aiohttp import ClientResponse

CALL_SECONDS = 30.0
CONNECT_SECONDS = 5.0
PING_SECONDS = 5.0
LONGEST_ANSWER = 32 * 1024 * 1024  # bytes
LONGEST_LINE = 1024 * 1024  # bytes of one line of a stream
OLDEST = (1, 41)  # the API that this program was written for; a newer engine may ask for more

Query = Mapping[str, Any]  # text and numbers as they are, truth as 1 and 0, objects as JSON


class Engine:
    """`url` as in DOCKER_HOST (unix://, tcp://, ssh://); None or empty: there is none. Calls may overlap."""

    def __init__(self, url: str | None) -> None:
        self.url = url or None
        self._docker: aiodocker.Docker | None = None
        self._base = ""
        self._opening = asyncio.Lock()

    async def available(self) -> bool:
        """Whether an engine answers now."""
        try:
            await self.ask("GET", "/_ping", seconds=PING_SECONDS)
        except (EngineUnavailable, EngineRefused):
            return False
        return True

    async def close(self) -> None:
        """Streams end; the next call connects anew."""
        docker, self._docker = self._docker, None
        if docker is not None:
            await _close(docker)

    @property
    def is_local(self) -> bool:
        """Whether its disk is this machine's."""
        return self.url is not None and self.url.startswith("unix://")

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        seconds: float = CALL_SECONDS,
    ) -> Any:
        """One call; its answer decoded, None where there is none, the text where it is no JSON.

        `path` without the API's version, e.g. `/containers/json`. Raises EngineRefused (with `engine_status`, e.g. 404)
        and EngineUnavailable.
        """
        try:
            async with (
                asyncio.timeout(seconds),
                self.stream(method, path, query=query, body=body) as answer,
            ):
                data = await _read(answer)
        except TimeoutError:
            raise EngineUnavailable(f"Docker Engine did not answer within {seconds:g} s.") from None
        if not data:
            return None
        if answer.content_type == "application/json":
            return json.loads(data)
        return data.decode("utf-8", "replace")

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[ClientResponse]:
        """A call whose answer is read as it comes; the caller bounds its time. `data`: bytes or a file, sent as is."""
        import aiohttp

        docker = await self._connected()
        sent = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        try:
            async with docker.session.request(
                method,
                self._base + path,
                params=_params(query),
                data=data,
                headers=sent,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            ) as answer:
                if answer.status >= 400:
                    raise EngineRefused(_message(await _read(answer)), engine_status=answer.status)
                yield answer
        except (aiohttp.ClientError, OSError) as trouble:
            if isinstance(trouble, TimeoutError) and not isinstance(trouble, aiohttp.ClientError):
                raise  # the caller's own
            raise EngineUnavailable(f"Docker Engine cannot be reached: {_sentence(trouble)}") from None

    async def lines(self, answer: ClientResponse) -> AsyncIterator[Any]:
        """The JSON values of a stream with one on each line."""
        rest = b""
        async for chunk in answer.content.iter_any():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                if line.strip():
                    yield json.loads(line)
            if len(rest) > LONGEST_LINE:
                raise EngineUnavailable("Docker Engine sent a line that is too long.")
        if rest.strip():
            yield json.loads(rest)

    async def _connected(self) -> aiodocker.Docker:
        if self._docker is not None:
            return self._docker
        if self.url is None:
            raise EngineUnavailable("This portal has no Docker Engine: the setting docker_host is empty.")
        if self.is_local and not Path(self.url.removeprefix("unix://")).exists():
            raise EngineUnavailable(f"Docker Engine cannot be reached: there is no {self.url}.")
        async with self._opening:
            if self._docker is None:
                await self._connect(self.url)
        if self._docker is None:
            raise EngineUnavailable("The connection to Docker Engine was closed.")
        return self._docker

    async def _connect(self, url: str) -> None:
        """Also agrees on the version of the API: ours, or the oldest that the engine still speaks."""
        import aiodocker
        import aiohttp

        try:
            version = f"v{OLDEST[0]}.{OLDEST[1]}"
            if self.is_local:
                # Every container's log is a connection of its own: no limit on how many.
                connector = aiohttp.UnixConnector(url.removeprefix("unix://"), limit=0)
                docker = aiodocker.Docker(url="unix://localhost", connector=connector, api_version=version)
            else:
                docker = aiodocker.Docker(url=url, api_version=version)
        except (ValueError, OSError) as trouble:
            raise EngineUnavailable(f"The setting docker_host is not an address of Docker Engine: {trouble}") from None
        try:
            async with (
                asyncio.timeout(PING_SECONDS),
                docker.session.get(f"{docker.docker_host}/version") as answer,
            ):
                told = json.loads(await _read(answer))
            oldest = tuple(int(part) for part in told.get("MinAPIVersion", "1.12").split("."))
            newest = tuple(int(part) for part in told["ApiVersion"].split("."))
            if newest < OLDEST:
                raise EngineUnavailable(
                    f"Docker Engine is too old: its API is {told['ApiVersion']}, needed is {OLDEST[0]}.{OLDEST[1]}."
                )
        except TimeoutError:
            await _close(docker)
            raise EngineUnavailable(f"Docker Engine did not answer within {PING_SECONDS:g} s.") from None
        except (aiohttp.ClientError, OSError, ValueError, KeyError) as trouble:
            await _close(docker)
            raise EngineUnavailable(f"Docker Engine cannot be reached: {_sentence(trouble)}") from None
        except BaseException:
            await _close(docker)
            raise
        major, minor = max(OLDEST, oldest)
        self._base = f"{docker.docker_host}/v{major}.{minor}"
        self._docker = docker


async def _close(docker: aiodocker.Docker) -> None:
    await docker.close()
    await docker.connector.close()  # one that was handed to it stays ours


def path_part(name: str) -> str:
    """A name as one part of a path; an image's reference keeps its slashes."""
    return quote(name, safe="/:@")


def _params(query: Query | None) -> dict[str, str]:
    """Booleans as 1 and 0, objects as JSON, as the engine wants them."""
    found = {}
    for name, value in (query or {}).items():
        if isinstance(value, Mapping):
            found[name] = json.dumps(value)
        else:
            found[name] = str(int(value)) if isinstance(value, bool) else str(value)
    return found


async def _read(answer: ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > LONGEST_ANSWER:
            raise EngineUnavailable("Docker Engine sent an answer that is too long.")
    return bytes(data)


def _message(data: bytes) -> str:
    """The engine's own sentence, cut."""
    try:
        text = json.loads(data)["message"]
    except (ValueError, KeyError, TypeError):
        text = data.decode("utf-8", "replace")
    return str(text).strip()[:1000] or "Docker Engine refused without a reason."


def _sentence(trouble: Exception) -> str:
    text = str(trouble) or type(trouble).__name__
    return text[:300]
