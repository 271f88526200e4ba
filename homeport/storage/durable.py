"""Durable work on DBOS: a workflow is a list of named steps; a portal that was killed resumes at the step it was in.

DBOS journals each finished step and runs workflows in threads of its own. The steps themselves are coroutines on the
portal's event loop: the thread only waits for them, so that nothing blocks the loop and everything else of the portal
can be used by a step without locks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.engine import make_url

from homeport.kit.late import late

log = structlog.get_logger()

# Pinned, so that an upgraded portal goes on with what an older one began: steps are idempotent and read their input
# from our own tables, so a workflow's code may change between its steps.
APPLICATION_VERSION = "1"
RECOVERY_ATTEMPTS = 1_000
FORGOTTEN_AT_ONCE = 500


class PortalStopping(BaseException):
    """Unwinds a workflow's thread at shutdown. No `Exception`: the engine would take that for the workflow's result."""


@dataclass(frozen=True)
class Step:
    """One journaled step. `run(id)` may be called again after a crash, so it is idempotent."""

    name: str
    run: Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Workflow:
    """`steps` in order; the first that raises ends them, and `failed(id, step, problem)` has the last word.

    `succeeded(id)` has it otherwise. Both are journaled and idempotent too.
    """

    name: str
    steps: Sequence[Step]
    succeeded: Callable[[str], Awaitable[None]]
    failed: Callable[[str, str, BaseException], Awaitable[None]]


class Durable:
    """The engine. `url` names its database: SQLite or PostgreSQL. One per process, as DBOS has it."""

    def __init__(self, url: str, *, executor_id: str) -> None:
        parsed = make_url(url)
        sqlite = parsed.get_backend_name() == "sqlite"
        self._url = parsed.set(drivername="sqlite" if sqlite else "postgresql+psycopg").render_as_string(False)
        self._executor_id = executor_id
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: set[asyncio.Future[None]] = set()
        self._stopping = False
        self._workflows: Sequence[Workflow] = ()
        self._launching: asyncio.Future[None] | None = None
        self._start: dict[str, Callable[[str], None]] = {}

    async def open(self, workflows: Sequence[Workflow], *, unfinished: bool = True) -> None:
        """Register the workflows and resume what a killed portal left unfinished.

        Who knows that nothing is `unfinished` has the engine loaded with the first start(): it takes 7 MB and a tenth
        of a second, which a portal that only serves can do without.
        """
        self._loop = asyncio.get_running_loop()
        self._workflows = workflows
        if unfinished:
            await self._launched()

    async def _launched(self) -> None:
        if self._stopping:
            raise RuntimeError("the portal is stopping")
        if self._launching is None:
            self._launching = asyncio.ensure_future(asyncio.to_thread(self._launch))
        try:
            await asyncio.shield(self._launching)  # who hangs up stops it for nobody else
        except Exception:
            self._launching = None  # the next one tries again
            raise

    def _launch(self) -> None:
        if make_url(self._url).get_backend_name() == "sqlite":
            late("psycopg", "errors")  # DBOS names PostgreSQL's driver wherever it stores: 9 MB that SQLite never uses
        from dbos import DBOS, SetWorkflowID

        DBOS(
            config={
                "name": "homeport",
                "system_database_url": self._url,
                "application_version": APPLICATION_VERSION,
                "executor_id": self._executor_id,
                "log_level": "ERROR",
                "sys_db_pool_size": 5,
                "use_listen_notify": False,
            }
        )
        logging.getLogger("dbos").propagate = False
        for workflow in self._workflows:
            body = DBOS.workflow(name=workflow.name, max_recovery_attempts=RECOVERY_ATTEMPTS)(self._body(workflow))

            def start(id_: str, body: Callable[[str], None] = body) -> None:
                with SetWorkflowID(id_):  # started twice with one id: runs once
                    DBOS.start_workflow(body, id_)

            self._start[workflow.name] = start
        try:
            DBOS.launch()
        except Exception:
            DBOS.destroy(destroy_registry=True)
            raise

    async def start(self, name: str, id_: str) -> None:
        """Begin workflow `name` under `id_`. Journaled when this returns; the same id again does nothing."""
        await self._launched()
        await asyncio.to_thread(self._start[name], id_)

    async def forget_finished(self, before: datetime) -> int:
        """Remove the journals of workflows that ended before then; how many. What they did stays.

        Without the engine none: journals of earlier portals wait for the first work of this one.
        """
        if self._launching is None:
            return 0
        await self._launched()
        return await asyncio.to_thread(self._forget, before)

    @staticmethod
    def _forget(before: datetime) -> int:
        from dbos import DBOS

        ended = DBOS.list_workflows(
            status=["SUCCESS", "ERROR"], completed_before=before.isoformat(), limit=FORGOTTEN_AT_ONCE, load_input=False,
            load_output=False,
        )  # fmt: skip
        DBOS.delete_workflows([workflow.workflow_id for workflow in ended])
        return len(ended)

    async def close(self) -> None:
        """Interrupt the steps under way. Their workflows stay unfinished and resume at the next open."""
        self._stopping = True
        for running in list(self._running):
            running.cancel()
        if self._launching is None:
            return
        await asyncio.wait([self._launching])
        from dbos import DBOS

        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

    def _body(self, workflow: Workflow) -> Callable[[str], None]:
        def body(id_: str) -> None:
            from dbos import DBOS

            for step in workflow.steps:
                # Problems are journaled as plain data: an exception class need not survive pickling and upgrades.
                outcome = DBOS.run_step({"name": step.name}, self._attempt, step.run, id_)
                if outcome is not None:
                    DBOS.run_step({"name": "failed"}, self._call, workflow.failed, id_, step.name, _Failure(outcome))
                    return
            DBOS.run_step({"name": "succeeded"}, self._call, workflow.succeeded, id_)

        body.__qualname__ = body.__name__ = workflow.name
        return body

    def _attempt(self, run: Callable[[str], Awaitable[None]], id_: str) -> dict[str, Any] | None:
        try:
            self._call(run, id_)
        except Exception as problem:
            return describe(problem)
        return None

    def _call(self, run: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        if self._stopping or self._loop is None:
            raise PortalStopping
        waiting = asyncio.run_coroutine_threadsafe(self._guarded(run, *arguments), self._loop)
        if not waiting.result():
            raise PortalStopping

    async def _guarded(self, run: Callable[..., Awaitable[None]], *arguments: Any) -> bool:
        """True when the step ended by itself; False when the portal's shutdown cut it off."""
        task: asyncio.Future[None] = asyncio.ensure_future(run(*arguments))
        self._running.add(task)
        try:
            await task
        except asyncio.CancelledError:
            if self._stopping:
                return False
            raise
        finally:
            self._running.discard(task)
        return True


class _Failure(Exception):
    """What a step raised, as journaled."""

    def __init__(self, outcome: Mapping[str, Any]) -> None:
        super().__init__(outcome["message"])
        self.code = str(outcome["code"])
        self.message = str(outcome["message"])


def describe(problem: BaseException) -> dict[str, Any]:
    """A problem as the journal keeps it: its code and its sentence. A bug is logged with its traceback, once."""
    code = getattr(problem, "code", None)
    if code is None:
        log.error("a step failed unexpectedly", exc_info=problem)
        return {"code": "internal", "message": f"Something went wrong inside the portal ({type(problem).__name__})."}
    return {"code": str(code), "message": str(problem)}
