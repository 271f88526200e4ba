"""One portal for all tests of the shell that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeport.testing.portal import PortalProcess


@pytest.fixture(scope="session")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    """`homeport up` on a data directory of its own."""
    with PortalProcess(tmp_path_factory.mktemp("portal")) as process:
        yield process
