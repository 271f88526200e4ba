"""Tokens and providers of no good faith: a provider that says whatever the test wants, with keys of the test's own."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from homeport.identity import COOKIE, Role
from homeport.identity.openid.provider import MAX_ANSWER
from homeport.settings import Settings
from homeport.storage import Database
from homeport.testing.oidc_provider import query_of
from tests.identity.openid.conftest import EC_KEY, RSA_KEY, Fake, open_fake, public, signed

STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EVENT: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
REFUSED = "/?sign_in_problem=token_refused"


async def test_the_provider_is_believed_when_all_is_well(fake: Fake) -> None:
    answer = await fake.me(signed(fake.claims()))
    assert (answer.status_code, answer.json()["username"]) == (200, "mallory")
    assert COOKIE in (await fake.callback()).cookies


BAD_ACCESS: tuple[dict[str, Any], ...] = (
    {"aud": "account", "azp": "other"},
    {"aud": ["a", "b"], "azp": None},
    {"aud": None, "azp": None},
    {"sub": None},
    {"sub": ""},
    {"sub": 7},
    {"sub": "x" * 201},
    {"exp": None},
    {"iat": None},
    {"exp": "tomorrow"},
    {"exp": 1e308},
    {"exp": True},
    {"nonce": "n"},
    {"typ": "ID"},
    {"typ": "Refresh"},
    {"at_hash": "x"},
    {"events": EVENT},
)


async def test_an_access_token_whose_claims_do_not_fit_is_refused(fake: Fake) -> None:
    for claims in BAD_ACCESS:
        answer = await fake.me(signed(fake.claims(**claims)))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_refused"), claims


@pytest.mark.parametrize(
    ("issued", "expires", "status"),
    [(-600, -1, 401), (-600, 5, 200), (3600, 7200, 401), (30, 600, 200), (-90_000, 600, 401), (-10, 10**8, 200)],
)
async def test_times_are_judged_by_our_clock(fake: Fake, issued: int, expires: int, status: int) -> None:
    """In seconds from now; a token that says it is good for years is, for a day."""
    now = int(fake.door.clock.now().timestamp())
    token = signed(fake.claims(iat=now + issued, exp=now + expires))
    assert (await fake.me(token)).status_code == status
    fake.door.clock.advance(timedelta(hours=24).total_seconds() + 60)
    assert (await fake.me(token)).status_code == 401


async def test_a_token_that_is_not_valid_yet_is_refused(fake: Fake) -> None:
    later = int(fake.door.clock.now().timestamp()) + 600
    assert (await fake.me(signed(fake.claims(nbf=later)))).status_code == 401


async def test_a_token_of_another_issuer_is_refused(fake: Fake) -> None:
    for issuer in ("https://evil.example", fake.provider.issuer + "/", None):
        assert (await fake.me(signed(fake.claims(iss=issuer)))).status_code == 401


def _by_public_key(claims: dict[str, Any]) -> str:
    """What is signed with the public key as if that were a secret (RFC 8725 2.1)."""
    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header, body = (
        jwt.utils.base64url_encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "kid": "one"}, claims)
    )
    secret = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    mac = secret.sign(header + b"." + body, pem)
    return (header + b"." + body + b"." + jwt.utils.base64url_encode(mac)).decode()


async def test_a_token_that_is_not_signed_by_the_provider_is_refused(fake: Fake) -> None:
    claims = fake.claims()
    good = signed(claims)
    head, body, mac = good.split(".")
    promoted = jwt.utils.base64url_encode(json.dumps({**claims, "realm_access": {"roles": ["admin"]}}).encode())
    for token in (
        signed(claims, key=STRANGER),
        signed(claims, key="", alg="none"),
        _by_public_key(claims),
        f"{head}.{promoted.decode()}.{mac}",
        f"{head}.{body}.",
        f"{head}.{body}.{mac[:-4]}AAAA",
        signed(claims, key=EC_KEY, alg="ES256"),
        signed(claims, kid="two"),
        signed(claims, typ="logout+jwt"),
        good + "A" * 20_000,
    ):
        assert (await fake.me(token)).status_code == 401, token[:80]
    assert (await fake.me(good)).status_code == 200


async def test_a_header_never_brings_its_own_key(fake: Fake) -> None:
    claims = fake.claims()
    for more in (
        {"jwk": public(STRANGER, "one")},
        {"jku": "http://127.0.0.1:1/keys"},
        {"x5u": "http://127.0.0.1:1/x"},
        {"crit": ["exp"]},
    ):
        assert (await fake.me(signed(claims, key=STRANGER, **more))).status_code == 401
    assert set(fake.provider.paths()) == {"/.well-known/openid-configuration", "/keys"}


BAD_KEYS: tuple[list[dict[str, Any]], ...] = (
    [public(RSA_KEY, "one", use="enc")],  # for encryption
    [public(RSA_KEY, "one", alg="RS512")],  # for RS512
    [public(EC_KEY, "one")],  # elliptic
    [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}],  # symmetric
    [{**public(RSA_KEY, "one"), "n": "AQAB"}],  # tiny
    [{"kty": "RSA", "kid": "one"}],  # broken
    [public(rsa.generate_private_key(public_exponent=65537, key_size=1024), "one")],  # short
)


async def test_a_key_that_does_not_fit_verifies_nothing(fake: Fake) -> None:
    for keys in BAD_KEYS:
        fake.provider.keys = keys
        assert (await fake.me(signed(fake.claims()))).status_code == 401, keys
        fake.door.clock.advance(31)
    assert fake.provider.paths().count("/keys") == len(BAD_KEYS)


async def test_elliptic_keys_and_a_single_key_without_an_id_are_fine(fake: Fake) -> None:
    fake.provider.keys = [public(RSA_KEY, "one"), public(EC_KEY, "two")]
    assert (await fake.me(signed(fake.claims(), key=EC_KEY, kid="two", alg="ES256"))).status_code == 200
    assert (await fake.me(signed(fake.claims(), kid=None))).status_code == 200


async def test_new_keys_are_fetched_for_an_unknown_id_every_thirty_seconds_at_most(fake: Fake) -> None:
    assert (await fake.me(signed(fake.claims()))).status_code == 200
    fake.provider.keys = [public(STRANGER, "two")]
    rotated = signed(fake.claims(), key=STRANGER, kid="two")
    for _ in range(5):
        assert (await fake.me(rotated)).status_code == 401
        assert (await fake.me(signed(fake.claims(), kid="three"))).status_code == 401
    assert fake.provider.paths().count("/keys") == 1
    fake.door.clock.advance(31)
    assert (await fake.me(signed(fake.claims(), key=STRANGER, kid="two"))).status_code == 200
    assert fake.provider.paths().count("/keys") == 2


async def test_a_provider_that_is_down_is_said_so_and_not_asked_by_every_request(fake: Fake) -> None:
    """fleet C.2: 502 while the provider is down."""
    fake.provider.answers["/.well-known/openid-configuration"] = (503, b"")
    for _ in range(5):
        answer = await fake.me(signed(fake.claims()))
        assert (answer.status_code, answer.json()["code"]) == (502, "provider_unavailable")
    assert len(fake.provider.asked) == 1
    fake.provider.answers.clear()
    fake.door.clock.advance(6)
    assert (await fake.me(signed(fake.claims()))).status_code == 200
    fake.provider.answers["/keys"] = (503, b"")
    fake.door.clock.advance(3700)
    assert (await fake.me(signed(fake.claims()))).status_code == 200  # the keys from before still count


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "https://evil.example"},
        {"jwks_uri": "http://provider.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"end_session_endpoint": "//evil.example"},
    ],
    ids=str,
)
async def test_a_provider_whose_own_words_do_not_fit_is_not_used(fake: Fake, change: dict[str, Any]) -> None:
    document = json.dumps({**fake.provider.metadata(), **change}).encode()
    fake.provider.answers["/.well-known/openid-configuration"] = (200, document)
    async with fake.door.client() as client:
        assert (await client.get("/api/auth/oidc/login")).status_code == 502


@pytest.mark.parametrize("body", [b"[]", b"{", b"x" * (MAX_ANSWER + 1), b"[" * 100_000, b'"text"'])
async def test_whatever_a_provider_answers_is_bounded_and_read_with_care(fake: Fake, body: bytes) -> None:
    fake.provider.answers["/keys"] = (200, body)
    assert (await fake.me(signed(fake.claims()))).status_code == 502


async def test_the_guard_keeps_a_provider_from_sending_the_portal_elsewhere(
    sqlite_database: Database, tmp_path: Path
) -> None:
    async with open_fake(sqlite_database, tmp_path, {"outbound_allow": ""}) as fake:
        assert (await fake.me(signed(fake.claims()))).status_code == 502
        assert fake.provider.asked == []


BAD_ID: tuple[dict[str, Any], ...] = (
    {"nonce": "another"},
    {"nonce": None},
    {"iss": "https://evil.example"},
    {"aud": "other"},
    {"aud": ["homeport", "other"], "azp": None},
    {"azp": "other"},
    {"sub": None},
    {"exp": 1},
)


async def test_an_id_token_that_does_not_fit_signs_nobody_in(fake: Fake) -> None:
    for claims in BAD_ID:
        answer = await fake.callback(**claims)
        assert answer.headers["location"] == REFUSED, claims
        assert COOKIE not in answer.cookies


async def _answered(fake: Fake, **query: str) -> str:
    async with fake.door.client() as portal:
        begun = await portal.get("/api/auth/oidc/login")
        state = query_of(begun.headers["location"])["state"]
        answer = await portal.get("/api/auth/oidc/callback", params={"state": state, **query})
    return str(answer.headers["location"])


async def test_the_callback_takes_no_answer_that_it_did_not_ask_for(fake: Fake) -> None:
    refused = "/?sign_in_problem=sign_in_refused"
    for query in (
        {"code": "c", "state": "another"},
        {"error": "access_denied", "error_description": "<script>"},
        {"code": ""},
        {"code": "x" * 5000},
        {"code": "c", "iss": "https://evil.example"},
    ):
        assert await _answered(fake, **query) == refused
    assert "/token" not in fake.provider.paths()
    fake.provider.answers["/token"] = (400, b'{"error": "invalid_grant"}')
    assert await _answered(fake, code="c") == refused
    fake.provider.answers["/token"] = (200, b"{}")
    assert await _answered(fake, code="c") == "/?sign_in_problem=provider_unavailable"
    async with fake.door.client() as client:
        forged = await client.get("/api/auth/oidc/callback", headers={"cookie": "__Host-homeport_oidc=hs1.x.y"})
    assert forged.headers["location"] == refused


async def test_a_provider_that_says_it_names_itself_has_to(fake: Fake) -> None:
    """RFC 9207 2.4"""
    document = {**fake.provider.metadata(), "authorization_response_iss_parameter_supported": True}
    fake.provider.answers["/.well-known/openid-configuration"] = (200, json.dumps(document).encode())
    assert (await fake.callback()).headers["location"] == "/?sign_in_problem=sign_in_refused"


async def test_the_verifier_goes_to_the_token_endpoint_and_the_secret_only_in_the_header(fake: Fake) -> None:
    await fake.callback()
    form = next(form for path, form in fake.provider.asked if path == "/token")
    assert len(form["code_verifier"]) >= 43
    assert form.keys() == {"grant_type", "code", "redirect_uri", "code_verifier"}


async def test_claims_of_any_shape_make_a_decent_account(fake: Fake) -> None:
    names: list[str] = []
    shapes: tuple[dict[str, Any], ...] = (
        {"preferred_username": "Ann.Bee@Home"},
        {"preferred_username": "../../etc"},
        {"preferred_username": 7},
        {"preferred_username": None, "email": "zoe@home.example"},
        {"preferred_username": "x" * 500, "name": "y" * 500},
        {"preferred_username": "\u202eevil\x00", "realm_access": ["admin"]},
        {"preferred_username": "mallory", "realm_access": {"roles": {"admin": True}}},
        {"preferred_username": "mallory", "realm_access": {"roles": [["admin"], None]}},
        {"email": "zoe@home.example", "email_verified": "true"},
    )
    for number, claims in enumerate(shapes):
        me = (await fake.me(signed(fake.claims(sub=f"s{number}", **claims)))).json()
        names.append(me["username"])
        assert me["rank"] == "user"
        assert me["email"] is None
    assert names == [
        "ann-bee-home", "etc", "user", "zoe", "x" * 30, "evil", "mallory", "mallory-2", "mallory-3",
    ]  # fmt: skip


async def test_another_claim_may_tell_the_roles_and_another_audience_may_be_meant(
    sqlite_database: Database, tmp_path: Path
) -> None:
    settings = {"oidc_role_claim": "https://home.example/groups", "oidc_audience": "urn:portal"}
    async with open_fake(sqlite_database, tmp_path, settings) as fake:
        claims = fake.claims(**{"https://home.example/groups": ["deployer"], "aud": ["urn:portal"]})
        assert (await fake.me(signed(claims))).json()["roles"] == ["deployer", "operator", "viewer"]
        assert (await fake.me(signed({**claims, "aud": "homeport"}))).status_code == 401


def logout_claims(fake: Fake, **more: Any) -> dict[str, Any]:
    return fake.claims(**{"azp": None, "realm_access": None, "jti": "j1", "sid": "s1", "events": EVENT, **more})


async def _logout(fake: Fake, token: str) -> httpx.Response:
    async with fake.door.client() as client:
        return await client.post("/api/auth/oidc/backchannel-logout", data={"logout_token": token})


BAD_LOGOUT: tuple[dict[str, Any], ...] = (
    {"events": None},
    {"events": {}},
    {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    {"nonce": "n"},
    {"sid": None, "sub": None},
    {"jti": None},
    {"aud": "other"},
    {"iss": "https://evil.example"},
    {"exp": 1},
    {"iat": None},
    {"iat": 1_700_000_000},
)


async def test_a_logout_token_that_does_not_fit_ends_nothing(fake: Fake) -> None:
    token = signed(fake.claims(sid="s1"))
    assert (await fake.me(token)).status_code == 200
    for claims in BAD_LOGOUT:
        answer = await _logout(fake, signed(logout_claims(fake, **claims)))
        assert (answer.status_code, answer.json()["code"]) == (400, "logout_token_refused"), claims
    assert (await fake.me(token)).status_code == 200


async def test_a_logout_token_is_good_once_and_signed_by_the_provider(fake: Fake) -> None:
    claims = logout_claims(fake)
    for wrong in (
        signed(claims, key=STRANGER),
        signed(claims, key="", alg="none"),
        _by_public_key(claims),
        "",
        "x.y.z",
    ):
        assert (await _logout(fake, wrong)).status_code == 400
    token = signed(claims, typ="logout+jwt")
    answers = await asyncio.gather(*(_logout(fake, token) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert answers[0].headers["cache-control"] == "no-store"


async def test_several_logouts_of_one_session_at_once_are_all_heard(database: Database, tmp_path: Path) -> None:
    async with open_fake(database, tmp_path) as fake:
        for session in range(5):  # from the second on, every request finds a connection to the database
            claims = [logout_claims(fake, sid=f"s{session}", jti=f"{session} {number}") for number in range(6)]
            answers = await asyncio.gather(*(_logout(fake, signed(one)) for one in claims))
            assert [answer.status_code for answer in answers] == [200] * 6


async def test_a_logout_without_a_session_ends_all_of_that_person_and_nothing_of_others(fake: Fake) -> None:
    of_mallory, elsewhere = signed(fake.claims(sid="s1")), signed(fake.claims(sid="s2", jti="other"))
    of_oscar = signed(fake.claims(sub="u-oscar", preferred_username="oscar", sid="s1"))
    for token in (of_mallory, elsewhere, of_oscar):
        assert (await fake.me(token)).status_code == 200
    assert (await _logout(fake, signed(logout_claims(fake, sid=None)))).json() == {"ended": 2}
    assert [(await fake.me(token)).status_code for token in (of_mallory, elsewhere, of_oscar)] == [401, 401, 200]
    never_seen = signed(fake.claims(sid="s3", jti="third"))
    assert (await fake.me(never_seen)).status_code == 401  # issued before
    fake.door.clock.advance(2)
    assert (await fake.me(signed(fake.claims(sid="s4")))).status_code == 200


async def test_a_session_of_that_name_of_somebody_else_goes_on(fake: Fake) -> None:
    """A logout token that names both means the session of that subject."""
    token = signed(fake.claims(sub="u-oscar", sid="shared"))
    assert (await fake.me(token)).status_code == 200
    assert (await _logout(fake, signed(logout_claims(fake, sid="shared", sub="u-nobody")))).json() == {"ended": 0}


async def test_without_a_provider_there_is_nothing_to_sign_in_with(sqlite_database: Database, tmp_path: Path) -> None:
    async with open_fake(sqlite_database, tmp_path, {"oidc_client_id": ""}) as fake, fake.door.client() as client:
        assert (await client.get("/api/auth/oidc/login")).json()["code"] == "provider_not_configured"
        assert (await _logout(fake, signed(logout_claims(fake)))).status_code == 404
        assert (await client.get("/api/config")).json()["oidc"]["enabled"] is False
        assert (await fake.me(signed(fake.claims()))).status_code == 401
        assert fake.provider.asked == []


@pytest.mark.parametrize(
    "issuer", ["http://provider.example", "ftp://x", "https://", "https://u:p@h", "https://h?x", "https://h#x", "realm"]
)
def test_an_issuer_that_is_no_https_address_is_refused_at_the_start(issuer: str) -> None:
    with pytest.raises(ValueError, match="https"):
        Settings(oidc_issuer=issuer)


async def test_an_administrator_learns_why_a_provider_cannot_be_used_and_nobody_else_does(fake: Fake) -> None:
    async with fake.door.client(await fake.door.admin_token()) as client:
        assert (await client.get("/api/settings/openid")).json()["problem"] is None
        document = json.dumps({**fake.provider.metadata(), "issuer": "https://other.example"}).encode()
        fake.provider.answers["/.well-known/openid-configuration"] = (200, document)
        checked = (await client.get("/api/settings/openid")).json()
    assert (checked["keys"], checked["problem"]) == (0, "it calls itself https://other.example")
    async with fake.door.client(await fake.door.add_user("ann", Role.MODERATOR)) as client:
        assert (await client.get("/api/settings/openid")).status_code == 403


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("PS256", RSA_KEY),
        ("RS512", RSA_KEY),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
    ],
)
async def test_every_algorithm_that_is_listed_is_understood(fake: Fake, alg: str, key: Any) -> None:
    fake.provider.keys = [public(key, "one")]
    assert (await fake.me(signed(fake.claims(), key=key, alg=alg))).status_code == 200
