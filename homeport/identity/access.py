"""Who may do what: one table from role to verbs, and one function that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol


class Verb(StrEnum):
    """What a route does, as far as permission is concerned. Each route declares exactly one."""

    PUBLIC = "public"
    ACCOUNT_SELF = "account.self"
    ACCOUNT_KEYS = "account.keys"
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


class Role(StrEnum):
    ADMIN = "admin"
    VIEWER = "viewer"


_OWN_ACCOUNT = frozenset({Verb.PUBLIC, Verb.ACCOUNT_SELF, Verb.ACCOUNT_KEYS})
VERBS: dict[Role, frozenset[Verb]] = {
    Role.ADMIN: frozenset(Verb),
    Role.VIEWER: _OWN_ACCOUNT | {Verb.SERVICES_READ, Verb.JOBS_READ, Verb.TEMPLATES_READ},
}

# Never for somebody who belongs to a customer, whatever their role there.
PORTALS_OWN = frozenset({Verb.CUSTOMERS_WRITE})

# What a person does about their own sign-in works before set-up is complete; the rest of the portal waits for it.
BEFORE_SET_UP = _OWN_ACCOUNT


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `id` is a user (also for that user's API key); `credential_id` is the session or the key used.

    `customer_id` binds the actor to one customer's things; None sees all. `expires_at` ends the credential.
    """

    id: str
    kind: Literal["user", "key", "anonymous"]
    name: str
    role: Role
    customer_id: str | None = None
    credential_id: str | None = None
    expires_at: datetime | None = None


ANONYMOUS = Actor(id="", kind="anonymous", name="anonymous", role=Role.VIEWER)


def reaches(role: Role, other: Role) -> bool:
    """Whether `role` may do everything that `other` may."""
    return VERBS[other] <= VERBS[role]


class Owned(Protocol):
    """Something that may belong to a customer; None is the portal's own."""

    @property
    def customer_id(self) -> str | None: ...


def allowed(actor: Actor, verb: Verb, resource: Owned | None = None) -> bool:
    """Whether `actor` may do `verb`, and do it to `resource` if one is given."""
    if verb is Verb.PUBLIC:
        return True
    if actor.kind == "anonymous" or verb not in VERBS[actor.role]:
        return False
    if actor.customer_id is not None and verb in PORTALS_OWN:
        return False
    return resource is None or actor.customer_id is None or actor.customer_id == resource.customer_id


def verbs_of(actor: Actor) -> list[Verb]:
    """Everything the actor may do somewhere, in the order of `Verb`."""
    return [verb for verb in Verb if allowed(actor, verb)]
