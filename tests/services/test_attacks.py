"""Digest apps G.7, the items that are not about compose documents (those: compose/test_policy.py), each by its name.

Nothing here connects anywhere: every one of them is refused before a process starts or a socket opens. That git itself
is stopped, and follows no redirect, is shown in sources/test_git.py; foreign customers in tests/apps/test_customers.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from homeport.kit.guard import DestinationRefused, OutboundGuard
from homeport.services.problems import SourceRefused
from homeport.services.schemas import CreateService
from homeport.services.sources.address import check_branch, check_url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("--upload-pack=touch /tmp/x", id="apps G.7: git URL --upload-pack="),
        pytest.param("--upload-pack=id", id="apps G.7: git URL --upload-pack= without a space"),
        pytest.param("ext::sh -c id", id="apps G.7: git URL ext::"),
        pytest.param("file:///etc", id="apps G.7: git URL file://"),
        pytest.param("ssh://-oProxyCommand=id/x", id="apps G.7: git URL ssh://-o"),
        pytest.param("https://-oProxyCommand=id/x", id="apps G.7: git URL with a hyphen as host"),
        pytest.param("http://127.0.0.1/x.git", id="apps G.7: git URL http://127.0.0.1"),
    ],
)
def test_a_git_address_that_is_something_else_is_refused(url: str) -> None:
    with pytest.raises(SourceRefused):
        check_url(url)


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="apps G.7: 127.0.0.1"),
        pytest.param("2130706433", id="apps G.7: decimal address"),
        pytest.param("::ffff:127.0.0.1", id="apps G.7: IPv6-mapped address"),
        pytest.param("::ffff:7f00:1", id="apps G.7: IPv6-mapped address in hexadecimal"),
        pytest.param("0x7f000001", id="a hexadecimal address"),
        pytest.param("0177.0.0.1", id="an octal address"),
        pytest.param("169.254.169.254", id="the address of a cloud's metadata"),
    ],
)
async def test_an_inner_address_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(DestinationRefused):
        await OutboundGuard().resolve(host, 443)


async def test_a_name_that_leads_inside_is_refused_for_one_bad_address_among_good_ones() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ("203.0.114.1", "10.0.0.1")

    with pytest.raises(DestinationRefused):
        await OutboundGuard(resolver=resolver).resolve("example.com", 443)


@pytest.mark.parametrize(
    "branch",
    [
        pytest.param("--x", id="apps G.7: branch --x"),
        pytest.param("a..b", id="apps G.7: branch a..b"),
        pytest.param("$(id)", id="apps G.7: branch $(id)"),
    ],
)
def test_a_branch_that_is_something_else_is_refused(branch: str) -> None:
    with pytest.raises(SourceRefused):
        check_branch(branch)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("../x", id="apps G.7: name ../x"),
        pytest.param("a;b", id="apps G.7: name a;b"),
        pytest.param("a" * 64, id="apps G.7: name of 64 characters"),
        pytest.param("Shop", id="apps G.7: name in upper case"),
        *(
            pytest.param(name, id=f"apps G.7: reserved name {name}")
            for name in ("panel", "www", "api", "auth", "traefik")
        ),
    ],
)
@pytest.mark.parametrize(
    "method",
    [{"deploy_method": "template", "template_id": "x"}, {"deploy_method": "compose", "compose": "services: {}"}],
)
def test_a_name_that_is_no_host_name_is_refused(name: str, method: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="name"):
        CreateService.model_validate({"name": name, **method})
    assert CreateService.model_validate({"name": "shop", **method}).name == "shop"
