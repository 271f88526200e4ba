"""The portal run from the shell: up, init, password, openapi. The one module of the shell that loads the server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvloop

from homeport.cli.credentials import Credentials, CredentialsUnreadable, Known
from homeport.cli.diagnostics import write_to_stderr
from homeport.cli.local import LocalAccess, read_local, write_local
from homeport.cli.output import print_json_line
from homeport.identity.audit import MACHINE, Act, Verdict
from homeport.kit.lockfile import AlreadyLocked, Lockfile
from homeport.kit.notify import tell_systemd
from homeport.kit.problems import Conflict, NotFound
from homeport.portal import Portal, Serving, unopened
from homeport.settings import Settings

T = TypeVar("T")

# Objects made and not yet gone before the collector looks for cycles. At Python's 700, each line that a thousand
# WebSockets wait for counts as a thousand objects that last, and every few lines all of them are searched: 0.2 s.
GC_THRESHOLD = 20_000

OPEN = (
    "  OPEN           Nobody signs in: every person and program on this machine is an administrator.\n"
    "                 For development only. Start it without --open to close it.\n"
)

log = structlog.get_logger()


def serve(settings: Settings, *, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT. When the portal of this data directory runs already, say so and leave."""
    write_to_stderr(settings.log_level)
    try:
        with _only_one(settings) as lock:
            _go_on_as_restored(settings)
            _run(lambda: _serve(settings, lock, as_json=as_json))
    except AlreadyLocked as taken:
        url = taken.holder.get("url", "")
        if as_json:
            print_json_line({"base_url": url, "pid": taken.holder.get("pid"), "already_running": True})
        elif url:
            sys.stdout.write(f"Homeport already runs at {url} (process {taken.holder['pid']}).\n")
        else:
            sys.stdout.write(f"Homeport is just starting on {settings.data_dir}.\n")


def prepare(settings: Settings, *, as_json: bool) -> None:
    """Everything that a first start makes, without listening. Raises Conflict while the portal runs."""
    write_to_stderr(settings.log_level)
    with _exclusive(settings, "It is set up: the portal runs"):
        _go_on_as_restored(settings)
        password = _run(lambda: _prepare(settings))
    if as_json:
        print_json_line({"data_dir": str(settings.data_dir), "username": "admin", "password": password})
    elif password is None:
        sys.stdout.write(f"{settings.data_dir} was set up before; nothing has changed.\n")
    else:
        sys.stdout.write(f"{settings.data_dir} is set up.\n{_password_lines(password)}")


def reset_password(settings: Settings, username: str) -> str:
    """The new password. Raises NotFound when there is no portal or no such user."""

    async def reset(portal: Portal) -> str:
        fresh = await portal.identity.machine.reset_password(username)
        act = Act("reset_password", MACHINE, target_type="user", target_id=username)
        await portal.identity.audit.append(act)
        return fresh

    return on_this_machine(settings, reset)


def verify_audit(settings: Settings) -> Verdict:
    """What the audit log looks like. Raises NotFound when there is no portal."""
    return on_this_machine(settings, lambda portal: portal.identity.audit.verify())


def on_this_machine(settings: Settings, work: Callable[[Portal], Awaitable[T]]) -> T:
    """Do something with the database and the keys of a portal here, whether it runs or not: nothing is served.

    Raises NotFound when there is no portal.
    """
    if not settings.database_url and not (settings.data_dir / "homeport.db").is_file():
        raise NotFound(f"There is no portal in {settings.data_dir}: name its data directory with --data-dir.")
    return _run(lambda: _opened(settings, work))


def openapi_document() -> dict[str, Any]:
    """The API's OpenAPI document, made from the code."""
    return unopened().openapi()


def _only_one(settings: Settings) -> Lockfile:
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Lockfile(settings.data_dir / "homeport.lock")


def _go_on_as_restored(settings: Settings) -> None:
    """Put a restored portal into place that a kill kept from it, and begin again: its homeport.toml counts now."""
    if (settings.data_dir / ".restored").is_dir():
        from homeport.storage.into_place import finish_restore

        finish_restore(settings.data_dir)
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - the same program again


@contextlib.contextmanager
def _exclusive(settings: Settings, sentence: str) -> Any:
    try:
        with _only_one(settings):
            yield
    except AlreadyLocked as taken:
        raise Conflict(f"{sentence} (process {taken.holder.get('pid', '?')}).") from taken


def _run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def _serve(settings: Settings, lock: Lockfile, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    _open_files_to_the_limit()
    portal = Portal(settings)
    async with portal.serving() as serving:
        lock.describe({"url": serving.base_url})
        known = await asyncio.to_thread(read_local, settings.data_dir)
        key = await portal.identity.machine.admit(known.key if known else None)
        await asyncio.to_thread(_leave_details, settings, serving, key)
        if as_json:
            print_json_line(_described(settings, serving))
        else:
            sys.stdout.write(banner(settings, serving))
            sys.stdout.flush()
        tell_systemd("READY=1")
        gc.collect()
        gc.freeze()  # what is here now stays to the end: later collections need not look at it
        gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
        gc.enable()
        await stop.wait()
        tell_systemd("STOPPING=1")
        sys.stderr.write("Stopping; what runs goes on running.\n")
        for number in (signal.SIGINT, signal.SIGTERM):  # a second one ends a stop that takes too long
            loop.remove_signal_handler(number)


def _open_files_to_the_limit() -> None:
    """Each visitor costs two descriptors; the soft limit of 1,024 is a relic, the hard one is what the system means."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _prepare(settings: Settings) -> str | None:
    portal = Portal(settings)
    try:
        return await portal.prepare()
    finally:
        await portal.database.close()


async def _opened(settings: Settings, work: Callable[[Portal], Awaitable[T]]) -> T:
    portal = Portal(settings)
    try:
        await portal.database.open()
        await portal.identity.open()
        return await work(portal)
    finally:
        await portal.database.close()


def _leave_details(settings: Settings, serving: Serving, key: str) -> None:
    """What the shell of this user needs to enter this portal; see docs/decisions/0001."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)
    write_local(settings.data_dir, LocalAccess(serving.base_url, address, serving.port, str(serving.ca_path), key))
    try:
        Credentials().remember(Known(url=serving.base_url, data_dir=str(settings.data_dir)))
    except (OSError, RuntimeError, CredentialsUnreadable) as fault:  # a service user may have no home
        log.warning("the shell of this user will not find this portal by itself", reason=str(fault))


def banner(settings: Settings, serving: Serving) -> str:
    """What a person needs after the start, and nothing else."""
    program = Path(sys.argv[0])
    command = str(program) if program.name == "homeport" else f"{sys.executable} -m homeport"
    return (
        f"\nHomeport serves at {serving.base_url}\n"
        f"{OPEN if settings.open else ''}"
        f"{_password_lines(serving.first_password) if serving.first_password else ''}"
        f"  data           {settings.data_dir}\n"
        f"  first deploy   {command} deploy examples/hello\n\n"
        f"{serving.trust_hint}\n\n"
        "Ctrl-C stops the portal; what it runs goes on running.\n"
    )


def _password_lines(password: str) -> str:
    return (
        "  administrator  admin\n"
        f"  password       {password}\n"
        "                 (shown this once; `homeport password` makes a new one)\n"
    )


def _described(settings: Settings, serving: Serving) -> dict[str, Any]:
    return {
        "base_url": serving.base_url,
        "port": serving.port,
        "data_dir": str(settings.data_dir),
        "ca_path": str(serving.ca_path),
        "username": "admin",
        "password": serving.first_password,
        "already_running": False,
        "open": settings.open,
    }
