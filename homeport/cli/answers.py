"""`homeport answers`: whether this machine's portal does, for health checks of containers and the like."""

from __future__ import annotations

import sys

from homeport.cli.options import DataDir, Json


def answers(data_dir: DataDir = None, json: Json = False) -> None:
    """Ask the portal of this machine whether it answers; exit 7 when it does not."""
    from homeport.cli.client import Client
    from homeport.cli.connection import Connection
    from homeport.cli.local import read_local
    from homeport.cli.machine import settings_here
    from homeport.cli.output import print_json
    from homeport.cli.problems import PortalUnreachable

    settings = settings_here(data_dir)
    local = read_local(settings.data_dir)
    if local is None:
        raise PortalUnreachable(f"No portal has served from {settings.data_dir} yet.")
    with Client(Connection(local.url, "", local.ca, local.address, local.port), timeout=4) as client:
        said = client.get("/api/health")
    if json:
        print_json(said)
    else:
        sys.stdout.write(f"{local.url} answers: {said['status']}, Homeport {said['version']}\n")
