"""Sessions of wallets: who gets one, how long, how many."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from homeport.identity import Verb, allowed
from homeport.relay import wallets as wallets_module
from homeport.relay.challenges import Challenges
from homeport.relay.problems import AdminUnauthorized, InvalidRequest, RateLimited, WalletRefused
from homeport.relay.wallets import Wallets
from homeport.settings import Settings
from homeport.testing.clock import ManualClock
from homeport.wire.ethereum import address_of, sign_message

OWN, LISTED, STRANGER = (bytes([number]) * 32 for number in (0x11, 0x44, 0x33))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def wallets(clock: ManualClock) -> Wallets:
    return made(clock, [address_of(LISTED)])


def made(clock: ManualClock, listed: list[str]) -> Wallets:
    return Wallets(listed, lambda: address_of(OWN), Challenges(clock, "localhost"), clock)


def sign_in(wallets: Wallets, key: bytes = LISTED) -> str:
    challenge = wallets.challenge(address_of(key), host="localhost:8443", client="192.0.2.1")
    return wallets.sign_in(challenge.id, challenge.message, sign_message(key, challenge.message))[0]


def test_the_relays_own_wallet_and_those_listed_may(wallets: Wallets) -> None:
    assert wallets.allowed == [address_of(OWN), address_of(LISTED)]
    for key in (OWN, LISTED):
        session = wallets.find(sign_in(wallets, key))
        assert session is not None
        assert session.wallet == address_of(key)
    with pytest.raises(WalletRefused):
        wallets.challenge(address_of(STRANGER), host="localhost", client="192.0.2.1")


def test_a_wallet_is_an_administrator_of_the_relay_alone(wallets: Wallets) -> None:
    session = wallets.find(sign_in(wallets))
    assert session is not None

    assert {verb for verb in Verb if allowed(session.actor, verb)} == {
        Verb.PUBLIC, Verb.CERTIFICATES_OWN, Verb.RELAY_READ, Verb.RELAY_WRITE,
    }  # fmt: skip
    assert not session.actor.administers


def test_tokens_are_long_and_each_their_own(wallets: Wallets) -> None:  # relay L.19
    tokens = {sign_in(wallets) for _ in range(20)}

    assert len(tokens) == 20
    assert all(token.startswith("was_") and len(token) >= 4 + 32 for token in tokens)


def test_a_session_lasts_for_a_day(wallets: Wallets, clock: ManualClock) -> None:
    token = sign_in(wallets)
    clock.advance(24 * 3600 - 1)
    assert wallets.find(token)
    clock.advance(1)
    assert wallets.find(token) is None


def test_signing_out_ends_one_session(wallets: Wallets) -> None:
    first, second = sign_in(wallets), sign_in(wallets)

    assert wallets.sign_out(first) is not None
    assert wallets.sign_out(first) is None
    assert wallets.find(first) is None
    assert wallets.find(second)


def test_sessions_are_bounded_and_the_oldest_goes_first(wallets: Wallets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wallets_module, "MOST_SESSIONS", 2)
    tokens = [sign_in(wallets) for _ in range(3)]

    assert [wallets.find(token) is not None for token in tokens] == [False, True, True]


def test_open_challenges_of_one_address_are_bounded(wallets: Wallets) -> None:  # relay L.3
    for _ in range(32):
        wallets.challenge(address_of(LISTED), host="localhost", client="192.0.2.1")

    with pytest.raises(RateLimited):
        wallets.challenge(address_of(LISTED), host="localhost", client="192.0.2.1")


def test_what_does_not_answer_a_challenge_is_unauthorized(wallets: Wallets) -> None:
    challenge = wallets.challenge(address_of(LISTED), host="localhost", client="192.0.2.1")

    for identifier, message, signature in (
        ("wac_nothing", challenge.message, sign_message(LISTED, challenge.message)),
        (challenge.id, "another text", sign_message(LISTED, "another text")),
        (challenge.id, challenge.message, sign_message(STRANGER, challenge.message)),
        (challenge.id, challenge.message, "0x00"),
    ):
        with pytest.raises(AdminUnauthorized):
            wallets.sign_in(identifier, message, signature)


def test_an_address_that_is_none_is_refused(wallets: Wallets) -> None:
    with pytest.raises(InvalidRequest):
        wallets.challenge("0x12", host="localhost", client="192.0.2.1")


def test_wallets_in_the_settings_are_of_one_spelling(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, relay_wallets=(address_of(LISTED).lower(),))

    assert settings.relay_wallets == (address_of(LISTED),)


def test_a_setting_that_is_no_wallet_is_refused_at_the_start(tmp_path: Path) -> None:
    mistyped = address_of(LISTED).swapcase().replace("0X", "0x")
    for wallet in ("0x12", mistyped):
        with pytest.raises(ValidationError):
            Settings(data_dir=tmp_path, relay_wallets=(wallet,))


@pytest.mark.parametrize("host", ["localhost", "localhost:8443", "LOCALHOST", "127.0.0.1:4017", "[::1]:8443", ""])
def test_a_challenge_names_the_portal_or_this_machine(wallets: Wallets, host: str) -> None:
    message = wallets.challenge(address_of(LISTED), host=host, client="192.0.2.1").message
    assert message.startswith(f"{host or 'localhost'} wants you to sign in")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.localhost:8443", "192.0.2.66", "localhost.evil.example", "[2001:db8::1]"]
)
def test_a_wallet_is_not_made_to_sign_in_here_by_another_sites_page(wallets: Wallets, host: str) -> None:
    # The page asks for a challenge with its own name in it: then the wallet has nothing to warn of.
    with pytest.raises(InvalidRequest):
        wallets.challenge(address_of(LISTED), host=host, client="192.0.2.1")
