"""Which certificate a name is shown; uploads, self-signed ones, and going back to the own authority."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from homeport.kit.problems import ValidationFailed
from homeport.relay.certificates.certificates import Certificates
from homeport.relay.certificates.problems import CertificateNotFound, CertificateRefused, RenewalRefused
from tests.relay.certificates.conftest import Bench

DAY = timedelta(days=1)


def shown(certificates: Certificates, name: str | None) -> x509.Certificate:
    """What a client that asks for `name` is really shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    client = blind.wrap_bio(to_client, to_server, server_hostname=name)
    server = certificates.context_for(name).wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def issuer_of(certificates: Certificates, name: str | None) -> str:
    return shown(certificates, name).issuer.rfc4514_string()


async def upload(bench: Bench, *names: str) -> None:
    pem = bench.signer.sign(names, begins=bench.clock.now() - DAY)
    await bench.certificates.upload(pem.cert, pem.key)


async def test_without_any_other_the_own_authority_answers(bench: Bench) -> None:
    assert "Homeport" in issuer_of(bench.certificates, "portal.test")
    assert "Homeport" in issuer_of(bench.certificates, None)


async def test_an_uploaded_one_serves_the_names_that_it_covers_and_no_others(bench: Bench) -> None:
    await upload(bench, "portal.test", "*.portal.test")
    assert issuer_of(bench.certificates, "portal.test") == "CN=Test middle"
    assert issuer_of(bench.certificates, "Shop.portal.test") == "CN=Test middle"
    assert "Homeport" in issuer_of(bench.certificates, "a.shop.portal.test")
    assert "Homeport" in issuer_of(bench.certificates, None)


async def test_an_exact_name_wins_over_a_wildcard_and_the_later_over_the_earlier(bench: Bench) -> None:
    await upload(bench, "shop.portal.test")
    bench.clock.advance(1)
    await upload(bench, "*.portal.test")
    assert shown(bench.certificates, "shop.portal.test").subject.rfc4514_string() == "CN=shop.portal.test"
    bench.clock.advance(1)
    await upload(bench, "other.test", "shop.portal.test")
    assert shown(bench.certificates, "shop.portal.test").subject.rfc4514_string() == "CN=other.test"


async def test_a_refused_pair_changes_nothing(bench: Bench) -> None:
    await upload(bench, "portal.test")
    before = shown(bench.certificates, "portal.test")
    one, other = (bench.signer.sign(["portal.test"], begins=bench.clock.now() - DAY) for _ in range(2))
    with pytest.raises(CertificateRefused):
        await bench.certificates.upload(one.cert, other.key)
    assert shown(bench.certificates, "portal.test") == before


async def test_they_survive_a_restart_and_only_their_owner_can_read_them(bench: Bench) -> None:
    await upload(bench, "*.portal.test")
    again = bench.again()
    await again.open()
    assert issuer_of(again, "shop.portal.test") == "CN=Test middle"
    files = sorted((bench.folder / "tls").iterdir())
    assert [file.name for file in files] == ["_wildcard.portal.test.json", "_wildcard.portal.test.pem"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (bench.folder / "tls").stat().st_mode & 0o777 == 0o700


async def test_a_broken_file_does_not_keep_the_others_from_serving(bench: Bench) -> None:
    await upload(bench, "portal.test")
    (bench.folder / "tls" / "broken.test.pem").write_text("nonsense")
    again = bench.again()
    await again.open()
    assert [kept.domain for kept in again.shelf.list()] == ["portal.test"]


async def test_one_that_has_run_out_gives_way_to_the_own_authority(bench: Bench) -> None:
    await upload(bench, "portal.test")
    bench.clock.advance(timedelta(days=90).total_seconds())
    assert "Homeport" in issuer_of(bench.certificates, "portal.test")


async def test_one_that_has_run_out_gives_way_to_an_older_one_that_has_not(bench: Bench) -> None:
    await upload(bench, "portal.test")
    pem = bench.signer.sign(["short.test", "portal.test"], begins=bench.clock.now() - DAY, lasts=2 * DAY)
    bench.clock.advance(1)
    await bench.certificates.upload(pem.cert, pem.key)
    assert "short" in shown(bench.certificates, "portal.test").subject.rfc4514_string()
    bench.clock.advance(2 * 86400)
    assert "portal" in shown(bench.certificates, "portal.test").subject.rfc4514_string()


async def test_removing_one_goes_back_to_the_own_authority(bench: Bench) -> None:
    await upload(bench, "portal.test")
    await bench.certificates.remove("portal.test")
    assert "Homeport" in issuer_of(bench.certificates, "portal.test")
    assert list((bench.folder / "tls").iterdir()) == []
    with pytest.raises(CertificateNotFound):
        await bench.certificates.remove("portal.test")


async def test_a_self_signed_one_serves_its_host_name_and_leaves_localhost_alone(bench: Bench) -> None:
    # portal B3
    await bench.certificates.self_sign("portal.test", 30, "ec-p256")
    assert issuer_of(bench.certificates, "portal.test") == "CN=portal.test"
    assert "Homeport" in issuer_of(bench.certificates, "localhost")


async def test_a_self_signed_one_is_renewed_when_somebody_says_so(bench: Bench) -> None:
    await bench.certificates.self_sign("portal.test", 30, "ec-p384")
    bench.clock.advance(86400)
    await bench.certificates.renew("portal.test")
    info = bench.certificates.info()
    assert (info["days_until_expiry"], info["key_type"]) == (30, "EC P-384")


async def test_an_uploaded_one_and_the_own_authoritys_are_not_renewed_here(bench: Bench) -> None:
    with pytest.raises(RenewalRefused, match="by itself"):
        await bench.certificates.renew("portal.test")
    await upload(bench, "portal.test")
    with pytest.raises(RenewalRefused, match="upload the next"):
        await bench.certificates.renew("portal.test")


async def test_info_tells_what_the_portals_name_is_shown(bench: Bench) -> None:
    # portal B3
    own = bench.certificates.info()
    assert (own["method"], own["source"], own["is_self_signed"]) == ("selfsigned", "authority", False)
    assert own["hostname_coverage"]["hostname"] == {"value": "portal.test", "covered": True}
    await upload(bench, "portal.test")
    kept = bench.certificates.info()
    assert (kept["method"], kept["source"], kept["issuer"]) == ("custom", "kept", {"common_name": "Test middle"})


async def test_apply_reads_files_that_somebody_put_there(bench: Bench, tmp_path: Path) -> None:
    assert "authority" in await bench.certificates.apply()
    pem = bench.signer.sign(["portal.test"], begins=bench.clock.now() - DAY)
    (tmp_path / "tls" / "portal.test.pem").write_text(pem.key + pem.cert)
    assert "from the next connection on" in await bench.certificates.apply()
    assert "in use already" in await bench.certificates.apply()
    assert bench.certificates.info()["method"] == "custom"


@pytest.mark.parametrize(
    ("names", "more", "field"),
    [
        (["not a name"], {"email": "a@b.test"}, "hostname"),
        (["192.0.2.1"], {"email": "a@b.test"}, "hostname"),
        (["*.a.test"], {"email": "a@b.test"}, "challenge"),
        (["a.test"], {"challenge": "http-01", "dns": {"provider": "manual"}}, "dns"),
    ],
)
async def test_wishes_that_cannot_come_true_are_refused(
    bench: Bench, names: list[str], more: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        bench.certificates.wish(names, **more)
    assert refused.value.details is not None
    assert list(refused.value.details["fields"]) == [field]


async def test_a_wish_is_completed_from_the_settings_and_written_as_dns_does(bench: Bench) -> None:
    bench.email = "ops@portal.test"
    wish = bench.again().wish(["Bücher.test.", "b.test"])
    assert wish.names == ("xn--bcher-kva.test", "b.test")
    assert (wish.email, wish.challenge, wish.directory_url) == ("ops@portal.test", "http-01", "https://acme.test/dir")


async def test_by_dns_a_person_sets_the_record_unless_somebody_else_is_named(bench: Bench) -> None:
    wish = bench.certificates.wish(["a.test"], challenge="dns-01")
    assert wish.dns == {"provider": "manual"}
    assert wish.needs_a_person
    assert wish.email == ""
