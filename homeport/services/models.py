"""The tables of what runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from homeport.storage import Base, Instant, Json


class ServiceRow(Base):
    """One service, whatever runs it. `status` is the word of the seeds; `desired` is what the person asked for."""

    __tablename__ = "services"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    kind: Mapped[str] = mapped_column(String(16), default="app")
    driver: Mapped[str] = mapped_column(String(16), default="process")
    customer_id: Mapped[str | None] = mapped_column(String(64), index=True)
    deploy_method: Mapped[str] = mapped_column(String(16))
    template: Mapped[str | None] = mapped_column(String(64))
    git_url: Mapped[str | None] = mapped_column(Text)
    git_branch: Mapped[str | None] = mapped_column(String(255))
    upload_id: Mapped[str | None] = mapped_column(String(40))
    compose: Mapped[str | None] = mapped_column(Text)  # as given: its ${VARIABLES} are filled in at each start
    dockerfile: Mapped[str | None] = mapped_column(Text)  # one that nobody committed, written by the analyser
    ai_url: Mapped[str | None] = mapped_column(Text)
    endpoint: Mapped[dict[str, Any] | None] = mapped_column(Json)  # of kind `endpoint`: plugin, host, port, path…
    variables: Mapped[str] = mapped_column(Text)  # sealed JSON: name -> {value, secret, generated}
    probe: Mapped[dict[str, Any] | None] = mapped_column(Json)
    cpu_limit: Mapped[float] = mapped_column(Float)
    memory_limit_mb: Mapped[int] = mapped_column(Integer)
    desired: Mapped[str] = mapped_column(String(16), default="running")
    status: Mapped[str] = mapped_column(String(16), index=True)
    health_status: Mapped[str] = mapped_column(String(16), default="unknown")
    error: Mapped[str | None] = mapped_column(Text)
    active_job_id: Mapped[str | None] = mapped_column(String(40))
    live_release_id: Mapped[str | None] = mapped_column(String(40))
    live_release: Mapped[int | None] = mapped_column(Integer)
    releases_made: Mapped[int] = mapped_column(Integer, default=0)
    changed: Mapped[bool] = mapped_column(default=False)  # edited since the live release was made
    deleting: Mapped[bool] = mapped_column(default=False)
    storage_mb: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    deployed_at: Mapped[datetime | None] = mapped_column(Instant)


class ReleaseRow(Base):
    """One version of a service: revision, build, variables, limits and routes, kept together for rollback.

    `build_id` names the directory that it runs from: its own id, or after a rollback that of the release it repeats.
    """

    __tablename__ = "releases"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(16))  # building, live, retired, failed
    job_id: Mapped[str] = mapped_column(String(40))
    build_id: Mapped[str] = mapped_column(String(40))
    source: Mapped[dict[str, Any]] = mapped_column(Json)  # deploy_method, template, git_url, git_branch, upload_id
    revision: Mapped[str | None] = mapped_column(String(80))
    summary: Mapped[str | None] = mapped_column(Text)
    plan: Mapped[dict[str, Any] | None] = mapped_column(Json)
    driver: Mapped[str] = mapped_column(String(16), default="process")
    compose: Mapped[str | None] = mapped_column(Text)  # of a stack: the text, variables not filled in
    images: Mapped[dict[str, str] | None] = mapped_column(Json)  # of a stack: service -> pinned image
    probe: Mapped[dict[str, Any] | None] = mapped_column(Json)
    variables: Mapped[str] = mapped_column(Text)
    cpu_limit: Mapped[float] = mapped_column(Float)
    memory_limit_mb: Mapped[int] = mapped_column(Integer)
    port: Mapped[int | None] = mapped_column(Integer)
    routes: Mapped[list[str]] = mapped_column(Json)
    size_mb: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    live_at: Mapped[datetime | None] = mapped_column(Instant)

    __table_args__ = (Index("ix_releases_service_number", "service_id", "number", unique=True),)


class JobRow(Base):
    """One deploy, redeploy or rollback. `steps` maps each step's name to its state and times."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), index=True)
    service_name: Mapped[str] = mapped_column(String(63))
    customer_id: Mapped[str | None] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16), index=True)
    step: Mapped[str | None] = mapped_column(String(16))
    steps: Mapped[dict[str, Any]] = mapped_column(Json)
    error: Mapped[str | None] = mapped_column(Text)
    release_id: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(80))
    cancel_requested_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    started_at: Mapped[datetime | None] = mapped_column(Instant)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class JobMessageRow(Base):
    """One line of a job's stream; `seq` counts from 1 without gaps."""

    __tablename__ = "job_messages"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    type: Mapped[str] = mapped_column(String(8))  # step, log, status
    step: Mapped[str | None] = mapped_column(String(16))
    stream: Mapped[str | None] = mapped_column(String(8))
    message: Mapped[str] = mapped_column(Text)
    status: Mapped[str | None] = mapped_column(String(16))


class EventRow(Base):
    """One entry of a service's timeline."""

    __tablename__ = "service_events"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), index=True)
    type: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    message: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(Instant, index=True)


class UploadRow(Base):
    """An archive on disk, in `uploads/<id>`; kept while a service's newest source is it, else until it expires."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    owner: Mapped[str] = mapped_column(String(80))
    size: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class IdempotencyRow(Base):
    """The answer given to the first request that bore a key, in the same transaction as what it did."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request: Mapped[str] = mapped_column(String(64))  # SHA-256 of method, path and body
    status: Mapped[int] = mapped_column(Integer)
    body: Mapped[dict[str, Any]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


class DomainRow(Base):
    """A domain that somebody wants to lead to a service, and once `verified` does; `token` is what proves it."""

    __tablename__ = "service_domains"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"))
    domain: Mapped[str] = mapped_column(String(253))  # lower case, as DNS writes it (IDNA)
    token: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16))  # pending, verified
    created_at: Mapped[datetime] = mapped_column(Instant)
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    proven: Mapped[str | None] = mapped_column(String(253), unique=True)  # the domain once verified: one service's only

    __table_args__ = (Index("ix_service_domains_service_domain", "service_id", "domain", unique=True),)


class ShareRow(Base):
    """A tunnel that an agent within the portal keeps open for a service.

    `relays` are URLs, none for the portal's own; `key` is the tunnel's private key, sealed; `customer_id` is the
    service's; `access` is `everyone` or `signed_in`. A share past `expires_at` is shown for a while and serves nobody.
    """

    __tablename__ = "shares"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    service_id: Mapped[str] = mapped_column(ForeignKey("services.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(63), unique=True)
    owner_id: Mapped[str] = mapped_column(String(40), index=True)
    owner_name: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str | None] = mapped_column(String(64))
    relays: Mapped[list[str]] = mapped_column(Json)
    access: Mapped[str] = mapped_column(String(16))
    description: Mapped[str] = mapped_column(Text)
    hide: Mapped[bool]
    address: Mapped[str] = mapped_column(String(42))
    key: Mapped[str] = mapped_column(Text)  # sealed
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
