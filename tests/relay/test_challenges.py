"""Challenges: bounded, answered once, and by the right wallet only."""

from __future__ import annotations

import pytest

from homeport.relay import challenges as module
from homeport.relay.challenges import ADMINISTRATION, PENDING_PER_CLIENT, REGISTRATION, Challenge, Challenges
from homeport.relay.problems import InvalidRequest, RateLimited, TokenRefused
from homeport.testing.clock import ManualClock
from homeport.wire.ethereum import address_of, sign_message
from homeport.wire.siwe import parse

KEY, OTHER = bytes([0x11]) * 32, bytes([0x22]) * 32
WALLET = address_of(KEY)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def challenges(clock: ManualClock) -> Challenges:
    return Challenges(clock, "relay.example.org")


def begun(challenges: Challenges, client: str = "192.0.2.1", host: str = "localhost:4017") -> Challenge:
    return challenges.begin(REGISTRATION, WALLET, host=host, client=client, payload="what was asked for")


def test_the_message_says_who_where_what_and_until_when(challenges: Challenges, clock: ManualClock) -> None:
    challenge = begun(challenges)
    message = parse(challenge.message)
    assert challenge.id.startswith("rch_")
    assert len(challenge.id) == 20
    assert (message.domain, message.address) == ("localhost:4017", WALLET)
    assert message.uri == "https://localhost:4017/sdk/register"
    assert message.statement == "Register a portal lease"
    assert len(message.nonce) == 16
    assert message.nonce.isalnum()
    assert (message.expires_at - message.issued_at).total_seconds() == 120
    assert message.issued_at == clock.now().replace(microsecond=0)
    assert message.request_id == challenge.id
    assert message.chain_id == 1


def test_administration_has_its_own_words(challenges: Challenges) -> None:
    challenge = challenges.begin(ADMINISTRATION, WALLET, host="", client="x", secure=False)
    message = parse(challenge.message)
    assert challenge.id.startswith("wac_")
    assert message.statement == "Sign in to Portal relay admin"
    assert message.domain == "relay.example.org"
    assert message.uri == "http://relay.example.org/admin/auth/login"


def test_a_good_signature_is_taken_once(challenges: Challenges) -> None:
    challenge = begun(challenges)
    signature = sign_message(KEY, challenge.message)
    assert challenges.finish(REGISTRATION, challenge.id, f"\n {challenge.message} \n", signature) == challenge
    with pytest.raises(InvalidRequest):
        challenges.finish(REGISTRATION, challenge.id, challenge.message, signature)


def test_a_signature_that_counts_from_zero_is_good_too(challenges: Challenges) -> None:
    challenge = begun(challenges)
    signature = sign_message(KEY, challenge.message)
    counted = signature[:-2] + {"1b": "00", "1c": "01"}[signature[-2:]]
    assert challenges.finish(REGISTRATION, challenge.id, challenge.message, counted) == challenge


@pytest.mark.parametrize(
    "signature",
    ["", "0x", "0x00", "0x" + "00" * 64, "0x" + "00" * 65, "0x" + "11" * 66, "no hex", "0x" + "11" * 64 + "1d"],
)
def test_a_short_or_broken_signature_is_refused_and_may_be_mended(challenges: Challenges, signature: str) -> None:
    challenge = begun(challenges)  # relay L.11
    with pytest.raises(TokenRefused):
        challenges.finish(REGISTRATION, challenge.id, challenge.message, signature)
    good = sign_message(KEY, challenge.message)
    assert challenges.finish(REGISTRATION, challenge.id, challenge.message, good) == challenge


def test_another_wallet_s_signature_is_refused(challenges: Challenges) -> None:
    challenge = begun(challenges)
    with pytest.raises(TokenRefused):
        challenges.finish(REGISTRATION, challenge.id, challenge.message, sign_message(OTHER, challenge.message))


def test_another_text_is_refused(challenges: Challenges) -> None:
    challenge = begun(challenges)
    text = challenge.message.replace("localhost", "elsewhere")
    with pytest.raises(InvalidRequest):
        challenges.finish(REGISTRATION, challenge.id, text, sign_message(KEY, text))


def test_a_challenge_is_for_its_purpose_only(challenges: Challenges) -> None:
    challenge = begun(challenges)
    with pytest.raises(InvalidRequest):
        challenges.finish(ADMINISTRATION, challenge.id, challenge.message, sign_message(KEY, challenge.message))


def test_a_challenge_ends_after_two_minutes(challenges: Challenges, clock: ManualClock) -> None:
    challenge = begun(challenges)
    clock.advance(120)
    with pytest.raises(InvalidRequest, match="expired"):
        challenges.finish(REGISTRATION, challenge.id, challenge.message, sign_message(KEY, challenge.message))
    assert len(challenges) == 0


def test_a_client_has_32_open_at_once(challenges: Challenges, clock: ManualClock) -> None:
    for _ in range(PENDING_PER_CLIENT):  # relay L.3
        begun(challenges)
    with pytest.raises(RateLimited) as refused:
        begun(challenges)
    assert refused.value.details == {"retry_after": 120}
    begun(challenges, client="192.0.2.2")
    clock.advance(120)
    begun(challenges)
    assert len(challenges) == 1


def test_an_answered_challenge_makes_room(challenges: Challenges) -> None:
    for _ in range(PENDING_PER_CLIENT * 2):
        challenge = begun(challenges)
        challenges.finish(REGISTRATION, challenge.id, challenge.message, sign_message(KEY, challenge.message))


def test_many_clients_together_have_a_bound_as_well(challenges: Challenges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PENDING_IN_ALL", 3)  # relay L.3
    first, second, *_ = [begun(challenges, client=f"192.0.2.{number}") for number in range(4)]
    assert len(challenges) == 3
    with pytest.raises(InvalidRequest):  # the oldest has made way: whoever fills the table keeps nobody out
        challenges.finish(REGISTRATION, first.id, first.message, sign_message(KEY, first.message))
    challenges.finish(REGISTRATION, second.id, second.message, sign_message(KEY, second.message))


@pytest.mark.parametrize("host", ["a b", "user@host", "x" * 400, "a\nb"])
def test_a_host_that_is_none_is_refused(challenges: Challenges, host: str) -> None:
    with pytest.raises(InvalidRequest):
        begun(challenges, host=host)
    assert len(challenges) == 0
