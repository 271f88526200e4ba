"""What is done to this machine's portal whether it runs or not: by its API while it runs, else by opening it here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from homeport.cli.client import Client
from homeport.cli.connection import Connection
from homeport.cli.local import read_local
from homeport.kit.lockfile import AlreadyLocked, Lockfile
from homeport.kit.problems import Conflict, NotFound
from homeport.portal import Portal
from homeport.settings import Settings

T = TypeVar("T")
LONGEST_SECONDS = 600.0  # a rotation over a large database


def ask_or_do(settings: Settings, ask: Callable[[Client], T], do: Callable[[Portal], Awaitable[T]]) -> T:
    """`ask` the portal that runs on this data directory, or `do` it here, holding its place meanwhile.

    Raises NotFound where there is no portal, Conflict while one is just starting.
    """
    require_portal(settings)
    try:
        with Lockfile(settings.data_dir / "homeport.lock"):
            return run_portal(settings, do)
    except AlreadyLocked as taken:
        local = read_local(settings.data_dir)
        if local is None or not taken.holder.get("url"):
            raise Conflict("The portal is just starting, or another verb works on it: try again.") from taken
        connection = Connection(local.url, local.key, local.ca, local.address, local.port)
        with Client(connection, timeout=LONGEST_SECONDS) as client:
            return ask(client)


def run_portal(settings: Settings, do: Callable[[Portal], Awaitable[T]]) -> T:
    """Open the portal without listening, `do`, and close it."""

    async def main() -> T:
        portal = Portal(settings)
        try:
            await portal.database.open()
            await portal.identity.open()
            return await do(portal)
        finally:
            await portal.database.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


def require_portal(settings: Settings) -> None:
    """Raises NotFound where no portal was ever set up."""
    if not (settings.data_dir / "keys").is_dir():
        raise NotFound(f"There is no portal in {settings.data_dir}: name its data directory with --data-dir.")
