"""`homeport expose`: what runs on this machine, public through a relay for as long as the verb runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from homeport.cli.options import Json

if TYPE_CHECKING:
    from homeport.cli.credentials import Credentials
    from homeport.relay.agent import Agent, CertificateSource, Relay


def expose(
    target: Annotated[
        str,
        typer.Argument(help="What to make public: a port here (3000), or host:port.", show_default=False),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", "-n", help="The first label of its host name.", show_default="this folder's name"),
    ] = None,
    relay: Annotated[
        list[str] | None,
        typer.Option("--relay", help="A relay's address; several times for several.", show_default="your portal"),
    ] = None,
    tcp: Annotated[bool, typer.Option("--tcp", help="Also a public TCP port, for other than web traffic.")] = False,
    udp: Annotated[bool, typer.Option("--udp", help="Also a public UDP port.")] = False,
    description: Annotated[str, typer.Option("--description", help="Shown in public lists.")] = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Shown in public lists; several times.")] = None,
    thumbnail: Annotated[str, typer.Option("--thumbnail", help="Address of a picture for public lists.")] = "",
    hide: Annotated[bool, typer.Option("--hide", help="Keep it out of public lists.")] = False,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="PEM file of the authority that the relays are signed by.")
    ] = None,
    self_signed: Annotated[
        bool, typer.Option("--self-signed", help="Where no certificate is to be had, show one that nobody trusts.")
    ] = False,
    acme_email: Annotated[str, typer.Option("--acme-email", help="Who hears of expiring certificates.")] = "",
    acme_directory: Annotated[
        str | None, typer.Option("--acme-directory", help="Another ACME authority.", show_default="Let's Encrypt")
    ] = None,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Show the requests on a page of this machine, and replay them.")
    ] = False,
    inspect_port: Annotated[int, typer.Option("--inspect-port", min=0, max=65535, help="The page's port.")] = 4040,
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error, on stderr.")] = "error",
    json: Json = False,
) -> None:
    """Make a port of this machine public, with TLS that ends here, until Ctrl-C."""
    from homeport.cli.diagnostics import write_to_stderr
    from homeport.cli.exposed import Display, run
    from homeport.relay.agent import Wish, load_or_create, parse_target
    from homeport.relay.identities import normal_name

    write_to_stderr(log_level)
    where = parse_target(target)
    label = normal_name(name or Path.cwd().name or "app")
    relays = _relays(relay or [], str(ca) if ca else "")
    identity = load_or_create(_folder() / f"{label}.json", label)
    wish = Wish(
        description=description, tags=tuple(tag or ()), thumbnail=thumbnail, hide=hide, tcp=tcp, udp=udp
    )  # fmt: skip
    certificates = _certificates(acme_directory, acme_email, ca, self_signed=self_signed)

    inspector = None
    if inspect:
        from homeport.relay.agent.inspect import Inspector

        inspector = Inspector(where, port=inspect_port)

    def build() -> Agent:
        from homeport.kit.clock import SystemClock
        from homeport.relay.agent import Agent as New
        from homeport.relay.agent.udp_companion import UdpCompanion

        companions = [UdpCompanion(where, SystemClock())] if udp else []
        return New(identity, relays, where, wish, certificates, companions=companions, observer=inspector)

    with _alone(label):
        run(build, Display(str(where), as_json=json), inspector)


@contextmanager
def _alone(label: str) -> Iterator[None]:
    """Two agents of one identity would take the name from each other again and again. Raises Conflict."""
    from homeport.kit.lockfile import AlreadyLocked, Lockfile
    from homeport.kit.problems import Conflict

    try:
        with Lockfile(_folder() / f"{label}.lock"):
            yield
    except AlreadyLocked as taken:
        process = f" by process {taken.holder['pid']}" if "pid" in taken.holder else ""
        raise Conflict(f"{label!r} is being exposed already{process}: end that, or take another --name.") from None


def _folder() -> Path:
    from homeport.cli.credentials import config_dir

    return config_dir() / "tunnels"


def _relays(given: list[str], ca: str) -> list[Relay]:
    """Those that were named, or the portal that this user is signed in to."""
    from homeport.cli.connection import resolve
    from homeport.cli.credentials import Credentials
    from homeport.cli.problems import UsageWrong
    from homeport.relay.agent import Relay as New
    from homeport.relay.agent import client_context, relay_url

    credentials = Credentials()
    if given:
        return [_relay(url, ca, credentials) for url in dict.fromkeys(relay_url(each) for each in given)]
    if not credentials.current:
        raise UsageWrong("No portal is known to be the relay: name one with --relay https://relay.example.org")
    portal = resolve(None)
    return [New(portal.url, client_context(ca or portal.ca), portal.key, portal.address, portal.port)]


def _relay(url: str, ca: str, credentials: Credentials) -> Relay:
    """With the key of the person's account, where the relay is a portal that they are signed in to."""
    from homeport.cli.local import read_local, trusted_locally
    from homeport.relay.agent import Relay as New
    from homeport.relay.agent import client_context

    known = credentials.find(url)
    if known is None:
        return New(url, client_context(ca))
    local = read_local(Path(known.data_dir)) if known.data_dir else None
    if local is None:
        return New(url, client_context(ca or known.ca), known.key)
    trusted = ca or trusted_locally(local.ca, Path(known.data_dir))
    return New(local.url, client_context(trusted), local.key, local.address, local.port)


def _certificates(directory: str | None, email: str, ca: Path | None, *, self_signed: bool) -> CertificateSource:
    from homeport.kit.clock import SystemClock
    from homeport.kit.guard import OutboundGuard
    from homeport.relay.agent import Automatic, FromAcme, FromTheRelay, SelfSigned
    from homeport.relay.agent.certificates import LETS_ENCRYPT

    clock = SystemClock()
    # A directory that the person names may be anywhere; what the default one names may not lead into this network.
    guard = OutboundGuard(("0.0.0.0/0", "::/0") if directory else ())
    public = FromAcme(
        _folder() / "certificates", clock, guard, directory_url=directory or LETS_ENCRYPT, email=email, ca_file=ca
    )
    return Automatic(FromTheRelay(clock), public, SelfSigned(clock) if self_signed else None)
