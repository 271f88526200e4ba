"""The verbs for the machine that the portal runs on."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from homeport.cli.options import DataDir, Json

SYSTEM_DATA_DIR = Path("/var/lib/homeport")  # of a service
Bind = Annotated[
    str | None, typer.Option("--bind", help="Address to listen on; 0.0.0.0 serves the network.", show_default=False)
]
Port = Annotated[
    int | None,
    typer.Option("--port", min=0, max=65535, help="The one TLS port; 0 picks a free one.", show_default=False),
]
Domain = Annotated[
    str | None,
    typer.Option("--domain", help="The portal's host name; an app lives at <name>.<domain>.", show_default=False),
]
LogLevel = Annotated[str | None, typer.Option("--log-level", help="debug, info, warning or error.", show_default=False)]


def up(
    data_dir: DataDir = None,
    bind: Bind = None,
    port: Port = None,
    domain: Domain = None,
    log_level: LogLevel = None,
    open_: Annotated[
        bool, typer.Option("--open", help="No sign-in: everybody on this machine is an administrator.")
    ] = False,
    json: Json = False,
) -> None:
    """Serve the portal here until Ctrl-C; the first start sets everything up."""
    _start_lightly()
    from homeport.cli.serve import serve

    settings, _ = _settings(
        data_dir=data_dir, bind=bind, port=port, domain=domain, log_level=log_level, open=open_ or None
    )
    serve(settings, as_json=json)


def init(
    data_dir: DataDir = None,
    bind: Bind = None,
    port: Port = None,
    domain: Domain = None,
    systemd: Annotated[
        bool,
        typer.Option(
            "--systemd", help="As root: make it a service of this machine, with a user of its own, and start it."
        ),
    ] = False,
    user: Annotated[
        str | None, typer.Option("--user", help="With --systemd: whom it runs as.", show_default="homeport")
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="With --systemd: only show the unit, and the sudo rule for other units.")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="With --systemd: enable and start it, or only install it.")
    ] = True,
    json: Json = False,
) -> None:
    """Set everything up without serving: data directory, keys, CA, database, administrator."""
    given: dict[str, Any] = {"bind": bind, "port": port, "domain": domain}
    if systemd:
        from homeport.cli.systemd import install, service_of, show

        # what stands in this shell's environment is not there when systemd starts it
        settings, _ = _settings({}, data_dir=data_dir or (SYSTEM_DATA_DIR if print_only else None), **given)
        words = [word for name, value in given.items() if value is not None for word in (f"--{name}", str(value))]
        service = service_of(settings, user, tuple(words))
        return show(service, as_json=json) if print_only else install(service, start=start, as_json=json)
    from homeport.cli.serve import prepare

    settings, _ = _settings(data_dir=data_dir, **given)
    return prepare(settings, as_json=json)


def config(data_dir: DataDir = None, json: Json = False) -> None:
    """Show each setting, its value and where it came from."""
    from homeport.cli.output import print_json, print_table
    from homeport.settings import shown

    _, rows = _settings(data_dir=data_dir)
    lines = [(row.name, shown(row.name, row.value), row.source, row.description) for row in rows]
    if json:
        names = ("name", "value", "source", "description")
        return print_json([dict(zip(names, line, strict=True)) for line in lines])
    cells = ((name, _plain(value), source, description) for name, value, source, description in lines)
    return print_table(("setting", "value", "source", "meaning"), cells, empty="There are no settings.")


def password(
    username: Annotated[str, typer.Argument(help="Whose password.")] = "admin",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Give an account of this machine's portal a new password, and end its sessions and API keys."""
    from homeport.cli.output import print_json
    from homeport.cli.serve import reset_password

    fresh = reset_password(settings_here(data_dir), username)
    if json:
        print_json({"username": username, "password": fresh})
    else:
        sys.stdout.write(f"The new password of {username} is {fresh}\n")


def openapi() -> None:
    """Print the API's OpenAPI document (JSON); needs no running portal."""
    from homeport.cli.output import print_json
    from homeport.cli.serve import openapi_document

    print_json(openapi_document())


def version(json: Json = False) -> None:
    """Print the version."""
    from homeport import __version__
    from homeport.cli.output import print_json

    if json:
        print_json({"version": __version__})
    else:
        sys.stdout.write(f"{__version__}\n")


def _start_lightly() -> None:
    """A portal that starts sooner and stays smaller: measured by `python -m bench idle`."""
    import gc

    gc.disable()  # nothing that the imports make is garbage; serve() turns it on again
    sys.modules["rich"] = None  # type: ignore[assignment]  # structlog would load it, for colours that no log needs
    import structlog  # noqa: F401

    del sys.modules["rich"]


def _settings(env: Mapping[str, str] | None = None, **overrides: Any) -> Any:
    """Settings and their rows; `env` in place of the process's. Raises UsageWrong for values that do not fit."""
    from homeport.cli.problems import UsageWrong
    from homeport.settings import SettingsInvalid, load

    try:
        return load({name: value for name, value in overrides.items() if value is not None}, env)
    except SettingsInvalid as invalid:
        raise UsageWrong(str(invalid)) from invalid


def settings_here(data_dir: Path | None) -> Any:
    """The settings of the portal in `data_dir`, or of the one that was started here last. Raises UsageWrong."""
    settings, _ = _settings(data_dir=data_dir or last_data_dir())
    return settings


def last_data_dir() -> Path | None:
    """The data directory of the portal that was started here last, if the shell talks to that one."""
    from homeport.cli.credentials import Credentials

    credentials = Credentials()
    known = credentials.find(credentials.current)
    return Path(known.data_dir) if known and known.data_dir else None


def _plain(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
