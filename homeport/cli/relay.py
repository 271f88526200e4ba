"""`homeport relay`: whose tunnels may be reached through this portal, by whom, how fast."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl

app = typer.Typer(help="The relay: whose tunnels may be reached, by whom, how fast.", no_args_is_help=False)

Identity = Annotated[
    str, typer.Argument(help="A tunnel's name, or name:0x… when several wallets have it.", show_default=False)
]
Undo = Annotated[bool, typer.Option("--undo", help="Take it back.")]


@app.callback(invoke_without_command=True)
def relay(context: typer.Context, portal: PortalUrl = None, json: Json = False) -> None:
    """Show how the relay stands."""
    if context.invoked_subcommand is None:
        status(portal, json)


@app.command()
def status(portal: PortalUrl = None, json: Json = False) -> None:
    """Show how the relay stands: settings, traffic since the start, and what was decided."""
    from homeport.cli.output import print_fields, print_json

    with _client(portal) as client:
        answer = client.get("/api/relay")
    if json:
        return print_json(answer)
    counts = answer["counts"]
    print_fields(
        [
            ("relay", answer["url"]),
            ("wallet", answer["address"]),
            ("administered by", ", ".join(answer["wallets"])),
            ("protocol", answer["protocol_version"]),
            *_settings_rows(answer),
            ("tunnels", f"{counts['tunnels']}, of which {counts['waiting']} wait for an approval"),
            ("connections", f"{counts['open']} open, {counts['connections']} since the start"),
            ("traffic", f"{_size(counts['received_bytes'])} in, {_size(counts['sent_bytes'])} out"),
            ("banned", ", ".join(answer["banned_networks"])),
            *((row["identity_key"], _decided(row)) for row in answer["identities"]),
        ]
    )
    return None


@app.command()
def tunnels(portal: PortalUrl = None, json: Json = False) -> None:
    """List every tunnel that runs, everybody's and hidden ones too."""
    from homeport.cli.output import print_json, print_table

    with _client(portal) as client:
        answer = client.get("/api/relay/tunnels")
    if json:
        return print_json(answer)
    cells = (
        (
            row["name"],
            _state(row),
            row["address"],
            row["ready"],
            row["open"],
            f"{_size(row['received_bytes'])} / {_size(row['sent_bytes'])}",
            f"{_size(row['bps'])}/s" if row["bps"] else "",
            row["client_ip"],
            row["tcp_addr"] or row["udp_addr"],
        )
        for row in answer["tunnels"]
    )
    columns = ("name", "state", "wallet", "ready", "open", "in / out", "limit", "from", "port")
    return print_table(columns, cells, empty="No tunnels yet: `homeport expose` makes one.")


@app.command()
def approve(who: Identity, undo: Undo = False, portal: PortalUrl = None, json: Json = False) -> None:
    """Let a tunnel be reached that waits for it."""
    _decide(who, "approve", "approved", undo=undo, portal=portal, as_json=json)


@app.command()
def deny(who: Identity, undo: Undo = False, portal: PortalUrl = None, json: Json = False) -> None:
    """Let nobody reach a tunnel any more; whoever is being served is cut off."""
    _decide(who, "deny", "denied", undo=undo, portal=portal, as_json=json)


BanWho = Annotated[
    str, typer.Argument(help="A tunnel's name (or name:0x…), or an address or network (CIDR).", show_default=False)
]


@app.command()
def ban(who: BanWho, portal: PortalUrl = None, json: Json = False) -> None:
    """Keep an identity, an address or a network away; what it has open ends."""
    _ban(who, undo=False, portal=portal, as_json=json)


@app.command()
def unban(who: BanWho, portal: PortalUrl = None, json: Json = False) -> None:
    """Let it come back."""
    _ban(who, undo=True, portal=portal, as_json=json)


@app.command()
def limit(
    who: Identity,
    rate: Annotated[
        str, typer.Argument(help="Bytes a second: 125000, 500k, 10M, 1G; none for no limit.", show_default=False)
    ],
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Limit all connections of a tunnel together, in both directions, open ones as well."""
    from homeport.cli.output import print_json, safe

    bps = _rate(rate)
    with _client(portal) as client:
        path, key = _path(client, who, "bps")
        if bps:
            client.post(path, {"bps": bps})
        else:
            client.delete(path)
    if json:
        return print_json({"identity_key": key, "bps": bps})
    sys.stdout.write(f"{safe(key)} has {f'{_size(bps)} a second' if bps else 'no limit'}.\n")
    return None


@app.command()
def settings(
    approval: Annotated[str | None, typer.Option("--approval", help="auto or manual: whether tunnels wait.")] = None,
    landing_page: Annotated[
        bool | None, typer.Option("--landing-page/--no-landing-page", help="Show the public list of tunnels.")
    ] = None,
    tcp: Annotated[bool | None, typer.Option("--tcp/--no-tcp", help="Give tunnels TCP ports.")] = None,
    tcp_leases: Annotated[int | None, typer.Option("--tcp-leases", min=0, help="How many; 0 is no limit.")] = None,
    udp: Annotated[bool | None, typer.Option("--udp/--no-udp", help="Give tunnels UDP ports.")] = None,
    udp_leases: Annotated[int | None, typer.Option("--udp-leases", min=0, help="How many; 0 is no limit.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Change what the relay gives to whom; without options, show it."""
    from homeport.cli.output import print_fields, print_json

    with _client(portal) as client:
        if approval is not None:
            client.post("/admin/settings/approval-mode", {"mode": approval})
        if landing_page is not None:
            client.post("/admin/settings/landing-page", {"enabled": landing_page})
        now = client.get("/api/relay")
        for path, kept, enabled, leases in (
            ("tcp-port", now["tcp_port"], tcp, tcp_leases),
            ("udp", now["udp"], udp, udp_leases),
        ):
            if enabled is not None or leases is not None:
                wanted = {
                    "enabled": kept["enabled"] if enabled is None else enabled,
                    "max_leases": kept["max_leases"] if leases is None else leases,
                }
                client.post(f"/admin/settings/{path}", wanted)
        now = client.get("/api/relay")
    if json:
        return print_json({name: now[name] for name in ("approval_mode", "landing_page_enabled", "tcp_port", "udp")})
    return print_fields(_settings_rows(now))


def _decide(who: str, act: str, word: str, *, undo: bool, portal: str | None, as_json: bool) -> None:
    from homeport.cli.output import print_json, safe

    with _client(portal) as client:
        path, key = _path(client, who, act)
        if undo:
            client.delete(path)
        else:
            client.post(path)
    if as_json:
        return print_json({"identity_key": key, word: not undo})
    sys.stdout.write(f"{safe(key)} is {'not ' if undo else ''}{word}{' any more' if undo else ''}.\n")
    return None


def _ban(who: str, *, undo: bool, portal: str | None, as_json: bool) -> None:
    from urllib.parse import quote

    from homeport.cli.output import print_json, safe

    if not _is_network(who):
        return _decide(who, "ban", "banned", undo=undo, portal=portal, as_json=as_json)
    with _client(portal) as client:
        path = f"/admin/ips/{quote(who, safe='')}/ban"
        if undo:
            client.delete(path)
        else:
            client.post(path)
    if as_json:
        return print_json({"network": who, "banned": not undo})
    sys.stdout.write(f"{safe(who)} is {'not banned any more' if undo else 'banned'}.\n")
    return None


def _path(client: Any, who: str, act: str) -> tuple[str, str]:
    """Where to say something of an identity, and its key: of the one tunnel, or decision, with that name."""
    from base64 import urlsafe_b64encode

    from homeport.cli.problems import UsageWrong
    from homeport.kit.problems import NotFound

    name, _, address = who.partition(":")
    if not address:
        tunnels = client.get("/api/relay/tunnels")["tunnels"]
        known = [*tunnels, *client.get("/api/relay")["identities"]]
        label = name.lower().partition(".")[0]
        keys = sorted({row["identity_key"] for row in known if row["name"] == label})
        if not keys:
            raise NotFound(f"There is no tunnel {name!r}: write name:0x… for an identity that has none now.")
        if len(keys) > 1:
            raise UsageWrong(f"Several wallets have that name: {', '.join(keys)}.")
        name, _, address = keys[0].partition(":")
    first, second = (urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (name, address))
    return f"/admin/leases/{first}/{second}/{act}", f"{name}:{address.lower()}"


def _is_network(text: str) -> bool:
    from ipaddress import ip_network

    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _rate(text: str) -> int:
    """Bytes a second; 0 for none."""
    from homeport.cli.problems import UsageWrong

    units = {"k": 1000, "m": 1000**2, "g": 1000**3}
    word = text.strip().lower()
    if word == "none":
        return 0
    number, unit = (word[:-1], units[word[-1]]) if word[-1:] in units else (word, 1)
    if not number.isdecimal() or not number.isascii() or int(number) == 0 or len(number) > 12:
        raise UsageWrong(f"{text[:40]!r} is no rate: write 125000, 500k, 10M or none.")
    return int(number) * unit


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _state(row: dict[str, Any]) -> str:
    if row["is_banned"] or row["is_ip_banned"]:
        return "banned"
    if row["is_denied"]:
        return "denied"
    if row["waits"]:
        return "waits"
    return "online" if row["ready"] else "offline"


def _decided(row: dict[str, Any]) -> str:
    words = [word for word in ("banned", "denied", "approved") if row[word]]
    return ", ".join([*words, *([f"{_size(row['bps'])} a second"] if row["bps"] else [])])


def _settings_rows(answer: dict[str, Any]) -> list[tuple[str, object]]:
    def ports(kind: dict[str, Any]) -> str:
        if not kind["configured"]:
            return "none by the settings"
        most = kind["max_leases"]
        return f"{'on' if kind['enabled'] else 'off'}, {kind['taken']} taken{f' of {most}' if most else ''}"

    return [
        ("approval", answer["approval_mode"]),
        ("public list", "shown" if answer["landing_page_enabled"] else "not shown"),
        ("tcp ports", ports(answer["tcp_port"])),
        ("udp ports", ports(answer["udp"])),
    ]


def _client(portal: str | None) -> Any:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve

    return Client(resolve(portal))
