"""One table of roles, one function."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from homeport.identity import ANONYMOUS, Actor, Role, Verb, allowed
from homeport.identity.access import VERBS, reaches, verbs_of


@dataclass(frozen=True)
class Thing:
    customer_id: str | None


def actor(role: Role, customer_id: str | None = None) -> Actor:
    return Actor("usr_1", "user", "ann", role, customer_id, "ses_1")


def test_every_role_has_its_row() -> None:
    assert set(VERBS) == set(Role)


@pytest.mark.parametrize("verb", Verb)
def test_the_administrator_may_do_everything(verb: Verb) -> None:
    assert allowed(actor(Role.ADMIN), verb)


@pytest.mark.parametrize("verb", [Verb.SERVICES_WRITE, Verb.SERVICES_DEPLOY, Verb.SERVICES_SECRETS, Verb.JOBS_WRITE])
def test_a_viewer_changes_nothing_and_sees_no_secret(verb: Verb) -> None:
    assert not allowed(actor(Role.VIEWER), verb)


@pytest.mark.parametrize("verb", Verb)
def test_nobody_may_do_what_is_public_and_no_more(verb: Verb) -> None:
    assert allowed(ANONYMOUS, verb) is (verb is Verb.PUBLIC)


def test_who_is_bound_to_a_customer_reaches_that_customers_things_only() -> None:
    bound = actor(Role.ADMIN, "cust_1")
    assert allowed(bound, Verb.SERVICES_READ, Thing("cust_1"))
    assert not allowed(bound, Verb.SERVICES_READ, Thing("cust_2"))
    assert not allowed(bound, Verb.SERVICES_READ, Thing(None))
    assert allowed(actor(Role.VIEWER), Verb.SERVICES_READ, Thing("cust_2"))


def test_a_role_reaches_those_that_may_less() -> None:
    assert reaches(Role.ADMIN, Role.VIEWER)
    assert not reaches(Role.VIEWER, Role.ADMIN)


def test_the_verbs_of_an_actor_are_those_it_is_allowed() -> None:
    assert Verb.SERVICES_WRITE not in verbs_of(actor(Role.VIEWER))
    assert verbs_of(actor(Role.ADMIN)) == list(Verb)
