"""From the probe to the end of a lease, as clients of the reference product do it. # relay A, B"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from homeport.testing.relay_client import Refused, RelayClient, Wallet
from homeport.testing.relay_portal import DOMAIN, RelayPortal


def decoded(part: str) -> dict[str, object]:
    content = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert isinstance(content, dict)
    return content


def test_the_probe_names_protocol_and_release(portal: RelayPortal) -> None:
    # R01, relay A.1
    answer = portal.agent().request("GET", "/sdk/domain")
    assert answer.data["protocol_version"] == "7"
    assert str(answer.data["release_version"]).startswith("v")
    assert answer.fields["access-control-allow-origin"] == "*"
    assert answer.fields["content-type"].startswith("application/json")
    assert answer.body.endswith(b"\n")


def test_health_is_said_in_the_envelope(portal: RelayPortal) -> None:
    # relay A.8
    answer = portal.agent().request("GET", "/healthz")
    assert (answer.status, answer.data["status"]) == (200, "ok")


def test_a_challenge_is_a_message_of_twelve_lines(portal: RelayPortal) -> None:
    # R02, relay A.2, B.2
    client = portal.agent("demo-of-lines")
    challenge = client.challenge(ttl=60)
    lines = str(challenge["siwe_message"]).split("\n")
    authority = client.relay.authority
    assert re.fullmatch(r"rch_[0-9a-f]{16}", challenge["challenge_id"])
    assert lines[:6] == [
        f"{authority} wants you to sign in with your Ethereum account:",
        client.wallet.address,
        "",
        "Register a portal lease",
        "",
        f"URI: https://{authority}/sdk/register",
    ]
    assert lines[6:8] == ["Version: 1", "Chain ID: 1"]
    assert re.fullmatch(r"Nonce: [A-Za-z0-9]{16}", lines[8])
    assert re.fullmatch(r"Issued At: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lines[9])
    assert re.fullmatch(r"Expiration Time: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", lines[10])
    assert lines[11:] == [f"Request ID: {challenge['challenge_id']}"]
    left = datetime.fromisoformat(challenge["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=90) < left <= timedelta(seconds=121)


def test_registering_gives_a_name_a_token_and_the_time_it_lasts(portal: RelayPortal) -> None:
    # R03, relay A.3, version matrix: a superset that both dialects accept
    client = portal.agent("My_App.v2")
    given = client.register(ttl=60)
    assert given.answer["identity"] == {"name": "my-app-v2", "address": client.wallet.address}
    assert given.answer["hostname"] == given.hostname == f"my-app-v2.{DOMAIN}"
    assert given.sni_port == portal.port
    left = given.expires_at - datetime.now(UTC)
    assert timedelta(seconds=30) < left <= timedelta(seconds=61)
    client.unregister()


def test_the_token_is_a_jwt_of_the_relays_key(portal: RelayPortal) -> None:
    # relay B.4
    client = portal.agent()
    client.register(ttl=60)
    head, claims, signature = client.token.split(".")
    assert decoded(head)["alg"] == "ES256K"
    assert decoded(head)["typ"] == "JWT"
    said = decoded(claims)
    assert said["iss"] == f"https://{client.relay.authority}"
    assert said["sub"] == f"{client.name}:{client.wallet.address.lower()}"
    assert said["aud"] == ["portal-sdk"]
    assert re.fullmatch(r"tok_[0-9a-f]{16}", str(said["jti"]))
    assert said["identity"] == client.identity
    assert int(str(said["exp"])) - int(str(said["iat"])) == 60
    assert len(base64.urlsafe_b64decode(signature + "==")) == 64
    client.unregister()


@pytest.mark.parametrize("counted_from", [0, 27])
def test_a_signature_may_count_its_key_from_zero_or_from_27(portal: RelayPortal, counted_from: int) -> None:
    # relay B.3
    client = portal.agent()
    body = client.signed(client.challenge())
    raw = bytearray.fromhex(body["siwe_signature"][2:])
    raw[64] = raw[64] - 27 + counted_from
    answer = client.post("/sdk/register", {**body, "siwe_signature": f"0x{raw.hex()}"})
    assert answer.status == 201


@pytest.mark.parametrize(
    "signature", ["0x", "0x00", "", "0x" + "11" * 64, "0x" + "11" * 66, "zz" * 65, "0x" + "22" * 64 + "05", "0xabc"]
)
def test_a_signature_of_another_shape_is_answered_and_consumes_nothing(portal: RelayPortal, signature: str) -> None:
    # relay B.3, L.11: the reference drops the connection
    client = portal.agent()
    body = client.signed(client.challenge())
    answer = client.post("/sdk/register", {**body, "siwe_signature": signature})
    assert (answer.status, answer.code) in ((403, "unauthorized"), (400, "invalid_request"))
    assert client.post("/sdk/register", body).status == 201


def test_somebody_elses_signature_is_unauthorized_and_consumes_nothing(portal: RelayPortal) -> None:
    # relay A.3
    client = portal.agent()
    challenge = client.challenge()
    stranger = Wallet().sign(str(challenge["siwe_message"]))
    answer = client.post("/sdk/register", {**client.signed(challenge), "siwe_signature": stranger})
    assert (answer.status, answer.code) == (403, "unauthorized")
    assert client.post("/sdk/register", client.signed(challenge)).status == 201


def test_a_challenge_serves_once(portal: RelayPortal) -> None:
    # relay A.3
    client = portal.agent()
    body = client.signed(client.challenge())
    assert client.post("/sdk/register", body).status == 201
    again = client.post("/sdk/register", body)
    assert (again.status, again.code) == (400, "invalid_request")


@pytest.mark.parametrize("change", ["text", "id"])
def test_a_text_or_an_id_that_is_not_the_challenges_is_invalid(portal: RelayPortal, change: str) -> None:
    # relay A.3
    client = portal.agent()
    challenge = client.challenge()
    if change == "text":
        body = client.signed({**challenge, "siwe_message": f"{challenge['siwe_message']}0"})
    else:
        body = {**client.signed(challenge), "challenge_id": "rch_0000000000000000"}
    answer = client.post("/sdk/register", body)
    assert (answer.status, answer.code) == (400, "invalid_request")


def test_white_space_around_the_text_changes_nothing(portal: RelayPortal) -> None:
    # relay A.3: compared after trimming both ends
    client = portal.agent()
    body = client.signed(client.challenge())
    assert client.post("/sdk/register", {**body, "siwe_message": f"\n{body['siwe_message']}\n "}).status == 201


def test_renewing_gives_a_fresh_token_and_a_later_end(portal: RelayPortal, client: RelayClient) -> None:
    # R04, relay A.4
    before = client.token
    renewed = client.renew(ttl=300, metadata={"description": "renewed"})
    assert client.token != before
    left = datetime.fromisoformat(renewed["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=250) < left <= timedelta(seconds=301)
    # relay B.4: what was given before stays good until its own end
    assert client.post("/sdk/renew", {"access_token": before}).status == 200


def test_a_token_may_come_in_the_header_instead_of_the_body(client: RelayClient) -> None:
    # relay A.4, seed: "via the X-Portal-Access-Token header or in the JSON request body"
    assert client.post("/sdk/renew", {}, token=client.token).status == 200
    assert client.post("/sdk/unregister", {}, token=client.token).data == {}


def test_a_time_to_live_without_reason_is_cut_and_the_true_end_is_said(portal: RelayPortal) -> None:
    # relay L.2, M.10
    client = portal.agent()
    given = client.register(ttl=10_000_000)
    assert given.expires_at - datetime.now(UTC) <= timedelta(hours=1, seconds=1)
    client.unregister()


@pytest.mark.parametrize("ttl", [0, -5, None])
def test_without_a_time_to_live_it_is_two_minutes(portal: RelayPortal, ttl: int | None) -> None:
    # relay A.2, E
    client = portal.agent()
    options: dict[str, object] = {} if ttl is None else {"ttl": ttl}
    given = client.register(reported_ip="", **options)
    left = given.expires_at - datetime.now(UTC)
    assert timedelta(seconds=90) < left <= timedelta(seconds=121)
    client.unregister()


def test_unregistering_ends_the_lease_and_frees_the_name(portal: RelayPortal, client: RelayClient) -> None:
    # R05, relay A.5
    client.unregister()
    with pytest.raises(Refused) as refused:
        client.renew()
    assert (refused.value.status, refused.value.code) == (404, "lease_not_found")  # relay M.9
    other = portal.agent(client.name)
    assert other.register().hostname == f"{client.name}.{DOMAIN}"


def test_registering_again_with_the_same_key_replaces_the_lease(client: RelayClient) -> None:
    # relay E: this is how clients recover
    session = client.connect()
    assert client.register().hostname == f"{client.name}.{DOMAIN}"
    with pytest.raises(EOFError):
        session.wait(10)


def test_keys_in_any_case_more_keys_and_bytes_after_the_value_do_not_matter(portal: RelayPortal) -> None:
    # relay A.0
    client = portal.agent()
    identity = {"NAME": client.name, "Address": client.wallet.address.lower(), "extra": [1]}
    body = json.dumps({"Identity": identity, "TTL": 60, "unknown": {"deep": True}}).encode()
    answer = client.request("POST", "/sdk/register/challenge", body + b' {"identity": 5} trailing')
    assert answer.status == 201
    assert client.post("/sdk/register", client.signed(answer.data)).data["identity"] == client.identity


def test_a_lease_outlives_a_restart_of_the_relay(tmp_path_factory: pytest.TempPathFactory) -> None:
    # relay L.16: clients go on without registering anew
    with RelayPortal(tmp_path_factory.mktemp("restart")) as portal:
        client = portal.agent()
        client.register(ttl=600, metadata={"description": "kept"})
        portal.stop()
        portal.start()
        assert client.renew()["access_token"]
        client.connect().close()


def test_an_older_client_finds_its_protocol_where_it_is_set(tmp_path_factory: pytest.TempPathFactory) -> None:
    # relay 0: clients compare for equality; those of protocol 5 need the hostname in the answer
    with RelayPortal(tmp_path_factory.mktemp("five"), {"relay_protocol": "5"}) as portal:
        client = portal.agent(protocol="5")
        assert client.probe()["protocol_version"] == "5"
        assert client.register().hostname == f"{client.name}.{DOMAIN}"
        with pytest.raises(ValueError, match="protocol 5"):
            portal.agent().probe()
