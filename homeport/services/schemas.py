"""What goes over the API: bodies that come in, and the shapes that go out (for the OpenAPI document)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

RESERVED_NAMES = frozenset({"panel", "www", "api", "auth", "traefik", "localhost", "homeport", "portal", "relay"})
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
SOURCES = {
    "template": "template_id", "git": "git_url", "upload": "upload_id", "compose": "compose", "ai": "ai_url",
}  # fmt: skip
MAX_COMPOSE = 262_144  # characters
CUSTOMER = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


def is_reserved(name: str) -> bool:
    """Whether nobody may have this name below the portal's: it would be taken for the portal's own, or for an id."""
    return name in RESERVED_NAMES or name.startswith("svc-")


class _In(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ResourcesIn(_In):
    cpu_limit: float | None = Field(None, gt=0, le=256, description="Cores.")
    memory_limit_mb: int | None = Field(None, ge=16, le=1_048_576)


class ProbeIn(_In):
    """How the portal tells whether a service is well."""

    type: Literal["http", "tcp", "command"] = "http"
    path: str = Field("/", max_length=500, pattern=r"^/[^\s\x00-\x1f]*$")
    command: list[Annotated[str, Field(max_length=1000)]] | None = Field(None, max_length=20)
    interval: float = Field(30, ge=1, le=3600, description="Seconds between two probes.")
    timeout: float = Field(5, ge=0.1, le=60, description="Seconds.")
    failures: int = Field(3, ge=1, le=20, description="Consecutive failures until unhealthy.")

    @model_validator(mode="after")
    def _command_given(self) -> ProbeIn:
        if self.type == "command" and not self.command:
            raise ValueError("a command probe needs a command")
        return self


VariablesIn = dict[str, str | None]


def _text(value: Any) -> Any:
    """Numbers and booleans are fine where text is wanted: people write PORT=1 and DEBUG=true."""
    if isinstance(value, dict):
        return {
            name: str(one).lower() if isinstance(one, bool) else str(one) if isinstance(one, int | float) else one
            for name, one in value.items()
        }
    return value


class AnalysedIn(_In):
    compose: str = Field(max_length=MAX_COMPOSE)
    dockerfile: str | None = Field(None, max_length=65_536)


class CreateService(_In):
    name: str
    deploy_method: Literal["template", "git", "compose", "ai", "upload"]
    driver: Literal["auto", "process", "compose", "swarm"] | None = Field(
        None, description="What runs it; the setting default_driver otherwise."
    )
    customer_id: str | None = None
    template_id: str | None = Field(None, max_length=64)
    git_url: str | None = Field(None, max_length=2000)
    git_branch: str | None = Field(None, max_length=255)
    upload_id: str | None = Field(None, max_length=64)
    compose: str | None = Field(None, max_length=MAX_COMPOSE, description="YAML text.")
    ai_url: str | None = Field(None, max_length=2000)
    preview: bool | None = Field(None, description="Of ai: tell what would be deployed, and create nothing.")
    result: AnalysedIn | None = Field(None, description="Of ai: a preview's document, as you want it.")
    variables: VariablesIn = Field(default_factory=dict)
    resources: ResourcesIn = Field(default_factory=ResourcesIn)
    probe: ProbeIn | None = None

    _as_text = field_validator("variables", mode="before")(_text)

    @field_validator("name")
    @classmethod
    def _is_label(cls, value: str) -> str:
        if not LABEL.match(value):
            raise ValueError("use 1 to 63 small letters, digits and inner hyphens: the name becomes a host name")
        if is_reserved(value):
            raise ValueError("this name is reserved")
        return value

    @field_validator("customer_id")
    @classmethod
    def _is_customer(cls, value: str | None) -> str | None:
        if value is not None and not CUSTOMER.match(value):
            raise ValueError("a customer id has letters, digits, _ and -")
        return value

    @model_validator(mode="after")
    def _source_given(self) -> CreateService:
        needed = SOURCES[self.deploy_method]
        if not getattr(self, needed):
            raise ValueError(f"{needed} is needed when deploy_method is {self.deploy_method}")
        if self.driver == "process" and self.deploy_method in ("compose", "ai"):
            raise ValueError(f"deploy_method {self.deploy_method} needs containers: driver compose or swarm")
        return self


class PatchService(_In):
    variables: VariablesIn | None = None
    resources: ResourcesIn | None = None
    probe: ProbeIn | None = None
    git_branch: str | None = Field(None, max_length=255)
    compose: str | None = Field(None, max_length=MAX_COMPOSE, description="A new text for a compose service.")
    driver: Literal["process", "compose", "swarm"] | None = None

    _as_text = field_validator("variables", mode="before")(_text)


class Redeploy(_In):
    upload_id: str | None = Field(None, max_length=64)


class Rollback(_In):
    release: int | str | None = Field(None, description="A release's number or id; the previous live one otherwise.")


class ResourcesOut(BaseModel):
    cpu_usage: float
    memory_usage_mb: int
    memory_limit_mb: int


class DetailResourcesOut(ResourcesOut):
    cpu_limit: float
    storage_mb: int


class ServiceOut(BaseModel):
    id: str
    name: str
    kind: str
    status: Literal["running", "stopped", "deploying", "failed"]
    uptime: str | None = Field(description="`5d 3h 20m`; null unless it runs.")
    uptime_seconds: int | None
    url: str
    customer_id: str | None
    template: str | None
    deploy_method: str
    resources: ResourcesOut
    created_at: str
    updated_at: str
    plugin: str | None
    path: str | None
    icon: str | None
    category: str | None
    enabled: bool
    hostname: str
    current_host: str | None
    machine_name: str | None
    deployment_type: str
    port: int | None
    dependencies: list[str]
    tls_enabled: bool
    requires_auth: bool
    health_status: Literal["healthy", "unhealthy", "starting", "unknown"]
    deploy_job_id: str | None
    release: int | None
    error: str | None
    host: str | None = Field(None, description="Of an endpoint, and only for administrators.")
    required_scopes: list[str] = []
    docker_compose: str | None = None
    service_file: str | None = None
    service_name: str | None = None
    display_name: str | None = None
    description: str | None = None


class HealthOut(BaseModel):
    status: Literal["healthy", "unhealthy", "starting", "unknown"]
    last_check: str | None
    consecutive_failures: int
    message: str | None


class DetectionOut(BaseModel):
    kind: str
    version: str | None
    reason: str
    start: str


class CustomDomainOut(BaseModel):
    domain: str
    status: Literal["pending", "verified"]
    verified_at: str | None


class DomainIn(_In):
    domain: str = Field(max_length=253)


class DnsProofOut(BaseModel):
    """The record that proves it."""

    name: str
    type: str
    value: str


class HttpProofOut(BaseModel):
    """Or what http://<domain><path> has to answer."""

    path: str
    value: str


class DomainOut(CustomDomainOut):
    """`dns` and `http` say how to prove that the domain is yours; one of them is enough."""

    created_at: str
    token: str
    dns: DnsProofOut
    http: HttpProofOut


class DomainsOut(BaseModel):
    data: list[DomainOut]
    total: int


class ServiceDetailOut(ServiceOut):
    resources: DetailResourcesOut
    customer_name: str | None
    compose: str | None
    variables: dict[str, str]
    custom_domains: list[CustomDomainOut]
    health: HealthOut
    deployed_at: str | None
    git_url: str | None
    git_branch: str | None
    revision: str | None
    driver: str
    restarts: int
    detection: DetectionOut | None
    probe: ProbeIn | None
    variables_changed: bool


class ContainerOut(BaseModel):
    name: str
    part: str
    image: str | None
    state: str
    health: str | None
    started_at: str | None
    restarts: int
    exit_code: int | None
    cpu: float | None
    memory_mb: int | None
    node: str | None
    ports: list[int]
    release_id: str | None


class ContainersOut(BaseModel):
    data: list[ContainerOut]


class UnitResourcesOut(BaseModel):
    cpu_usage: float | None
    memory_usage_mb: int | None
    memory_limit_mb: int | None


class UnitOut(BaseModel):
    """A systemd unit; fields of other kinds of services are there too, and null."""

    id: str
    name: str
    kind: Literal["unit"]
    status: Literal["active", "inactive", "failed", "unknown"]
    uptime: str | None = Field(description="`5d 3h 20m`; null unless active.")
    uptime_seconds: int | None
    display_name: str
    description: str | None
    resources: UnitResourcesOut
    enabled: bool
    active_state: str | None
    sub_state: str | None
    load_state: str | None
    unit_file_state: str | None
    result: str | None
    pid: int | None
    cpu_seconds: float | None
    restarts: int
    exit_code: int | None
    can_reload: bool
    actions: list[Literal["start", "stop", "restart", "reload"]]


class ServicePageOut(BaseModel):
    data: list[ServiceOut]
    total: int
    page: int
    per_page: int
    services: list[UnitOut | ServiceOut] | None = Field(
        None, description="The complete directory, units first; only when asked without parameters."
    )


class CreatedOut(BaseModel):
    id: str
    name: str
    status: str
    url: str
    deploy_job_id: str


class ActionOut(BaseModel):
    ok: bool
    success: bool
    id: str
    name: str
    action: str
    status: str
    message: str
    uptime: str | None = Field(None, description="Of a unit, as are the following.")
    uptime_seconds: int | None = None
    active_state: str | None = None
    sub_state: str | None = None


class DeployOut(ActionOut):
    deploy_job_id: str


class LogEntryOut(BaseModel):
    timestamp: str
    stream: str
    message: str
    container: str


class LogsOut(BaseModel):
    logs: list[LogEntryOut]


class EventOut(BaseModel):
    id: int
    type: str
    status: str
    message: str
    timestamp: str


class EventPageOut(BaseModel):
    data: list[EventOut]
    total: int
    page: int
    per_page: int


class RecentEventOut(EventOut):
    service_id: str
    service_name: str


class RecentEventsOut(BaseModel):
    data: list[RecentEventOut]


class ReleaseOut(BaseModel):
    id: str
    number: int
    status: Literal["building", "live", "retired", "failed"]
    deploy_method: str
    revision: str | None
    summary: str | None
    detection: DetectionOut | None
    port: int | None
    routes: list[str]
    created_at: str
    live_at: str | None
    size_mb: int
    can_rollback: bool
    job_id: str


class ReleasesOut(BaseModel):
    data: list[ReleaseOut]
    total: int


class VariableOut(BaseModel):
    name: str
    value: str
    secret: bool
    generated: bool


class VariablesOut(BaseModel):
    data: list[VariableOut]


class MetricOut(BaseModel):
    at: str
    cpu_usage: float
    memory_usage_mb: int


class MetricsOut(BaseModel):
    data: list[MetricOut]
    storage_mb: int
    cpu_limit: float
    memory_limit_mb: int


class UploadOut(BaseModel):
    id: str
    size: int
    sha256: str
    expires_at: str


class StepOut(BaseModel):
    name: str
    status: Literal["pending", "running", "success", "failed", "skipped"]
    started_at: str | None
    finished_at: str | None
    detail: str | None


class JobOut(BaseModel):
    id: str
    service_id: str
    service_name: str
    type: Literal["deploy", "redeploy", "rollback"]
    status: Literal["queued", "running", "success", "failed", "cancelled"]
    step: str | None
    progress: int
    error: str | None
    release_id: str
    created_at: str
    started_at: str | None
    finished_at: str | None
    steps: list[StepOut]


class JobPageOut(BaseModel):
    data: list[JobOut]
    total: int
    page: int
    per_page: int


class TemplateOut(BaseModel):
    """One row of the catalogue; the detail adds healthcheck, expose and variables."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    description: str
    category: str
    featured: bool
    trending: bool
    logo: str
    security_profile: str
    min_resources: dict[str, float]


class TemplatesOut(BaseModel):
    data: list[TemplateOut]
    total: int
