"""`homeport init --systemd`: the portal as a service of this machine, run by a user of its own that is not root."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from homeport.cli.problems import UsageWrong
from homeport.kit.files import atomic_write
from homeport.services.units.own_unit import OwnUnit
from homeport.services.units.privileges import sudo_rule

if TYPE_CHECKING:
    from homeport.settings import Settings

USER = "homeport"
_UNITS = Path("/etc/systemd/system")
_RULE = Path("/etc/sudoers.d/homeport-units")
_HIDDEN = (Path("/root"), Path("/home"), Path("/run/user"))  # from the unit: ProtectHome=


@dataclass(frozen=True)
class Service:
    """What is to be there: the unit, and where the portal controls other units the sudo rule for them."""

    name: str
    user: str
    data_dir: Path
    command: tuple[str, ...]
    unit: str
    rule: str | None

    @property
    def path(self) -> Path:
        return _UNITS / f"{self.name}.service"


def service_of(settings: Settings, user: str | None, options: tuple[str, ...]) -> Service:
    """`options` are words for `homeport up`. Raises UsageWrong for what could not run."""
    name = user or USER
    systemctl = shutil.which("systemctl") or "/usr/bin/systemctl"
    command = (*program(), "up", "--data-dir", str(settings.data_dir), *options)
    try:
        # checked in any case: the unit names the user too
        rule = sudo_rule(settings.units or (settings.own_unit,), own=settings.own_unit, user=name, systemctl=systemctl)
        unit = OwnUnit(
            name, settings.data_dir, command, controls=bool(settings.units), systemd=systemd_version(systemctl)
        )
        return Service(
            settings.own_unit, name, settings.data_dir, command, unit.text(), rule if settings.units else None
        )
    except ValueError as problem:
        raise UsageWrong(str(problem)) from problem


def show(service: Service, *, as_json: bool) -> None:
    """Print what would be written, and where."""
    if as_json:
        body = {"unit": str(service.path), "text": service.unit, "user": service.user, "rule": service.rule}
        sys.stdout.write(json.dumps({**body, "installed": False}, indent=2) + "\n")
        return
    sys.stdout.write(f"# {service.path}\n{service.unit}")
    if service.rule:
        sys.stdout.write(f"\n# {_RULE} (mode 0440)\n{service.rule}")


def install(service: Service, *, start: bool, as_json: bool) -> None:
    """Make the user, the data directory, the unit and the rule, and start it: what is so already stays.

    Raises UsageWrong.
    """
    if os.geteuid() != 0:
        raise UsageWrong("The unit is written to /etc: run this as root, or with --print to see what it would be.")
    require_reachable(service)
    account = account_of(service)
    own(service.data_dir, account)
    password = _prepare(service, account)
    _keep_rule(service.rule)
    changed = put_in_place(service, start=start)
    described: dict[str, Any] = {
        "unit": str(service.path), "user": service.user, "data_dir": str(service.data_dir), "changed": changed,
        "rule": str(_RULE) if service.rule else None, "installed": True, "started": start, "password": password,
    }  # fmt: skip
    if as_json:
        sys.stdout.write(json.dumps(described, indent=2) + "\n")
        return
    sys.stdout.write(f"{service.path} {'is written' if changed else 'is as it was'}; it runs as {service.user}.\n")
    if password:
        sys.stdout.write(f"  administrator  admin\n  password       {password}  (shown this once)\n")
    follow = f"`journalctl -u {service.name}` tells how it is doing"
    sys.stdout.write(f"It serves; {follow}.\n" if start else f"`systemctl enable --now {service.name}` starts it.\n")


def put_in_place(service: Service, *, start: bool) -> bool:
    """Write the unit and start it; whether it was another one before. Raises UsageWrong."""
    changed = not service.path.is_file() or service.path.read_text() != service.unit
    if changed:
        atomic_write(service.path, service.unit)
        run("systemctl", "daemon-reload")
    if start:
        run("systemctl", "enable", service.name)
        run("systemctl", "restart" if changed else "start", service.name)
    return changed


def program() -> tuple[str, ...]:
    """How to start this program again: argv without a verb."""
    started = Path(sys.argv[0])
    return (str(started.absolute()),) if started.name == "homeport" else (sys.executable, "-m", "homeport")


def systemd_version(systemctl: str) -> int:
    """0 where it does not say."""
    try:
        said = subprocess.run([systemctl, "--version"], capture_output=True, text=True, check=False).stdout.split()
        return int(said[1])
    except (OSError, IndexError, ValueError):
        return 0


def require_reachable(service: Service) -> None:
    """Before anything is written: a unit that could not start helps nobody."""
    for path, what in (
        (Path(service.command[0]), "Homeport is installed"),
        (service.data_dir, "The data directory is"),
    ):
        if any(path.resolve().is_relative_to(hidden) or path.is_relative_to(hidden) for hidden in _HIDDEN):
            raise UsageWrong(
                f"{what} in {path.parent}, which a service does not see: "
                "install it below /opt (python3 -m venv /opt/homeport), and keep data below /var/lib."
            )
    if shutil.which("systemctl") is None:
        raise UsageWrong("There is no systemd on this machine.")


def account_of(service: Service) -> pwd.struct_passwd:
    """The service's user, made where there is none. Raises UsageWrong."""
    try:
        return pwd.getpwnam(service.user)
    except KeyError:
        run(
            "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", str(service.data_dir),
            "--shell", "/usr/sbin/nologin", service.user,
        )  # fmt: skip
        return pwd.getpwnam(service.user)


def own(data_dir: Path, account: pwd.struct_passwd) -> None:
    """Root's own data directory becomes the user's, all of it. Raises UsageWrong where it is somebody else's."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = data_dir.stat().st_uid
    if owner == account.pw_uid:
        return
    if owner != 0:
        raise UsageWrong(f"{data_dir} belongs to another user: give it to {account.pw_name}, or name that user.")
    for folder, names, files in os.walk(data_dir):
        for name in (*names, *files):
            os.chown(Path(folder, name), account.pw_uid, account.pw_gid, follow_symlinks=False)
    os.chown(data_dir, account.pw_uid, account.pw_gid)


def _prepare(service: Service, account: pwd.struct_passwd) -> str | None:
    """Set up as that user, so that the first password is shown here and not in the journal; None if it was before."""
    argv = [*service.command[: service.command.index("up")], "init", "--data-dir", str(service.data_dir), "--json"]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, user=account.pw_uid, group=account.pw_gid, extra_groups=[],
        cwd=service.data_dir, env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(service.data_dir)},
    )  # fmt: skip
    if done.returncode == 5:  # it runs already
        return None
    if done.returncode != 0:
        raise UsageWrong(f"{service.user} cannot set the portal up: {done.stderr.strip()[-500:]}")
    password: str | None = json.loads(done.stdout.splitlines()[-1])["password"]
    return password


def _keep_rule(rule: str | None) -> None:
    """Only a rule that visudo has read: a broken file would end all of sudo. Raises UsageWrong."""
    if rule is None:
        _RULE.unlink(missing_ok=True)
        return
    if _RULE.is_file() and _RULE.read_text() == rule:
        return
    if shutil.which("visudo") is None:
        raise UsageWrong("The setting `units` needs sudo on this machine: install it.")
    with tempfile.NamedTemporaryFile("w", prefix=".homeport-units.", suffix="~", dir=_RULE.parent) as draft:
        # sudo does not read files whose name ends in ~
        draft.write(rule)
        draft.flush()
        Path(draft.name).chmod(0o440)
        checked = subprocess.run(["visudo", "-c", "-f", draft.name], capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            raise UsageWrong(f"visudo does not accept the rule: {checked.stdout.strip()} {checked.stderr.strip()}")
        target = Path(f"{draft.name}~")
        os.link(draft.name, target)
        target.replace(_RULE)


def run(*argv: str) -> None:
    """Raises UsageWrong with what the program said when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UsageWrong(f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()[-500:]}")
