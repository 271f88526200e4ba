"""The text that wallets sign to say who they are."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.wire.ethereum import address_of, message_digest, recover_message, sign_message
from homeport.wire.siwe import InvalidMessage, SiweMessage, compose, is_authority, parse

KEY = bytes([0x11]) * 32
MESSAGE = SiweMessage(
    domain="localhost:4017",
    address=address_of(KEY),
    statement="Register a portal lease",
    uri="https://localhost:4017/sdk/register",
    nonce="AbCdEfGhIjKlMnOp",
    issued_at=datetime(2026, 5, 1, 0, 0, 0, tzinfo=UTC),
    expires_at=datetime(2026, 5, 1, 0, 2, 0, tzinfo=UTC),
    request_id="rch_0011223344556677",
)
TEXT = """localhost:4017 wants you to sign in with your Ethereum account:
0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A

Register a portal lease

URI: https://localhost:4017/sdk/register
Version: 1
Chain ID: 1
Nonce: AbCdEfGhIjKlMnOp
Issued At: 2026-05-01T00:00:00Z
Expiration Time: 2026-05-01T00:02:00Z
Request ID: rch_0011223344556677"""


def test_the_vector_has_its_text_its_hash_and_its_signature() -> None:
    text = compose(MESSAGE)  # relay B.6
    assert text == TEXT
    assert len(text) == 323
    assert message_digest(text.encode()).hex() == "31288ca798cb80f454b3293c14047aa96cb8745fcaa0acc9339cece79cb082a3"
    signature = sign_message(KEY, text)
    assert signature == (
        "0x6ff2a31866542d72d5371d5312342ab8a3140e00a1e5de4a9f46d8efc4272b8c"
        "4997edc6b8630c5ab7a7d16ebb8818a78bdfa6b4082ede6eb83ba8e794682ef01b"
    )
    assert recover_message(text, signature) == MESSAGE.address


def test_what_was_composed_is_parsed_back() -> None:
    assert parse(compose(MESSAGE)) == MESSAGE


@given(
    st.from_regex(r"[a-z0-9.-]{1,40}(:[0-9]{1,5})?", fullmatch=True).filter(is_authority),
    st.from_regex(r"[A-Za-z0-9]{8,32}", fullmatch=True),
    st.integers(0, 4_000_000_000),
    st.from_regex(r"[A-Za-z ]{1,60}", fullmatch=True),
)
def test_every_message_survives_the_way_there_and_back(domain: str, nonce: str, second: int, statement: str) -> None:
    issued_at = datetime.fromtimestamp(second, UTC)
    message = replace(MESSAGE, domain=domain, nonce=nonce, issued_at=issued_at, statement=statement)
    assert parse(compose(message)) == message


@given(st.text(max_size=400))
def test_any_text_is_a_message_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidMessage):
        parse(text)


@given(st.integers(0, len(TEXT) - 1), st.characters())
def test_a_message_with_one_other_letter_is_another_message_or_none(place: int, letter: str) -> None:
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    try:
        found = parse(changed)
    except InvalidMessage:
        return
    assert changed == TEXT or found != MESSAGE


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT + "\n",
        TEXT.replace("Version: 1", "Version: 2"),
        TEXT.replace("AbCdEfGhIjKlMnOp", "short"),
        TEXT.replace("Chain ID: 1", "Chain ID: one"),
        TEXT.replace("2026-05-01T00:00:00Z", "2026-13-01T00:00:00Z"),
        TEXT.replace("2026-05-01T00:00:00Z", "yesterday"),
        TEXT.replace("localhost:4017 wants", "http://localhost wants"),
        TEXT.replace("0x19E7", "19E7"),
        TEXT.replace("Request ID: ", "Resources: "),
        TEXT.replace("\n", "\r\n"),
        "\n" * 11,
        "x" * 100_000,
    ],
)
def test_other_layouts_are_refused(text: str) -> None:
    with pytest.raises(InvalidMessage):
        parse(text)


@pytest.mark.parametrize("host", ["localhost", "localhost:4017", "relay.example.com", "127.0.0.1:1", "[::1]:8443"])
def test_hosts_with_and_without_ports_are_authorities(host: str) -> None:
    assert is_authority(host)


@pytest.mark.parametrize("host", ["", "a b", "user@host", "host/path", "a\nb", "host:port", "[::1", "x" * 300, "-host"])
def test_what_is_no_host_is_no_authority(host: str) -> None:
    assert not is_authority(host)
