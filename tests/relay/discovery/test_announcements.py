"""How often one address may announce."""

from __future__ import annotations

import pytest

from homeport.relay.discovery import announcements as module
from homeport.relay.discovery.announcements import Announcements
from homeport.relay.problems import RateLimited


def test_ten_at_once_then_five_a_minute() -> None:  # relay G.4
    some = Announcements()
    for _ in range(10):
        some.take("192.0.2.1", 0.0)
    with pytest.raises(RateLimited) as refused:
        some.take("192.0.2.1", 0.0)
    assert refused.value.details == {"retry_after": 13}
    some.take("192.0.2.2", 0.0)
    some.take("192.0.2.1", 12.5)
    with pytest.raises(RateLimited):
        some.take("192.0.2.1", 13.0)


def test_addresses_are_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ADDRESSES", 100)
    some = Announcements()
    for n in range(1000):
        some.take(f"192.0.{n % 250}.{n // 250}", 0.0)
    assert len(some._buckets) == 100
    some.take("198.51.100.1", 1801.0)
    assert len(some._buckets) == 1


def test_an_ipv6_network_counts_as_one() -> None:
    some = Announcements()
    for n in range(10):
        some.take(f"2001:db8::{n}", 0.0)
    with pytest.raises(RateLimited):
        some.take("2001:db8::ffff", 0.0)
