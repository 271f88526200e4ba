"""`homeport tls`: the certificates that the portal shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from homeport.cli import keyless
from homeport.cli.certificate_answers import client, config, say, text, told
from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Certificates that the portal shows: uploaded, self-signed, or by ACME.", no_args_is_help=True)
app.add_typer(keyless.app, name="keyless")

Name = Annotated[str, typer.Argument(help="Such as portal.example.org or *.example.org.", show_default=False)]
PemFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="In PEM.", show_default=False)]


@app.command()
def info(
    hostname: Annotated[str | None, typer.Argument(help="The portal's own otherwise.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Say which certificate a name is shown."""
    from homeport.cli.output import print_json

    with client(portal) as asked:
        found = asked.get("/api/certs/info", hostname=hostname)
    if json:
        return print_json(found)
    method = "the portal's own authority" if found["source"] == "authority" else found["method"]
    return say(
        f"{found['hostname_coverage']['hostname']['value']}: {method}, {found['key_type']}",
        f"  names    {', '.join(found['sans'])}",
        f"  issuer   {', '.join(found['issuer'].values())}",
        f"  valid    {found['not_before']} to {found['not_after']} ({found['days_until_expiry']} days left)",
        f"  SHA-256  {found['fingerprint_sha256']}",
    )


@app.command("list")
def list_(portal: PortalUrl = None, json: Json = False) -> None:
    """List the portal's own authority and every certificate that serves instead."""
    from homeport.cli.output import print_json, print_table

    with client(portal) as asked:
        found = asked.get("/api/certs")
    if json:
        return print_json(found)
    cells = (
        (row["domain"], row["type"], row["expires_at"], row["renews_at"] or "-", row["error"]) for row in found["certs"]
    )
    return print_table(("domain", "type", "expires", "renews", "last error"), cells, empty="There are none.")


@app.command()
def upload(cert: PemFile, key: PemFile, portal: PortalUrl = None, json: Json = False) -> None:
    """Serve a certificate (with its chain) and its key from the next connection on."""
    body = {"cert": text(cert), "key": text(key)}
    with client(portal) as asked:
        told(asked.post("/api/certs/upload", body), as_json=json)


@app.command("self-signed")
def self_signed(
    hostname: Name,
    days: Annotated[int, typer.Option(min=30, max=3650, help="How long it lasts.")] = 365,
    key_type: Annotated[str, typer.Option(help="ec-p256, ec-p384, rsa-2048 or rsa-4096.")] = "ec-p256",
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Make a certificate that signs itself, and serve it."""
    body = {"hostname": hostname, "validity_days": days, "key_type": key_type}
    with client(portal) as asked:
        told(asked.post("/api/certs/self-signed", body), as_json=json)


@app.command()
def acme(
    names: Annotated[list[str], typer.Argument(help="Host names; a wildcard needs dns-01.", show_default=False)],
    email: Annotated[
        str | None, typer.Option(help="For the authority to write to; setting acme_email otherwise.")
    ] = None,
    challenge: Annotated[str | None, typer.Option(help="http-01, tls-alpn-01 or dns-01.")] = None,
    directory: Annotated[str | None, typer.Option(help="Of another authority than Let's Encrypt.")] = None,
    dns: Annotated[
        str | None,
        typer.Option(
            help="By dns-01: `manual` (as if left out), or a JSON file that names a provider and its secrets."
        ),
    ] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Order a certificate by ACME; you agree to the authority's terms. It renews itself from then on."""
    settings = {"provider": "manual"} if dns == "manual" else config(Path(dns)) if dns else None
    body = {
        "hostname": names[0],
        "names": names[1:],
        "email": email,
        "challenge": challenge,
        "directory_url": directory,
        "dns": settings,
        "agree_tos": True,
    }
    with client(portal) as asked:
        told(asked.post("/api/certs/acme", body), as_json=json)


@app.command("continue")
def continue_(
    order: Annotated[str, typer.Argument(help="The order's id.", show_default=False)],
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Say that the TXT records of an order stand."""
    with client(portal) as asked:
        told(asked.post(f"/api/certs/orders/{quote(order, safe='')}/continue"), as_json=json)


@app.command()
def orders(portal: PortalUrl = None, json: Json = False) -> None:
    """List the last ACME orders, renewals among them."""
    from homeport.cli.output import print_json, print_table

    with client(portal) as asked:
        found = asked.get("/api/certs/orders")
    if json:
        return print_json(found)
    cells = (
        (row["id"], ", ".join(row["names"]), row["challenge"], row["status"], row["created_at"], row["error"] or "")
        for row in found["orders"]
    )
    return print_table(
        ("order", "names", "challenge", "status", "begun", "error"), cells, empty="None since the portal started."
    )


@app.command()
def renew(domain: Name, portal: PortalUrl = None, json: Json = False) -> None:
    """Get the next certificate now, in the same way as the last."""
    with client(portal) as asked:
        told(asked.post(f"/api/certs/{quote(domain, safe='')}/renew"), as_json=json)


@app.command()
def rm(domain: Name, portal: PortalUrl = None, json: Json = False) -> None:
    """Remove a certificate; its names go back to the portal's own authority."""
    from homeport.cli.output import print_json

    with client(portal) as asked:
        asked.delete(f"/api/certs/{quote(domain, safe='')}")
    if json:
        return print_json({"domain": domain, "removed": True})
    return say(f"{domain}: removed, the portal's own authority answers for it")


@app.command()
def apply(portal: PortalUrl = None, json: Json = False) -> None:
    """Read the files in the data directory's tls folder anew, and judge what serves."""
    from homeport.cli.output import print_json

    with client(portal) as asked:
        found = asked.post("/api/certs/apply")
    return print_json(found) if json else say(found["message"])
