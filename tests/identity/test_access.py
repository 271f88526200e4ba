"""One table of roles, one function."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from homeport.identity import ANONYMOUS, Actor, Role, Verb, allowed
from homeport.identity.access import NEEDS, ROLE_SCOPES, covers, opens, scope_sets_of, verbs_of


@dataclass(frozen=True)
class Thing:
    customer_id: str | None


def actor(role: Role, customer_id: str | None = None) -> Actor:
    return Actor("usr_1", "user", "ann", role, customer_id, "ses_1")


def test_every_verb_and_every_role_has_its_row() -> None:
    assert set(NEEDS) == set(Verb)
    assert set(ROLE_SCOPES) == set(Role)


@pytest.mark.parametrize("verb", Verb)
def test_the_first_administrator_may_do_everything(verb: Verb) -> None:
    assert allowed(actor(Role.SUPERADMIN), verb)


def test_an_administrator_may_not_do_what_only_the_first_may() -> None:
    missing = {verb for verb in Verb if not allowed(actor(Role.ADMIN), verb)}
    assert missing == {Verb.USERS_DELETE, Verb.RETENTION_WRITE}


@pytest.mark.parametrize("verb", [Verb.SERVICES_WRITE, Verb.SERVICES_DEPLOY, Verb.SERVICES_SECRETS, Verb.JOBS_WRITE])
def test_a_viewer_changes_nothing_and_sees_no_secret(verb: Verb) -> None:
    assert not allowed(actor(Role.USER), verb)


@pytest.mark.parametrize("verb", Verb)
def test_nobody_may_do_what_is_public_and_no_more(verb: Verb) -> None:
    assert allowed(ANONYMOUS, verb) is (verb is Verb.PUBLIC)


def test_who_is_bound_to_a_customer_reaches_that_customers_things_only() -> None:
    bound = actor(Role.ADMIN, "cust_1")
    assert allowed(bound, Verb.SERVICES_READ, Thing("cust_1"))
    assert not allowed(bound, Verb.SERVICES_READ, Thing("cust_2"))
    assert not allowed(bound, Verb.SERVICES_READ, Thing(None))
    assert allowed(actor(Role.USER), Verb.SERVICES_READ, Thing("cust_2"))


@pytest.mark.parametrize(
    ("pattern", "scope", "open_"),
    [
        ("*", "services:read", True),
        ("services:read", "services:read", True),
        ("services:read", "services:write", False),
        ("access:*", "access:x", True),
        ("access:*", "access:x:y", False),
        ("access:*", "access", False),
        ("services:read", "services:*", False),
        ("services:*", "services:*", True),
        ("*", "*", True),
        ("services:*", "*", False),
    ],
)
def test_a_scope_opens_what_matches_segment_by_segment(pattern: str, scope: str, open_: bool) -> None:
    assert opens((pattern,), scope) is open_


def test_wider_scopes_cover_narrower_ones() -> None:
    assert covers(("services:*", "access:*"), ("services:read", "access:box"))
    assert not covers(("services:read",), ("services:read", "services:write"))


def test_a_credential_is_limited_by_its_person_and_by_itself() -> None:
    key = replace(actor(Role.USER), kind="key", within=("services:*",))
    assert [key.grants(scope) for scope in ("services:read", "services:write", "account:keys")] == [True, False, False]


def test_the_verbs_of_an_actor_are_those_it_is_allowed() -> None:
    assert Verb.SERVICES_WRITE not in verbs_of(actor(Role.USER))
    assert verbs_of(actor(Role.SUPERADMIN)) == list(Verb)


def test_the_fleets_roles_are_sets_of_scopes() -> None:
    assert scope_sets_of(actor(Role.ADMIN)) == ["admin", "deployer", "operator", "viewer"]
    assert scope_sets_of(replace(actor(Role.USER), scopes=("services:read", "services:write", "access:*"))) == [
        "operator",
        "viewer",
    ]


def test_a_machine_has_no_account_and_only_what_its_certificate_names() -> None:
    agent = Actor("crt_1", "agent", "agent:box", Role.USER, scopes=("services:read", "system:read"))
    assert {verb for verb in Verb if allowed(agent, verb)} == {
        Verb.PUBLIC,
        Verb.CERTIFICATES_OWN,
        Verb.SERVICES_READ,
        Verb.JOBS_READ,
        Verb.TEMPLATES_READ,
        Verb.TUNNELS_READ,
        Verb.SYSTEM_READ,
    }
