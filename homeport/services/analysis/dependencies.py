"""What an app needs beside it, by the libraries it asks for and the variables it reads; each with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from homeport.services.analysis.inventory import MAX_LINE, Files, Inventory
from homeport.services.analysis.result import Need

MANIFESTS = (
    "requirements.txt", "pyproject.toml", "Pipfile", "package.json", "go.mod", "Cargo.toml", "Gemfile", "composer.json",
    "pom.xml", "build.gradle", "build.gradle.kts",
)  # fmt: skip


@dataclass(frozen=True)
class _Rule:
    """`words` are names of libraries; `scheme` is the address that goes with one when SQLAlchemy is there too."""

    kind: str
    words: tuple[str, ...]
    files: tuple[str, ...] = MANIFESTS
    confidence: float = 0.9


_PYTHON = ("requirements.txt", "pyproject.toml", "Pipfile")
_NODE = ("package.json",)
_RULES = (
    _Rule("postgres", ("psycopg", "psycopg2", "psycopg2-binary", "psycopg-binary",
                       "asyncpg", "pg8000", "aiopg"), _PYTHON),
    _Rule("postgres", ("pg", "postgres", "pg-promise", "@prisma/adapter-pg", "postgres.js"), _NODE),
    _Rule("postgres", ("github.com/lib/pq", "github.com/jackc/pgx", "gorm.io/driver/postgres"), ("go.mod",)),
    _Rule("postgres", ("pg",), ("Gemfile",)),
    _Rule("postgres", ("tokio-postgres", "postgres"), ("Cargo.toml",)),
    _Rule("postgres", ("org.postgresql", "postgresql"), ("pom.xml", "build.gradle", "build.gradle.kts")),
    _Rule("postgres", ("ext-pgsql", "ext-pdo_pgsql"), ("composer.json",)),
    _Rule("mysql", ("mysqlclient", "pymysql", "aiomysql", "mysql-connector-python", "asyncmy"), _PYTHON),
    _Rule("mysql", ("mysql2", "mysql", "mariadb"), _NODE),
    _Rule("mysql", ("github.com/go-sql-driver/mysql", "gorm.io/driver/mysql"), ("go.mod",)),
    _Rule("mysql", ("mysql2", "trilogy"), ("Gemfile",)),
    _Rule("mysql", ("mysql-connector-j", "mysql-connector-java", "mariadb-java-client"),
          ("pom.xml", "build.gradle", "build.gradle.kts")),
    _Rule("mysql", ("ext-mysqli", "ext-pdo_mysql"), ("composer.json",)),
    _Rule("mongo", ("pymongo", "motor", "mongoengine", "beanie"), _PYTHON),
    _Rule("mongo", ("mongoose", "mongodb"), _NODE),
    _Rule("mongo", ("go.mongodb.org/mongo-driver",), ("go.mod",)),
    _Rule("mongo", ("mongoid", "mongo"), ("Gemfile",)),
    _Rule("mongo", ("mongodb",), ("Cargo.toml", "composer.json")),
    _Rule("redis", ("redis", "aioredis", "hiredis", "django-redis", "rq"), _PYTHON),
    _Rule("redis", ("celery",), _PYTHON, 0.7),
    _Rule("redis", ("redis", "ioredis", "bull", "bullmq", "connect-redis"), _NODE),
    _Rule("redis", ("github.com/redis/go-redis", "github.com/go-redis/redis",
                    "github.com/gomodule/redigo"), ("go.mod",)),
    _Rule("redis", ("redis", "sidekiq", "resque"), ("Gemfile",)),
    _Rule("redis", ("redis", "deadpool-redis"), ("Cargo.toml",)),
    _Rule("redis", ("predis/predis", "ext-redis"), ("composer.json",)),
    _Rule("redis", ("jedis", "spring-boot-starter-data-redis"), ("pom.xml", "build.gradle", "build.gradle.kts")),
)  # fmt: skip

_SCHEMES = {
    "postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mysql2": "mysql", "mariadb": "mysql",
    "mongodb": "mongo", "redis": "redis", "sqlite": "sqlite", "sqlite3": "sqlite",
}  # fmt: skip
_URL = re.compile(r"^([a-z0-9]+)(?:\+[a-z0-9]+)?:(?://|[^/])", re.IGNORECASE)
_IMAGES = re.compile(
    r"^\s*-?\s*image:\s*[\"']?(?:\S*/)?(postgres|postgis|mysql|mariadb|mongo|redis|valkey)(?=[:\"'@\s]|$)"
)
_OF_IMAGE = {"postgis": "postgres", "mariadb": "mysql", "valkey": "redis"}
# SQLAlchemy takes the driver's name in the address; the first that is asked for counts.
_DRIVERS = (
    ("asyncpg", "postgresql+asyncpg"),
    ("psycopg", "postgresql+psycopg"),
    ("asyncmy", "mysql+asyncmy"),
    ("aiomysql", "mysql+aiomysql"),
    ("pymysql", "mysql+pymysql"),
)


def sniff(files: Files, inventory: Inventory) -> tuple[Need, ...]:
    """One need of a kind, the best founded; a database server in use displaces SQLite."""
    found: dict[str, Need] = {}
    for need in (*_from_environment(inventory), *_from_manifests(files), *from_compose(inventory)):
        known = found.get(need.kind)
        if known is None:
            found[need.kind] = need
        elif known.confidence < need.confidence:
            found[need.kind] = Need(need.kind, need.because, need.confidence, known.scheme or need.scheme)
    if found.keys() & {"postgres", "mysql"}:
        found.pop("sqlite", None)
    return tuple(found[kind] for kind in ("postgres", "mysql", "mongo", "redis", "sqlite") if kind in found)


def _from_manifests(files: Files) -> Iterable[Need]:
    sqlalchemy = False
    asked: list[tuple[Need, str]] = []
    for file in MANIFESTS:
        text = files.read(file)
        if text is None:
            continue
        lines = [line[:MAX_LINE] for line in text.splitlines()[:20_000]]
        low = [line.lower() for line in lines]
        sqlalchemy = sqlalchemy or any(_asks(line, "sqlalchemy", file) or _asks(line, "sqlmodel", file) for line in low)
        for rule in _RULES:
            if file in rule.files:
                hit = next(
                    ((i, word) for i, line in enumerate(low, 1) for word in rule.words if _asks(line, word, file)), None
                )
                if hit is not None:
                    asked.append((Need(rule.kind, f"{file}:{hit[0]} asks for {hit[1]}", rule.confidence), hit[1]))
    for need, word in asked:
        scheme = next((scheme for name, scheme in _DRIVERS if word == name), None) if sqlalchemy else None
        yield Need(need.kind, need.because, need.confidence, scheme)


def _asks(line: str, word: str, file: str) -> bool:
    """Whether the line of a manifest names exactly this library, and is not a comment."""
    at = line.find(word)
    if at < 0 or line.lstrip().startswith(("#", "//")):
        return False
    if file == "requirements.txt":
        return re.match(rf"\s*{re.escape(word)}(?![\w.-])", line.replace("_", "-")) is not None
    if file in ("pom.xml", "build.gradle", "build.gradle.kts", "go.mod"):
        return True
    before, after = line[:at].rstrip()[-1:], line[at + len(word) : at + len(word) + 1]
    quoted = before in "\"'" and (not after or not (after.isalnum() or after in "_-/"))
    key = file in ("Pipfile", "Cargo.toml", "pyproject.toml") and re.match(rf"\s*\"?{re.escape(word)}\"?\s*=", line)
    return bool(quoted and before) or bool(key)


def _from_environment(inventory: Inventory) -> Iterable[Need]:
    for one in inventory.environment:
        url = _URL.match(one.default)
        kind = _SCHEMES.get(url[1].lower()) if url is not None else None
        if kind is not None and url is not None:
            scheme = one.default.partition(":")[0].lower() if kind not in ("sqlite", "redis") else None
            yield Need(kind, f"{one.where} sets {one.name} to such an address", 0.85, scheme)
        elif one.name in ("REDIS_URL", "REDIS_HOST"):
            yield Need("redis", f"{one.where} names {one.name}", 0.75)
        elif one.name in ("MONGO_URL", "MONGO_URI", "MONGODB_URI", "MONGODB_URL"):
            yield Need("mongo", f"{one.where} names {one.name}", 0.8)
        elif one.name in ("POSTGRES_PASSWORD", "POSTGRES_DB", "PGHOST"):
            yield Need("postgres", f"{one.where} names {one.name}", 0.75)
        elif one.name in ("MYSQL_DATABASE", "MYSQL_PASSWORD", "MYSQL_HOST"):
            yield Need("mysql", f"{one.where} names {one.name}", 0.75)
        elif one.name == "DB_CONNECTION" and _SCHEMES.get({"pgsql": "postgres"}.get(one.default, one.default)):
            kind = _SCHEMES[{"pgsql": "postgres"}.get(one.default, one.default)]
            yield Need(kind, f"{one.where} sets DB_CONNECTION to {one.default}", 0.85)


def from_compose(inventory: Inventory) -> tuple[Need, ...]:
    """What the databases of an own compose file tell."""
    found: dict[str, Need] = {}
    file, text = inventory.compose or ("", "")
    for number, line in enumerate(text.splitlines()[:5000], start=1):
        match = _IMAGES.match(line[:MAX_LINE])
        if match is not None:
            kind = _OF_IMAGE.get(match[1], match[1])
            found.setdefault(kind, Need(kind, f"{file}:{number} runs {match[1]}", 0.95))
    return tuple(found.values())
