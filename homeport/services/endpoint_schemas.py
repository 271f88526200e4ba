"""What goes over the API about endpoints: things that run elsewhere and are reached through the portal."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from homeport.services.schemas import CUSTOMER, LABEL, RESERVED_NAMES, CreateService

HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.:-]{0,251}[A-Za-z0-9_])?\.?\Z")
Word = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.:-]{0,62}$")]
Line = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00\x1b]*$")]
WebPath = Annotated[str, StringConstraints(max_length=500, pattern=r"^/[^\s\x00-\x1f\\]*$")]


class EndpointFields(BaseModel):
    """All that an endpoint says about itself; what is left out of a change stays."""

    model_config = ConfigDict(extra="ignore")

    display_name: Line | None = None
    description: Text | None = None
    plugin: Word | None = Field(None, description="How it is reached: ssh, vnc, rdp, http, https, tcp …")
    host: str | None = Field(None, max_length=253, description="Name or address; only administrators see it.")
    port: int | None = Field(None, ge=1, le=65535)
    path: WebPath | None = None
    icon: Line | None = None
    category: Line | None = None
    enabled: bool | None = None
    scopes: list[Word] | None = Field(None, max_length=20, description="Scopes that whoever sees it must have.")
    hostname: Line | None = None
    current_host: Line | None = Field(None, description="The machine that runs it.")
    deployment_type: Line | None = None
    docker_compose: Line | None = None
    service_file: Line | None = None
    service_name: Line | None = None
    dependencies: list[Line] | None = Field(None, max_length=50)
    tls_enabled: bool | None = None
    requires_auth: bool | None = None

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str | None) -> str | None:
        if value is not None and not HOST.match(value):
            raise ValueError("give a host name or an address, without scheme, path or port")
        return value

    def given(self) -> dict[str, Any]:
        """What was sent, nulls left out."""
        return self.model_dump(exclude_unset=True, exclude_none=True, exclude={"kind", "name", "customer_id"})


class CreateEndpoint(EndpointFields):
    kind: Literal["endpoint"]
    name: str
    plugin: Word
    host: str = Field(max_length=253)
    port: int = Field(ge=1, le=65535)
    customer_id: str | None = None

    @field_validator("name")
    @classmethod
    def _is_label(cls, value: str) -> str:
        if not LABEL.match(value) or value in RESERVED_NAMES or value.startswith("svc-"):
            raise ValueError("use 1 to 63 small letters, digits and inner hyphens, and no reserved word")
        return value

    @field_validator("customer_id")
    @classmethod
    def _is_customer(cls, value: str | None) -> str | None:
        if value is not None and not CUSTOMER.match(value):
            raise ValueError("a customer id has letters, digits, _ and -")
        return value


def kind_of(body: Any) -> str:
    """Which of the two a body to create a service is."""
    return "kind:endpoint" if isinstance(body, dict) and body.get("kind") == "endpoint" else "kind:app"


class HealthReportOut(BaseModel):
    healthy: bool
    latency_ms: float | None
    message: str
    status: Literal["healthy", "unhealthy", "starting", "unknown"]
    service: str
    output: str


__all__ = ["CreateEndpoint", "CreateService", "EndpointFields", "HealthReportOut", "kind_of"]
