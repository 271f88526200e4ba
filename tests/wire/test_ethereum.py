"""Addresses, signatures and recovery, against vectors computed elsewhere."""

from __future__ import annotations

import hashlib

import pytest

from homeport.wire.ethereum import (
    InvalidAddress,
    InvalidSignature,
    address_of,
    checksum_address,
    keccak256,
    message_digest,
    new_key,
    public_key,
    recover,
    recover_message,
    sign,
    sign_message,
)

KEY = b"\x11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


def test_the_empty_message_has_keccaks_digest() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_a_key_has_its_address_and_public_key() -> None:  # relay B.6
    assert address_of(KEY) == ADDRESS
    assert public_key(KEY).hex() == "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa"


def test_addresses_are_taken_in_one_case_or_in_the_right_one() -> None:  # relay B.1
    assert checksum_address(ADDRESS.lower()) == ADDRESS
    assert checksum_address("0X" + ADDRESS[2:].upper()) == ADDRESS
    assert checksum_address(f" {ADDRESS} ") == ADDRESS
    for wrong in ("0x19e7E376E7C213B7E7e7e46cc70A5dD086DAff2A", ADDRESS[2:], ADDRESS[:-1], ADDRESS + "0", "", "0xzz"):
        with pytest.raises(InvalidAddress):
            checksum_address(wrong)


def test_whoever_signed_a_text_is_recovered() -> None:
    signature = sign_message(KEY, "hello")
    assert signature[-2:] in ("1b", "1c")
    assert recover_message("hello", signature) == ADDRESS
    counted_from_zero = f"{signature[:-2]}{int(signature[-2:], 16) - 27:02x}"
    assert recover_message("hello", counted_from_zero) == ADDRESS
    assert recover_message("hullo", signature) != ADDRESS


def test_a_signature_of_any_other_length_or_kind_is_refused() -> None:  # relay B.3, L.11
    good = sign_message(KEY, "hello")
    for wrong in (
        "",
        "0x",
        good[2:],
        good[:-2],
        good[:100],
        good + "00",
        good[:-2] + "1d",
        "0x" + "0" * 130,
        "0x" + "f" * 130,
    ):
        with pytest.raises(InvalidSignature):
            recover_message("hello", wrong)


def test_digests_are_signed_and_recovered_with_both_ways_to_count() -> None:
    digest = hashlib.sha256(b"descriptor").digest()
    signature = sign(KEY, digest)
    assert recover(digest, signature) == ADDRESS
    assert recover(digest, signature[:64] + bytes([signature[64] + 27])) == ADDRESS
    for wrong in (signature[:64], b"", signature[:64] + b"\x05", bytes(65)):
        with pytest.raises(InvalidSignature):
            recover(digest, wrong)


def test_a_new_key_is_a_key() -> None:
    one, other = new_key(), new_key()
    assert one != other
    assert len(one) == 32
    assert address_of(one).startswith("0x")


def test_a_texts_digest_counts_bytes() -> None:
    assert message_digest("ü".encode()) == keccak256(b"\x19Ethereum Signed Message:\n2" + "ü".encode())
