"""`homeport openid`: the provider that people sign in at."""

from __future__ import annotations

import sys

import typer

from homeport.cli.options import Json, PortalUrl


def openid(portal: PortalUrl = None, json: Json = False) -> None:
    """Ask the OpenID provider whether it can be used, and show what to enter there; fails when it cannot."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        checked = client.get("/api/settings/openid")
    if json:
        print_json(checked)
    else:
        names = ("issuer", "client_id", "redirect_uri", "post_logout_redirect_uri", "backchannel_logout_uri")
        print_table(("at the provider", "value"), [(name, checked[name]) for name in names], empty="")
        said = (
            f"cannot be used: {checked['problem']}" if checked["problem"] else f"answers, with {checked['keys']} keys"
        )
        sys.stdout.write(f"The provider {said}.\n")
    if checked["problem"]:
        raise typer.Exit(1)
