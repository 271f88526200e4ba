"""Which service of a stack gets the requests, and at which port."""

from __future__ import annotations

import pytest

from homeport.services.compose import ComposeRefused, Origin, read


@pytest.mark.parametrize(
    ("services", "routed", "port"),
    [
        pytest.param("a: {image: x, expose: [1]}, web: {image: x, labels: [homeport.route=true, homeport.port=9]}",
                     "web", 9, id="the label wins"),
        pytest.param("web: {image: x, expose: [1]}, b: {image: x, labels: {homeport.port: '7'}}", "b", 7,
                     id="so does the label of the port alone"),
        pytest.param("web: {image: x, expose: [1], labels: {homeport.route: 'false'}}, b: {image: x}", "b", 80,
                     id="a label can say no"),
        pytest.param("web: {image: x}, b: {image: x, expose: [3000, 4000]}", "b", 3000, id="the only one with a port"),
        pytest.param("a: {image: x, expose: [1]}, app: {image: x, expose: [2]}", "app", 2, id="the name app"),
        pytest.param("a: {image: x}, shop: {image: x}", "shop", 80, id="the name of the app itself"),
        pytest.param("one: {image: x}", "one", 80, id="the only one"),
        pytest.param("db: {image: x}, site: {image: x, depends_on: [db]}", "site", 80, id="nobody depends on it"),
    ],
)  # fmt: skip
def test_the_routed_service_and_its_port(services: str, routed: str, port: int) -> None:
    stack = read(f"services: {{{services}}}", {}, name="shop")
    assert (stack.routed, stack.port) == (routed, port)
    assert f"Requests go to {routed}" in stack.reason
    assert [one.name for one in stack.backing] == [one.name for one in stack.services if one.name != routed]


def test_the_port_of_the_template_counts_when_the_text_names_none() -> None:
    assert read("services: {web: {image: x}}", {}, port=8080).port == 8080
    assert read("services: {web: {image: x, expose: [3000]}}", {}, port=8080).port == 3000


def test_with_files_a_published_port_shows_where_requests_go() -> None:
    text = "services: {db: {image: x}, site: {image: x, ports: ['127.0.0.1:8080:3000/tcp']}}"
    stack = read(text, {}, origin=Origin.CLONE)
    assert (stack.routed, stack.port) == ("site", 3000)
    long = "services: {site: {image: x, ports: [{target: 3000, published: '80', protocol: tcp}]}}"
    assert read(long, {}, origin=Origin.CLONE).port == 3000


def test_two_services_cannot_both_have_the_label() -> None:
    text = "services: {a: {image: x, labels: [homeport.route=true]}, b: {image: x, labels: [homeport.route=true]}}"
    with pytest.raises(ComposeRefused, match=r"a has the label homeport\.route already"):
        read(text, {})
