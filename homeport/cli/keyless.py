"""`homeport tls keyless`: the pair that signs for tunnels without a key of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homeport.cli.certificate_answers import client, config, say, text, told
from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="The relay's certificate, for tunnels without a key of their own.", no_args_is_help=True)

PemFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="In PEM.", show_default=False)]


@app.command()
def info(portal: PortalUrl = None, json: Json = False) -> None:
    """Say whether handshakes of tunnels are signed, and with which certificate."""
    from homeport.cli.output import print_json

    with client(portal) as asked:
        found = asked.get("/api/certs/keyless")
    if json:
        return print_json(found)
    shown = found["certificate"]
    if shown is None:
        why = (
            "the portal's name has a certificate of its own, and the relay has none"
            if found["enabled"]
            else "it is off"
        )
        return say(f"keyless: nothing is signed, {why}")
    method = "the portal's own authority" if found["source"] == "authority" else "uploaded, or by ACME"
    return say(
        f"keyless: {method}, {shown['key_type']}",
        f"  names    {', '.join(shown['sans'])}",
        f"  valid    {shown['not_before']} to {shown['not_after']} ({shown['days_until_expiry']} days left)",
        f"  SHA-256  {shown['fingerprint_sha256']}",
    )


@app.command()
def upload(cert: PemFile, key: PemFile, portal: PortalUrl = None, json: Json = False) -> None:
    """Use this certificate (with its chain) and its key, which must serve nothing else."""
    with client(portal) as asked:
        told(asked.post("/api/certs/keyless/upload", {"cert": text(cert), "key": text(key)}), as_json=json)


@app.command()
def acme(
    email: Annotated[
        str | None, typer.Option(help="For the authority to write to; setting acme_email otherwise.")
    ] = None,
    directory: Annotated[str | None, typer.Option(help="Of another authority than Let's Encrypt.")] = None,
    dns: Annotated[
        str, typer.Option(help="`manual`, or a JSON file that names a provider and its secrets; only that one renews.")
    ] = "manual",
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Order one by ACME (dns-01) for the portal's name and all below it; you agree to the authority's terms."""
    settings = {"provider": "manual"} if dns == "manual" else config(Path(dns))
    body = {"email": email, "directory_url": directory, "dns": settings}
    with client(portal) as asked:
        told(asked.post("/api/certs/keyless/acme", body), as_json=json)


@app.command()
def rm(portal: PortalUrl = None, json: Json = False) -> None:
    """Remove it: the portal's own authority signs the next one, where it signs for the portal itself."""
    from homeport.cli.output import print_json

    with client(portal) as asked:
        asked.delete("/api/certs/_keyless")
    if json:
        return print_json({"domain": "_keyless", "removed": True})
    return say("keyless: removed")
