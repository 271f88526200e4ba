"""`homeport keys`: the keys that seal this portal's secrets at rest."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import DataDir, Json

app = typer.Typer(help="The keys that seal secrets at rest.", no_args_is_help=True)


@app.command("list")
def list_keys(data_dir: DataDir = None, json: Json = False) -> None:
    """List the keys, when they were made and how many values need each; never the keys themselves."""
    from homeport.cli.keeping import ask_or_do
    from homeport.cli.machine import settings_here
    from homeport.cli.output import ago, print_json, print_table

    settings = settings_here(data_dir)
    answer = ask_or_do(settings, lambda client: client.get("/api/admin/keys"), _list)
    if json:
        return print_json(answer)
    cells = (
        (key["id"], "seals" if key["current"] else "opens", ago(key["made_at"]), key["values"])
        for key in answer["keys"]
    )
    return print_table(("key", "does", "made", "values"), cells, empty="There are no keys.")


@app.command()
def rotate(
    drop_old: Annotated[
        bool, typer.Option("--drop-old", help="Forget older keys that nothing needs any more. A backup has its own.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Seal with a new key from now on, and wrap every secret anew under it; the portal may run meanwhile."""
    from homeport.cli.keeping import ask_or_do
    from homeport.cli.machine import settings_here
    from homeport.cli.output import print_json

    settings = settings_here(data_dir)
    answer = ask_or_do(
        settings,
        lambda client: client.post("/api/admin/keys/rotate", {"drop_old": drop_old}),
        lambda portal: _rotate(portal, drop_old=drop_old),
    )
    if json:
        return print_json(answer)
    lines = [
        f"Key {answer['key']} seals{' (an interrupted rotation was finished)' if answer['resumed'] else ''}; "
        f"{answer['rewrapped']} values were wrapped anew under it."
    ]
    if answer["dropped"]:
        lines.append(f"Dropped: {', '.join(answer['dropped'])}.")
    if answer["kept"]:
        why = "something still needs them" if drop_old else "`homeport keys rotate --drop-old` drops what nothing needs"
        lines.append(f"Older keys that still open: {', '.join(answer['kept'])} ({why}).")
    if answer["broken"]:
        lines.append(
            f"No key here opens {len(answer['broken'])} values, in {', '.join(sorted(set(answer['broken'])))}."
        )
    sys.stdout.write("\n".join(lines) + "\n")
    return None


async def _list(portal: Any) -> Any:
    from homeport.web.keys import KeyList, key_row

    return KeyList(keys=[key_row(use) for use in await portal.rotation.uses()]).model_dump()


async def _rotate(portal: Any, *, drop_old: bool) -> Any:
    from homeport.identity.audit import MACHINE, Act
    from homeport.web.keys import rotated_body

    rotated = await portal.rotation.rotate(drop_old=drop_old, settle=0)
    await portal.identity.audit.append(
        Act(
            "rotate_keys", MACHINE, target_type="key", target_id=rotated.key,
            details={
                "rewrapped": rotated.rewrapped, "broken": len(rotated.broken), "dropped": list(rotated.dropped),
            },
        )
    )  # fmt: skip
    return rotated_body(rotated).model_dump()
