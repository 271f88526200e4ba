"""Certificates from a real ACME directory: all three challenges, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.kit.clock import SystemClock
from homeport.kit.guard import DestinationRefused, OutboundGuard
from homeport.relay import Ingress
from homeport.relay.certificates.acme import Accounts, AcmeIssuer, AlpnAnswers, HttpAnswers, Transport
from homeport.relay.certificates.acme.answers import Record
from homeport.relay.certificates.acme.transport import Answer
from homeport.relay.certificates.origin import KEYLESS, Challenge, Wish
from homeport.relay.certificates.pairs import Pair
from homeport.relay.certificates.problems import AcmeFailed
from homeport.testing.dns_zone import DnsZone
from homeport.testing.pebble import Pebble, pebble_is_installed
from homeport.testing.ports import free_ports
from homeport.testing.waiting import eventually

CLOCK = SystemClock()
HTTP_PORT, TLS_PORT, OTHER_PORT = free_ports(3)


@pytest.fixture(scope="module")
def zone() -> Iterator[DnsZone]:
    with DnsZone("example.test") as zone:
        yield zone


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, zone: DnsZone) -> Iterator[Pebble]:
    if not pebble_is_installed():
        pytest.skip("Pebble is not installed (Debian package pebble): `make test` says how")
    folder = tmp_path_factory.mktemp("pebble")
    with Pebble(folder, http_port=HTTP_PORT, tls_port=TLS_PORT, dns=zone.address) as pebble:
        yield pebble


class Shop:
    """An issuer whose challenges are answered on this machine; no order is open between the tests."""

    def __init__(self, folder: Path, pebble: Pebble, *, http_port: int = HTTP_PORT) -> None:
        self.guard = OutboundGuard(["127.0.0.0/8"])
        self.http, self.alpn = HttpAnswers("127.0.0.1", http_port), AlpnAnswers(CLOCK)
        self.transport = Transport(self.guard, pebble.ca_file)
        self.accounts = folder / "accounts"
        accounts = Accounts(self.accounts)
        self.issuer = AcmeIssuer(accounts, self.transport, self.guard, CLOCK, self.http, self.alpn)
        self.directory_url = pebble.directory_url
        self.told: list[Record] = []
        self.go_on = asyncio.Event()

    async def issue(self, *names: str, challenge: Challenge, dns: dict[str, object] | None = None) -> Pair:
        wish = Wish(names, "ops@example.test", challenge, self.directory_url, dns)
        return await self.issuer.issue(wish, self.told.append, self.go_on)


@pytest.fixture
async def shop(tmp_path: Path, pebble: Pebble) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path, pebble)
    yield shop
    await shop.transport.close()


@asynccontextmanager
async def main_port(shop: Shop, port: int) -> AsyncIterator[None]:
    """The portal's one port, with nobody behind it but the challenges."""
    ingress = Ingress(lambda _: None, challenge=shop.alpn.find, plain=shop.http.find)
    await ingress.open("127.0.0.1", port)
    try:
        yield
    finally:
        await ingress.close(1)


def signer_of(pair: Pair) -> str:
    return pair.leaf.issuer.rfc4514_string()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_http_01_is_answered_by_a_listener_that_is_open_for_the_order_only(shop: Shop) -> None:
    pair = await shop.issue("a.example.test", "b.example.test", challenge="http-01")
    assert pair.names == ("a.example.test", "b.example.test")
    assert "Pebble Intermediate" in signer_of(pair)
    assert len(pair.chain) == 2
    assert not is_open(HTTP_PORT)


async def test_http_01_is_answered_on_the_main_port_when_a_proxy_forwards_port_80(
    tmp_path: Path, pebble: Pebble
) -> None:
    shop = Shop(tmp_path, pebble, http_port=0)
    async with main_port(shop, HTTP_PORT):
        pair = await shop.issue("proxied.example.test", challenge="http-01")
    assert pair.domain == "proxied.example.test"
    await shop.transport.close()


async def test_tls_alpn_01_is_answered_on_the_main_port(shop: Shop) -> None:
    async with main_port(shop, TLS_PORT):
        pair = await shop.issue("alpn.example.test", challenge="tls-alpn-01")
    assert pair.domain == "alpn.example.test"
    assert "Pebble Intermediate" in signer_of(pair)


@pytest.mark.parametrize("named", [True, False])
async def test_dns_01_by_dynamic_update_gives_a_wildcard_and_leaves_no_record(
    shop: Shop, zone: DnsZone, named: bool
) -> None:
    config: dict[str, object] = {
        "provider": "rfc2136", "server": "127.0.0.1", "port": zone.port,
        "key_name": zone.key_name, "key_secret": zone.key_secret,
    }  # fmt: skip
    if named:
        config["zone"] = "example.test"
    before = zone.updates
    pair = await shop.issue("example.test", "*.example.test", challenge="dns-01", dns=config)
    assert pair.names == ("example.test", "*.example.test")
    assert zone.updates == before + 4
    assert not any(zone.texts.values())


async def test_an_order_whose_key_is_given_gets_certificates_for_that_key_each_time(
    shop: Shop, tmp_path: Path, zone: DnsZone
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    accounts = Accounts(tmp_path / "accounts")
    issuer = AcmeIssuer(
        accounts, shop.transport, shop.guard, CLOCK, shop.http, shop.alpn,
        key_for=lambda wish: key if wish.domain == KEYLESS else None,
    )  # fmt: skip
    dns = {
        "provider": "rfc2136", "server": "127.0.0.1", "port": zone.port,
        "key_name": zone.key_name, "key_secret": zone.key_secret,
    }  # fmt: skip
    names = ("example.test", "*.example.test")
    wish = Wish(names, "ops@example.test", "dns-01", shop.directory_url, dns, known_as=KEYLESS)
    pairs = [await issuer.issue(wish, shop.told.append, shop.go_on) for _ in range(2)]
    assert [pair.leaf.public_key() for pair in pairs] == [key.public_key()] * 2
    assert pairs[0].leaf.serial_number != pairs[1].leaf.serial_number


async def test_a_dynamic_update_with_the_wrong_key_says_who_refused(shop: Shop, zone: DnsZone) -> None:
    config: dict[str, object] = {
        "provider": "rfc2136", "server": "127.0.0.1", "port": zone.port, "zone": "example.test",
        "key_name": zone.key_name, "key_secret": "d3JvbmcgYW5kIGxvbmcgZW5vdWdoIGZvciBhIGtleQ==",
    }  # fmt: skip
    with pytest.raises(AcmeFailed, match=r"name server 127\.0\.0\.1"):
        await shop.issue("*.example.test", challenge="dns-01", dns=config)


async def test_dns_01_by_hand_tells_the_record_and_waits(shop: Shop, zone: DnsZone) -> None:
    issuing = asyncio.create_task(shop.issue("*.hand.example.test", challenge="dns-01", dns={"provider": "manual"}))
    await eventually(lambda: shop.told, 20)
    [record] = shop.told
    assert record.name == "_acme-challenge.hand.example.test"
    zone.texts[record.name] = [record.value]
    shop.go_on.set()
    pair = await issuing
    del zone.texts[record.name]
    assert pair.names == ("*.hand.example.test",)


async def test_an_answer_that_is_not_there_is_told_in_the_directorys_words(tmp_path: Path, pebble: Pebble) -> None:
    shop = Shop(tmp_path, pebble, http_port=0)
    with pytest.raises(AcmeFailed, match=r"gone\.example\.test is not proven: .*(refused|Fetching)"):
        await shop.issue("gone.example.test", challenge="http-01")
    await shop.transport.close()


async def test_a_port_that_somebody_else_has_is_told_with_the_failure(tmp_path: Path, pebble: Pebble) -> None:
    with socket.create_server(("127.0.0.1", OTHER_PORT)):
        shop = Shop(tmp_path, pebble, http_port=OTHER_PORT)
        with pytest.raises(AcmeFailed, match=f"nothing could listen on 127.0.0.1 port {OTHER_PORT}"):
            await shop.issue("gone.example.test", challenge="http-01")
        await shop.transport.close()


async def test_the_account_is_made_once_kept_for_its_owner_only_and_made_anew_when_forgotten(
    shop: Shop, pebble: Pebble
) -> None:
    await shop.issue("one.example.test", challenge="http-01")
    [file] = shop.accounts.iterdir()
    kept = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    await shop.issue("two.example.test", challenge="http-01")
    assert file.read_text() == kept
    pebble.stop()
    pebble.start()
    await shop.issue("three.example.test", challenge="http-01")
    assert file.read_text() != kept


async def test_what_is_issued_verifies_against_the_directorys_root(shop: Shop, pebble: Pebble) -> None:
    pair = await shop.issue("root.example.test", challenge="http-01")
    root = x509.load_pem_x509_certificate(pebble.root().encode())
    pair.chain[-1].verify_directly_issued_by(root)


async def test_an_address_for_the_authority_may_be_left_out(shop: Shop) -> None:
    wish = Wish(("nobody.example.test",), "", "http-01", shop.directory_url)
    pair = await shop.issuer.issue(wish, shop.told.append, shop.go_on)
    assert pair.domain == "nobody.example.test"


async def test_a_directory_on_this_machine_is_refused_unless_it_was_allowed(tmp_path: Path, pebble: Pebble) -> None:
    shop = Shop(tmp_path, pebble)
    guard = OutboundGuard()
    transport = Transport(guard, pebble.ca_file)
    issuer = AcmeIssuer(Accounts(tmp_path), transport, guard, CLOCK, shop.http, shop.alpn)
    wish = Wish(("a.example.test",), "a@b.test", "http-01", pebble.directory_url)
    with pytest.raises(DestinationRefused):
        await issuer.issue(wish, shop.told.append, shop.go_on)
    await transport.close()


async def test_a_directory_whose_certificate_is_not_trusted_is_not_asked(tmp_path: Path, pebble: Pebble) -> None:
    transport = Transport(OutboundGuard(["127.0.0.0/8"]))
    with pytest.raises(AcmeFailed, match=r"did not answer: .*certificate"):
        await transport.send("GET", pebble.directory_url)
    await transport.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1/dir", "https://", "https://u@a.test/", "file:///etc/passwd"])
async def test_only_https_addresses_are_asked(url: str) -> None:
    with pytest.raises(AcmeFailed, match="is not an https"):
        await Transport(OutboundGuard()).send("GET", url)


class Greedy(Transport):
    """A directory that wants a proof of a name that nobody ordered."""

    async def send(
        self, method: str, url: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        at = "https://greedy.test"
        bodies: dict[str, object] = {
            "/dir": {"newAccount": f"{at}/account", "newOrder": f"{at}/order", "newNonce": f"{at}/nonce"},
            "/order": {"authorizations": [f"{at}/name"], "finalize": f"{at}/finalize"},
            "/name": {
                "status": "pending",
                "identifier": {"type": "dns", "value": "bank.test"},
                "challenges": [{"type": "http-01", "url": f"{at}/answer", "token": "t"}],
            },
        }
        path = url.removeprefix(at)
        return Answer(200, {"replay-nonce": "n", "location": url}, json.dumps(bodies.get(path, {})).encode())


async def test_a_directory_gets_no_proof_of_a_name_that_was_not_ordered(tmp_path: Path) -> None:
    guard, http = OutboundGuard(), HttpAnswers("127.0.0.1", 0)
    issuer = AcmeIssuer(Accounts(tmp_path), Greedy(guard), guard, CLOCK, http, AlpnAnswers(CLOCK))
    wish = Wish(("shop.test",), "", "http-01", "https://greedy.test/dir")
    with pytest.raises(AcmeFailed, match=r"'bank.test', which was not ordered"):
        await issuer.issue(wish, lambda _: None, asyncio.Event())
    assert http.find("/.well-known/acme-challenge/t") is None
