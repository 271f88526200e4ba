"""From a release to an instance: its command, its environment, its limits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from homeport.kit.sealing import Sealer
from homeport.services.drivers import InstanceSpec, Limits
from homeport.services.health import Probe
from homeport.services.models import ReleaseRow, ServiceRow
from homeport.services.sources import Plan
from homeport.services.variables import environment, secret_values, unseal
from homeport.settings import Settings


class Folders:
    """Where a service keeps what. Built from ids that the portal made, never from a name that a person chose."""

    def __init__(self, data_dir: Path) -> None:
        self.services = data_dir / "services"
        self.uploads = data_dir / "uploads"
        self.tmp = data_dir / "tmp"
        self.cache = data_dir / "cache"

    def service(self, service_id: str) -> Path:
        return self.services / service_id

    def data(self, service_id: str) -> Path:
        """Kept over releases; the app's `DATA_DIR`."""
        return self.service(service_id) / "data"

    def logs(self, service_id: str) -> Path:
        return self.service(service_id) / "logs"

    def build(self, service_id: str, build_id: str) -> Path:
        return self.service(service_id) / "releases" / build_id


class Launcher:
    """Makes instance specs."""

    def __init__(self, settings: Settings, sealer: Sealer, folders: Folders) -> None:
        self._settings = settings
        self._sealer = sealer
        self._folders = folders

    def spec(self, service: ServiceRow, release: ReleaseRow) -> InstanceSpec:
        """Raises when the release has no plan or port yet."""
        if release.plan is None or release.port is None:
            raise ValueError(f"release {release.id} is not ready to run")
        plan = Plan.from_dict(release.plan)
        variables = unseal(self._sealer, service.id, release.variables)
        directory = self._folders.build(service.id, release.build_id)
        data = self._folders.data(service.id)
        env = dict(plan.env) | environment(variables)
        env |= {
            "PORT": str(release.port),
            "DATA_DIR": str(data),
            "HOME": str(data),
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
        )

    def probe(self, release: ReleaseRow) -> Probe:
        return Probe.from_dict(release.probe)
