"""All verbs, in the order in which the help shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from homeport import __version__
from homeport.cli import (
    agent,
    analyse,
    answers,
    audit,
    backup,
    certs,
    compose,
    customers,
    deploy,
    domains,
    endpoints,
    events,
    expose,
    invites,
    jobs,
    keys,
    login,
    logs,
    machine,
    openid,
    plans,
    relay,
    retention,
    second_factor,
    services,
    sessions,
    ssh_keys,
    templates,
    tls,
    tunnels,
    units,
    users,
)

app = typer.Typer(
    name="homeport",
    help="One self-hosted portal for everything you run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_APPS, _UNITS, _DEPLOYS, _PORTAL = "Apps", "Units", "Deploys", "The portal"

for verb, panel in (
    (deploy.deploy, _APPS),
    (services.services, _APPS),
    (logs.logs, _APPS),
    (services.start, _APPS),
    (services.stop, _APPS),
    (services.restart, _APPS),
    (services.rm, _APPS),
    (tunnels.share, _APPS),
    (expose.expose, _APPS),
    (units.units, _UNITS),
    (units.reload, _UNITS),
    (services.redeploy, _DEPLOYS),
    (services.rollback, _DEPLOYS),
    (services.releases, _DEPLOYS),
    (jobs.jobs, _DEPLOYS),
    (events.events, _DEPLOYS),
    (templates.templates, _DEPLOYS),
    (analyse.analyse, _DEPLOYS),
    (login.login, _PORTAL),
    (login.logout, _PORTAL),
    (openid.openid, _PORTAL),
    (machine.up, _PORTAL),
    (machine.init, _PORTAL),
    (answers.answers, _PORTAL),
    (machine.config, _PORTAL),
    (machine.password, _PORTAL),
    (backup.backup, _PORTAL),
    (backup.restore, _PORTAL),
    (machine.openapi, _PORTAL),
    (machine.version, _PORTAL),
):
    app.command(rich_help_panel=panel)(verb)

for group, name, panel in (
    (domains.app, "domains", _APPS),
    (tunnels.app, "tunnels", _APPS),
    (relay.app, "relay", _PORTAL),
    (agent.app, "agent", _APPS),
    (tls.app, "tls", _PORTAL),
    (customers.app, "customers", _PORTAL),
    (plans.app, "plans", _PORTAL),
    (users.app, "users", _PORTAL),
    (invites.app, "invites", _PORTAL),
    (sessions.app, "sessions", _PORTAL),
    (keys.app, "keys", _PORTAL),
    (audit.app, "audit", _PORTAL),
    (retention.app, "retention", _PORTAL),
    (ssh_keys.app, "ssh-keys", _PORTAL),
    (certs.app, "certs", _PORTAL),
    (second_factor.app, "2fa", _PORTAL),
):
    app.add_typer(group, name=name, rich_help_panel=panel)
app.add_typer(compose.group, name="compose", rich_help_panel=_DEPLOYS)
app.add_typer(endpoints.app, name="endpoints", rich_help_panel=_APPS)


def _version(*, asked: bool) -> None:
    if asked:
        typer.echo(f"homeport {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=lambda asked: _version(asked=asked), is_eager=True, help="The version."),
    ] = False,
) -> None:
    """One self-hosted portal for everything you run: deploy it, watch it, put it on the internet."""
