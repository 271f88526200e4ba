"""A real OpenID provider for tests: npm's oidc-provider, laid out as a Keycloak realm, a process of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from homeport.testing.ports import free_port

FOLDER = Path(__file__).parents[2] / "tools" / "oidc-provider"
CLIENT_ID = "homeport"
CLIENT_SECRET = "a secret of a test: with letters that % form encoding changes"  # noqa: S105
STOP_SECONDS = 10
_HOPS = 12
_FORM = re.compile(r"<form[^>]*action=\"(?P<action>[^\"]*)\"")
_HIDDEN = re.compile(r"<input[^>]*name=\"(?P<name>[^\"]+)\"[^>]*value=\"(?P<value>[^\"]*)\"")


def oidc_provider_is_installed() -> bool:
    return shutil.which("node") is not None and (FOLDER / "node_modules" / "oidc-provider").is_dir()


@dataclass
class Account:
    """Somebody who is known there; `roles` are realm roles."""

    sub: str
    password: str
    roles: Sequence[str] = ()
    email: str | None = None
    name: str | None = None


@dataclass
class Client:
    """Who may send people there. `audience` is what its access tokens are for; by default itself."""

    client_id: str
    redirect_uri: str
    client_secret: str | None = None
    after_logout: str | None = None
    backchannel: str | None = None
    audience: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        return {
            "client_id": self.client_id,
            "redirect_uris": [self.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "post_logout_redirect_uris": [self.after_logout] if self.after_logout else [],
            **(
                {"client_secret": self.client_secret}
                if self.client_secret
                else {"token_endpoint_auth_method": "none", "application_type": "native"}
            ),
            **(
                {"backchannel_logout_uri": self.backchannel, "backchannel_logout_session_required": True}
                if self.backchannel
                else {}
            ),
            **self.more,
        }


class OidcProvider:
    """The issuer is known at once; it answers within the context. Its complaints are in `folder/oidc.log`."""

    def __init__(self, folder: Path, accounts: Mapping[str, Account], clients: Sequence[Client] = ()) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}/realms/home"
        self.log = folder / "oidc.log"
        self.accounts = accounts
        self.clients = list(clients)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["node", "provider.mjs"],
                cwd=FOLDER,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(self._setup()))
        self._process.stdin.close()
        if self._process.stdout.readline() != "ready\n":  # ends at the latest when the process does
            self.__exit__(None, None, None)
            raise RuntimeError(f"the OpenID provider did not start:\n{self.log.read_text()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_SECONDS)
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _setup(self) -> dict[str, Any]:
        return {
            "port": self.port,
            "clients": [client.described() for client in self.clients],
            "audiences": {client.client_id: client.audience for client in self.clients if client.audience},
            "users": {name: vars(account) for name, account in self.accounts.items()},
        }

    async def change(self, username: str, **fields: Any) -> None:
        """Change somebody there: `roles=["viewer"]`."""
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.put(f"http://127.0.0.1:{self.port}/-/users/{username}", json=fields)).raise_for_status()

    def browser(self) -> httpx.AsyncClient:
        """Somebody's browser as far as the provider is concerned: it keeps the provider's cookies."""
        return httpx.AsyncClient(trust_env=False, follow_redirects=False)


async def sign_in_there(browser: httpx.AsyncClient, url: str, username: str, password: str, *, until: str) -> str:
    """Follow a sign-in from the authorization URL through the form of the provider, to the first address below
    `until`: that address. Raises AssertionError when the form comes back."""
    answer = await browser.get(url)
    for _ in range(_HOPS):
        if answer.is_redirect:
            url = urljoin(str(answer.url), answer.headers["location"])
            if url.startswith(until):
                return url
            answer = await browser.get(url)
        else:
            assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
            assert 'id="kc-login"' in answer.text
            answer = await browser.post(str(answer.url), data={"username": username, "password": password})
    raise AssertionError(f"still at {answer.url} after {_HOPS} hops")


async def sign_out_there(browser: httpx.AsyncClient, url: str) -> str:
    """Follow a sign-out through the provider's question to where it sends the browser in the end."""
    answer = await browser.get(url)
    assert answer.status_code == 200, f"{answer.status_code} {answer.text[:500]}"
    action = _FORM.search(answer.text)
    assert action is not None
    fields = {found["name"]: unescape(found["value"]) for found in _HIDDEN.finditer(answer.text)}
    target = urljoin(str(answer.url), unescape(action["action"]))
    answer = await browser.post(target, data={**fields, "logout": "yes"})
    for _ in range(_HOPS):
        if not answer.is_redirect:
            break
        target = urljoin(str(answer.url), answer.headers["location"])
        if urlsplit(target).netloc != urlsplit(str(answer.url)).netloc:
            return target
        answer = await browser.get(target)
    raise AssertionError(f"{answer.status_code} {answer.text[:500]}")


def query_of(url: str) -> dict[str, str]:
    """The first value of each field of a URL's query."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
