"""A shelf and what stands around it, on a clock that moves when told; a Pebble for who needs a real directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from homeport.identity.audit import Act
from homeport.kit.sealing import Sealer
from homeport.relay import Authority
from homeport.relay.certificates.certificates import Certificates, Defaults
from homeport.relay.certificates.keyless import Keyless
from homeport.relay.certificates.orders import Orders
from homeport.relay.certificates.provider_secrets import ProviderSecrets
from homeport.relay.certificates.shelf import Shelf
from homeport.storage import Database, Options
from homeport.testing.certificates import TestAuthority, TestIssuer
from homeport.testing.clock import ManualClock

DOMAIN = "portal.test"
DIRECTORY = "https://acme.test/dir"


@dataclass
class Bench:
    """Server certificates with an issuer of the tests', and what was appended to the audit log."""

    folder: Path
    clock: ManualClock
    database: Database
    options: Options
    sealer: Sealer
    authority: Authority
    signer: TestAuthority
    issuer: TestIssuer
    acts: list[Act] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    email: str = ""

    def __post_init__(self) -> None:
        self.certificates = self.again()

    def again(self) -> Certificates:
        """As after a restart: nothing is known but what is on disk."""

        async def record(act: Act) -> None:
            self.acts.append(act)

        shelf = Shelf(self.folder / "tls", self.clock, ProviderSecrets(self.options, self.sealer, self.clock))
        orders = Orders(shelf, self.issuer, self.clock, record)
        keyless = Keyless(
            self.folder / "relay" / "keyless.key", self.authority, shelf, self.clock, domain=DOMAIN, enabled=True
        )
        defaults = Defaults(DOMAIN, self.email, DIRECTORY, "http-01")
        self.certificates = Certificates(
            self.authority, shelf, orders, self.clock, defaults, keyless, wanted=lambda: list(self.domains)
        )
        return self.certificates


@pytest.fixture(scope="session")
def signer() -> TestAuthority:
    return TestAuthority()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def bench(
    sqlite_database: Database, tmp_path: Path, clock: ManualClock, signer: TestAuthority
) -> AsyncIterator[Bench]:
    options = Options(sqlite_database)
    await options.open()
    authority = Authority(tmp_path / "ca", clock, domain=DOMAIN)
    authority.open()
    issuer = TestIssuer(signer, clock)
    bench = Bench(tmp_path, clock, sqlite_database, options, Sealer(tmp_path / "keys"), authority, signer, issuer)
    await bench.certificates.open()
    yield bench
    await bench.certificates.close()
