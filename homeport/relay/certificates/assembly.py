"""Server certificates, put together from the portal's settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from homeport.identity.audit import Act
from homeport.kit.clock import Clock
from homeport.kit.guard import OutboundGuard
from homeport.kit.sealing import Sealer
from homeport.relay.authority import Authority
from homeport.relay.certificates.acme import Accounts, AcmeIssuer, AlpnAnswers, Binding, HttpAnswers, Transport
from homeport.relay.certificates.certificates import Certificates, Defaults
from homeport.relay.certificates.keyless import Keyless
from homeport.relay.certificates.orders import Orders
from homeport.relay.certificates.provider_secrets import ProviderSecrets
from homeport.relay.certificates.shelf import Shelf
from homeport.settings import Settings
from homeport.storage import Options


def assembled(
    settings: Settings,
    authority: Authority,
    clock: Clock,
    guard: OutboundGuard,
    sealer: Sealer,
    options: Options,
    record: Callable[[Act], Awaitable[None]],
    wanted: Callable[[], Iterable[str]],
) -> Certificates:
    """`record` appends to the audit log, `wanted` lists apps' own domains. Touches nothing before `open`."""
    folder = settings.data_dir / "tls"
    http, alpn = HttpAnswers(settings.bind, settings.acme_http_port), AlpnAnswers(clock)
    transport = Transport(guard, settings.acme_ca_file)
    secret = settings.acme_eab_secret.get_secret_value()
    binding = Binding(settings.acme_eab_key_id, secret) if settings.acme_eab_key_id and secret else None
    shelf = Shelf(folder, clock, ProviderSecrets(options, sealer, clock))
    keyless = Keyless(
        settings.data_dir / "relay" / "keyless.key", authority, shelf, clock,
        domain=settings.domain.lower(), enabled=settings.relay and settings.relay_keyless,
    )  # fmt: skip
    issuer = AcmeIssuer(
        Accounts(folder / "accounts"), transport, guard, clock, http, alpn, binding, key_for=keyless.key_for
    )
    defaults = Defaults(
        settings.domain.lower(),
        settings.acme_email,
        settings.acme_directory_url,
        settings.acme_challenge,
        settings.stream_domain,
    )
    return Certificates(
        authority, shelf, Orders(shelf, issuer, clock, record), clock, defaults, keyless,
        wanted=wanted, answer_hello=alpn.find, answer_plain=http.find, end=transport.close,
    )  # fmt: skip
