"""The relay's own pair: who is shown it, where it comes from, and that its key serves nothing else (decision 0011)."""

from __future__ import annotations

import asyncio
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from homeport.relay import Authority
from homeport.relay.certificates.certificates import Certificates
from homeport.relay.certificates.keyless import MOST_TUNNELS, Keyless
from homeport.relay.certificates.origin import KEYLESS
from homeport.relay.certificates.pairs import Pair
from homeport.relay.certificates.problems import CertificateRefused
from homeport.relay.certificates.shelf import Kept
from homeport.testing.certificates import Pem, key_text
from homeport.wire.client_hello import ClientHello
from tests.relay.certificates.conftest import DIRECTORY, DOMAIN, Bench

DAY = timedelta(days=1)
BROWSER = ClientHello(DOMAIN, ("h2", "http/1.1"))
AGENT = ClientHello(DOMAIN, ("http/1.1",))
SIGNER = ClientHello(DOMAIN)
DNS = {"provider": "webhook", "url": "https://hook.test", "username": "u", "password": "top secret"}


def shown(certificates: Certificates, hello: ClientHello) -> x509.Certificate:
    """What who says this hello is really shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    client = blind.wrap_bio(to_client, to_server, server_hostname=hello.server_name)
    server = certificates.context_for_hello(hello).wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def pem(bench: Bench, *names: str, lasts: timedelta = 90 * DAY, key: ec.EllipticCurvePrivateKey | None = None) -> Pem:
    return bench.signer.sign(names, begins=bench.clock.now() - DAY, lasts=lasts, key=key)


async def upload(bench: Bench, given: Pem | None = None) -> Kept:
    given = given or pem(bench, DOMAIN, f"*.{DOMAIN}")
    return await bench.certificates.upload_keyless(given.cert, given.key)


def pair_of(bench: Bench) -> Pair:
    pair = bench.certificates.keyless.pair()
    assert pair is not None
    return pair


# relay L.1: the certificate of the portal's own name is not the one that strangers can have signatures of
@pytest.mark.parametrize("hello", [AGENT, SIGNER])
async def test_browsers_are_shown_another_key_than_clients_of_the_relay(bench: Bench, hello: ClientHello) -> None:
    portals, relays = shown(bench.certificates, BROWSER), shown(bench.certificates, hello)
    assert relays == pair_of(bench).leaf
    assert portals.public_key() != relays.public_key()
    assert "Homeport" in portals.issuer.rfc4514_string()


# What Chromium (seen here) and Firefox send when they open a WebSocket, and Go's TLS for any connection
@pytest.mark.parametrize(
    ("extensions", "is_browsers"),
    [
        ({10794, 0, 65281, 5, 51764, 11, 16, 43, 27, 10, 51, 35, 13, 45, 65037, 18, 23, 47802}, True),
        ({0, 23, 65281, 10, 11, 35, 16, 5, 34, 18, 51, 43, 13, 45, 28, 27, 65037}, True),
        ({0, 5, 10, 11, 13, 50, 65281, 23, 16, 18, 43, 51, 45}, False),
    ],
)
async def test_a_browsers_websocket_is_shown_what_its_page_was(
    bench: Bench, extensions: set[int], is_browsers: bool
) -> None:
    hello = ClientHello(DOMAIN, ("http/1.1",), frozenset(extensions))
    assert (bench.certificates.keyless.pair_for(hello) is None) is is_browsers


@pytest.mark.parametrize("name", ["demo.portal.test", "elsewhere.test", None])
async def test_other_names_are_never_shown_it(bench: Bench, name: str | None) -> None:
    assert bench.certificates.keyless.pair_for(ClientHello(name, ("http/1.1",))) is None
    assert shown(bench.certificates, ClientHello(name)).public_key() != pair_of(bench).leaf.public_key()


# relay D.2: clients trust exactly the chain that they were shown, and want it to cover their tunnel's name
async def test_the_own_authority_signs_it_for_the_root_and_all_below_it_and_comes_along(bench: Bench) -> None:
    pair = pair_of(bench)
    assert {DOMAIN, f"*.{DOMAIN}"} <= set(pair.names)
    assert pair.chain[1] == bench.authority.certificate
    assert isinstance(pair.leaf.public_key(), ec.EllipticCurvePublicKey)
    assert bench.certificates.keyless_info()["source"] == "authority"


async def test_its_key_is_a_file_of_its_own_and_stays_over_restarts(bench: Bench) -> None:
    before = pair_of(bench).leaf.public_key()
    file = bench.folder / "relay" / "keyless.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    await bench.again().open()
    assert pair_of(bench).leaf.public_key() == before


async def test_it_is_signed_anew_for_the_same_key_long_before_it_runs_out(bench: Bench) -> None:
    before = pair_of(bench).leaf
    bench.clock.advance(timedelta(days=300).total_seconds())
    after = pair_of(bench).leaf
    assert after.not_valid_after_utc > before.not_valid_after_utc
    assert after.public_key() == before.public_key()


# relay L.16: the reference needs a restart
async def test_an_uploaded_pair_is_used_from_the_next_connection_on_and_serves_no_name(bench: Bench) -> None:
    kept = await upload(bench)
    assert pair_of(bench) is kept.pair
    assert shown(bench.certificates, AGENT) == kept.pair.leaf
    assert shown(bench.certificates, BROWSER) != kept.pair.leaf
    assert "Homeport" in shown(bench.certificates, ClientHello("demo.portal.test")).issuer.rfc4514_string()
    await bench.certificates.remove(KEYLESS)
    assert bench.certificates.keyless_info()["source"] == "authority"


async def test_an_uploaded_pair_is_there_after_a_restart(bench: Bench) -> None:
    kept = await upload(bench)
    await bench.again().open()
    assert pair_of(bench).leaf == kept.pair.leaf
    assert bench.certificates.shelf.find_for(DOMAIN) is None


@pytest.mark.parametrize("names", [(DOMAIN,), (f"*.{DOMAIN}",), ("portal.example", "*.portal.example")])
async def test_a_pair_that_leaves_out_the_root_or_the_names_below_it_is_refused(
    bench: Bench, names: tuple[str, ...]
) -> None:
    with pytest.raises(CertificateRefused, match="has to name"):
        await upload(bench, pem(bench, *names))


async def test_no_certificate_shares_the_relays_key(bench: Bench) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    portals = pem(bench, DOMAIN, f"*.{DOMAIN}", key=key)
    await bench.certificates.upload(portals.cert, portals.key)
    with pytest.raises(CertificateRefused, match="own"):
        await upload(bench, portals)
    other = pem(bench, DOMAIN, f"*.{DOMAIN}")
    await upload(bench, other)
    with pytest.raises(CertificateRefused, match="signs for the relay"):
        await bench.certificates.upload(other.cert, other.key)


async def test_no_certificate_gets_the_key_that_the_own_authority_signs_for(bench: Bench) -> None:
    key = load_pem_private_key((bench.folder / "relay" / "keyless.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    given = pem(bench, DOMAIN, key=key)
    assert given.key == key_text(key)
    with pytest.raises(CertificateRefused):
        await bench.certificates.upload(given.cert, given.key)


async def test_files_that_somebody_put_there_with_a_shared_key_are_not_used(bench: Bench) -> None:
    kept = await upload(bench)
    (bench.folder / "tls" / "portal.test.pem").write_bytes(kept.pair.key_and_chain)
    await bench.certificates.apply()
    assert bench.certificates.keyless.pair() is None


async def test_a_portal_that_browsers_know_signs_nothing_before_its_relay_has_a_certificate_too(bench: Bench) -> None:
    portals = pem(bench, DOMAIN, f"*.{DOMAIN}")
    kept = await bench.certificates.upload(portals.cert, portals.key)
    assert bench.certificates.keyless.pair() is None
    assert bench.certificates.keyless_info() == {"enabled": True, "source": "none", "certificate": None}
    assert shown(bench.certificates, AGENT) == kept.pair.leaf
    await upload(bench)
    assert bench.certificates.keyless_info()["source"] == "kept"


async def test_a_pair_that_has_run_out_is_not_shown_any_more(bench: Bench) -> None:
    await upload(bench, pem(bench, DOMAIN, f"*.{DOMAIN}", lasts=3 * DAY))
    assert bench.certificates.keyless.source == "kept"
    bench.clock.advance(timedelta(days=3).total_seconds())
    assert bench.certificates.keyless.source == "authority"


async def test_keyless_can_be_switched_off(bench: Bench) -> None:
    bench.certificates.keyless.enabled = False
    assert bench.certificates.keyless.pair() is None
    assert "Homeport" in shown(bench.certificates, AGENT).issuer.rfc4514_string()


async def test_it_is_ordered_by_dns_for_both_names_apart_from_the_portals_own(bench: Bench) -> None:
    own = bench.certificates.wish((DOMAIN, f"*.{DOMAIN}"), email="a@b.test", challenge="dns-01", dns=DNS)
    await bench.certificates.order(own)
    wish = bench.certificates.keyless_wish(email="a@b.test", directory_url=None, dns=DNS)
    assert (wish.names, wish.challenge, wish.directory_url) == ((DOMAIN, f"*.{DOMAIN}"), "dns-01", DIRECTORY)
    await bench.certificates.order(wish)
    assert [kept.domain for kept in bench.certificates.shelf.list()] == [KEYLESS, DOMAIN]
    assert shown(bench.certificates, AGENT) != shown(bench.certificates, BROWSER)
    assert bench.certificates.keyless.source == "kept"


# relay L.16
async def test_an_ordered_pair_renews_itself_and_is_used_without_a_restart(bench: Bench) -> None:
    await bench.certificates.order(bench.certificates.keyless_wish(email=None, directory_url=None, dns=DNS))
    await bench.again().open()
    before = shown(bench.certificates, AGENT)
    bench.clock.advance(timedelta(days=61).total_seconds())
    await bench.certificates.renewals.look()
    assert shown(bench.certificates, AGENT).not_valid_after_utc > before.not_valid_after_utc
    assert [wish.domain for wish in bench.issuer.wishes] == [KEYLESS, KEYLESS]


async def test_the_order_uses_the_key_that_stays(bench: Bench) -> None:
    wish = bench.certificates.keyless_wish(email=None, directory_url=None, dns=None)
    key = bench.certificates.keyless.key_for(wish)
    assert key is not None
    assert key.public_key() == pair_of(bench).leaf.public_key()
    assert bench.certificates.keyless.key_for(bench.certificates.wish((DOMAIN,))) is None


async def test_below_a_name_of_one_label_tunnels_are_named_for_who_takes_no_wildcard_there(
    bench: Bench, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "other-ca", bench.clock, domain="localhost")
    await asyncio.to_thread(authority.open)
    shelf = bench.certificates.shelf
    keyless = Keyless(tmp_path / "other.key", authority, shelf, bench.clock, domain="localhost", enabled=True)
    await keyless.open()
    before = keyless.pair()
    assert before is not None
    for number in range(MOST_TUNNELS + 1):
        keyless.include(f"t{number}.localhost")
    after = keyless.pair()
    assert after is not None
    assert "*.localhost" in after.names
    assert "t0.localhost" not in after.names
    assert {"t1.localhost", f"t{MOST_TUNNELS}.localhost"} <= set(after.names)
    assert after.leaf.public_key() == before.leaf.public_key()
    keyless.include("t1.localhost")
    assert keyless.pair() is after


async def test_elsewhere_the_certificate_tells_nobody_which_tunnels_there_are(bench: Bench) -> None:
    before = pair_of(bench)
    bench.certificates.keyless.include("secret.portal.test")
    assert pair_of(bench) is before
