"""The front runs on uvloop, so its tests do."""

from __future__ import annotations

from collections.abc import Mapping

import uvloop
from pytest_asyncio.plugin import LoopFactory


def pytest_asyncio_loop_factories() -> Mapping[str, LoopFactory]:
    return {"uvloop": uvloop.new_event_loop}
