"""`homeport 2fa`: for somebody who has lost the second factor and the backup codes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from homeport.cli.options import DataDir, Json

if TYPE_CHECKING:
    from homeport.portal import Portal

app = typer.Typer(help="The second factor of this machine's portal.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The second factor of this machine's portal."""


@app.command()
def reset(
    username: Annotated[str, typer.Argument(help="Whose.", show_default=False)],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Turn an account's second factor off; the audit log says so. The portal may run meanwhile."""
    from homeport.cli.machine import settings_here
    from homeport.cli.output import print_json, safe
    from homeport.cli.serve import on_this_machine

    name = on_this_machine(settings_here(data_dir), lambda portal: _reset(portal, username))
    if json:
        print_json({"username": name, "enabled": False})
    else:
        sys.stdout.write(f"{safe(name)} signs in without a second factor now.\n")


async def _reset(portal: Portal, username: str) -> str:
    from homeport.identity.audit import MACHINE, Act

    user = await portal.identity.second_factors.reset(username)
    await portal.identity.audit.append(Act("reset_user_2fa", MACHINE, target_type="user", target_id=user.username))
    return user.username
