"""Who may do what: one table of verbs, the scopes that open them, and one function that reads both."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol


class Verb(StrEnum):
    """What a route does, as far as permission is concerned. Each route declares exactly one."""

    PUBLIC = "public"
    ACCOUNT_SELF = "account.self"
    ACCOUNT_WRITE = "account.write"
    ACCOUNT_KEYS = "account.keys"
    ACCOUNT_SECURITY = "account.security"
    SERVICES_READ = "services.read"
    SERVICES_WRITE = "services.write"
    SERVICES_DEPLOY = "services.deploy"
    SERVICES_SECRETS = "services.secrets"
    JOBS_READ = "jobs.read"
    JOBS_WRITE = "jobs.write"
    TEMPLATES_READ = "templates.read"
    SYSTEM_READ = "system.read"
    CUSTOMERS_READ = "customers.read"
    CUSTOMERS_WRITE = "customers.write"
    USERS_READ = "users.read"
    USERS_WRITE = "users.write"
    USERS_DELETE = "users.delete"
    AUDIT_READ = "audit.read"
    CERTIFICATES_READ = "certificates.read"
    CERTIFICATES_WRITE = "certificates.write"
    CERTIFICATES_OWN = "certificates.own"
    SETTINGS_READ = "settings.read"
    SETTINGS_WRITE = "settings.write"
    RETENTION_WRITE = "retention.write"
    TUNNELS_READ = "tunnels.read"
    TUNNELS_WRITE = "tunnels.write"
    RELAY_READ = "relay.read"
    RELAY_WRITE = "relay.write"


class Role(StrEnum):
    """A person's rank; each includes the ones before it."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"
    SUPERADMIN = "superadmin"

    @property
    def rank(self) -> int:
        return _RANKS[self]

    @property
    def is_admin(self) -> bool:
        return self.rank >= _RANKS[Role.ADMIN]


_RANKS = {role: rank for rank, role in enumerate(Role)}


class Need(NamedTuple):
    """What a verb asks of an actor.

    `scope` opens it (None: any credential does). `least` is the lowest role. `portal`: never for somebody who belongs
    to a customer. `person`: only for an account, not for a machine with a certificate.
    """

    scope: str | None
    least: Role = Role.USER
    portal: bool = False
    person: bool = False


NEEDS: Mapping[Verb, Need] = {
    Verb.PUBLIC: Need(None),
    Verb.ACCOUNT_SELF: Need(None, person=True),
    Verb.ACCOUNT_WRITE: Need("account:write", person=True),
    Verb.ACCOUNT_KEYS: Need("account:keys", person=True),
    Verb.ACCOUNT_SECURITY: Need("account:security", person=True),
    Verb.SERVICES_READ: Need("services:read"),
    Verb.SERVICES_WRITE: Need("services:write"),
    Verb.SERVICES_DEPLOY: Need("services:deploy"),
    Verb.SERVICES_SECRETS: Need("services:secrets"),
    Verb.JOBS_READ: Need("services:read"),
    Verb.JOBS_WRITE: Need("services:deploy"),
    Verb.TEMPLATES_READ: Need("services:read"),
    Verb.SYSTEM_READ: Need("system:read"),
    Verb.CUSTOMERS_READ: Need("customers:read"),
    Verb.CUSTOMERS_WRITE: Need("customers:write", Role.ADMIN, portal=True),
    Verb.USERS_READ: Need("users:read", Role.MODERATOR, portal=True),
    Verb.USERS_WRITE: Need("users:write", Role.ADMIN, portal=True),
    Verb.USERS_DELETE: Need("users:delete", Role.SUPERADMIN, portal=True),
    Verb.AUDIT_READ: Need("audit:read", Role.MODERATOR, portal=True),
    Verb.CERTIFICATES_READ: Need("certificates:read", Role.ADMIN, portal=True),
    Verb.CERTIFICATES_WRITE: Need("certificates:write", Role.ADMIN, portal=True),
    Verb.CERTIFICATES_OWN: Need(None),
    Verb.SETTINGS_READ: Need("settings:read", Role.ADMIN, portal=True),
    Verb.SETTINGS_WRITE: Need("settings:write", Role.ADMIN, portal=True),
    Verb.RETENTION_WRITE: Need("retention:write", Role.SUPERADMIN, portal=True),
    Verb.TUNNELS_READ: Need("services:read"),
    Verb.TUNNELS_WRITE: Need("services:write"),
    Verb.RELAY_READ: Need("relay:read", Role.ADMIN, portal=True),
    Verb.RELAY_WRITE: Need("relay:write", Role.ADMIN, portal=True),
}

EVERYTHING = ("*",)
_READING = ("services:read", "access:*")
# What a role's own people hold when nothing else was given to them. Everybody sees to their own account.
OWN_ACCOUNT = ("account:*",)
ROLE_SCOPES: Mapping[Role, tuple[str, ...]] = {
    Role.USER: _READING,
    Role.MODERATOR: (*_READING, "users:read", "audit:read", "moderation:*"),
    Role.ADMIN: EVERYTHING,
    Role.SUPERADMIN: EVERYTHING,
}

# The fleet's roles (spec/fleet.md C.3) are sets of scopes, not ranks. The widest comes first.
SCOPE_SETS: Mapping[str, tuple[str, ...]] = {
    "admin": EVERYTHING,
    "deployer": ("services:read", "services:write", "services:deploy", "services:secrets", "access:*"),
    "operator": ("services:read", "services:write", "access:*"),
    "viewer": ("services:read",),
}

# What a person does about their own account works before set-up is complete; the rest of the portal waits for it.
BEFORE_SET_UP = frozenset(
    {Verb.PUBLIC, Verb.ACCOUNT_SELF, Verb.ACCOUNT_WRITE, Verb.ACCOUNT_KEYS, Verb.ACCOUNT_SECURITY}
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `id` is a user (also for that user's API key); `credential_id` is the session, key or certificate used.

    `customer_id` binds the actor to one customer's things; None sees all. `expires_at` ends the credential. `scopes` is
    what the person (or machine: kind `agent`) holds, None what the role brings; `within` is what the credential is
    limited to. `number` is the user's integer id of seed 002; `rate` the credential's own requests a minute.
    """

    id: str
    kind: Literal["user", "key", "agent", "anonymous"]
    name: str
    role: Role
    customer_id: str | None = None
    credential_id: str | None = None
    expires_at: datetime | None = None
    scopes: tuple[str, ...] | None = None
    within: tuple[str, ...] = EVERYTHING
    number: int = 0
    rate: int | None = None

    @property
    def held(self) -> tuple[str, ...]:
        """The scopes of the person, whatever the credential is limited to."""
        if self.scopes is None:
            return ROLE_SCOPES[self.role] if self.kind == "agent" else (*ROLE_SCOPES[self.role], *OWN_ACCOUNT)
        return self.scopes if self.kind == "agent" else (*self.scopes, *OWN_ACCOUNT)

    @property
    def administers(self) -> bool:
        """Whether this is an administrator of the portal with nothing held back: no customer's, no limited key."""
        return self.role.is_admin and self.customer_id is None and self.grants("*")

    def grants(self, scope: str) -> bool:
        """Whether both the person and the credential have the scope (or a pattern that matches it)."""
        return opens(self.held, scope) and opens(self.within, scope)


ANONYMOUS = Actor(id="", kind="anonymous", name="anonymous", role=Role.USER, scopes=())


@functools.lru_cache(4096)
def opens(patterns: tuple[str, ...], scope: str) -> bool:
    """Whether one of the patterns matches the scope.

    `*` matches everything; a `*` segment matches one segment: `access:*` opens `access:x` and not `access:x:y`. The
    scope may be a pattern itself: then all that it opens has to be open.
    """
    return any(_matches(pattern, scope) for pattern in patterns)


def _matches(pattern: str, scope: str) -> bool:
    if pattern == "*":
        return True
    ours, theirs = pattern.split(":"), scope.split(":")
    return len(ours) == len(theirs) and all(one in ("*", other) for one, other in zip(ours, theirs, strict=True))


def covers(mine: tuple[str, ...], theirs: Iterable[str]) -> bool:
    """Whether everything that `theirs` opens is open by `mine`."""
    return all(opens(mine, scope) for scope in theirs)


class Owned(Protocol):
    """Something that may belong to a customer; None is the portal's own."""

    @property
    def customer_id(self) -> str | None: ...


def allowed(actor: Actor, verb: Verb, resource: Owned | None = None) -> bool:
    """Whether `actor` may do `verb`, and do it to `resource` if one is given."""
    if verb is Verb.PUBLIC:
        return True
    need = NEEDS[verb]
    if actor.kind == "anonymous" or actor.role.rank < need.least.rank:
        return False
    if need.person and actor.kind == "agent":
        return False
    if need.scope is not None and not actor.grants(need.scope):
        return False
    if need.portal and actor.customer_id is not None:
        return False
    return resource is None or actor.customer_id is None or actor.customer_id == resource.customer_id


def verbs_of(actor: Actor) -> list[Verb]:
    """Everything the actor may do somewhere, in the order of `Verb`."""
    return [verb for verb in Verb if allowed(actor, verb)]


def scope_sets_of(actor: Actor) -> list[str]:
    """The fleet's names for what the actor may do, the widest first."""
    return [name for name, scopes in SCOPE_SETS.items() if all(actor.grants(scope) for scope in scopes)]
