"""`homeport tls`: the certificates that the portal shows."""

from __future__ import annotations

import json as json_
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="Certificates that the portal shows: uploaded, self-signed, or by ACME.", no_args_is_help=True)

SECONDS = 90  # an order answers within a minute
MOST_BYTES = 64 * 1024

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

    with _client(portal) as client:
        found = client.get("/api/certs/info", hostname=hostname)
    if json:
        return print_json(found)
    method = "the portal's own authority" if found["source"] == "authority" else found["method"]
    return _say(
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

    with _client(portal) as client:
        found = client.get("/api/certs")
    if json:
        return print_json(found)
    cells = (
        (row["domain"], row["type"], row["expires_at"], row["renews_at"] or "-", row["error"]) for row in found["certs"]
    )
    return print_table(("domain", "type", "expires", "renews", "last error"), cells, empty="There are none.")


@app.command()
def upload(cert: PemFile, key: PemFile, portal: PortalUrl = None, json: Json = False) -> None:
    """Serve a certificate (with its chain) and its key from the next connection on."""
    body = {"cert": _text(cert), "key": _text(key)}
    with _client(portal) as client:
        _told(client.post("/api/certs/upload", body), as_json=json)


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
    with _client(portal) as client:
        _told(client.post("/api/certs/self-signed", body), as_json=json)


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
    config = {"provider": "manual"} if dns == "manual" else _config(Path(dns)) if dns else None
    body = {
        "hostname": names[0],
        "names": names[1:],
        "email": email,
        "challenge": challenge,
        "directory_url": directory,
        "dns": config,
        "agree_tos": True,
    }
    with _client(portal) as client:
        _told(client.post("/api/certs/acme", body), as_json=json)


@app.command("continue")
def continue_(
    order: Annotated[str, typer.Argument(help="The order's id.", show_default=False)],
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Say that the TXT records of an order stand."""
    with _client(portal) as client:
        _told(client.post(f"/api/certs/orders/{quote(order, safe='')}/continue"), as_json=json)


@app.command()
def orders(portal: PortalUrl = None, json: Json = False) -> None:
    """List the last ACME orders, renewals among them."""
    from homeport.cli.output import print_json, print_table

    with _client(portal) as client:
        found = client.get("/api/certs/orders")
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
    with _client(portal) as client:
        _told(client.post(f"/api/certs/{quote(domain, safe='')}/renew"), as_json=json)


@app.command()
def rm(domain: Name, portal: PortalUrl = None, json: Json = False) -> None:
    """Remove a certificate; its names go back to the portal's own authority."""
    from homeport.cli.output import print_json

    with _client(portal) as client:
        client.delete(f"/api/certs/{quote(domain, safe='')}")
    if json:
        return print_json({"domain": domain, "removed": True})
    return _say(f"{domain}: removed, the portal's own authority answers for it")


@app.command()
def apply(portal: PortalUrl = None, json: Json = False) -> None:
    """Read the files in the data directory's tls folder anew, and judge what serves."""
    from homeport.cli.output import print_json

    with _client(portal) as client:
        found = client.post("/api/certs/apply")
    return print_json(found) if json else _say(found["message"])


def _told(answer: dict[str, Any], *, as_json: bool) -> None:
    from homeport.cli.output import print_json

    if as_json:
        return print_json(answer)
    lines = [answer["message"]]
    order = answer["order"]
    if order is not None and answer["status"] != "installed":
        lines += [f'  {record["name"]}. TXT "{record["value"]}"' for record in order["records"]]
        verb = f"homeport tls continue {order['id']}" if order["records"] else "homeport tls orders"
        lines.append(f"Then run `{verb}`." if order["records"] else f"See `{verb}`.")
    return _say(*lines)


def _say(*lines: str) -> None:
    from homeport.cli.output import safe

    sys.stdout.write("".join(f"{safe(line)}\n" for line in lines))


def _text(path: Path) -> str:
    from homeport.cli.problems import UsageWrong

    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageWrong(f"{path} is larger than {MOST_BYTES // 1024} KB: that is no certificate.")
    return data.decode("ascii", "replace")


def _config(path: Path) -> Any:
    from homeport.cli.problems import UsageWrong

    try:
        return json_.loads(_text(path))
    except (OSError, ValueError) as problem:
        raise UsageWrong(f"{path} holds no provider's settings: {problem}") from problem


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal), timeout=SECONDS)
