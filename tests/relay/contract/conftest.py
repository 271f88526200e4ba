"""One portal for all tests of the contract that need no settings of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeport.testing.relay_client import RelayClient
from homeport.testing.relay_portal import RelayPortal


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayPortal]:
    """A real process; tests have tunnels with names of their own."""
    with RelayPortal(tmp_path_factory.mktemp("relay")) as portal:
        yield portal


@pytest.fixture
def client(portal: RelayPortal) -> Iterator[RelayClient]:
    """Registered, with nobody connected; unregistered afterwards unless the test has done that."""
    client = portal.agent()
    client.register()
    yield client
    client.post("/sdk/unregister", {"access_token": client.token})
