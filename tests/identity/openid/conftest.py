"""A door whose people sign in at a real OpenID provider, and one whose provider says whatever a test wants."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from fastapi import APIRouter

from homeport.identity import COOKIE, Identity, Verb
from homeport.identity.guard import CurrentActor, require
from homeport.storage import Database
from homeport.testing.door import BASE_URL, Door, open_door
from homeport.testing.oidc_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Account,
    Client,
    OidcProvider,
    oidc_provider_is_installed,
    query_of,
    sign_in_there,
)

CALLBACK = f"{BASE_URL}/api/auth/oidc/callback"
FLEET_CALLBACK = "http://127.0.0.1:1/fleet"
OTHER_CALLBACK = "http://127.0.0.1:1/other"
LOOPBACK = "127.0.0.0/8"


def people() -> dict[str, Account]:
    """Password: the name. Each has the realm role of the same name, ann none and admin a viewer's."""
    roles = {"alice": "admin", "dora": "deployer", "oscar": "operator", "vera": "viewer", "admin": "viewer"}
    return {
        name: Account(f"u-{name}", name, [roles[name]] if name in roles else [], f"{name}@home.example", name.title())
        for name in (*roles, "ann")
    }


def work(identity: Identity) -> Sequence[APIRouter]:
    """Routes as the parts above identity declare them (fleet C.3)."""
    router = APIRouter(prefix="/api/try")
    for verb in (
        Verb.SERVICES_READ,
        Verb.SERVICES_WRITE,
        Verb.SERVICES_DEPLOY,
        Verb.SERVICES_SECRETS,
        Verb.USERS_WRITE,
        Verb.SETTINGS_WRITE,
    ):

        async def act(actor: CurrentActor) -> str:
            return actor.name

        router.post(f"/{verb}", dependencies=[require(verb)], name=str(verb))(act)
    return [router]


@dataclass
class House:
    """A door, the provider that its people sign in at, and where it listens for the provider."""

    door: Door
    provider: OidcProvider
    address: str = ""

    async def sign_in(self, username: str, browser: httpx.AsyncClient | None = None, then: str = "/") -> httpx.Response:
        """The whole way of a browser: the answer of the callback. `browser` keeps the provider's cookies."""
        async with self.door.client() as portal:
            begun = await portal.get("/api/auth/oidc/login", params={"next": then})
            assert begun.status_code == 302, begun.text
            own = browser or self.provider.browser()
            url = await sign_in_there(own, begun.headers["location"], username, username, until=CALLBACK)
            if browser is None:
                await own.aclose()
            return await portal.get(url.removeprefix(BASE_URL))

    async def token(self, username: str, browser: httpx.AsyncClient | None = None) -> str:
        """The session token in the cookie of somebody who signed in."""
        answer = await self.sign_in(username, browser)
        assert answer.headers["location"] == "/", answer.headers["location"]
        return str(answer.cookies[COOKIE])

    async def access(
        self, username: str, *, client: str = "fleet", browser: httpx.AsyncClient | None = None
    ) -> dict[str, Any]:
        """The tokens that a fleet client gets for somebody at the provider itself."""
        return await fleet_tokens(self.provider, username, client=client, browser=browser)

    async def renew(self, refresh_token: str) -> str:
        """A new access token, as a fleet client renews it at the provider."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": "fleet"}
        async with self.provider.browser() as own:
            answer = await own.post(f"{self.provider.issuer}/protocol/openid-connect/token", data=form)
        return str(answer.json()["access_token"])


async def fleet_tokens(
    provider: OidcProvider, username: str, *, client: str = "fleet", browser: httpx.AsyncClient | None = None
) -> dict[str, Any]:
    """What a public client gets by a sign-in of its own; the password is the name."""
    verifier = "a-verifier-of-a-test-which-is-long-enough-to-be-one"
    callback = FLEET_CALLBACK if client == "fleet" else OTHER_CALLBACK
    query = {
        "response_type": "code", "client_id": client, "redirect_uri": callback, "scope": "openid profile email",
        "state": "s", "nonce": "n", "code_challenge": _challenge(verifier), "code_challenge_method": "S256",
    }  # fmt: skip
    protocol = f"{provider.issuer}/protocol/openid-connect"
    own = browser or provider.browser()
    url = await sign_in_there(own, f"{protocol}/auth?{httpx.QueryParams(query)}", username, username, until=callback)
    form = {
        "grant_type": "authorization_code", "code": query_of(url)["code"], "redirect_uri": callback,
        "client_id": client, "code_verifier": verifier,
    }  # fmt: skip
    tokens = (await own.post(f"{protocol}/token", data=form)).json()
    if browser is None:
        await own.aclose()
    return dict(tokens)


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def catch_up(door: Door) -> None:
    """The provider lives now, and its tokens say so."""
    door.clock.advance((datetime.now(UTC) - door.clock.now()).total_seconds())


@asynccontextmanager
async def open_house(
    database: Database, folder: Path, settings: Mapping[str, Any] | None = None
) -> AsyncIterator[House]:
    if not oidc_provider_is_installed():
        pytest.skip("the OpenID provider of the tests is not installed: `make test` says how")
    provider = OidcProvider(folder, people())
    given = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": CLIENT_SECRET,
        "outbound_allow": LOOPBACK,
        **(settings or {}),
    }
    async with open_door(database, folder, work, settings=given) as door, door.listen() as address:
        catch_up(door)
        back = f"http://{address}/api/auth/oidc/backchannel-logout"
        provider.clients = [
            Client(CLIENT_ID, CALLBACK, CLIENT_SECRET, after_logout=f"{BASE_URL}/", backchannel=back),
            Client("fleet", FLEET_CALLBACK, audience=CLIENT_ID),
            Client("other", OTHER_CALLBACK),
        ]
        with provider:
            yield House(door, provider, address)


@pytest.fixture
async def house(database: Database, tmp_path: Path) -> AsyncIterator[House]:
    """On each database in turn."""
    async with open_house(database, tmp_path) as opened:
        yield opened


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@dataclass
class FakeProvider:
    """Says whatever a test wants, over HTTP on loopback. `keys` is what its jwks_uri answers; each answer may be
    replaced by path in `answers`."""

    issuer: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            **{
                name: f"{self.issuer}/{path}"
                for name, path in (
                    ("authorization_endpoint", "auth"), ("token_endpoint", "token"), ("jwks_uri", "keys"),
                    ("end_session_endpoint", "logout"),
                )
            },
        }  # fmt: skip

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split(" ", 2)[1]
        size = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
        form = {name: values[0] for name, values in parse_qs((await reader.readexactly(size)).decode()).items()}
        self.asked.append((path, form))
        known = {"/.well-known/openid-configuration": self.metadata(), "/keys": {"keys": self.keys}}
        status, body = self.answers.get(path) or (200, json.dumps(known.get(path, {})).encode())
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(body)) + body)
        try:
            await writer.drain()
        except ConnectionError:
            pass  # it has read enough
        finally:
            writer.close()

    def claims(self, now: datetime | None = None, **more: Any) -> dict[str, Any]:
        """An access token's for mallory; None leaves one out."""
        at = int(now.timestamp() if now else time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT_ID, "azp": CLIENT_ID, "sub": "u-mallory", "iat": at, "exp": at + 300,
            "preferred_username": "mallory", "realm_access": {"roles": ["viewer"]}, **more,
        }  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}


def public(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, kid: str, **more: Any
) -> dict[str, Any]:
    """As a jwks_uri has it."""
    if isinstance(key, rsa.RSAPrivateKey):
        described = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    elif isinstance(key, ed25519.Ed25519PrivateKey):
        described = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    else:
        described = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**described, "kid": kid, "use": "sig", **more}


def signed(
    claims: Mapping[str, Any], *, key: Any = RSA_KEY, kid: str | None = "one", alg: str = "RS256", **head: Any
) -> str:
    headers = {**({"kid": kid} if kid else {}), **head}
    return jwt.encode(dict(claims), key, algorithm=alg, headers=headers)


@dataclass
class Fake:
    """A door and a provider of no good faith."""

    door: Door
    provider: FakeProvider

    def claims(self, **more: Any) -> dict[str, Any]:
        return self.provider.claims(self.door.clock.now(), **more)

    async def me(self, token: str) -> httpx.Response:
        async with self.door.client(token) as client:
            return await client.get("/api/auth/me")

    async def callback(self, **more: Any) -> httpx.Response:
        """Sign in with an ID token of these claims (`nonce` is right unless given): the answer of the callback."""
        async with self.door.client() as portal:
            begun = await portal.get("/api/auth/oidc/login")
            query = query_of(begun.headers["location"])
            token = signed(self.claims(**{"nonce": query["nonce"], **more}))
            self.provider.answers["/token"] = (200, json.dumps({"id_token": token}).encode())
            return await portal.get("/api/auth/oidc/callback", params={"state": query["state"], "code": "c"})


@asynccontextmanager
async def open_fake(database: Database, folder: Path, settings: Mapping[str, Any] | None = None) -> AsyncIterator[Fake]:
    provider = FakeProvider(keys=[public(RSA_KEY, "one")])
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.issuer = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    given = {
        "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET,
        "outbound_allow": LOOPBACK, **(settings or {}),
    }  # fmt: skip
    async with server, open_door(database, folder, work, settings=given) as door:
        yield Fake(door, provider)


@pytest.fixture
async def fake(sqlite_database: Database, tmp_path: Path) -> AsyncIterator[Fake]:
    """On SQLite: what a provider says does not depend on the database."""
    async with open_fake(sqlite_database, tmp_path) as opened:
        yield opened
