"""Whose descriptors are taken, and whose are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from homeport.relay.discovery import peers as module
from homeport.relay.discovery.peers import Peers, Refused, is_local
from homeport.testing.clock import ManualClock
from homeport.wire.ethereum import address_of
from homeport.wire.relay_descriptor import SECOND, Descriptor

ALICE, BOB = b"\x11" * 32, b"\x22" * 32
EVERY = timedelta(seconds=30)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def peers(clock: ManualClock) -> Peers:
    return Peers(clock, "7", "https://own.example.org", "own.example.org", ["https://boot.example.org"])


def descriptor(
    clock: ManualClock, key: bytes = ALICE, url: str = "https://one.example.org", at: float = 0, lasts: int = 300
) -> Descriptor:
    issued = int(clock.now().timestamp() * SECOND) + int(at * SECOND)
    return Descriptor(address_of(key), "7", issued, issued + lasts * SECOND, url).signed(key)


def test_a_good_one_is_taken_and_passed_on_unchanged(peers: Peers, clock: ManualClock) -> None:  # relay G.4
    given = descriptor(clock)
    assert peers.accept(given)
    assert [each.raw for each in peers.current()] == [given.raw]


def test_an_older_one_of_the_same_relay_changes_nothing(peers: Peers, clock: ManualClock) -> None:
    newer = descriptor(clock)
    peers.accept(newer)
    assert not peers.accept(descriptor(clock, at=-10))
    assert peers.current() == [newer]


def test_a_relay_is_not_rolled_back_to_another_address(peers: Peers, clock: ManualClock) -> None:
    peers.accept(descriptor(clock))
    with pytest.raises(Refused, match="newer"):
        peers.accept(descriptor(clock, url="https://two.example.org", at=-10))


def test_an_address_is_not_taken_over_unless_it_says_so_itself(peers: Peers, clock: ManualClock) -> None:
    peers.accept(descriptor(clock))
    other = descriptor(clock, BOB)
    with pytest.raises(Refused, match="another relay"):
        peers.accept(other)
    with pytest.raises(Refused, match="another relay"):
        peers.accept(other, asked="https://boot.example.org")
    assert peers.accept(other, asked="https://one.example.org")
    assert peers.current() == [other]


def test_an_address_whose_descriptor_has_expired_is_free(peers: Peers, clock: ManualClock) -> None:  # relay L.18
    peers.accept(descriptor(clock))
    clock.advance(301)
    assert peers.current() == []
    assert peers.accept(descriptor(clock, BOB))


@pytest.mark.parametrize(
    ("at", "lasts", "reason"),
    [(200, 300, "future"), (-400, 300, "expired"), (0, 1000, "too long"), (0, 0, "expired"), (10, -5, "too long")],
)
def test_times_have_to_make_sense(peers: Peers, clock: ManualClock, at: float, lasts: int, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        peers.accept(descriptor(clock, at=at, lasts=lasts))


@pytest.mark.parametrize(
    "url",
    [
        "https://own.example.org",
        "https://own.example.org:444",
        "https://localhost:4017",
        "https://x.localhost",
        "https://127.0.0.1",
        "https://192.168.1.4",
        "https://[::1]",
        "https://box",
        "https://nas.local",
    ],
)
def test_our_own_and_local_addresses_are_no_peers(peers: Peers, clock: ManualClock, url: str) -> None:
    with pytest.raises(Refused):
        peers.accept(descriptor(clock, url=url))


def test_a_false_signature_and_another_version_are_refused(peers: Peers, clock: ManualClock) -> None:  # relay L.18
    with pytest.raises(Refused, match="signature"):
        peers.accept(replace(descriptor(clock), connections=9))
    with pytest.raises(Refused, match="version"):
        peers.accept(replace(descriptor(clock), version="5"))


def test_too_many_push_out_who_was_only_heard_of(
    peers: Peers, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PEERS", 3)
    peers.accept(descriptor(clock, BOB, "https://boot.example.org"))
    key = [bytes([n]) * 32 for n in range(1, 9)]
    peers.accept(descriptor(clock, key[0], "https://known.example.org"), asked="https://known.example.org")
    for n in range(1, 5):
        peers.accept(descriptor(clock, key[n], f"https://p{n}.example.org"))
    assert [each.url for each in peers.current()] == [
        "https://boot.example.org",
        "https://known.example.org",
        "https://p4.example.org",
    ]


def test_who_does_not_answer_is_asked_less_and_less(peers: Peers, clock: ManualClock) -> None:
    peers.accept(descriptor(clock))
    assert peers.due() == ["https://one.example.org"]
    for _ in range(4):
        peers.failed("https://one.example.org", EVERY)
    clock.advance(31)
    assert peers.due() == ["https://one.example.org"]
    peers.failed("https://one.example.org", EVERY)
    clock.advance(31)
    assert peers.due() == []
    clock.advance(30)
    assert peers.due() == ["https://one.example.org"]
    peers.answered("https://one.example.org", EVERY)
    assert peers.due() == []


def test_peers_are_kept_and_what_is_over_is_not_loaded(peers: Peers, clock: ManualClock) -> None:
    peers.accept(descriptor(clock), asked="https://one.example.org")
    peers.accept(descriptor(clock, BOB, "https://two.example.org", lasts=600))
    rows = peers.rows()
    clock.advance(400)
    again = Peers(clock, "7", "https://own.example.org", "own.example.org", [])
    again.load(rows)
    assert [each.url for each in again.current()] == ["https://two.example.org"]


def test_local_names_are_known() -> None:
    assert is_local("localhost")
    assert is_local("10.0.0.1")
    assert not is_local("relay.example.org")
    assert not is_local("8.8.8.8")
