"""From a release to an instance: its command, its environment, its limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from homeport.kit.confinement import Confinement
from homeport.kit.sealing import Sealer
from homeport.services.drivers import InstanceSpec, Limits
from homeport.services.health import Probe
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.sources import Plan
from homeport.services.stacks import Stacks, is_stack
from homeport.services.variables import Variable, environment, secret_values, unseal
from homeport.settings import Settings

# What a person keeps at home that no app of theirs needs, and what only root could read anyway.
PRIVATE = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".netrc", ".pgpass",
    ".git-credentials", ".password-store", ".local/share/keyrings", ".mozilla", ".config/chromium",
    ".bash_history", ".python_history",
)  # fmt: skip
SYSTEM = ("/etc/shadow", "/etc/gshadow", "/etc/ssl/private", "/var/lib/homeport")


class Folders:
    """Where a service keeps what. Built from ids that the portal made, never from a name that a person chose."""

    def __init__(self, data_dir: Path) -> None:
        self.services = data_dir / "services"
        self.uploads = data_dir / "uploads"
        self.previews = data_dir / "tmp" / "previews"

    def service(self, service_id: str) -> Path:
        return self.services / service_id

    def data(self, service_id: str) -> Path:
        """Kept over releases; the app's `DATA_DIR`."""
        return self.service(service_id) / "data"

    def logs(self, service_id: str) -> Path:
        return self.service(service_id) / "logs"

    def build(self, service_id: str, build_id: str) -> Path:
        return self.service(service_id) / "releases" / build_id

    def scratch(self, service_id: str) -> Path:
        """The app's `TMPDIR`."""
        return self.service(service_id) / "tmp"

    def cache(self, service_id: str) -> Path:
        """What package managers keep between builds. Of this service only: a poisoned cache harms nobody else."""
        return self.service(service_id) / "cache"


class Confines:
    """Which files apps and builds may reach."""

    def __init__(self, settings: Settings) -> None:
        """Looks at the disk: once, at the start."""
        self._on = settings.confine_apps
        home = Path.home()
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        private = [settings.data_dir, config / "homeport", *(home / name for name in PRIVATE), *map(Path, SYSTEM)]
        self._hidden = sorted(
            {str(path.resolve()) for path in private if path.exists()} | {str(settings.data_dir.resolve())}
        )

    def within(self, *own: Path) -> Confinement | None:
        """Only these folders below the data directory, to read and to write; None where the setting is off."""
        return Confinement(self._hidden, [], [str(path.resolve()) for path in own]) if self._on else None


class Launcher:
    """Makes instance specs."""

    def __init__(
        self, settings: Settings, sealer: Sealer, folders: Folders, confines: Confines, stacks: Stacks
    ) -> None:
        self._settings = settings
        self._sealer = sealer
        self._folders = folders
        self._confines = confines
        self._stacks = stacks

    def spec(self, service: ServiceRow, release: ReleaseRow) -> InstanceSpec:
        """Raises when the release has no plan or port yet."""
        if release.plan is None or release.port is None:
            raise ValueError(f"release {release.id} is not ready to run")
        variables = unseal(self._sealer, service.id, release.variables)
        if is_stack(release):
            return self._stack_spec(service, release, variables)
        plan = Plan.from_dict(release.plan)
        directory = self._folders.build(service.id, release.build_id)
        data, scratch = self._folders.data(service.id), self._folders.scratch(service.id)
        env = dict(plan.env) | environment(variables)
        env |= {
            "PORT": str(release.port),
            "DATA_DIR": str(data),
            "HOME": str(data),
            "TMPDIR": str(scratch),
            "HOMEPORT_SERVICE": service.name,
            "HOMEPORT_RELEASE": str(release.number),
            "HOMEPORT_REVISION": release.revision or "",
            "HOMEPORT_URL": self._settings.app_url(service.name),
        }
        return InstanceSpec(
            id=release.id,
            service_id=service.id,
            argv=plan.start,
            cwd=directory,
            env=env,
            port=release.port,
            log_dir=self._folders.logs(service.id),
            secrets=secret_values(variables),
            limits=Limits(memory_mb=release.memory_limit_mb, cpu=release.cpu_limit),
            restart_delay=timedelta(seconds=1),
            log_limit_mb=self._settings.app_log_mb,
            confinement=self._confines.within(directory, data, scratch),
        )

    def _stack_spec(self, service: ServiceRow, release: ReleaseRow, variables: Mapping[str, Variable]) -> InstanceSpec:
        return InstanceSpec(
            id=release.id,
            service_id=service.id,
            argv=(),
            cwd=self._folders.service(service.id),
            env={},
            port=release.port or 0,
            log_dir=self._folders.logs(service.id),
            secrets=secret_values(variables),
            limits=Limits(memory_mb=release.memory_limit_mb, cpu=release.cpu_limit),
            log_limit_mb=self._settings.app_log_mb,
            driver=release.driver,
            stack=self._stacks.read(service, release, environment(variables)),
            service_name=service.name,
            revision=release.revision or "",
        )

    def probe(self, release: ReleaseRow) -> Probe:
        return Probe.from_dict(release.probe)
