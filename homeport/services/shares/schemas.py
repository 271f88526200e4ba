"""What goes over the API about tunnels."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from homeport.services.schemas import LABEL, RESERVED_NAMES

MOST_RELAYS = 5
SHORTEST, LONGEST = 60, 366 * 86400  # seconds
Status = Literal["connecting", "online", "error", "expired"]
RelayUrl = Annotated[str, StringConstraints(max_length=300, strip_whitespace=True)]


class ShareIn(BaseModel):
    """How a service is put on the internet."""

    model_config = ConfigDict(extra="ignore")

    name: str | None = Field(None, description="Label before the relay's name; one is made up when left out.")
    relays: list[RelayUrl] = Field(
        default_factory=list, max_length=MOST_RELAYS, description="https:// URLs of relays; none: this portal's own."
    )
    expires_in: int | None = Field(None, ge=SHORTEST, le=LONGEST, description="Seconds; null: until it is ended.")
    access: Literal["everyone", "signed_in"] = Field(
        "everyone", description="signed_in: people who are signed in here and may see the service."
    )
    description: Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")] = ""
    hide: bool = Field(True, description="Keep it out of public lists of tunnels; false: list it there.")

    @field_validator("name")
    @classmethod
    def _is_label(cls, value: str | None) -> str | None:
        if value is not None and (not LABEL.match(value) or value in RESERVED_NAMES):
            raise ValueError("use 1 to 63 small letters, digits and inner hyphens, and no reserved word")
        return value

    @field_validator("relays")
    @classmethod
    def _are_relays(cls, value: list[str]) -> list[str]:
        return list(dict.fromkeys(map(relay_url, value)))


def relay_url(text: str) -> str:
    """A relay's URL in one spelling: https, host, port, without path (digest B.1). Raises ValueError."""
    if not text.isascii() or any(sign in text for sign in " \t\r\n\\"):
        raise ValueError("write a relay as https://host or https://host:port")
    parts = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = parts.port
    except ValueError:
        port = -1
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme != "https" or not host or parts.username is not None or port == -1:
        raise ValueError("write a relay as https://host or https://host:port")
    if ":" in host:
        host = f"[{host}]"
    return f"https://{host}" + ("" if port in (None, 443) else f":{port}")


class EnterIn(BaseModel):
    """What the page that asks for a visitor's sign-in was called with."""

    model_config = ConfigDict(extra="ignore")

    next: str = Field("/", max_length=2048, description="Path on the tunnel's host to go to.")
    state: str = Field(
        "",
        max_length=64,
        pattern="^[A-Za-z0-9_-]*$",
        description="What binds the ticket to the browser that asked for it.",
    )


class EnterOut(BaseModel):
    location: str


class TunnelRelayOut(BaseModel):
    """One relay of a tunnel."""

    url: str
    status: Status
    hostname: str | None
    error: str | None


class TunnelOut(BaseModel):
    """A tunnel: of a service, kept open by this portal (`share`), or of an agent elsewhere (`lease`).

    Bytes are counted since the portal's start: `bytes_in` came from visitors. `qr` is an image as a data: URL, in
    answers about one tunnel only.
    """

    id: str
    kind: Literal["share", "lease"]
    name: str
    hostname: str | None
    url: str | None
    status: Status
    error: str | None
    service_id: str | None
    service_name: str | None
    access: Literal["everyone", "signed_in"]
    description: str
    hide: bool
    owner: str | None
    mine: bool
    can_end: bool
    relays: list[TunnelRelayOut]
    created_at: str
    since: str | None
    expires_at: str | None
    visitors: int
    visitors_now: int
    bytes_in: int
    bytes_out: int
    tcp_address: str | None
    udp_address: str | None
    qr: str | None


class TunnelsOut(BaseModel):
    data: list[TunnelOut]
    total: int
