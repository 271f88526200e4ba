"""R29: signatures of handshakes for who holds a lease; every refusal of the digest's D.1."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.relay.certificates.pairs import Pair
from homeport.relay.signing.replies import Reply
from homeport.testing.certificates import TestAuthority
from homeport.testing.clock import ManualClock
from tests.relay.signing.conftest import PEER, TOKEN, Answer, Desk, pair_with

HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}
TEXT = b"what a handshake hashes"


def digest_of(algorithm: str) -> bytes:
    return hashlib.new(algorithm.rpartition("_")[2].lower(), TEXT).digest()


def assert_signed(pair: Pair, algorithm: str, answer: Answer) -> None:
    assert answer.status == 200
    assert list(answer.json) == ["key_id", "algorithm", "signature"]  # no envelope
    assert answer.json["key_id"] == "relay-cert"
    assert answer.json["algorithm"] == algorithm
    signature = base64.b64decode(answer.json["signature"], validate=True)
    key, hash_ = pair.leaf.public_key(), HASHES[algorithm.rpartition("_")[2]]
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, digest_of(algorithm), ec.ECDSA(Prehashed(hash_)))
        return
    assert isinstance(key, rsa.RSAPublicKey)
    pss = padding.PSS(padding.MGF1(hash_), salt_length=hash_.digest_size)
    how = pss if "PSS" in algorithm else padding.PKCS1v15()
    key.verify(signature, digest_of(algorithm), how, Prehashed(hash_))


# R29
@pytest.mark.parametrize("algorithm", ["ECDSA_SHA256", "ECDSA_SHA384", "ECDSA_SHA512"])
async def test_a_digest_is_signed_with_the_relays_key_without_an_envelope(desk: Desk, algorithm: str) -> None:
    assert desk.pair is not None
    assert_signed(desk.pair, algorithm, await desk.ask(desk.wanted(digest_of(algorithm), algorithm)))


# R29
@pytest.mark.parametrize("scheme", ["RSA_PKCS1V15", "RSA_PSS"])
@pytest.mark.parametrize("hash_", HASHES)
async def test_an_rsa_key_signs_in_both_schemes_with_a_salt_as_long_as_the_hash(
    clock: ManualClock, rsa_pair: Pair, scheme: str, hash_: str
) -> None:
    desk = Desk(clock, rsa_pair)
    algorithm = f"{scheme}_{hash_}"
    assert_signed(rsa_pair, algorithm, await desk.ask(desk.wanted(digest_of(algorithm), algorithm)))


async def test_a_key_on_p_384_signs_too(clock: ManualClock, signer: TestAuthority) -> None:
    pair = pair_with(signer, clock, ec.generate_private_key(ec.SECP384R1()))
    desk = Desk(clock, pair)
    assert_signed(pair, "ECDSA_SHA384", await desk.ask(desk.wanted(digest_of("ECDSA_SHA384"), "ECDSA_SHA384")))


# relay D.1: the reference does not cross-check key and algorithm
async def test_an_algorithm_of_another_kind_of_key_is_refused(clock: ManualClock, desk: Desk, rsa_pair: Pair) -> None:
    for name in ("RSA_PSS_SHA256", "RSA_PKCS1V15_SHA256", "ED25519", "ecdsa_sha256", "ECDSA_SHA1"):
        answer = await desk.ask(desk.wanted(algorithm=name))
        assert answer.status == 400
        assert "ECDSA_SHA256" in answer.error
    other = Desk(clock, rsa_pair)
    assert (await other.ask(other.wanted())).status == 400


# relay D.1: the reference does not check the length for ECDSA
@pytest.mark.parametrize(("algorithm", "size"), [("ECDSA_SHA256", 48), ("ECDSA_SHA384", 32), ("ECDSA_SHA512", 0)])
async def test_a_digest_of_another_length_is_refused(desk: Desk, algorithm: str, size: int) -> None:
    assert (await desk.ask(desk.wanted(bytes(size), algorithm))).status == 400
    assert (await desk.ask(desk.wanted(bytes(31)))).status == 400


# R29
@pytest.mark.parametrize("missing", ["key_id", "algorithm", "digest", "nonce"])
async def test_a_missing_field_is_named(desk: Desk, missing: str) -> None:
    body = desk.wanted()
    del body[missing]
    assert missing in (await desk.ask(body)).error
    assert (await desk.ask({**desk.wanted(), missing: ""})).status == 400
    assert (await desk.ask({**desk.wanted(), missing: 7})).status == 400
    assert (await desk.ask({**desk.wanted(), missing: None})).status == 400


# R29
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"7", b"\xff\xfe", b'{"key_id":', b"[" * 4000])
async def test_what_is_no_json_object_is_a_plain_400(desk: Desk, body: bytes) -> None:
    answer = await desk.ask(body)
    assert answer.status == 400
    assert list(answer.json) == ["error"]


# relay A.0: over the cap it is the same as malformed JSON
async def test_a_body_above_4_kib_is_a_400(desk: Desk) -> None:
    assert (await desk.ask({**desk.wanted(), "more": "x" * 4096})).status == 400


# relay A.0
async def test_keys_come_in_any_case_and_what_follows_the_first_value_does_not_matter(desk: Desk) -> None:
    asked = {key.upper(): value for key, value in desk.wanted().items()}
    assert (await desk.ask(asked)).status == 200
    assert (await desk.ask(json.dumps({**desk.wanted(), "unknown": [1]}).encode() + b"\n{}")).status == 200


# R29
async def test_another_key_is_not_there(desk: Desk) -> None:
    answer = await desk.ask(desk.wanted(key_id="apex"))
    assert (answer.status, list(answer.json)) == (403, ["error"])


# R29
async def test_a_clock_may_be_thirty_seconds_wrong_and_no_more(desk: Desk) -> None:
    now = int(desk.clock.now().timestamp())
    for skew in (-30, 0, 30):
        assert (await desk.ask(desk.wanted(timestamp_unix=now + skew))).status == 200
    for skew in (-31, 31, -(10**9), 2**62):
        assert (await desk.ask(desk.wanted(timestamp_unix=now + skew))).status == 400
    wrong_ones: tuple[object, ...] = ("soon", now + 0.5, True, [], 10**300, None)
    for wrong in wrong_ones:
        assert (await desk.ask(desk.wanted(timestamp_unix=wrong))).status == 400


# R29
async def test_a_content_type_has_to_be_json_if_there_is_one(desk: Desk) -> None:
    assert (await desk.ask(kind=None)).status == 200
    assert (await desk.ask(kind="application/json; charset=utf-8")).status == 200
    assert (await desk.ask(kind="Application/JSON")).status == 200
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = await desk.ask(kind=kind)
        assert (answer.status, list(answer.json)) == (415, ["error"])


# R29
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_is_told_which_one_it_is(desk: Desk, method: str) -> None:
    answer = await desk.ask(b"", method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert list(answer.json) == ["error"] if method != "HEAD" else not answer.body  # RFC 9110 section 9.3.2


# relay L.1: in the reference's first release anybody could have the key sign
async def test_without_a_token_of_a_lease_nothing_is_signed_and_the_refusal_is_enveloped(desk: Desk) -> None:
    for token in (None, "", "wrong"):
        answer = await desk.ask(token=token)
        assert (answer.status, answer.code) == (403, "unauthorized")


# R29
async def test_a_good_token_whose_lease_has_gone_hears_that(desk: Desk) -> None:
    desk.gone.add(TOKEN)
    answer = await desk.ask()
    assert (answer.status, answer.code) == (404, "lease_not_found")


# relay L.12: a ban, a denial and a missing approval end signing at once
async def test_an_identity_that_may_not_be_visited_gets_no_signature(desk: Desk) -> None:
    assert (await desk.ask()).status == 200
    desk.unroutable.add(desk.leases[TOKEN].key)
    answer = await desk.ask()
    assert (answer.status, answer.code) == (403, "lease_rejected")


# relay D.1: "checked before the method"
async def test_the_token_is_judged_before_the_method_and_the_body(desk: Desk) -> None:
    assert (await desk.ask(b"", method="GET", token="wrong")).code == "unauthorized"
    assert (await desk.ask(b"{", kind="text/plain", token="wrong")).code == "unauthorized"


# R29
async def test_without_a_key_there_is_no_such_path(desk: Desk) -> None:
    desk.pair = None
    answer = await desk.ask(token="wrong")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("text/plain")


async def test_another_pair_signs_from_the_next_request_on(desk: Desk, signer: TestAuthority) -> None:
    await desk.ask()
    desk.pair = pair_with(signer, desk.clock, ec.generate_private_key(ec.SECP256R1()))
    assert_signed(desk.pair, "ECDSA_SHA256", await desk.ask(desk.wanted(digest_of("ECDSA_SHA256"))))


# relay L.1: replays
async def test_a_nonce_counts_once_within_the_time_that_its_request_could_come_again(desk: Desk) -> None:
    asked = desk.wanted(timestamp_unix=int(desk.clock.now().timestamp()) + 30)
    assert (await desk.ask(asked)).status == 200
    for _ in range(6):
        assert "nonce" in (await desk.ask(asked)).error
        assert "nonce" in (await desk.ask({**asked, "timestamp_unix": int(desk.clock.now().timestamp())})).error
        desk.clock.advance(10)
        await desk.ask()  # others go on meanwhile
    assert "nonce" in (await desk.ask(asked)).error
    desk.clock.advance(1)
    assert "timestamp" in (await desk.ask(asked)).error


async def test_a_nonce_that_was_refused_for_another_reason_is_not_used_up(desk: Desk) -> None:
    asked = desk.wanted()
    assert (await desk.ask({**asked, "algorithm": "RSA_PSS_SHA256"})).status == 400
    assert (await desk.ask(asked)).status == 200


async def test_a_nonce_is_not_longer_than_anybody_needs(desk: Desk) -> None:
    assert (await desk.ask(desk.wanted(nonce="a" * 128))).status == 200
    assert (await desk.ask(desk.wanted(nonce="a" * 129))).status == 400


async def test_two_tunnels_may_come_upon_the_same_nonce(desk: Desk) -> None:
    desk.register("other", "other-token")
    asked = desk.wanted()
    assert (await desk.ask(asked)).status == 200
    assert (await desk.ask(asked, token="other-token")).status == 200


# relay D.1: the reference has no limit
async def test_one_tunnel_has_so_many_signatures_a_minute_and_others_have_theirs(
    clock: ManualClock, ec_pair: Pair
) -> None:
    desk = Desk(clock, ec_pair, limit=3)
    desk.register("other", "other-token")
    assert [(await desk.ask()).status for _ in range(4)] == [200, 200, 200, 429]
    answer = await desk.ask()
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert (await desk.ask(token="other-token")).status == 200
    clock.advance(60)
    assert (await desk.ask()).status == 200


async def test_who_registers_again_has_the_same_minute(clock: ManualClock, ec_pair: Pair) -> None:
    desk = Desk(clock, ec_pair, limit=1)
    assert (await desk.ask()).status == 200
    desk.register("demo", TOKEN)
    assert (await desk.ask()).status == 429


# relay 0.3: a switch, off by default, for clients that cannot send a token
async def test_clients_without_a_token_are_served_where_that_is_switched_on_and_counted_by_address(
    clock: ManualClock, ec_pair: Pair
) -> None:
    desk = Desk(clock, ec_pair, limit=1, without_token=True)
    assert (await desk.ask(token=None)).status == 200
    assert (await desk.ask(token=None)).status == 429
    assert (await desk.ask(token=None, peer="198.51.100.8")).status == 200
    assert (await desk.ask(token="wrong")).code == "unauthorized"


async def test_the_audit_log_hears_once_a_minute_what_was_signed_for_whom(desk: Desk) -> None:
    desk.register("other", "other-token")
    for _ in range(3):
        await desk.ask()
    asked = desk.wanted()
    await desk.ask(asked, token="other-token")
    await desk.ask(asked, token="other-token")
    await desk.signing.flush()
    told = {act.target_id: (act.action, act.target_type, act.address, act.details) for act in desk.acts}
    assert told == {
        "demo.portal.test": ("sign_handshakes", "tunnel", PEER, {"signed": 3, "refused": 0}),
        "other.portal.test": ("sign_handshakes", "tunnel", PEER, {"signed": 1, "refused": 1}),
    }
    assert desk.acts[0].actor.name == desk.leases[TOKEN].key
    await desk.signing.flush()
    assert len(desk.acts) == 2


async def test_who_has_been_idle_is_forgotten(desk: Desk) -> None:
    await desk.ask()
    desk.clock.advance(121)
    await desk.signing.flush()
    assert not desk.signing._meters
    assert (await desk.ask()).status == 200


async def test_the_connection_stays_open_unless_the_client_wants_it_closed(desk: Desk) -> None:
    assert "connection" not in (await desk.ask()).headers
    assert (await desk.ask(more="Connection: close")).headers["connection"] == "close"


async def test_every_answer_has_a_date(desk: Desk) -> None:
    assert (await desk.ask()).headers["date"] == "Sun, 29 Mar 2026 10:00:00 GMT"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(["key_id", "algorithm", "digest", "nonce", "timestamp_unix", "KEY_ID", "other"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200) | st.dictionaries(FIELDS, VALUES).map(lambda each: json.dumps(each).encode()))
def test_no_body_makes_it_fail_or_sign(desk: Desk, body: bytes) -> None:
    answer = desk.signing.judge(b"POST", TOKEN.encode(), b"application/json", body, PEER)
    assert isinstance(answer, Reply)
    assert answer.status in (400, 403)
    assert set(json.loads(answer.body)) == {"error"}
