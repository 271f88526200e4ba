"""Lease tokens: what they say, and which are refused."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from homeport.relay.identities import identity_of
from homeport.relay.problems import TokenRefused
from homeport.relay.relay_identity import RelayIdentity
from homeport.relay.tokens import LeaseTokens
from homeport.testing.clock import ManualClock

ISSUER = "https://relay.example.org"
WHO = identity_of("demo", "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A")


class Mint:
    """A relay that issues."""

    def __init__(self, folder: Path, issuer: str = ISSUER) -> None:
        self.clock = ManualClock()
        self.relay = RelayIdentity(folder, "relay.example.org")
        self.tokens = LeaseTokens(self.relay, self.clock, lambda: issuer)

    def issue(self, seconds: int = 60) -> str:
        now = self.clock.now()
        return self.tokens.issue(WHO, "lse_1", now, now + timedelta(seconds=seconds))

    def signed(self, **changes: Any) -> str:
        """By somebody who has the key and another program."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": ISSUER, "sub": WHO.key, "aud": ["portal-sdk"], "jti": "tok_0", "iat": now, "nbf": now,
            "exp": now + 60, "identity": {"name": WHO.name, "address": WHO.address}, "lease": "lse_1", **changes,
        }  # fmt: skip
        private = ec.derive_private_key(int.from_bytes(self.relay.key, "big"), ec.SECP256K1())
        while True:  # it signs with either of two numbers, we only with the lower (as wallets do)
            token = jwt.encode({k: v for k, v in claims.items() if v is not None}, private, "ES256K")
            if base64.urlsafe_b64decode(token.rpartition(".")[2] + "==")[32] < 0x7F:
                return token


@pytest.fixture
def mint(tmp_path: Path) -> Mint:
    return Mint(tmp_path)


@pytest.fixture(scope="module")
def one_mint(tmp_path_factory: pytest.TempPathFactory) -> Mint:
    return Mint(tmp_path_factory.mktemp("mint"))


def test_a_token_is_a_jwt_of_seed_004_that_another_library_verifies(mint: Mint) -> None:
    token = mint.issue()
    assert jwt.get_unverified_header(token) == {"alg": "ES256K", "typ": "JWT"}
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), mint.relay.public_key)
    claims = jwt.decode(
        token, public, ["ES256K"], audience="portal-sdk", options={"verify_exp": False, "verify_nbf": False}
    )
    now = int(mint.clock.now().timestamp())
    assert claims["iss"] == ISSUER
    assert claims["sub"] == WHO.key
    assert claims["aud"] == ["portal-sdk"]
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (now, now, now + 60)
    assert claims["identity"] == {"name": WHO.name, "address": WHO.address}
    assert claims["jti"].startswith("tok_")
    assert len(claims["jti"]) == 20
    assert claims["lease"] == "lse_1"


def test_a_token_names_its_identity_until_its_second(mint: Mint) -> None:
    token = mint.issue(60)
    assert mint.tokens.read(token) == WHO
    mint.clock.advance(59)
    assert mint.tokens.read(token) == WHO
    mint.clock.advance(1)
    with pytest.raises(TokenRefused):
        mint.tokens.read(token)
    assert mint.tokens.signed(token).identity == WHO


def test_a_token_of_another_program_with_the_same_key_is_good(mint: Mint) -> None:
    assert mint.tokens.read(mint.signed()) == WHO


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.org"},
        {"aud": ["somebody-else"]},
        {"aud": "portal"},
        {"sub": "other:0x0"},
        {"identity": {"name": "other", "address": WHO.address}},
        {"identity": None},
        {"exp": None},
        {"lease": None},
        {"nbf": 4_000_000_000},
    ],
)
def test_a_token_that_says_anything_else_is_refused(mint: Mint, changes: dict[str, Any]) -> None:
    with pytest.raises(TokenRefused):
        mint.tokens.read(mint.signed(**changes))


def test_a_token_of_another_relay_is_refused(mint: Mint, tmp_path: Path) -> None:
    with pytest.raises(TokenRefused):
        mint.tokens.read(Mint(tmp_path / "other").issue())


def test_a_token_without_a_signature_is_refused(mint: Mint) -> None:
    claims = mint.issue().split(".")[1]
    for header in ('{"alg":"none"}', '{"alg":"HS256"}', '{"alg":"ES256K"}', "[]", "{}"):
        head = base64.urlsafe_b64encode(header.encode()).rstrip(b"=").decode()
        for signature in ("", "AAAA", "A" * 86, "_" * 86):
            with pytest.raises(TokenRefused):
                mint.tokens.read(f"{head}.{claims}.{signature}")


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "x" * 5000, "ä.ö.ü", "....", "e30.e30.e30"])
def test_what_is_no_token_is_refused(mint: Mint, token: str) -> None:
    with pytest.raises(TokenRefused):
        mint.tokens.read(token)


@given(text=st.text(alphabet="abcABC123-_.=\N{SNOWMAN}", max_size=120))
def test_any_text_is_refused_and_nothing_else_happens(one_mint: Mint, text: str) -> None:
    with pytest.raises(TokenRefused):
        one_mint.tokens.read(text)


def test_no_letter_of_a_token_can_be_changed(mint: Mint) -> None:
    token = mint.issue()
    for place in range(0, len(token) - 1, 7):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(TokenRefused):
            mint.tokens.read(token[:place] + other + token[place + 1 :])


def test_a_token_that_is_known_is_read_in_microseconds(mint: Mint) -> None:
    token = mint.issue()
    mint.tokens.read(token)
    began = time.process_time()
    for _ in range(1000):
        mint.tokens.read(token)
    assert time.process_time() - began < 0.05  # 50 µs each; it is under one where nothing else runs


def test_what_is_remembered_of_tokens_has_a_bound(mint: Mint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("homeport.relay.tokens.REMEMBERED", 3)
    first = mint.issue()
    for _ in range(5):
        mint.tokens.read(mint.issue())
    assert len(mint.tokens._known) == 3
    assert mint.tokens.read(first) == WHO
