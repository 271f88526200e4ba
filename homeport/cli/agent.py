"""`homeport agent`: tunnels that stay, by a service of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeport.cli.options import Json

if TYPE_CHECKING:
    from homeport.relay.agent.daemon.specs import RelaySpec

app = typer.Typer(help="Tunnels that stay: a service of this machine keeps them up.", no_args_is_help=True)

StateDir = Annotated[
    Path | None,
    typer.Option("--state-dir", help="Where the agent keeps its tunnels and keys.", show_default="yours, or root's"),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Of its API, on 127.0.0.1; 0 picks one.")]
Wallets = Annotated[
    list[str] | None, typer.Option("--wallet", help="A wallet (0x…) that may read its status; several times.")
]
Acme = Annotated[str, typer.Option("--acme-directory", help="Another ACME authority.", show_default="Let's Encrypt")]
AcmeEmail = Annotated[str, typer.Option("--acme-email", help="Who hears of expiring certificates.")]
API_PORT = 4018


@app.command()
def run(
    state_dir: StateDir = None,
    port: Port = API_PORT,
    wallet: Wallets = None,
    acme_directory: Acme = "",
    acme_email: AcmeEmail = "",
    log_level: Annotated[str, typer.Option("--log-level", help="debug, info, warning or error, on stderr.")] = "info",
    json: Json = False,
) -> None:
    """Keep the tunnels up until SIGTERM or Ctrl-C."""
    from homeport.cli.agent_calls import state_dir as chosen
    from homeport.cli.agent_run import run as keep
    from homeport.cli.diagnostics import write_to_stderr

    write_to_stderr(log_level)
    keep(chosen(state_dir), port, wallet or [], acme_directory, acme_email, as_json=json)


@app.command()
def add(
    target: Annotated[str, typer.Argument(help="A port here (3000), or host:port.", show_default=False)],
    name: Annotated[str, typer.Option("--name", "-n", help="The first label of its host name.", show_default=False)],
    relay: Annotated[
        list[str] | None,
        typer.Option("--relay", help="A relay's address; several times for several.", show_default="your portal"),
    ] = None,
    tcp: Annotated[bool, typer.Option("--tcp", help="Also a public TCP port.")] = False,
    udp: Annotated[bool, typer.Option("--udp", help="Also a public UDP port.")] = False,
    description: Annotated[str, typer.Option("--description", help="Shown in public lists.")] = "",
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Shown in public lists; several times.")] = None,
    hide: Annotated[bool, typer.Option("--hide", help="Keep it out of public lists.")] = False,
    ca: Annotated[Path | None, typer.Option("--ca", help="PEM file of the authority that signs the relays.")] = None,
    mine: Annotated[
        bool, typer.Option("--mine", help="Give the agent your key for the portal: the tunnel is yours, and approved.")
    ] = False,
    state_dir: StateDir = None,
    json: Json = False,
) -> None:
    """Keep one more tunnel up, from now on."""
    from homeport.cli.agent_calls import LocalAgent
    from homeport.cli.agent_calls import state_dir as chosen
    from homeport.cli.output import print_json
    from homeport.relay.agent.daemon.specs import read_spec

    relays = [vars(each) for each in _relays(relay or [], ca, mine=mine)]
    wish = {
        "name": name, "target": target, "relays": relays, "tcp": tcp, "udp": udp,
        "description": description, "tags": tag or [], "hide": hide,
    }  # fmt: skip
    agent = LocalAgent(chosen(state_dir))
    row = agent.add(read_spec(wish))
    if json:
        return print_json(row)
    typer.echo(f"{row['name']} is added." if agent.url else f"{row['name']} is added; `homeport agent run` starts it.")
    return None


@app.command("list")
def list_tunnels(state_dir: StateDir = None, json: Json = False) -> None:
    """The tunnels, and how they are doing."""
    from homeport.cli.agent_calls import LocalAgent
    from homeport.cli.agent_calls import state_dir as chosen
    from homeport.cli.output import print_json

    rows = LocalAgent(chosen(state_dir)).tunnels()
    return print_json({"tunnels": rows}) if json else _table(rows)


@app.command()
def status(state_dir: StateDir = None, json: Json = False) -> None:
    """Whether the agent runs, since when, and how its tunnels are doing."""
    from homeport.cli.agent_calls import LocalAgent
    from homeport.cli.agent_calls import state_dir as chosen
    from homeport.cli.output import ago, print_fields, print_json

    agent = LocalAgent(chosen(state_dir))
    if not agent.url:
        rows = agent.tunnels()
        if json:
            return print_json({"status": "stopped", "tunnels": rows})
        typer.echo("The agent does not run: `homeport agent run`, or `homeport agent install` for a service.")
        return _table(rows)
    told = agent.call("GET", "/status")
    if json:
        return print_json(told)
    print_fields(
        (
            ("agent", f"{told['status']}, {told['version']}, process {told['pid']}"),
            ("started", ago(told["started_at"])),
            ("api", agent.url),
        )
    )
    return _table(told["tunnels"])


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The tunnel's name.", show_default=False)], state_dir: StateDir = None
) -> None:
    """End a tunnel and forget it; its key stays, so that the name can come back."""
    from homeport.cli.agent_calls import LocalAgent
    from homeport.cli.agent_calls import state_dir as chosen

    LocalAgent(chosen(state_dir)).remove(name)
    typer.echo(f"{name} is removed.")


@app.command()
def stop(state_dir: StateDir = None) -> None:
    """End the agent that runs, by its API; a service is better stopped with systemctl."""
    from homeport.cli.agent_calls import LocalAgent
    from homeport.cli.agent_calls import state_dir as chosen

    agent = LocalAgent(chosen(state_dir))
    if not agent.url:
        typer.echo("The agent does not run.")
        return
    agent.call("POST", "/shutdown")
    typer.echo("The agent stops.")


@app.command()
def install(
    state_dir: StateDir = None,
    port: Port = API_PORT,
    wallet: Wallets = None,
    acme_directory: Acme = "",
    acme_email: AcmeEmail = "",
    user: Annotated[str | None, typer.Option("--user", help="Whom it runs as.", show_default="homeport-agent")] = None,
    print_only: Annotated[bool, typer.Option("--print", help="Only show the unit.")] = False,
    start: Annotated[bool, typer.Option("--start/--no-start", help="Enable and start it, or only install it.")] = True,
    json: Json = False,
) -> None:
    """As root: make the agent a service of this machine, with a user of its own, and start it."""
    from homeport.cli.agent_calls import SYSTEM_STATE_DIR
    from homeport.cli.agent_systemd import install as put
    from homeport.cli.agent_systemd import service_of
    from homeport.cli.systemd import show

    words = ["--port", str(port)]
    for option, values in (
        ("--wallet", wallet or []),
        ("--acme-directory", [acme_directory]),
        ("--acme-email", [acme_email]),
    ):
        words += [word for value in values if value for word in (option, value)]
    service = service_of((state_dir or SYSTEM_STATE_DIR).absolute(), user, words)
    if print_only:
        return show(service, as_json=json)
    return put(service, start=start, as_json=json)


def _relays(given: list[str], ca: Path | None, *, mine: bool) -> list[RelaySpec]:
    """Those that were named, or the portal that this user is signed in to; `mine`: with the key of their account."""
    from homeport.cli.credentials import Credentials
    from homeport.cli.local import read_local, trusted_locally
    from homeport.cli.problems import UsageWrong
    from homeport.relay.agent.daemon.specs import RelaySpec as New
    from homeport.relay.agent.relays import relay_url

    credentials = Credentials()
    urls = list(dict.fromkeys(relay_url(each) for each in given)) or [credentials.current]
    if not urls[0]:
        raise UsageWrong("No portal is known to be the relay: name one with --relay https://relay.example.org")
    pem = _pem(str(ca)) if ca else ""
    specs = []
    for url in urls:
        known = credentials.find(url)
        local = read_local(Path(known.data_dir)) if known is not None and known.data_dir else None
        if local is not None and known is not None:
            trusted = pem or _pem(trusted_locally(local.ca, Path(known.data_dir)))
            specs.append(New(url, trusted, local.key if mine else "", local.address, local.port))
        elif known is not None:
            specs.append(New(url, pem or _pem(known.ca), known.key if mine else ""))
        else:
            specs.append(New(url, pem))
    return specs


def _pem(path_or_text: str) -> str:
    """What the agent, who may not read this user's files, will trust."""
    from homeport.cli.problems import UsageWrong

    if not path_or_text or path_or_text.lstrip().startswith("-----BEGIN"):
        return path_or_text
    try:
        return Path(path_or_text).read_text()
    except (OSError, ValueError) as fault:
        raise UsageWrong(f"The CA file {path_or_text} cannot be read: {fault}.") from None


def _table(rows: list[dict[str, Any]]) -> None:
    from homeport.cli.output import print_table

    cells = (
        (
            row["name"],
            row["state"],
            row["target"],
            row.get("url") or row["relays"][0]["relay"],
            row.get("tcp_addr"),
            row.get("udp_addr"),
            row.get("error") or row.get("warning"),
        )
        for row in rows
    )
    columns = ("name", "state", "target", "url", "tcp", "udp", "what")
    print_table(columns, cells, empty="No tunnels: `homeport agent add 3000 --name demo` keeps one up.")
