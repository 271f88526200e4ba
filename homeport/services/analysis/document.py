"""The compose text: the app, what it needs beside it, health checks, volumes, secrets as ${VARIABLES}."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from homeport.services.analysis.inventory import EnvName
from homeport.services.analysis.result import AskedVariable, Need

Secret = Callable[[], str]
_ENTRYPOINT_RIGHTS = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]  # to give up root for their own user
_SAFE_DEFAULT = re.compile(r"[A-Za-z0-9_ ./:@,+=*-]{0,500}\Z")
_MADE_HERE = re.compile(
    r"(?:\A|_)(?:SECRET|SALT|PEPPER|PASSWORD|PASSWD)\Z|(?:SECRET|SESSION|SIGNING|ENCRYPTION|COOKIE|JWT|AUTH|MASTER|APP)_?KEY(?:_BASE)?\Z"
    r"|SECRET_TOKEN\Z|(?:JWT|SESSION|COOKIE|AUTH|NEXTAUTH|APP|CSRF)_SECRET", re.IGNORECASE)  # fmt: skip
_ONLY_A_PERSON = re.compile(
    r"API_?KEY|TOKEN|ACCESS_KEY|PRIVATE_KEY|CREDENTIAL|CLIENT_(?:ID|SECRET)|WEBHOOK|DSN\Z|_KEY\Z|SMTP|MAIL_?(?:USER|PASS)"
    r"|EMAIL_(?:HOST_)?PASSWORD|AWS_|STRIPE|OPENAI|GITHUB|GOOGLE|TWILIO|SENDGRID|SECRET|PASSW",
    re.IGNORECASE)  # fmt: skip
_NOT_THEIRS = frozenset({"PORT", "HOST", "DATA_DIR", "NODE_ENV", "RAILS_ENV", "RACK_ENV", "FLASK_ENV", "PATH", "HOME"})


@dataclass(frozen=True)
class _Server:
    """One kind of database as a service. `url` is formatted with its scheme; `check` is its health check."""

    service: str
    image: str
    port: int
    target: str
    check: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    passwords: tuple[str, ...] = ()
    scheme: str = ""
    url: str = ""
    user: str = ""
    command: list[str] | None = None


SERVERS: dict[str, _Server] = {
    "postgres": _Server(
        "postgres", "postgres:17-alpine", 5432, "/var/lib/postgresql/data",
        ["CMD-SHELL", "pg_isready -h 127.0.0.1 -U app -d app"],
        {"POSTGRES_USER": "app", "POSTGRES_DB": "app", "POSTGRES_PASSWORD": "${POSTGRES_PASSWORD}"},
        ("POSTGRES_PASSWORD",),
        "postgresql", "{scheme}://app:${{POSTGRES_PASSWORD}}@postgres:5432/app", "app",
    ),
    "mysql": _Server(
        "mysql", "mysql:8.4", 3306, "/var/lib/mysql", ["CMD", "mysqladmin", "ping", "-h", "127.0.0.1", "--silent"],
        {"MYSQL_DATABASE": "app", "MYSQL_USER": "app", "MYSQL_PASSWORD": "${MYSQL_PASSWORD}",
         "MYSQL_ROOT_PASSWORD": "${MYSQL_ROOT_PASSWORD}"}, ("MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD"),
        "mysql", "{scheme}://app:${{MYSQL_PASSWORD}}@mysql:3306/app", "app",
    ),
    "mongo": _Server(
        "mongo", "mongo:7", 27017, "/data/db", ["CMD", "mongosh", "--quiet", "--eval", "db.adminCommand('ping').ok"],
        {"MONGO_INITDB_ROOT_USERNAME": "app", "MONGO_INITDB_ROOT_PASSWORD": "${MONGO_PASSWORD}"}, ("MONGO_PASSWORD",),
        "mongodb", "{scheme}://app:${{MONGO_PASSWORD}}@mongo:27017/app?authSource=admin", "app",
    ),
    "redis": _Server(
        "redis", "redis:7-alpine", 6379, "/data", ["CMD", "redis-cli", "ping"],
        scheme="redis", url="{scheme}://redis:6379/0",
        command=["redis-server", "--save", "60", "1", "--appendonly", "no"],
    ),
}  # fmt: skip
# names under which apps read where their database is: always set, and what else is wired when the example names it
_ALWAYS = {"postgres": ("DATABASE_URL",), "mysql": ("DATABASE_URL",), "mongo": ("MONGODB_URI", "MONGO_URL"),
           "redis": ("REDIS_URL",), "sqlite": ("DATABASE_URL",)}  # fmt: skip
_PREFIX = {"postgres": r"(?:DB|DATABASE|POSTGRES|POSTGRESQL|PG|SQL)", "mysql": r"(?:DB|DATABASE|MYSQL|MARIADB|SQL)",
           "mongo": r"(?:MONGO|MONGODB|DB|DATABASE)", "redis": r"(?:REDIS|CACHE)"}  # fmt: skip
_PARTS = (
    (r"_?(?:URL|URI|DSN)", "url"),
    (r"_?(?:HOST|HOSTNAME|SERVER)", "host"),
    (r"_?PORT", "port"),
    (r"_?(?:USER|USERNAME)", "user"),
    (r"_?(?:PASSWORD|PASS|PASSWD)", "password"),
    (r"_?(?:NAME|DATABASE|DB)", "database"),
)
_REDIS_URLS = frozenset({"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "BROKER_URL", "RESULT_BACKEND", "QUEUE_URL"})
_SQL_URLS = frozenset({"SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_DATABASE_URL"})


@dataclass(frozen=True)
class Environment:
    """What the app's container gets, and the variables that a person or the portal sets for it."""

    values: Mapping[str, str]
    variables: tuple[AskedVariable, ...]
    warnings: tuple[str, ...]


def environment(
    names: Iterable[EnvName], needs: Iterable[Need], secret: Secret, *, wanted: Mapping[str, int] | None = None
) -> Environment:
    """`wanted` are secrets that the framework itself needs, by name, with their length."""
    values: dict[str, str] = {}
    variables: dict[str, AskedVariable] = {}
    warnings: list[str] = []
    needs = tuple(needs)
    for need in needs:
        server = SERVERS.get(need.kind)
        for name in server.passwords if server else ():
            variables[name] = AskedVariable(name, secret(), secret=True, generated=True)
        for name in _ALWAYS[need.kind]:
            values.setdefault(name, _address(need))
    for name, length in (wanted or {}).items():
        variables[name] = AskedVariable(name, secret()[:length], secret=True, generated=True)
        values[name] = f"${{{name}}}"
    for one in names:
        if one.name in _NOT_THEIRS or one.name in values:
            continue
        if (wired := _wired(one.name, needs)) is not None:
            values[one.name] = wired
            continue
        if one.name in variables:
            continue
        variables[one.name], values[one.name] = _asked(one, secret, warnings)
    missing = [one.name for one in variables.values() if one.value is None]
    if missing:
        warnings.append(f"Only you know these: {', '.join(missing[:20])}. The app may not work until they are set.")
    return Environment(values, tuple(variables.values()), tuple(warnings))


def _asked(one: EnvName, secret: Secret, warnings: list[str]) -> tuple[AskedVariable, str]:
    if _MADE_HERE.search(one.name) and not re.search(
        r"SMTP|MAIL|AWS|STRIPE|CLIENT|GITHUB|GOOGLE", one.name, re.IGNORECASE
    ):
        return AskedVariable(one.name, secret(), secret=True, generated=True), f"${{{one.name}}}"
    if _ONLY_A_PERSON.search(one.name):
        return AskedVariable(one.name, None, secret=True), f"${{{one.name}:-}}"
    default = one.default
    if one.name in ("DEBUG", "APP_DEBUG", "FLASK_DEBUG", "DJANGO_DEBUG") and default.lower() in (
        "1",
        "true",
        "yes",
        "on",
    ):
        default = "0" if default == "1" else "False" if default == "True" else "false"
        warnings.append(f"{one.name} is switched off: {one.where} has it on, for development.")
    if _SAFE_DEFAULT.match(default):
        return AskedVariable(one.name, default), f"${{{one.name}:-{default}}}"
    return AskedVariable(one.name, default), f"${{{one.name}}}"


def _address(need: Need) -> str:
    if need.kind == "sqlite":
        return "sqlite:////data/app.db"
    server = SERVERS[need.kind]
    return server.url.format(scheme=need.scheme or server.scheme)


def _wired(name: str, needs: tuple[Need, ...]) -> str | None:
    """The value of a variable that says where a database is; None for any other."""
    kinds = {need.kind: need for need in needs}
    if name in _REDIS_URLS and "redis" in kinds:
        return _address(kinds["redis"])
    sql = kinds.get("postgres") or kinds.get("mysql") or kinds.get("sqlite")
    if name in _SQL_URLS and sql is not None:
        return _address(sql)
    for need in needs:
        for ending, part in _PARTS if need.kind in SERVERS else ():
            if re.fullmatch(_PREFIX[need.kind] + ending, name):
                server = SERVERS[need.kind]
                return {
                    "url": _address(need),
                    "host": server.service,
                    "port": str(server.port),
                    "user": server.user,
                    "password": f"${{{server.passwords[0]}}}" if server.passwords else "",
                    "database": "app" if server.user else "0",
                }[part]
    return None


def compose_text(port: int, dockerfile: str, needs: Iterable[Need], env: Mapping[str, str]) -> str:
    """The document of an app that is built from `dockerfile` (a path in the source) and listens on `port`."""
    needs = tuple(needs)
    servers = [SERVERS[need.kind] for need in needs if need.kind in SERVERS]
    web: dict[str, Any] = {
        "build": {"context": ".", "dockerfile": dockerfile},
        "expose": [str(port)],
        "environment": {"HOST": "0.0.0.0", "PORT": str(port), **env},
        "labels": {"homeport.route": "true", "homeport.port": str(port)},
        "restart": "unless-stopped",
    }
    volumes: dict[str, None] = {}
    if any(need.kind == "sqlite" for need in needs):
        web["volumes"] = ["data:/data"]
        volumes["data"] = None
    if servers:
        web["depends_on"] = {server.service: {"condition": "service_healthy"} for server in servers}
    services = {"web": web}
    for server in servers:
        volume = f"{server.service}-data"
        volumes[volume] = None
        services[server.service] = _service(server, volume)
    document: dict[str, Any] = {"services": services}
    if volumes:
        document["volumes"] = {name: {} for name in volumes}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def _service(server: _Server, volume: str) -> dict[str, Any]:
    return {
        "image": server.image,
        **({"command": server.command} if server.command else {}),
        **({"environment": dict(server.environment)} if server.environment else {}),
        "expose": [str(server.port)],
        "volumes": [f"{volume}:{server.target}"],
        "healthcheck": {"test": server.check, "interval": "10s", "timeout": "5s", "retries": 10, "start_period": "30s"},
        "cap_add": list(_ENTRYPOINT_RIGHTS),
        "labels": {"homeport.route": "false"},
        "restart": "unless-stopped",
    }
