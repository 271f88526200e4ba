"""Bans of addresses: one spelling for each, and networks. Digest E: the reference compares text exactly."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeport.relay import banned_networks
from homeport.relay.banned_networks import BannedNetworks
from homeport.relay.problems import InvalidIp


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1/32", "192.0.2.1"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("2001:db8::1/32", "2001:db8::/32"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::/0", "::/0"),
    ],
)
def test_every_spelling_is_kept_as_one(written: str, kept: str) -> None:
    assert BannedNetworks.canonical(written) == kept


@pytest.mark.parametrize(
    "written", ["", "localhost", "192.0.2", "192.0.2.1/33", "fe80::1%eth0", "1" * 5000, "10.0.0.0/8/8"]
)
def test_what_is_no_network_is_refused(written: str) -> None:
    with pytest.raises(InvalidIp):
        BannedNetworks.canonical(written)


def test_an_address_is_found_in_whatever_spelling_it_comes() -> None:
    banned = BannedNetworks(["192.0.2.1", "2001:db8::1"])

    assert banned.holds("::ffff:192.0.2.1")
    assert banned.holds("2001:DB8:0:0:0:0:0:1")
    assert banned.holds("2001:db8::1%eth0")
    assert not banned.holds("192.0.2.2")
    assert not banned.holds("2001:db8::2")


def test_a_network_holds_its_addresses_only() -> None:
    banned = BannedNetworks(["10.0.0.0/8", "2001:db8::/32"])

    assert banned.holds("10.255.255.255")
    assert banned.holds("2001:db8:ffff::1")
    assert not banned.holds("11.0.0.0")
    assert not banned.holds("2001:db9::1")


def test_text_that_is_no_address_is_not_banned() -> None:
    assert not BannedNetworks(["0.0.0.0/0"]).holds("nobody")


def test_a_network_that_is_taken_back_holds_nothing() -> None:
    banned = BannedNetworks(["10.0.0.0/8", "10.0.0.1"])
    banned.remove("10.0.0.0/8")

    assert banned.listed() == ["10.0.0.1"]
    assert not banned.holds("10.0.0.2")
    assert len(banned) == 1


def test_what_was_looked_up_before_follows_the_next_change() -> None:
    banned = BannedNetworks(["10.0.0.0/8"])
    assert not banned.holds("192.0.2.1")

    banned.add("192.0.2.0/24")
    assert banned.holds("192.0.2.1")
    banned.remove("192.0.2.0/24")
    assert not banned.holds("192.0.2.1")


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banned_networks, "REMEMBERED", 3)
    banned = BannedNetworks(["10.0.0.0/8"])

    assert [banned.holds(f"10.0.0.{host}") for host in range(20)] == [True] * 20
    assert [banned.holds(f"11.0.0.{host}") for host in range(20)] == [False] * 20


@given(st.lists(st.ip_addresses(), max_size=20), st.ip_addresses())
def test_it_holds_what_was_added_and_nothing_else(
    added: list[ipaddress.IPv4Address], asked: ipaddress.IPv4Address
) -> None:
    banned = BannedNetworks(map(str, added))

    canonical = {BannedNetworks.canonical(str(one)) for one in added}
    assert banned.holds(str(asked)) == (BannedNetworks.canonical(str(asked)) in canonical)
    assert set(banned.listed()) == canonical
