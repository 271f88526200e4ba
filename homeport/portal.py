"""The composition root: builds every part by constructor, bottom up, wires them, and runs them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI

from homeport.identity import Identity
from homeport.identity import http as identity_http
from homeport.identity import retention as identity_retention
from homeport.identity.customers import http as customers_http
from homeport.identity.totals import totals as identity_totals
from homeport.kit.bus import Bus
from homeport.kit.clock import Clock, SystemClock
from homeport.kit.files import atomic_write
from homeport.kit.guard import OutboundGuard
from homeport.kit.sealing import Sealer
from homeport.relay import Authority, Handler, Ingress, TlsHandler
from homeport.relay import certificates as server_certificates
from homeport.relay.parts import Relay
from homeport.services import actions_http, compose_http, domains_http, editing_http, health_http, streams
from homeport.services import http as services_http
from homeport.services.docker import Engine, Images
from homeport.services.drivers import ServiceDriver
from homeport.services.drivers.all import Drivers
from homeport.services.drivers.process import ProcessDriver
from homeport.services.logs.files import FileLogs
from homeport.services.parts import Services
from homeport.services.proxy import Limits, Proxy
from homeport.services.quota import holdings
from homeport.services.retention import EVENTS_RULE
from homeport.services.schemas import is_reserved
from homeport.services.shares import http as shares_http
from homeport.services.shares.assembly import assembled as shares_assembled
from homeport.services.stacks import Stacks
from homeport.settings import Settings
from homeport.storage import Database, Durable, KeyRotation, Options
from homeport.web import (
    LiveFeed,
    Place,
    PortalServer,
    about,
    create_app,
    keys,
    live,
    outbound,
    public_stats,
    retention_http,
    settings_http,
    stats,
    system,
)
from homeport.web.config_file import ConfigFile
from homeport.web.outbound import Outbound
from homeport.web.retention import Retention
from homeport.web.system import Machine

log = structlog.get_logger()

EXECUTOR = "local"  # one portal on one data directory


@dataclass(frozen=True)
class Serving:
    """A portal that serves: where, and what its first start has to tell."""

    base_url: str
    port: int
    ca_path: Path
    trust_hint: str
    first_password: str | None


class Portal:
    """One process on one data directory. Building it touches nothing; `prepare` and `serving` do."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.bus = Bus()
        data = settings.data_dir
        self.database = Database(settings.database_url or f"sqlite:///{data / 'homeport.db'}")
        self.options = Options(self.database)
        self.sealer = Sealer(data / "keys")
        self.guard = OutboundGuard(settings.outbound_allow)
        self.identity = Identity(
            self.database,
            self.clock,
            self.bus,
            settings,
            self.sealer,
            self.options,
            base_url=lambda: self.settings.base_url,
            holdings=holdings,
            guard=self.guard,
        )
        self.outbound = Outbound(self.guard, self.options, self.clock, settings.outbound_allow)
        self.rotation = KeyRotation(self.database, self.sealer, self.clock)
        self.feed = LiveFeed(self.bus)
        self.authority = Authority(
            data / "ca", self.clock, domain=settings.domain, known=self._has_app, foreign=self._has_domain
        )
        self.tls = server_certificates.assembled(
            settings, self.authority, self.clock, self.guard, self.sealer, self.options,
            self.identity.audit.append, self._own_domains,
        )  # fmt: skip
        self.relay = Relay(
            self.database, lambda: self.settings, self.options, self.clock, self.bus, self.guard, self.tls,
            self.identity.audit.append, taken=lambda label: is_reserved(label) or self._has_app(label),
        )  # fmt: skip
        self.identity.wallet_of = self.relay.wallets.actor_of
        self.config_file = ConfigFile(data, lambda: self.settings)
        self.services: Services | None = None

    async def prepare(self) -> str | None:
        """Data directory, keys, CA, database, administrator: a new one's password, None when there was one."""
        data = self.settings.data_dir
        await asyncio.to_thread(data.mkdir, mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(self.authority.open)
        await asyncio.to_thread(self.sealer.load)
        await asyncio.to_thread(self.config_file.open)
        await self.database.open()
        await self.identity.open()
        self.outbound.open()
        return await self.identity.machine.ensure_administrator()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Serving]:
        """Open everything bottom up, listen last, and close it the other way round. What runs goes on running."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.database.close)
            password = await self.prepare()
            if self.settings.port == 0:
                holder = stack.enter_context(_free_port(self.settings.bind))
                self.settings = self.settings.model_copy(update={"port": int(holder.getsockname()[1])})
            services = self.services = await self._services()
            stack.push_async_callback(services.close)
            await services.open()
            stack.push_async_callback(self.identity.close)
            stack.push_async_callback(self.tls.close)
            await self.tls.open()
            await stack.enter_async_context(_running(self.identity.run(), "identity upkeep"))
            stack.push_async_callback(self.relay.close)
            await self.relay.open()
            await stack.enter_async_context(_running(self.relay.run(), "relay"))
            retention = _retention(self, services)
            await stack.enter_async_context(_running(retention.run(), "data retention"))
            await self._listen(services, retention, stack)
            await stack.enter_async_context(_running(self.tls.run(), "certificate renewals"))
            stack.push_async_callback(self.shares.close)
            await self.shares.open()
            await stack.enter_async_context(_running(self.shares.run(), "tunnels of services"))
            yield Serving(
                self.settings.base_url,
                self.settings.port,
                self.authority.ca_path,
                self.authority.trust_hint(),
                password,
            )

    async def _services(self) -> Services:
        settings, data = self.settings, self.settings.data_dir
        portal_id = await asyncio.to_thread(_portal_id, data)
        engine = Engine(settings.docker_host or None)
        self._engine = engine
        images = Images(engine, portal_id, self.clock)
        given = (engine, portal_id, settings.app_log_mb, self.clock)
        containers: list[ServiceDriver] = []
        if settings.docker_host:
            from homeport.services.drivers.compose import ComposeDriver  # 1 MB that is for Docker only
            from homeport.services.drivers.swarm import SwarmDriver

            containers = [ComposeDriver(*given), SwarmDriver(*given)]
        services = Services(
            self.database,
            Durable(settings.database_url or f"sqlite:///{data / 'durable.db'}", executor_id=EXECUTOR),
            settings,
            self.sealer,
            self.clock,
            self.bus,
            Drivers([ProcessDriver(data / "instances"), *containers]),
            FileLogs(data / "services", clock=self.clock),
            Stacks(settings, engine, images),
            self.guard,
            chance=random.SystemRandom(),
            events_kept=lambda: int(self.options.get(EVENTS_RULE.key, EVENTS_RULE.default)),
        )
        services.requests.has_tunnel = self.relay.has
        self.shares = shares_assembled(
            self.database, lambda: self.settings, self.sealer, self.clock, self.bus, self.guard, self.identity,
            self.relay, services.routes,
        )  # fmt: skip
        return services

    async def _listen(self, services: Services, retention: Retention, stack: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        server = PortalServer(application(self, services, retention))
        proxy = Proxy(
            services.routes,
            domain=settings.domain,
            limits=Limits(connect=settings.proxy_connect_timeout, response=settings.proxy_response_timeout),
        )
        portal_handler = TlsHandler(self.tls.context_for, server.protocol)
        app_handler = TlsHandler(self.tls.context_for, proxy.protocol)

        front = self.relay.front(portal_handler, self.tls.context_for_hello, server.protocol)
        stack.callback(front.close)

        def find(name: str | None) -> Handler | None:
            if name is not None and self._leads_to_app(name):  # whoever else has the name
                return app_handler
            return self.relay.handler_for(name) or (app_handler if self._is_apps(name) else front)

        ingress = Ingress(find, challenge=self.tls.answer_hello, plain=self.tls.answer_plain)
        stack.push_async_callback(proxy.close, 2.0)
        stack.push_async_callback(server.close, 5.0)
        stack.push_async_callback(ingress.close, 1.0)
        await ingress.open(settings.bind, settings.port)
        await self._ask_for_certificates(server, stack)

    async def _ask_for_certificates(self, server: PortalServer, stack: contextlib.AsyncExitStack) -> None:
        """The second port: the portal, but no app, for whoever shows a certificate of our authority for clients.

        Where somebody else has the default port, the portal does without. Raises OSError for a port that was asked for.
        """
        settings = self.settings
        if not settings.certificate_port:
            return
        certificates = self.identity.certificates
        context = certificates.authority.server_context(self.tls.context_for)
        handler = TlsHandler(lambda _name: context, server.certificate_protocol)
        ingress = Ingress(lambda name: None if self._is_apps(name) else handler)
        stack.push_async_callback(ingress.close, 1.0)
        try:
            certificates.port = await ingress.open(settings.bind, settings.certificate_port)
        except OSError as problem:
            if "certificate_port" in settings.model_fields_set:
                raise
            log.warning("no port for client certificates", port=settings.certificate_port, reason=problem.strerror)

    def _is_apps(self, name: str | None) -> bool:
        return name is not None and (name.lower().endswith(f".{self.settings.domain}") or self._has_domain(name))

    def _leads_to_app(self, name: str) -> bool:
        label, _, parent = name.partition(".")
        return (parent == self.settings.domain and self._has_app(label)) or self._has_domain(name)

    def _has_app(self, label: str) -> bool:
        return self.services is not None and self.services.routes.find(label.partition(".")[0]) is not None

    def _own_domains(self) -> tuple[str, ...]:
        return self.services.routes.own_domains() if self.services is not None else ()

    def _has_domain(self, name: str) -> bool:
        return self.services is not None and self.services.routes.app_at(name) is not None


def application(portal: Portal, services: Services, retention: Retention) -> FastAPI:
    """Every part's routes in one application."""
    settings = portal.settings
    machine = Machine(portal.clock, settings.data_dir)

    async def identity_counts() -> Mapping[str, int]:
        return await identity_totals(portal.database)

    place = Place(settings.domain, settings.base_url, settings.port, str(portal.authority.ca_path))
    return create_app(
        identity=portal.identity,
        routers=[
            *identity_http.routes(portal.identity, settings),
            *customers_http.routes(portal.identity),
            services_http.router(services),
            editing_http.router(services),
            health_http.router(services),
            actions_http.router(services),
            services_http.sources_router(services),
            services_http.jobs_router(services),
            services_http.templates_router(services),
            domains_http.router(services),
            compose_http.router(settings),
            streams.router(services, portal.identity),
            server_certificates.routes(portal.tls),
            *portal.relay.http(portal.identity),
            shares_http.router(portal.shares),
            about.routes(place),
            outbound.routes(portal.outbound),
            keys.routes(portal.rotation),
            system.routes(machine),
            stats.routes(portal.identity, portal.database, machine, portal.clock, [identity_counts, services.totals]),
            public_stats.routes(portal.identity, services.catalogue.count),
            settings_http.routes(settings, portal.config_file, portal.options, portal.clock),
            retention_http.routes(retention),
            live.routes(portal.feed, portal.identity),
            actions_http.refusals(services),  # last: it answers what no other route does
        ],
        base_url=lambda: portal.settings.base_url,
        page_head=portal.relay.page_head,
    )


async def built(portal: Portal) -> FastAPI:
    """The application of a portal that serves nothing: nothing is opened."""
    services = await portal._services()
    return application(portal, services, _retention(portal, services))


def unopened() -> FastAPI:
    """The application as the code has it, to read its routes and its OpenAPI document."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(built(Portal(Settings(data_dir=Path(folder)))))


def _retention(portal: Portal, services: Services) -> Retention:
    identity = identity_retention.keepers(portal.database, portal.clock, portal.identity.audit)
    keepers = [*identity, *services.keepers]
    return Retention(portal.database, portal.options, portal.clock, portal.identity.audit, keepers)


@contextlib.asynccontextmanager
async def _running(work: Any, name: str) -> AsyncIterator[None]:
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _portal_id(folder: Path) -> str:
    """What this portal's containers are labelled with: made once."""
    file = folder / "portal-id"
    if not file.is_file():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_write(file, secrets.token_hex(8))
    return file.read_text().strip()


def _free_port(bind: str) -> socket.socket:
    """Bound to one: until somebody listens there with SO_REUSEADDR, as we do later, nobody else is given it."""
    holder = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
    holder.bind((bind, 0))
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder
