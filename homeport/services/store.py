"""All SQL of the services: functions over a session. Permission is part of each query: `visible` takes the actor."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from homeport.identity import Actor
from homeport.services.models import (
    DomainRow,
    EventRow,
    IdempotencyRow,
    JobMessageRow,
    JobRow,
    ReleaseRow,
    ServiceRow,
    UploadRow,
)
from homeport.services.problems import JobNotFound, ReleaseNotFound, ServiceNotFound, UploadNotFound

SORTS = ("name", "status", "created_at", "updated_at")

_TABLE = ServiceRow.__table__
_COLUMNS = _TABLE.columns
Listed = Any  # a row with the names of ServiceRow's columns: lists skip the object for each row


@dataclass(frozen=True)
class ServiceFilter:
    """What `GET /api/services` may ask for."""

    status: str | None = None
    customer_id: str | None = None
    search: str | None = None
    kind: str | None = None
    sort: str = "created_at"
    order: str = "desc"


def visible(actor: Actor, column: Any) -> ColumnElement[bool]:
    """An actor that belongs to a customer sees that customer's rows; the others see all."""
    return true() if actor.customer_id is None else column == actor.customer_id


class Sight(NamedTuple):
    """Which services an actor may see: one customer's or all (None); of endpoints all, or those that are on and `open_`
    to everybody or to one of the actor's scopes."""

    customer_id: str | None
    everything: bool
    open_: tuple[str, ...] = ()

    def where(self) -> ColumnElement[bool]:
        there = true() if self.customer_id is None else _COLUMNS.customer_id == self.customer_id
        there = and_(there, _COLUMNS.deleting.is_(False))
        if self.everything:
            return there
        is_endpoint, on = _COLUMNS.kind == "endpoint", _COLUMNS.status == "running"
        is_open = or_(_COLUMNS.desired == "running", _COLUMNS.id.in_(self.open_))
        return and_(there, or_(~is_endpoint, and_(on, is_open)))


@functools.lru_cache(64)
def _scoped(customer_id: str | None) -> Select[Any]:
    """Endpoints that are on and ask for scopes."""
    query = select(_COLUMNS.id, _COLUMNS.endpoint).where(Sight(customer_id, everything=True).where())
    return query.where(_COLUMNS.kind == "endpoint", _COLUMNS.status == "running", _COLUMNS.desired == "scoped")


async def _sight(session: AsyncSession, actor: Actor) -> Sight:
    if actor.administers:
        return Sight(actor.customer_id, everything=True)
    rows = (await session.execute(_scoped(actor.customer_id))).all()
    open_ = (row.id for row in rows if any(actor.grants(scope) for scope in row.endpoint["scopes"]))
    return Sight(actor.customer_id, everything=False, open_=tuple(open_))


def _matching(query: Select[Any], wanted: ServiceFilter) -> Select[Any]:
    if wanted.status:
        query = query.where(_COLUMNS.status == wanted.status)
    if wanted.kind:
        query = query.where(_COLUMNS.kind == wanted.kind)
    if wanted.customer_id:
        query = query.where(_COLUMNS.customer_id == wanted.customer_id)
    if wanted.search:
        query = query.where(func.lower(_COLUMNS.name).contains(wanted.search.lower(), autoescape=True))
    return query


# Statements are kept, never what they answered: to put one together takes as long as to ask it, and tabs ask the same
# again and again.
@functools.lru_cache(64)
def _page(sight: Sight, wanted: ServiceFilter, page: int, per_page: int) -> tuple[Select[Any], Select[Any]]:
    """What asks for one page, each row with how many match; and what asks for that number alone."""
    count = _matching(select(func.count()).select_from(_TABLE).where(sight.where()), wanted)
    query = _matching(select(_TABLE, count.scalar_subquery().label("total")).where(sight.where()), wanted)
    column = _COLUMNS[wanted.sort]
    query = query.order_by(column.asc() if wanted.order == "asc" else column.desc(), _COLUMNS.id)
    return query.limit(per_page).offset((page - 1) * per_page), count


@functools.lru_cache(64)
def _directory(sight: Sight) -> Select[Any]:
    return select(_TABLE).where(sight.where()).order_by(_COLUMNS.created_at.desc(), _COLUMNS.id)


@functools.lru_cache(64)
def _one(sight: Sight) -> Select[Any]:
    ref: BindParameter[str] = bindparam("ref")
    return select(ServiceRow).where(sight.where(), or_(ServiceRow.id == ref, ServiceRow.name == ref))


async def list_services(
    session: AsyncSession, actor: Actor, wanted: ServiceFilter, page: int, per_page: int
) -> tuple[Sequence[Listed], int]:
    """One page, and how many match in all: one query, but for a page beyond the last and for endpoints with scopes."""
    query, count = _page(await _sight(session, actor), wanted, page, per_page)
    rows = (await session.execute(query)).all()
    if rows:
        return rows, rows[0].total
    return rows, 0 if page == 1 else (await session.scalar(count)) or 0


async def all_services(session: AsyncSession, actor: Actor) -> Sequence[Listed]:
    """The complete directory, newest first."""
    rows: Sequence[Listed] = (await session.execute(_directory(await _sight(session, actor)))).all()
    return rows


async def get_service(session: AsyncSession, actor: Actor, ref: str) -> ServiceRow:
    """By id or name. Raises ServiceNotFound, also for what the actor may not see."""
    row: ServiceRow | None = await session.scalar(_one(await _sight(session, actor)), {"ref": ref})
    if row is None:
        raise ServiceNotFound(f"There is no service called {ref[:80]!r}.")
    return row


async def find_service(session: AsyncSession, service_id: str) -> ServiceRow | None:
    return await session.get(ServiceRow, service_id)


async def held_by(
    session: AsyncSession, customer_ids: Collection[str], *, without: str | None = None
) -> dict[str, tuple[int, float, int, int]]:
    """By customer, those with services only: how many (but `without`), their cores, MB of memory and MB of storage.

    Limits are those of the row or of a release that serves or is to, whichever is more: an edit counts from a deploy
    on.
    """
    releases = (
        select(
            ReleaseRow.service_id,
            func.max(ReleaseRow.cpu_limit).label("cpu"),
            func.max(ReleaseRow.memory_limit_mb).label("memory"),
        )
        .join(ServiceRow, ServiceRow.id == ReleaseRow.service_id)
        .where(ServiceRow.customer_id.in_(customer_ids), ReleaseRow.status.in_(("building", "live")))
        .group_by(ReleaseRow.service_id)
        .subquery()
    )
    cpu, live_cpu = ServiceRow.cpu_limit, releases.c.cpu
    memory, live_memory = ServiceRow.memory_limit_mb, releases.c.memory
    query = (
        select(
            ServiceRow.customer_id,
            func.count(),
            func.sum(case((live_cpu > cpu, live_cpu), else_=cpu)),
            func.sum(case((live_memory > memory, live_memory), else_=memory)),
            func.sum(ServiceRow.storage_mb),
        )
        .outerjoin(releases, releases.c.service_id == ServiceRow.id)
        .where(ServiceRow.customer_id.in_(customer_ids), ServiceRow.deleting.is_(False))
        .group_by(ServiceRow.customer_id)
    )
    if without is not None:
        query = query.where(ServiceRow.id != without)
    rows = (await session.execute(query)).all()
    return {row[0]: (int(row[1]), float(row[2]), int(row[3]), int(row[4])) for row in rows}


async def domains_of(session: AsyncSession, service_id: str) -> Sequence[DomainRow]:
    query = select(DomainRow).where(DomainRow.service_id == service_id).order_by(DomainRow.domain)
    return (await session.scalars(query)).all()


async def find_domain(session: AsyncSession, service_id: str, domain: str) -> DomainRow | None:
    return await session.scalar(select(DomainRow).where(DomainRow.service_id == service_id, DomainRow.domain == domain))


async def domain_is_taken(session: AsyncSession, domain: str, service_id: str) -> bool:
    """Whether another service has proven it."""
    query = select(DomainRow.id).where(DomainRow.domain == domain, DomainRow.status == "verified")
    return (await session.scalar(query.where(DomainRow.service_id != service_id))) is not None


async def verified_domains(session: AsyncSession) -> Sequence[tuple[str, str]]:
    """Every proven domain with the name of its service."""
    query = select(DomainRow.domain, ServiceRow.name).join(ServiceRow, ServiceRow.id == DomainRow.service_id)
    rows = await session.execute(query.where(DomainRow.status == "verified", ServiceRow.deleting.is_(False)))
    return [(row[0], row[1]) for row in rows]


async def name_is_taken(session: AsyncSession, name: str) -> bool:
    return (await session.scalar(select(ServiceRow.id).where(ServiceRow.name == name))) is not None


async def every_service(session: AsyncSession) -> Sequence[ServiceRow]:
    """For the portal's own start: all rows, those being deleted included."""
    return (await session.scalars(select(ServiceRow))).all()


async def releases_of(session: AsyncSession, service_id: str) -> Sequence[ReleaseRow]:
    """Newest first."""
    query = select(ReleaseRow).where(ReleaseRow.service_id == service_id).order_by(ReleaseRow.number.desc())
    return (await session.scalars(query)).all()


async def releases_by_id(session: AsyncSession, ids: Iterable[str]) -> dict[str, ReleaseRow]:
    rows = await session.scalars(select(ReleaseRow).where(ReleaseRow.id.in_(list(ids))))
    return {row.id: row for row in rows}


async def live_releases(session: AsyncSession) -> dict[str, ReleaseRow]:
    """By service id."""
    query = select(ReleaseRow).join(ServiceRow, ServiceRow.live_release_id == ReleaseRow.id)
    return {row.service_id: row for row in await session.scalars(query)}


async def find_live_release(session: AsyncSession, service_id: str) -> ReleaseRow | None:
    """What serves, or would if it ran."""
    query = select(ReleaseRow).join(ServiceRow, ServiceRow.live_release_id == ReleaseRow.id)
    return await session.scalar(query.where(ServiceRow.id == service_id))


async def get_release(session: AsyncSession, release_id: str) -> ReleaseRow:
    row = await session.get(ReleaseRow, release_id)
    if row is None:
        raise ReleaseNotFound("This release is no longer kept.")
    return row


async def ports_in_use(session: AsyncSession) -> set[int]:
    query = select(ReleaseRow.port).where(ReleaseRow.status.in_(("building", "live")), ReleaseRow.port.is_not(None))
    return {port for port in await session.scalars(query) if port is not None}


async def get_job(session: AsyncSession, actor: Actor, job_id: str) -> JobRow:
    row = await session.scalar(select(JobRow).where(JobRow.id == job_id, visible(actor, JobRow.customer_id)))
    if row is None:
        raise JobNotFound("There is no such job.")
    return row


async def find_job(session: AsyncSession, job_id: str) -> JobRow | None:
    return await session.get(JobRow, job_id)


async def list_jobs(
    session: AsyncSession, actor: Actor, *, service_id: str | None, status: str | None, page: int, per_page: int
) -> tuple[Sequence[JobRow], int]:
    """Newest first."""
    where = [visible(actor, JobRow.customer_id)]
    if service_id:
        where.append(JobRow.service_id == service_id)
    if status:
        where.append(JobRow.status == status)
    query = select(JobRow).where(*where).order_by(JobRow.created_at.desc(), JobRow.id)
    rows = (await session.scalars(query.limit(per_page).offset((page - 1) * per_page))).all()
    return rows, (await session.scalar(select(func.count()).select_from(JobRow).where(*where))) or 0


async def unfinished_jobs(session: AsyncSession) -> Sequence[str]:
    return (await session.scalars(select(JobRow.id).where(JobRow.status.in_(("queued", "running"))))).all()


async def job_messages(session: AsyncSession, job_id: str, since: int, limit: int) -> Sequence[JobMessageRow]:
    """Those after `since`, oldest first."""
    query = select(JobMessageRow).where(JobMessageRow.job_id == job_id, JobMessageRow.seq > since)
    return (await session.scalars(query.order_by(JobMessageRow.seq).limit(limit))).all()


async def last_seq(session: AsyncSession, job_id: str) -> int:
    query = select(func.max(JobMessageRow.seq)).where(JobMessageRow.job_id == job_id)
    return (await session.scalar(query)) or 0


async def list_events(
    session: AsyncSession, service_id: str, page: int, per_page: int
) -> tuple[Sequence[EventRow], int]:
    """Oldest first, as the seed shows them; page 1 holds the newest `per_page`."""
    where = EventRow.service_id == service_id
    query = select(EventRow).where(where).order_by(EventRow.id.desc()).limit(per_page).offset((page - 1) * per_page)
    rows = (await session.scalars(query)).all()
    return rows[::-1], (await session.scalar(select(func.count()).select_from(EventRow).where(where))) or 0


async def recent_events(session: AsyncSession, actor: Actor, limit: int) -> list[tuple[EventRow, str]]:
    """Over all services, newest first, each with its service's name."""
    query = (
        select(EventRow, ServiceRow.name)
        .join(ServiceRow, ServiceRow.id == EventRow.service_id)
        .where(visible(actor, ServiceRow.customer_id))
        .order_by(EventRow.id.desc())
        .limit(limit)
    )
    return [(row, name) for row, name in (await session.execute(query)).all()]


async def trim_events(session: AsyncSession, service_id: str, keep: int) -> None:
    """Delete all but the newest `keep`."""
    newest = select(EventRow.id).where(EventRow.service_id == service_id).order_by(EventRow.id.desc()).limit(keep)
    await session.execute(delete(EventRow).where(EventRow.service_id == service_id, EventRow.id.not_in(newest)))


async def count_events(session: AsyncSession) -> dict[str, int]:
    """How many events each service has."""
    rows = await session.execute(select(EventRow.service_id, func.count()).group_by(EventRow.service_id))
    return {row[0]: row[1] for row in rows}


async def count_services(session: AsyncSession) -> int:
    """All of them, whoever's."""
    return await session.scalar(select(func.count()).select_from(ServiceRow)) or 0


async def trim_jobs(session: AsyncSession, service_id: str, keep: int) -> None:
    """Delete all but the newest `keep` finished jobs."""
    newest = select(JobRow.id).where(JobRow.service_id == service_id).order_by(JobRow.created_at.desc()).limit(keep)
    await session.execute(
        delete(JobRow).where(JobRow.service_id == service_id, JobRow.id.not_in(newest), JobRow.finished_at.is_not(None))
    )


async def get_upload(session: AsyncSession, owner: str, upload_id: str) -> UploadRow:
    """Of this owner. Raises UploadNotFound."""
    row = await session.get(UploadRow, upload_id)
    if row is None or row.owner != owner:
        raise UploadNotFound("This upload does not exist or has expired; send the archive again.")
    return row


async def stale_uploads(session: AsyncSession, now: datetime) -> Sequence[str]:
    """Expired, and the newest source of no service."""
    used = select(ServiceRow.upload_id).where(ServiceRow.upload_id.is_not(None))
    query = select(UploadRow.id).where(UploadRow.expires_at < now, UploadRow.id.not_in(used))
    return (await session.scalars(query)).all()


async def upload_ids(session: AsyncSession) -> set[str]:
    return set((await session.scalars(select(UploadRow.id))).all())


async def find_idempotency(session: AsyncSession, owner: str, key: str) -> IdempotencyRow | None:
    return await session.get(IdempotencyRow, (owner, key))


async def forget_idempotency(session: AsyncSession, before: datetime) -> None:
    await session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < before))


async def change_service(session: AsyncSession, service_id: str, **values: Any) -> None:
    await session.execute(update(ServiceRow).where(ServiceRow.id == service_id).values(**values))


async def change_release(session: AsyncSession, release_id: str, **values: Any) -> None:
    await session.execute(update(ReleaseRow).where(ReleaseRow.id == release_id).values(**values))


async def delete_rows(
    session: AsyncSession, kind: type[UploadRow | ReleaseRow | ServiceRow], ids: Iterable[str]
) -> None:
    await session.execute(delete(kind).where(kind.id.in_(list(ids))))
