"""The flows of one public UDP port (relay C.8, L.12, L.13)."""

from __future__ import annotations

from homeport.relay.udp.flows import FIRST_ANSWER_BYTES, Flow, Flows

VISITOR = ("203.0.113.7", 5000)


def begun(flows: Flows, address: tuple[str, int] = VISITOR, now: float = 0.0, size: int = 10) -> Flow:
    heard = flows.heard(address, size, now)
    assert heard is not None
    return heard[0]


def test_flows_are_numbered_from_one_by_address_and_port() -> None:
    flows = Flows()
    assert begun(flows).id == 1
    assert begun(flows, ("203.0.113.7", 5001)).id == 2
    assert begun(flows, now=3.0).id == 1
    assert len(flows) == 2


def test_only_the_first_datagram_begins_a_flow() -> None:
    flows = Flows()
    assert flows.heard(VISITOR, 1, 0.0) is not None
    again = flows.heard(VISITOR, 1, 1.0)
    assert again is not None
    assert again[1] is False


def test_a_silent_visitors_flow_ends_after_thirty_seconds_and_its_number_is_not_used_again() -> None:
    flows = Flows()
    assert begun(flows).id == 1
    assert flows.answering(1, 5, 29.9) is not None
    assert flows.answering(1, 5, 30.0) is None
    assert begun(flows, now=31.0).id == 2


def test_answers_do_not_keep_a_flow() -> None:
    # relay L.13: who is flooded without asking is rid of it soon
    flows = Flows()
    begun(flows)
    for second in range(30):
        assert flows.answering(1, 1, float(second)) is not None
    assert flows.answering(1, 1, 30.0) is None


def test_an_answer_to_nobody_goes_nowhere() -> None:
    assert Flows().answering(1, 5, 0.0) is None


def test_an_address_that_was_not_seen_to_hear_us_gets_little() -> None:
    # relay L.13: the address of a first datagram may be made up, and its owner would get the answers
    flows = Flows()
    begun(flows, size=60)
    assert flows.answering(1, FIRST_ANSWER_BYTES, 0.1) is not None
    assert flows.answering(1, 1, 0.2) is None


def test_a_large_question_may_have_three_times_its_size_for_an_answer() -> None:
    flows = Flows()
    begun(flows, size=2000)
    assert flows.answering(1, 6000, 0.1) is not None
    assert flows.answering(1, 1, 0.2) is None


def test_a_visitor_who_goes_on_after_an_answer_gets_all_they_want() -> None:
    flows = Flows()
    begun(flows)
    flows.answering(1, 100, 0.1)
    begun(flows, now=0.2)
    assert all(flows.answering(1, 1200, 0.3) for _ in range(1000))


def test_one_address_does_not_take_all_flows() -> None:
    flows = Flows(most_per_source=3)
    assert [flows.heard(("203.0.113.7", port), 1, 0.0) is not None for port in range(4)] == [True, True, True, False]
    assert flows.heard(("203.0.113.8", 1), 1, 0.0) is not None


def test_an_ipv6_network_counts_as_one_address() -> None:
    flows = Flows(most_per_source=1)
    assert flows.heard(("2001:db8::1", 1, 0, 0), 1, 0.0) is not None
    assert flows.heard(("2001:db8::ffff", 1, 0, 0), 1, 0.0) is None
    assert flows.heard(("2001:db8:0:1::1", 1, 0, 0), 1, 0.0) is not None


def test_a_full_table_gives_up_the_oldest_that_is_not_proven() -> None:
    flows = Flows(most=2)
    begun(flows)
    flows.answering(1, 1, 0.0)
    begun(flows, now=0.1)  # proven
    begun(flows, ("203.0.113.8", 1), now=0.2)
    begun(flows, ("203.0.113.9", 1), now=0.3)
    assert flows.answering(1, 1, 0.4) is not None
    assert flows.answering(2, 1, 0.4) is None
    assert flows.answering(3, 1, 0.4) is not None


def test_a_table_full_of_proven_flows_takes_no_more() -> None:
    flows = Flows(most=1)
    begun(flows)
    flows.answering(1, 1, 0.0)
    begun(flows)
    assert flows.heard(("203.0.113.8", 1), 1, 0.1) is None
    assert flows.heard(("203.0.113.8", 1), 1, 31.0) is not None
