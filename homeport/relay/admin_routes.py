"""How paths below /admin are matched and refused, and how identities stand in them (digest A.0, F.1, F.4)."""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode

from starlette.routing import Match
from starlette.types import Scope

from homeport.kit.problems import Problem
from homeport.relay.envelope import EnvelopeRoute
from homeport.relay.identities import identity_of
from homeport.relay.lease import TunnelIdentity
from homeport.relay.problems import AdminUnauthorized, InvalidAddress, InvalidJson, InvalidRequest, WalletRefused

_PLAIN_ADDRESS = re.compile(r"\s*0[xX][0-9a-fA-F]{40}\s*")
_LONGEST_SEGMENT = 2048  # characters
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+={0,2}")
_KNOWN = {"unauthorized", "ip_banned"}
SIGNING_IN = ("/admin/auth/challenge", "/admin/auth/login", "/admin/auth/status", "/admin/logout")


class AdminRoute(EnvelopeRoute):
    """Takes a path with one slash at its end too. Who is not known is `unauthorized`, and so is who may not."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches({**scope, "path": without_slash(scope["path"])} if scope["type"] == "http" else scope)

    def in_words_of_seed(self, problem: Problem) -> Problem:
        """Identity has more words for being refused than seed 004's clients know."""
        if isinstance(problem, InvalidJson):
            return InvalidRequest("invalid request body")
        if problem.status == 401:
            return AdminUnauthorized(problem.message)
        if problem.status == 403 and problem.code not in _KNOWN:
            return WalletRefused(problem.message)
        return problem


class LastRoute(AdminRoute):
    """What is left below /admin for programs. Pages go on to whoever serves them, and paths that sign in to their own
    refusals, for which nobody has to be known."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        path, method = without_slash(scope["path"]), scope["method"]
        if path in SIGNING_IN or (method == "GET" and (path == "/admin" or _wants_page(scope))):
            return Match.NONE, {}
        if path == "/admin":
            scope = {**scope, "path": "/admin/-"}
        return super().matches(scope)


def without_slash(path: str) -> str:
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def identity_in_path(name: str, address: str) -> TunnelIdentity:
    """Both as base64url, padded or not, or both as they are. An address as it is looks like no base64url of one.

    Raises InvalidAddress for an address that is neither, InvalidRequest for everything else that is no identity.
    """
    if len(name) > _LONGEST_SEGMENT or len(address) > _LONGEST_SEGMENT:
        raise InvalidRequest("This is no identity.")
    if _PLAIN_ADDRESS.fullmatch(address):
        return identity_of(name, address)
    try:
        decoded_name = _decoded(name)
    except ValueError:
        raise InvalidRequest("The name is not base64url.") from None
    try:
        decoded_address = _decoded(address)
    except ValueError:
        raise InvalidAddress("The address is not base64url.") from None
    return identity_of(decoded_name, decoded_address)


def _decoded(segment: str) -> str:
    if not _BASE64URL.fullmatch(segment):
        raise ValueError("no base64url")
    bare = segment.rstrip("=")
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise ValueError("no base64url of a text") from problem


def _wants_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value.lower() for name, value in scope["headers"])
