"""The portal's own CA, judged by OpenSSL as every client judges it."""

from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from homeport.relay import Authority, AuthorityBroken
from homeport.relay.authority import LEAF_LIFETIME, STRANGERS_BURST
from homeport.testing.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC))  # OpenSSL verifies at the machine's own time


@pytest.fixture
def authority(tmp_path: Path, clock: ManualClock) -> Authority:
    authority = Authority(tmp_path / "ca", clock, known=lambda name: name == "app.localhost")
    authority.open()
    return authority


def shake_hands(server: ssl.SSLContext, ca: Path, host: str) -> x509.Certificate:
    """A handshake in memory, verified by a client that trusts `ca`."""
    client_context = ssl.create_default_context(cafile=str(ca))
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    accepting = server.wrap_bio(to_server, to_client, server_side=True)
    done = 0
    for _ in range(10):
        for side in (client, accepting):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                continue
        if done >= 4:
            break
    assert client.selected_alpn_protocol() == "http/1.1"
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def dns_names(leaf: x509.Certificate) -> list[str]:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_base_leaf_is_good_for_the_domain_and_for_this_machine(
    authority: Authority, clock: ManualClock, host: str
) -> None:
    leaf = shake_hands(authority.context_for(None), authority.ca_path, host)
    assert dns_names(leaf) == ["localhost", "*.localhost"]


def test_an_app_has_an_exact_leaf_of_its_own(authority: Authority, clock: ManualClock) -> None:
    leaf = shake_hands(authority.context_for("app.localhost"), authority.ca_path, "app.localhost")
    assert dns_names(leaf) == ["app.localhost"]


def test_a_domain_of_its_own_is_named_beside_localhost(tmp_path: Path, clock: ManualClock) -> None:
    authority = Authority(tmp_path, clock, domain="home.example.com", addresses=("192.0.2.7",))
    authority.open()
    for host in ("home.example.com", "x.home.example.com", "192.0.2.7", "localhost"):
        shake_hands(authority.context_for(None), authority.ca_path, host)
    leaf = shake_hands(authority.context_for("A.Home.example.com."), authority.ca_path, "a.home.example.com")
    assert dns_names(leaf) == ["a.home.example.com"]


def test_a_leaf_is_minted_once(authority: Authority) -> None:
    assert authority.context_for("app.localhost") is authority.context_for("APP.localhost.")


@pytest.mark.parametrize(
    "name", ["evil.example.com", "a.b.localhost", "-x.localhost", "localhost", "x" * 64 + ".localhost"]
)
def test_names_that_are_none_of_ours_get_the_base_leaf(authority: Authority, name: str) -> None:
    assert authority.context_for(name) is authority.context_for(None)


def test_an_apps_own_domain_has_a_leaf_for_as_long_as_it_is_one(tmp_path: Path, clock: ManualClock) -> None:
    domains = {"shop.example.com"}
    authority = Authority(tmp_path, clock, foreign=domains.__contains__)
    authority.open()
    leaf = shake_hands(authority.context_for("SHOP.example.com"), authority.ca_path, "shop.example.com")
    assert dns_names(leaf) == ["shop.example.com"]
    assert authority.context_for("www.shop.example.com") is authority.context_for(None)
    domains.clear()
    assert authority.context_for("shop.example.com") is authority.context_for(None)


def test_an_apps_own_domain_never_waits_for_strangers(tmp_path: Path, clock: ManualClock) -> None:
    authority = Authority(tmp_path, clock, foreign=lambda name: name.endswith(".example.com"))
    authority.open()
    base = authority.context_for(None)
    assert all(authority.context_for(f"n{n}.example.com") is not base for n in range(STRANGERS_BURST + 5))


def test_strangers_cannot_make_it_mint_without_bound_and_known_names_do_not_suffer(
    authority: Authority, clock: ManualClock
) -> None:
    base = authority.context_for(None)
    minted = [authority.context_for(f"n{n}.localhost") is not base for n in range(STRANGERS_BURST + 20)]
    assert sum(minted) == STRANGERS_BURST
    assert authority.context_for("app.localhost") is not base
    clock.advance(10)
    assert authority.context_for("later.localhost") is not base


def test_the_cache_is_bounded_and_forgets_the_longest_unused(tmp_path: Path, clock: ManualClock) -> None:
    authority = Authority(tmp_path, clock, known=lambda _: True, cached=2)
    authority.open()
    first = authority.context_for("a.localhost")
    authority.context_for("b.localhost")
    assert authority.context_for("a.localhost") is first
    authority.context_for("c.localhost")
    assert authority.context_for("a.localhost") is first


def test_a_leaf_is_renewed_after_two_thirds_of_its_life(authority: Authority, clock: ManualClock) -> None:
    first = authority.context_for("app.localhost")
    clock.advance((LEAF_LIFETIME * 0.6).total_seconds())
    assert authority.context_for("app.localhost") is first
    clock.advance((LEAF_LIFETIME * 0.1).total_seconds())
    assert authority.context_for("app.localhost") is not first


def test_a_leaf_lives_as_long_as_browsers_accept(authority: Authority, clock: ManualClock) -> None:
    leaf = shake_hands(authority.context_for("app.localhost"), authority.ca_path, "app.localhost")
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= timedelta(days=397)
    assert leaf.not_valid_before_utc < clock.now() < leaf.not_valid_after_utc


def test_tls_1_1_is_refused(authority: Authority) -> None:
    assert authority.context_for(None).minimum_version == ssl.TLSVersion.TLSv1_2


def test_the_authority_survives_a_restart(authority: Authority, tmp_path: Path, clock: ManualClock) -> None:
    again = Authority(tmp_path / "ca", clock)
    again.open()
    assert again.fingerprint() == authority.fingerprint()
    shake_hands(again.context_for("x.localhost"), authority.ca_path, "x.localhost")


def test_the_key_is_for_its_owner_alone(authority: Authority, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "ca" / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700
    assert sorted(path.name for path in (tmp_path / "ca").iterdir()) == ["ca.key", "ca.pem"]


def test_a_certificate_without_its_key_is_told_not_replaced(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "ca" / "ca.key").unlink()
    with pytest.raises(AuthorityBroken, match=r"ca\.key is missing"):
        Authority(tmp_path / "ca", ManualClock()).open()


def test_another_key_is_told(authority: Authority, tmp_path: Path, clock: ManualClock) -> None:
    other = Authority(tmp_path / "other", clock)
    other.open()
    (tmp_path / "other" / "ca.key").replace(tmp_path / "ca" / "ca.key")
    with pytest.raises(AuthorityBroken, match="is not the key of"):
        Authority(tmp_path / "ca", clock).open()


def test_a_key_whose_certificate_was_never_written_is_replaced(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "ca.key").write_text("the first start was interrupted")
    authority = Authority(tmp_path, clock)
    authority.open()
    assert authority.ca_path.exists()


def test_an_expired_authority_is_made_anew(authority: Authority, tmp_path: Path, clock: ManualClock) -> None:
    before = authority.fingerprint()
    clock.advance(timedelta(days=3700).total_seconds())
    later = Authority(tmp_path / "ca", clock)
    later.open()
    assert later.fingerprint() != before


def test_the_hint_names_the_file_and_its_fingerprint(authority: Authority) -> None:
    hint = authority.trust_hint()
    assert str(authority.ca_path) in hint
    assert authority.fingerprint() in hint
