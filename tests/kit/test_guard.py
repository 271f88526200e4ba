"""Where users may make the portal connect to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from homeport.kit.guard import DestinationRefused, DestinationUnknown, OutboundGuard

PUBLIC = "93.184.215.14"


class Names:
    """A resolver that knows what it is told, and remembers what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.addresses


async def test_a_public_name_gives_its_addresses() -> None:
    names = Names(PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    found = await OutboundGuard(resolver=names).resolve("Example.COM.", 443)
    assert found == (PUBLIC, "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert names.asked == [("example.com", 443)]


async def test_a_public_address_is_its_own_answer() -> None:
    names = Names()
    assert await OutboundGuard(resolver=names).resolve(PUBLIC, 443) == (PUBLIC,)
    assert names.asked == []


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1", "loopback"),
        ("127.9.9.9", "loopback"),
        ("::1", "loopback"),
        ("[::1]", "loopback"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("10.0.0.1", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("fd00:ec2::254", "private"),
        ("fec0::1", "private"),
        ("100.64.0.1", "carrier"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.2.1", "private"),
        ("198.18.0.1", "private"),
        ("2001:db8::1", "private"),
        ("::ffff:127.0.0.1", "stands for 127.0.0.1"),
        ("::ffff:a9fe:a9fe", "stands for 169.254.169.254"),
        ("::127.0.0.1", "stands for 127.0.0.1"),
        ("2002:7f00:1::", "stands for 127.0.0.1"),
        ("64:ff9b::a00:1", "stands for 10.0.0.1"),
        ("64:ff9b:1::7f00:1", "stands for 127.0.0.1"),
    ],
)
async def test_what_is_not_on_the_public_internet_is_refused(address: str, reason: str) -> None:
    with pytest.raises(DestinationRefused, match=reason) as caught:
        await OutboundGuard().resolve(address, 443)
    assert (caught.value.code, caught.value.status) == ("destination_refused", 422)
    with pytest.raises(DestinationRefused, match=reason):
        await OutboundGuard(resolver=Names(address.strip("[]"))).resolve("rebind.example.com", 443)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "0", "127.0.0.1.", "1.2.3.04", "::1%lo"]
)
async def test_other_spellings_of_addresses_are_refused_without_asking(host: str) -> None:
    names = Names(PUBLIC)
    with pytest.raises(DestinationRefused, match=r"unusual spelling|loopback"):
        await OutboundGuard(["127.0.0.0/8"], resolver=names).resolve(host, 443)
    assert names.asked == []


async def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(DestinationRefused, match=r"mixed\.example\.com \(10\.0\.0\.7\)"):
        await OutboundGuard(resolver=Names(PUBLIC, "10.0.0.7")).resolve("mixed.example.com", 443)


async def test_the_administrator_can_open_a_network() -> None:
    guard = OutboundGuard(["192.168.0.0/16", "127.0.0.1/32"], resolver=Names("192.168.1.5"))
    assert await guard.resolve("git.home", 443) == ("192.168.1.5",)
    assert await guard.resolve("127.0.0.1", 443) == ("127.0.0.1",)
    with pytest.raises(DestinationRefused):
        await guard.resolve("127.0.0.2", 443)


async def test_an_open_network_opens_no_disguise_of_it() -> None:
    with pytest.raises(DestinationRefused):
        await OutboundGuard(["127.0.0.0/8"]).resolve("::ffff:127.0.0.1", 443)


@pytest.mark.parametrize("host", ["", "a b", "-x.com", "x..y", "a" * 64 + ".com", "user@host", "exa/mple", "$(id)"])
async def test_what_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(DestinationRefused, match="not a host name"):
        await OutboundGuard(resolver=Names(PUBLIC)).resolve(host, 443)


@pytest.mark.parametrize("port", [0, -1, 65536])
async def test_a_port_that_does_not_exist_is_refused(port: int) -> None:
    with pytest.raises(DestinationRefused, match="does not exist"):
        await OutboundGuard(resolver=Names(PUBLIC)).resolve("example.com", port)


async def test_a_name_without_an_address_is_unknown() -> None:
    with pytest.raises(DestinationUnknown, match="has no address"):
        await OutboundGuard(resolver=Names()).resolve("example.com", 443)
    with pytest.raises(DestinationUnknown, match="was not found"):
        await OutboundGuard().resolve("no-such-name.invalid", 443)
