"""What is remembered of each holder has an end: nonces, and how many holders."""

from __future__ import annotations

from ipaddress import ip_address

from homeport.relay.certificates.pairs import Pair
from homeport.relay.signing.meter import GENERATION, MOST_NONCES, Meter, Verdict
from homeport.relay.signing.signing import MOST_HOLDERS
from homeport.testing.clock import ManualClock
from tests.relay.signing.conftest import Desk


def test_a_nonce_is_remembered_for_a_minute_and_forgotten_not_long_after() -> None:
    meter = Meter("demo", "", 0.0)
    assert meter.take("a", 0, 29.9) is Verdict.SIGN
    for now in (30.0, 60.0, 89.9):
        assert meter.take("a", 0, now) is Verdict.USED
        assert meter.take(f"other {now}", 0, now) is Verdict.SIGN
    assert meter.take("a", 0, 120.0) is Verdict.SIGN


def test_after_a_long_pause_nothing_is_remembered() -> None:
    meter = Meter("demo", "", 0.0)
    assert meter.take("a", 0, 1.0) is Verdict.SIGN
    assert meter.take("a", 0, 3 * GENERATION) is Verdict.SIGN


def test_who_uses_up_all_nonces_of_a_generation_waits_for_the_next() -> None:
    meter = Meter("demo", "", 0.0)
    assert all(meter.take(str(number), 0, 1.0) is Verdict.SIGN for number in range(MOST_NONCES))
    assert meter.take("one more", 0, 2.0) is Verdict.TOO_MANY
    assert meter.take("one more", 0, GENERATION) is Verdict.SIGN
    assert meter.signed == MOST_NONCES + 1


async def test_so_many_holders_are_counted_and_no_more(clock: ManualClock, ec_pair: Pair) -> None:
    desk = Desk(clock, ec_pair, without_token=True)
    first = int(ip_address("10.0.0.0"))
    for number in range(MOST_HOLDERS):
        desk.signing.judge(b"GET", b"", b"", b"", str(ip_address(first + number)))
    answer = await desk.ask(token=None, peer="198.51.100.9")
    assert (answer.status, answer.code) == (429, "rate_limited")
    assert (await desk.ask(token=None, peer="10.0.0.7")).status == 200
    clock.advance(121)
    await desk.signing.flush()
    assert (await desk.ask(token=None, peer="198.51.100.9")).status == 200
