"""Identities as they stand in the administration's paths (digest F.4)."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.relay.admin_routes import identity_in_path
from homeport.relay.problems import InvalidAddress, InvalidRequest
from homeport.wire.ethereum import address_of

ADDRESS = address_of(bytes([0x33]) * 32)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


def padded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode()


def unpadded(text: str) -> str:
    return padded(text).rstrip("=")


@given(LABELS, st.sampled_from([padded, unpadded, str]), st.sampled_from([ADDRESS, ADDRESS.lower()]))
def test_every_identity_is_read_in_every_spelling(name: str, spell: Callable[[str], str], address: str) -> None:
    identity = identity_in_path(spell(name), spell(address))

    assert (identity.name, identity.address) == (name, ADDRESS)


def test_a_plain_name_that_could_be_base64url_is_taken_as_it_is() -> None:
    assert identity_in_path("c2hvcA", ADDRESS).name == "c2hvca"
    assert identity_in_path("c2hvcA", unpadded(ADDRESS)).name == "shop"


@given(st.text(max_size=200), st.text(max_size=200))
def test_anything_else_is_refused_in_words_of_the_seed(name: str, address: str) -> None:
    with pytest.raises((InvalidRequest, InvalidAddress)) as refused:
        identity_in_path(name, address)
    assert refused.value.status == 400


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_so_is_base64url_of_anything(name: bytes, address: bytes) -> None:
    with pytest.raises((InvalidRequest, InvalidAddress)):
        identity_in_path(urlsafe_b64encode(name).decode(), urlsafe_b64encode(address).decode())
