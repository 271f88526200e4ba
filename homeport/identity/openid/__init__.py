"""Signing in with any OpenID provider: one door for browsers, for clients that bring its tokens, and for its logouts.

Owns the table `oidc_marks`, and the sessions that begin there. Routes are in `identity.openid.http`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import structlog
from sqlalchemy.exc import IntegrityError

from homeport.identity.access import Actor
from homeport.identity.audit import AuditLog
from homeport.identity.cache import CredentialCache, LastUses
from homeport.identity.openid import store
from homeport.identity.openid.accounts import LinkedAccounts
from homeport.identity.openid.bearer import Bearers, Marks
from homeport.identity.openid.problems import LogoutRefused, ProviderNotConfigured, ProviderUnavailable, TokenRefused
from homeport.identity.openid.provider import Provider
from homeport.identity.openid.sign_in import Begun, CodeFlow
from homeport.identity.openid.tokens import Tokens, issuer_in
from homeport.identity.sessions import Sessions, SignIn
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.sealing import SealBroken, Sealer
from homeport.settings import Settings
from homeport.storage import Database

AFTER_LOGOUT = "/"

log = structlog.get_logger()


@dataclass(frozen=True)
class Checked:
    """How many keys the provider signs with, or half a sentence about why it cannot be used."""

    keys: int
    problem: str | None


class OpenId:
    """`ended(credential_id, user_id)` and `changed(user_id)` tell identity what is no more, and what a person may."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: Settings,
        sealer: Sealer,
        guard: OutboundGuard,
        sessions: Sessions,
        cache: CredentialCache,
        uses: LastUses,
        audit: AuditLog,
        *,
        base_url: Callable[[], str],
        ended: Callable[[str, str], None],
        changed: Callable[[str], None],
    ) -> None:
        self.enabled = bool(settings.oidc_issuer and settings.oidc_client_id)
        self._database = database
        self._clock = clock
        self._sealer = sealer
        self._sessions = sessions
        self._base_url = base_url
        self._ended = ended
        self._provider = Provider(settings, clock, guard)
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._tokens = Tokens(self._provider, clock, settings.oidc_audience)
        self._flow = CodeFlow(self._provider, self._tokens, sealer, clock, settings.oidc_role_claim, base_url)
        self._accounts = LinkedAccounts(database, clock, settings, changed, audit)
        self._marks = Marks(database, self._issuer)
        self._bearers = Bearers(
            database, clock, cache, uses, self._tokens, self._accounts, self._marks, self._issuer,
            settings.oidc_role_claim,
        )  # fmt: skip

    async def close(self) -> None:
        await self._provider.close()

    def issued(self, token: str) -> bool:
        """Whether a credential says that it is the provider's."""
        return self.enabled and issuer_in(token) == self._issuer

    async def find(self, token: str) -> Actor:
        """Who an access token of the provider stands for. Raises TokenRefused, ProviderUnavailable, AccountsClosed,
        RoleMissing, AccountBanned."""
        return await self._bearers.find(token)

    async def begin(self, then: str) -> Begun:
        """Send a browser there. Raises ProviderNotConfigured, ProviderUnavailable."""
        self._require()
        return await self._flow.begin(then)

    async def end(
        self, cookie: str | None, answer: dict[str, str], *, address: str, user_agent: str | None
    ) -> tuple[SignIn, str]:
        """A session for the browser that came back, and where it wants to go.

        Raises what CodeFlow.end and LinkedAccounts.admit raise, and ProviderNotConfigured.
        """
        self._require()
        ended = await self._flow.end(cookie, answer)
        user = await self._accounts.admit(ended.person)
        begun = await self._sessions.begin(
            user, address=address, user_agent=user_agent, method="oidc", oidc_sid=ended.sid
        )
        session_id = begun.actor.credential_id or ""
        sealed = self._sealer.seal(ended.id_token, _context(session_id))
        async with self._database.write() as db:
            await store.set_id_token(db, session_id, sealed)
        try:
            await self._marks.refuse_ended(ended.sid, ended.person.subject, ended.person.told_at)
        except TokenRefused:
            await self._sessions.end(session_id)
            raise
        return begun, ended.next

    async def logout_url(self, session_id: str) -> str | None:
        """Where to end the provider's session too (RP-Initiated Logout 1.0); None for a session that is not its own.

        To be asked before the session is ended here.
        """
        if not self.enabled:
            return None
        async with self._database.read() as db:
            found = await store.find_id_token(db, session_id)
        if found is None or found[0] != "oidc":
            return None
        try:
            endpoint = (await self._provider.metadata()).end_session_endpoint
            hint = self._sealer.open(found[1], _context(session_id)) if found[1] else None
        except (ProviderUnavailable, SealBroken) as problem:  # signing out here goes on
            log.info("nobody can be signed out at the provider", problem=problem.code)
            return None
        if endpoint is None:
            return None
        query = {"client_id": self._client_id, "post_logout_redirect_uri": self._base_url() + AFTER_LOGOUT}
        if hint:
            query["id_token_hint"] = hint
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    async def back_channel_logout(self, logout_token: str) -> int:
        """End the sessions that the provider names, their sockets too; how many. Raises LogoutRefused,
        ProviderNotConfigured, ProviderUnavailable."""
        self._require()
        try:
            logout = await self._tokens.logout_token(logout_token)
        except TokenRefused as problem:
            raise LogoutRefused(problem.message) from None
        used = self._marks.id("logout", logout.id)
        kind, value = ("sid", logout.sid) if logout.sid else ("sub", logout.subject or "")
        now = self._clock.now()
        async with self._database.write() as db:  # first what keeps new ones out, on disk, then those that there are
            if await store.find_marks(db, [used]):
                raise LogoutRefused("This logout token was used before.")
            await store.mark(db, self._marks.id(kind, value), logout.issued_at, self._marks.until(now))
        try:
            async with self._database.write() as db:
                await store.mark_once(db, used, now, self._marks.until(now))
                ended = await store.end_sessions(db, self._issuer, logout.sid, logout.subject)
        except IntegrityError:
            raise LogoutRefused("This logout token was used before.") from None
        for session_id, user_id in ended:
            self._ended(session_id, user_id)
        log.info("the provider ended sessions", sessions=len(ended))
        return len(ended)

    async def check(self) -> Checked:
        """Whether the provider can be used, for an administrator. Raises ProviderNotConfigured."""
        self._require()
        try:
            return Checked(keys=await self._provider.check(), problem=None)
        except ProviderUnavailable as problem:
            return Checked(keys=0, problem=problem.message)

    @property
    def addresses(self) -> dict[str, str]:
        """What a client at the provider has to be told of this portal."""
        base = self._base_url()
        return {
            "redirect_uri": self._flow.redirect_uri,
            "post_logout_redirect_uri": base + AFTER_LOGOUT,
            "backchannel_logout_uri": f"{base}/api/auth/oidc/backchannel-logout",
        }

    async def tidy(self) -> None:
        """Forget what matters to no token any more."""
        async with self._database.write() as db:
            await store.delete_expired_marks(db, self._clock.now())

    def _require(self) -> None:
        if not self.enabled:
            raise ProviderNotConfigured


def _context(session_id: str) -> str:
    return f"oidc:{session_id}"  # storage/sealed.py
