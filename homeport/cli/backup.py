"""`homeport backup` and `homeport restore`: everything of this machine's portal in one sealed file, and back."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeport.cli.options import DataDir, Json

if TYPE_CHECKING:
    from homeport.settings import Settings
    from homeport.storage.backup import Kept

LEAST_LETTERS = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # without what is mistaken for something else; 25 of them: 123 bits

File = Annotated[Path, typer.Argument(help="The file.", show_default=False, dir_okay=False)]
PassphraseFile = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Read the passphrase from this file.", show_default=False)
]


def backup(
    file: File,
    passphrase_file: PassphraseFile = None,
    generate: Annotated[bool, typer.Option("--generate", help="Make a passphrase and show it once.")] = False,
    without_apps: Annotated[
        bool, typer.Option("--without-apps", help="Leave out what apps keep in their data folders.")
    ] = False,
    with_builds: Annotated[
        bool, typer.Option("--with-builds", help="Take the built releases along: apps start at once where paths agree.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Write everything of this machine's portal to one file that a passphrase opens; it may run meanwhile."""
    from homeport.cli.keeping import require_portal
    from homeport.cli.machine import settings_here
    from homeport.cli.output import print_json
    from homeport.kit.clock import SystemClock
    from homeport.storage.backup import write_backup

    settings = settings_here(data_dir)
    require_portal(settings)
    words, made = _new_passphrase(passphrase_file, generate=generate)
    kept = write_backup(
        file, words, data_dir=settings.data_dir, database_url=_url(settings), now=SystemClock().now(),
        apps=not without_apps, builds=with_builds, progress=_note,
    )  # fmt: skip
    _record_backup(settings, file, kept, apps=not without_apps)
    size = file.stat().st_size
    if json:
        answer = {
            "file": str(file.absolute()), "bytes": size, "rows": kept.rows, "files": kept.files,
            "unread": kept.unread, "skipped": kept.skipped, "passphrase": words if made else None,
        }  # fmt: skip
        return print_json(answer)
    sys.stdout.write(
        f"{file} holds {kept.rows} rows and {kept.files} files: {size / 1e6:.1f} MB, for its owner only.\n"
    )
    if kept.unread:
        sys.stderr.write(f"{kept.unread} files could not be read and are not in it: {', '.join(kept.skipped)}\n")
    if made:
        sys.stdout.write(f"Its passphrase, shown this once: {words}\n")
    return None


def restore(
    file: File,
    passphrase_file: PassphraseFile = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only read the whole file and say whether it is good.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also where there is a portal already: that is put aside.")
    ] = False,
    sqlite: Annotated[
        bool, typer.Option("--sqlite", help="Keep the database in the data directory, whatever homeport.toml says.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Bring a backup back into an empty data directory; a wrong passphrase or a damaged file changes nothing.

    HOMEPORT_DATABASE_URL names the PostgreSQL database, else the backup's homeport.toml.
    """
    from homeport.cli.output import print_json
    from homeport.storage.restore import check_backup

    words = _passphrase(passphrase_file, "Passphrase of the backup: ")
    if check:
        found = check_backup(file, words)
        if json:
            return print_json({**vars(found), "good": True})
        sys.stdout.write(f"{file} is whole: made {found.made_at} by Homeport {found.homeport}.\n")
        return None
    answer = _restore(file, words, data_dir, force=force, sqlite=sqlite)
    if json:
        return print_json(answer)
    sys.stdout.write(f"{answer['rows']} rows and {answer['files']} files are in {answer['data_dir']}.\n")
    log = answer["audit"]
    sys.stdout.write(
        f"The audit log is intact: {log['records']} records.\n"
        if log["intact"]
        else f"The audit log was not intact when the backup was made: {log['problems'][0]}\n"
    )
    if answer["aside"]:
        sys.stdout.write(f"What was there before is in {answer['aside']}.\n")
    sys.stdout.write("`homeport up` serves it; `homeport redeploy NAME` builds an app that was not built here.\n")
    return None


def _restore(file: Path, words: str, data_dir: Path | None, *, force: bool, sqlite: bool) -> dict[str, Any]:
    from homeport.kit.clock import SystemClock
    from homeport.kit.lockfile import AlreadyLocked, Lockfile
    from homeport.kit.problems import Conflict
    from homeport.settings import default_data_dir
    from homeport.storage.restore import restore_backup

    folder = (data_dir or Path(os.environ.get("HOMEPORT_DATA_DIR") or default_data_dir())).expanduser().absolute()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    audit: dict[str, Any] = {}
    try:
        with Lockfile(folder / "homeport.lock"):
            done = restore_backup(
                file, words, data_dir=folder, database_url=os.environ.get("HOMEPORT_DATABASE_URL"), sqlite=sqlite,
                force=force, now=SystemClock().now(), progress=_note,
                ready=lambda new, url, found: audit.update(_check_and_record(new, url, vars(found))),
            )  # fmt: skip
    except AlreadyLocked as taken:
        raise Conflict(
            f"The portal in {folder} runs (process {taken.holder.get('pid', '?')}): stop it first."
        ) from taken
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(folder / "homeport.lock", owner.st_uid, owner.st_gid)
    return {
        "data_dir": str(folder), "rows": done.rows, "files": done.files, "made_at": done.found.made_at,
        "aside": str(done.aside) if done.aside else None, "audit": audit,
    }  # fmt: skip


def _check_and_record(new: Path, url: str, found: dict[str, Any]) -> dict[str, Any]:
    """Bring the restored database's schema up to date, verify its audit log, and note the restore there."""
    from homeport.cli.keeping import run_portal
    from homeport.identity.audit import MACHINE, Act
    from homeport.settings import Settings

    async def record(portal: Any) -> dict[str, Any]:
        verdict = await portal.identity.audit.verify()
        if verdict.intact:  # a broken one is not continued: `homeport audit verify` goes on to tell where
            details = {"made_at": found["made_at"], "homeport": found["homeport"], "bytes": found["bytes"]}
            await portal.identity.audit.append(
                Act("restore_backup", MACHINE, target_type="portal", target_id=found["portal_id"], details=details)
            )
        return {"intact": verdict.intact, "records": verdict.records, "problems": list(verdict.problems)}

    return run_portal(Settings(data_dir=new, database_url=url), record)


def _record_backup(settings: Settings, file: Path, kept: Kept, *, apps: bool) -> None:
    from homeport.cli.keeping import run_portal
    from homeport.identity.audit import MACHINE, Act
    from homeport.storage.migrations import HEAD

    if kept.revision != HEAD:  # of an older version, to be kept as it is: its portal is not running
        sys.stderr.write("The database is of an older version: the backup is not noted in its audit log.\n")
        return

    async def record(portal: Any) -> None:
        details = {"rows": kept.rows, "files": kept.files, "unread": kept.unread, "apps": apps}
        await portal.identity.audit.append(
            Act("write_backup", MACHINE, target_type="backup", target_id=file.name, details=details)
        )

    run_portal(settings, record)


def _url(settings: Settings) -> str:
    return settings.database_url or f"sqlite:///{settings.data_dir / 'homeport.db'}"


def _new_passphrase(file: Path | None, *, generate: bool) -> tuple[str, bool]:
    """The passphrase, and whether it was made here. Raises UsageWrong."""
    from homeport.cli.problems import UsageWrong

    if generate and file:
        raise UsageWrong("--generate and --passphrase-file exclude each other.")
    if generate:
        return _generated(), True
    words = _passphrase(file, "Passphrase for the backup (empty: one is made): ", empty=True)
    if not words:
        return _generated(), True
    if len(words) < LEAST_LETTERS:
        raise UsageWrong(f"A passphrase has at least {LEAST_LETTERS} letters.")
    if file is None and words != _ask("The same again: "):
        raise UsageWrong("The two are not the same.")
    return words, False


def _passphrase(file: Path | None, question: str, *, empty: bool = False) -> str:
    from homeport.cli.problems import UsageWrong

    if file is not None:
        try:
            words = file.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise UsageWrong(f"The passphrase cannot be read from {file}: {problem}") from problem
        empty = False
    else:
        words = _ask(question)
    if not words and not empty:
        raise UsageWrong("The passphrase is empty.")
    return words


def _ask(question: str) -> str:
    from homeport.cli.problems import UsageWrong

    if not sys.stdin.isatty():
        raise UsageWrong("Nobody can be asked for the passphrase here: use --passphrase-file.")
    import getpass

    return getpass.getpass(question)


def _generated() -> str:
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(5))


def _note(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"… {what}\n")
