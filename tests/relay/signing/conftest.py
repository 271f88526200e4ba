"""A signer with keys of every kind, on a clock that moves when told, and requests as clients of seed 004 send them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from homeport.identity.audit import Act
from homeport.relay.certificates.pairs import Pair, load_pair
from homeport.relay.lease import Lease, TunnelIdentity
from homeport.relay.problems import LeaseNotFound, TokenRefused
from homeport.relay.signing import Signing
from homeport.testing.certificates import Key, TestAuthority
from homeport.testing.clock import ManualClock
from homeport.wire.http_head import parse_request_head

ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
TOKEN = "demo-token"
PEER = "198.51.100.7"


@dataclass(frozen=True)
class Answer:
    """A response, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """As this path's own errors have it."""
        return str(self.json["error"])

    @property
    def code(self) -> str:
        """As the envelope has it."""
        assert self.json["ok"] is False
        return str(self.json["error"]["code"])


@dataclass
class Desk:
    """The signer under test with what stands around it: leases by token, identities that are not routable."""

    clock: ManualClock
    pair: Pair | None
    limit: int = 0
    without_token: bool = False
    leases: dict[str, Lease] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unroutable: set[str] = field(default_factory=set)
    acts: list[Act] = field(default_factory=list)
    nonces: int = 0

    def __post_init__(self) -> None:
        async def record(act: Act) -> None:
            self.acts.append(act)

        self.register("demo", TOKEN)
        self.signing = Signing(
            self.clock, lambda: self.pair, self.holder, lambda key: key not in self.unroutable, record,
            limit=self.limit, without_token=self.without_token,
        )  # fmt: skip

    def register(self, name: str, token: str) -> Lease:
        now = self.clock.now()
        identity = TunnelIdentity(name, ADDRESS)
        lease = Lease(f"lea_{name}", identity, f"{name}.portal.test", now, now, now + timedelta(minutes=2))
        self.leases[token] = lease
        return lease

    def holder(self, token: str) -> Lease:
        if token in self.gone:
            raise LeaseNotFound("The lease has ended.")
        if token not in self.leases:
            raise TokenRefused("This is no access token.")
        return self.leases[token]

    def wanted(self, digest: bytes = bytes(32), algorithm: str = "ECDSA_SHA256", **other: Any) -> dict[str, Any]:
        self.nonces += 1
        return {
            "key_id": "relay-cert",
            "algorithm": algorithm,
            "digest": base64.b64encode(digest).decode(),
            "timestamp_unix": int(self.clock.now().timestamp()),
            "nonce": f"{self.nonces:032x}",
            **other,
        }

    async def ask(
        self,
        body: dict[str, Any] | bytes | None = None,
        *,
        method: str = "POST",
        token: str | None = TOKEN,
        kind: str | None = "application/json",
        peer: str = PEER,
        more: str = "",
    ) -> Answer:
        """One request as the front hands it over."""
        data = json.dumps(self.wanted() if body is None else body).encode() if not isinstance(body, bytes) else body
        lines = [f"{method} /v1/sign HTTP/1.1", "Host: portal.test", f"Content-Length: {len(data)}"]
        lines += [f"Content-Type: {kind}"] if kind is not None else []
        lines += [f"X-Portal-Access-Token: {token}"] if token is not None else []
        head = parse_request_head(("\r\n".join([*lines, *([more] if more else [])]) + "\r\n").encode())
        found = self.signing.answer(head, data, peer)
        return taken_apart(found if isinstance(found, bytes) else await found)


def taken_apart(response: bytes) -> Answer:
    """A whole HTTP/1.1 response with a length that is right."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert first.startswith("HTTP/1.1 ")
    assert int(headers["content-length"]) == len(body) or not body  # it answers a HEAD
    return Answer(int(first.split(" ")[1]), headers, body)


def pair_with(signer: TestAuthority, clock: ManualClock, key: Key) -> Pair:
    pem = signer.sign(["portal.test", "*.portal.test"], begins=clock.now() - timedelta(days=1), key=key)
    return load_pair(pem.cert, pem.key)


@pytest.fixture(scope="session")
def signer() -> TestAuthority:
    return TestAuthority()


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ec_pair(signer: TestAuthority, clock: ManualClock) -> Pair:
    return pair_with(signer, clock, ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def rsa_pair(signer: TestAuthority, clock: ManualClock, rsa_key: rsa.RSAPrivateKey) -> Pair:
    return pair_with(signer, clock, rsa_key)


@pytest.fixture
def desk(clock: ManualClock, ec_pair: Pair) -> Desk:
    return Desk(clock, ec_pair)
