"""What may be a domain of one's own."""

from __future__ import annotations

import pytest

from homeport.kit.problems import ValidationFailed
from homeport.services.domain_names import normal_domain


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("Shop.Example.COM", "shop.example.com"),
        (" shop.example.com. ", "shop.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("a.b.c.d.example", "a.b.c.d.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("nothome.example.org", "nothome.example.org"),
    ],
)
def test_a_domain_is_kept_as_dns_writes_it(given: str, written: str) -> None:
    assert normal_domain(given, "home.example.org") == written


@pytest.mark.parametrize(
    "bad",
    [
        "", ".", "com", "a..b", "-a.example", "a-.example", "a_b.example", "a b.example", "*.example.com",
        "192.0.2.1", "[::1]", "shop.example.com:443", "http://shop.example.com", "shop.example.com/x", "a\n.example",
        f"{'a' * 64}.example", ".".join(["a" * 60] * 5), "xn--a.example", "\u200b.example",
    ],
)  # fmt: skip
def test_what_is_no_domain_is_refused(bad: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        normal_domain(bad, "home.example.org")
    assert "domain" in (refused.value.details or {})["fields"]


@pytest.mark.parametrize("own", ["home.example.org", "shop.home.example.org", "HOME.example.org.", "shop.localhost"])
def test_the_portals_own_names_are_not_to_be_had(own: str) -> None:
    with pytest.raises(ValidationFailed, match="the portal's own"):
        normal_domain(own, "home.example.org")
