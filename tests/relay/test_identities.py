"""Names and addresses in their one spelling."""

from __future__ import annotations

import pytest

from homeport.relay.identities import hostname_hash, identity_of, normal_host, normal_name
from homeport.relay.lease import TunnelIdentity
from homeport.relay.problems import InvalidRequest

ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ("demo", "demo"),
        ("  Demo ", "demo"),
        ("My_App.v2", "my-app-v2"),  # relay B.1
        ("a--b", "a--b"),
        ("a _. b", "a-b"),
        ("-x-", "x"),
        ("bücher", "xn--bcher-kva"),
        ("a" * 63, "a" * 63),
    ],
)
def test_names_become_labels(given: str, label: str) -> None:
    assert normal_name(given) == label


@pytest.mark.parametrize("given", ["", "   ", "---", "...", "!", "a" * 64, "x" * 5000, "ü" * 63, "٣\u0301"])
def test_names_that_make_no_label_are_refused(given: str) -> None:
    with pytest.raises(InvalidRequest):
        normal_name(given)


@pytest.mark.parametrize("given", [ADDRESS, ADDRESS.lower(), "0X" + ADDRESS[2:].upper(), f" {ADDRESS} "])
def test_addresses_are_given_back_in_mixed_case(given: str) -> None:
    assert identity_of("demo", given) == TunnelIdentity("demo", ADDRESS)


@pytest.mark.parametrize("given", ["", "0x", ADDRESS[:-1], ADDRESS[2:], ADDRESS.swapcase(), ADDRESS[:-1] + "g"])
def test_addresses_that_are_mistyped_are_refused(given: str) -> None:
    with pytest.raises(InvalidRequest):
        identity_of("demo", given)


def test_an_identity_is_filed_in_lower_case() -> None:
    assert identity_of("Demo", ADDRESS).key == f"demo:{ADDRESS.lower()}"


def test_a_host_has_the_hash_of_the_vector() -> None:
    assert hostname_hash("demo.localhost") == "VCsHErWBDx_j7nJY8DZ7I152JwvY8bxGiC8JwZeGdOI"  # relay C.10
    assert hostname_hash(" Demo.LOCALHOST. ") == hostname_hash("demo.localhost")


def test_hosts_are_compared_without_case_and_dot() -> None:
    assert normal_host(" Demo.Localhost. ") == "demo.localhost"
