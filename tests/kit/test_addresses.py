"""Addresses with a port, as people write them."""

from __future__ import annotations

import pytest

from homeport.kit.addresses import address_and_port


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:", ("192.0.2.1", 53)),
        (" 192.0.2.1:5353 ", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_an_address_has_a_port_or_the_usual_one(text: str, meant: tuple[str, int]) -> None:
    assert address_and_port(text, 53) == meant


@pytest.mark.parametrize(
    "text", ["", "ns.example.com", "192.0.2.1:x", "192.0.2.1:0", "192.0.2.1:65536", "[::1", "[::1]x", "1.2"]
)
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        address_and_port(text, 53)
