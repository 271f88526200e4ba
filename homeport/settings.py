"""Every setting in one file: its name, default, meaning, and where its value came from.

Order, the first wins: command line, environment (`HOMEPORT_<NAME>`), `homeport.toml` in the data directory, default.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from homeport.kit.addresses import address_and_port
from homeport.wire.ethereum import checksum_address

# systemd.unit(5), without what a command line could take for an option or for another kind of unit
_UNIT = re.compile(
    r"(?!.*\.(socket|timer|target|mount|automount|path|slice|scope|swap|device)$)[A-Za-z0-9_@][A-Za-z0-9:_.@\\-]{0,249}"
)


def default_data_dir() -> Path:
    """`/var/lib/homeport` for root, else `homeport` in the user's data directory."""
    if os.geteuid() == 0:
        return Path("/var/lib/homeport")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "homeport"


class Settings(BaseModel):
    """Durations are seconds and sizes carry their unit in the name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path = Field(default_factory=default_data_dir, description="Where everything is kept.")
    bind: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 serves the network.")
    port: int = Field(
        8443, ge=0, le=65535, description="The one TLS port: portal, apps and tunnels. 0 picks a free one."
    )
    domain: str = Field("localhost", description="The portal's host name; an app lives at <name>.<domain>.")
    stream_domain: str = Field("", description="Host name that streams are sent to and seen at; empty: the portal's.")
    database_url: str = Field("", description="PostgreSQL URL; empty means SQLite in the data directory.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    session_hours: int = Field(168, ge=1, le=8760, description="How long a sign-in lasts.")
    open: bool = Field(False, description="No sign-in at all: everybody on this machine is an administrator.")
    redis_url: SecretStr = Field(
        SecretStr(""), description="Redis that several portals share for rate limits; empty counts in memory."
    )
    rate_limit_api: int = Field(60, ge=0, description="Requests a minute by token, key or certificate; 0 is no limit.")
    rate_limit_pages: int = Field(600, ge=0, description="Requests a minute by a signed-in browser or this shell.")
    rate_limit_auth: int = Field(10, ge=0, description="Sign-ins and registrations a minute from one address.")
    registrations_per_network: int = Field(
        1, ge=0, description="Accounts that may be registered from one network within 24 hours; 0 is no limit."
    )
    sockets_per_user: int = Field(10, ge=0, description="WebSockets that one person may have open; 0 is no limit.")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Reverse proxies (CIDR) whose X-Forwarded-For is believed; nobody else's is."
    )
    certificate_proxies: tuple[str, ...] = Field(
        (), description="Reverse proxies (CIDR) that check client certificates and say so in X-SSL-Client-* headers."
    )
    certificate_port: int = Field(
        9292, ge=0, le=65535, description="Second TLS port, which requires a client certificate; 0 is none."
    )
    acme_email: str = Field(
        "",
        max_length=254,
        pattern=r"^$|^[^@\s]+@[^@\s]+$",
        description="Address for certificate authorities; given, apps' own domains get certificates by themselves.",
    )
    acme_directory_url: str = Field(
        "https://acme-v02.api.letsencrypt.org/directory",
        pattern=r"^https://",
        description="ACME directory that certificates are ordered from.",
    )
    acme_challenge: Literal["http-01", "tls-alpn-01"] = Field(
        "http-01", description="How names are proven when an order does not say: by port 80, or by port 443."
    )
    acme_http_port: int = Field(
        80, ge=0, le=65535, description="Listened on while an http-01 order is open; 0: a proxy forwards port 80 here."
    )
    acme_ca_file: Path | None = Field(
        None, description="Authorities (PEM) to trust besides the system's when asking a private ACME directory."
    )
    acme_eab_key_id: str = Field("", description="Key id of an external account binding, for authorities that ask.")
    acme_eab_secret: SecretStr = Field(SecretStr(""), description="The key of that binding, in base64url.")
    oidc_issuer: str = Field("", description="OpenID provider (its issuer URL) that people may sign in with.")
    oidc_client_id: str = Field("", description="This portal's client id there.")
    oidc_client_secret: SecretStr = Field(SecretStr(""), description="The secret of that client; empty for PKCE alone.")
    oidc_name: str = Field("Single sign-on", max_length=60, description="What the button to sign in there says.")
    oidc_audience: str = Field(
        "", description="Audience that access tokens of that provider must have here; empty: the client id."
    )
    oidc_role_claim: str = Field(
        "realm_access.roles", description="Claim with a person's roles there: admin, deployer, operator, viewer."
    )
    oidc_auto_register: bool = Field(True, description="Make an account for who signs in there for the first time.")
    oidc_require_role: bool = Field(False, description="Refuse who has none of those roles there.")
    outbound_allow: tuple[str, ...] = Field(
        (),
        description="Networks (CIDR) that users may make the portal connect to although they are private or loopback.",
    )
    dns_servers: tuple[str, ...] = Field(
        (), description="Name servers (address or address:port) to ask for proofs of domains; empty: this machine's."
    )
    git_allow_http: bool = Field(False, description="Also accept http:// repositories; https:// only otherwise.")
    clone_limit_mb: int = Field(500, ge=1, description="Largest clone or unpacked upload.")
    upload_limit_mb: int = Field(200, ge=1, description="Largest uploaded archive.")
    fetch_timeout: int = Field(120, ge=1, description="Longest fetch of a source.")
    build_timeout: int = Field(900, ge=1, description="Longest build of one release.")
    build_parallel: int = Field(2, ge=1, le=64, description="Builds at the same time.")
    gate_timeout: int = Field(60, ge=1, description="Longest wait for a new release to become healthy.")
    drain_timeout: int = Field(30, ge=0, description="Longest wait for requests in flight at a switch.")
    stop_grace: int = Field(10, ge=0, le=120, description="Time between SIGTERM and SIGKILL.")
    confine_apps: bool = Field(
        True, description="Keep apps and builds from all files but their own (Landlock), and from root's capabilities."
    )
    keep_releases: int = Field(5, ge=1, le=100, description="Releases of a service kept for rollback.")
    app_memory_mb: int = Field(512, ge=16, description="Memory limit of an app that names none.")
    app_cpu: float = Field(1.0, gt=0, description="CPU limit, in cores, of an app that names none.")
    app_log_mb: int = Field(10, ge=1, description="Size at which an app's log file is rotated; three are kept.")
    app_port_first: int = Field(20000, ge=1024, le=65000, description="First local port handed to apps.")
    app_port_last: int = Field(29999, ge=1024, le=65535, description="Last local port handed to apps.")
    proxy_connect_timeout: int = Field(5, ge=1, description="Longest wait for an app to accept a connection.")
    proxy_response_timeout: int = Field(60, ge=1, description="Longest wait for an app's first byte of a response.")

    docker_host: str = Field(
        "unix:///var/run/docker.sock", description="Docker Engine that runs stacks; empty means none."
    )
    default_driver: Literal["auto", "process", "compose", "swarm"] = Field(
        "auto",
        description="What runs an app that names no driver; auto: Docker for stacks and Dockerfiles, else processes.",
    )
    disk_reserve_mb: int = Field(1024, ge=0, description="Disk that a build must leave free.")
    units: tuple[str, ...] = Field(
        (), description="systemd units that may be seen and controlled, without .service; no other is ever touched."
    )
    own_unit: str = Field("homeport", description="The unit that the portal itself runs in; it cannot be stopped.")
    unit_timeout: int = Field(30, ge=1, le=300, description="Longest action on a unit.")
    relay: bool = Field(True, description="Serve tunnels: below the portal's name, for whoever may register one.")
    relay_protocol: Literal["5", "7"] = Field(
        "7", description="Version that clients are told; those of before May 2026 want 5, all others 7."
    )
    relay_approval: Literal["", "auto", "manual"] = Field(
        "", description="Whether new tunnels wait for an approval; empty: auto on this machine alone, else manual."
    )
    relay_lease_seconds: int = Field(120, ge=30, le=86400, description="How long a lease lasts that names no time.")
    relay_lease_max_seconds: int = Field(3600, ge=30, le=604800, description="Longest lease before it is renewed.")
    relay_leases: int = Field(10_000, ge=1, le=100_000, description="Tunnels at the same time.")
    relay_leases_per_address: int = Field(
        100, ge=0, description="Of those, from one address, neither signed in for nor approved; 0 is no limit."
    )
    relay_port_first: int = Field(40000, ge=1024, le=65535, description="First public port handed to tunnels.")
    relay_port_last: int = Field(40999, ge=1024, le=65535, description="Last public port handed to tunnels.")
    relay_tcp: bool = Field(True, description="Give tunnels raw TCP ports.")
    relay_udp: bool = Field(True, description="Give tunnels UDP ports, by QUIC on the portal's port.")
    relay_wallets: tuple[str, ...] = Field(
        (), description="Wallets (0x…) that may administer the relay, besides the relay's own."
    )
    relay_keyless: bool = Field(
        True, description="Sign handshakes of tunnels whose clients have no key, with a pair that is not the portal's."
    )
    relay_sign_without_token: bool = Field(
        False, description="Sign handshakes for clients of before May 2026, which send no token with them."
    )
    relay_signatures_per_minute: int = Field(
        6000, ge=0, description="TLS handshakes signed a minute for one tunnel; 0 is no limit."
    )
    relay_discovery: bool = Field(False, description="Tell other relays of this one, and clients of those.")
    relay_bootstraps: tuple[str, ...] = Field((), description="Relays (https://…) to find others by.")
    relay_ca_file: Path | None = Field(
        None, description="Authorities (PEM) to trust besides the system's when asking other relays."
    )
    relay_browser: str = Field(
        "", description="Chromium that makes thumbnails of tunnels' pages: a program, or a DevTools URL; empty: none."
    )
    ai_base_url: str = Field("", description="OpenAI-compatible URL of a model that may help to analyse a repository.")
    ai_key: SecretStr = Field(SecretStr(""), description="Key for that model.")
    ai_model: str = Field("", description="Name of that model.")

    @field_validator(
        "outbound_allow",
        "units",
        "dns_servers",
        "trusted_proxies",
        "certificate_proxies",
        "relay_wallets",
        "relay_bootstraps",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("units")
    @classmethod
    def _unit_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(name.removesuffix(".service") for name in value)
        wrong = next((name for name in names if not _UNIT.fullmatch(name)), None)
        if wrong is not None:
            raise ValueError(f"{wrong[:80]!r} is no name of a service unit")
        return names

    @field_validator("domain", "stream_domain")
    @classmethod
    def _as_names_are_compared(cls, value: str) -> str:
        return value.strip().lower().removesuffix(".")

    @field_validator("own_unit")
    @classmethod
    def _own_unit(cls, value: str) -> str:
        return value.removesuffix(".service")

    @field_validator("outbound_allow", "trusted_proxies", "certificate_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(part)) for part in value)

    @field_validator("relay_wallets")
    @classmethod
    def _wallets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(checksum_address(part) for part in value)

    @field_validator("dns_servers")
    @classmethod
    def _name_servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for part in value:
            address_and_port(part, 53)
        return value

    @field_validator("open")
    @classmethod
    def _open_on_loopback_only(cls, value: bool, info: ValidationInfo) -> bool:
        bind = str(info.data.get("bind", ""))
        if value and bind != "localhost" and not _is_loopback(bind):
            raise ValueError(f"a portal without sign-in only listens on this machine: bind 127.0.0.1, not {bind[:60]}")
        return value

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer(cls, value: str) -> str:
        if not value:
            return value
        url = urlsplit(value)
        host = url.hostname or ""
        secure = url.scheme == "https" or (url.scheme == "http" and (host == "localhost" or _is_loopback(host)))
        if not host or not secure or url.query or url.fragment or url.username is not None or len(value) > 300:
            raise ValueError("write the provider's issuer as https://…; http:// only on this machine")
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def base_url(self) -> str:
        """The portal's own address, without a slash at the end."""
        return f"https://{self.domain}{self.port_suffix}"

    @property
    def port_suffix(self) -> str:
        """`:8443`, or nothing on 443."""
        return "" if self.port == 443 else f":{self.port}"

    def app_url(self, name: str) -> str:
        """The address of the app called `name`."""
        return f"https://{name}.{self.domain}{self.port_suffix}"


@dataclass(frozen=True)
class Setting:
    """One row of `homeport config`."""

    name: str
    value: object
    source: str
    description: str


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


class SettingsInvalid(Exception):
    """A value does not fit; the message names each setting, its source and the reason."""


def load(
    overrides: Mapping[str, Any] | None = None, env: Mapping[str, str] | None = None
) -> tuple[Settings, list[Setting]]:
    """Settings and where each came from. Raises SettingsInvalid."""
    env = os.environ if env is None else env
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def take(layer: Mapping[str, Any], source: str) -> None:
        for name, value in layer.items():
            if value is not None and name not in values:
                values[name] = value
                sources[name] = source

    take(overrides or {}, "command line")
    from_env = {
        name: env[f"HOMEPORT_{name.upper()}"] for name in Settings.model_fields if f"HOMEPORT_{name.upper()}" in env
    }
    for name, value in from_env.items():
        take({name: value}, f"environment HOMEPORT_{name.upper()}")
    file = Path(values.get("data_dir") or default_data_dir()).expanduser() / "homeport.toml"
    if file.is_file():
        try:
            take(tomllib.loads(file.read_text()), str(file))
        except tomllib.TOMLDecodeError as problem:
            raise SettingsInvalid(f"{file} is not valid TOML: {problem}") from problem
    try:
        settings = Settings(**values)
    except ValidationError as problem:
        lines = [
            f"{'.'.join(map(str, error['loc']))} ({sources.get(str(error['loc'][0]), 'default')}): {error['msg']}"
            for error in problem.errors()
        ]
        raise SettingsInvalid("\n".join(lines)) from problem
    rows = [
        Setting(name, getattr(settings, name), sources.get(name, "default"), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return settings, rows


def shown(name: str, value: object) -> object:
    """A setting's value as JSON knows it: secrets are stars, and a database URL is without its password."""
    if name == "database_url" and value:
        from sqlalchemy import make_url

        return make_url(str(value)).render_as_string(hide_password=True)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path | SecretStr) else value
