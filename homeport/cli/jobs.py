"""`homeport jobs`, and how every verb that starts a job follows it to its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from homeport.cli.options import Json, PortalUrl, Verbose
from homeport.cli.problems import CertificateUnknown, JobFailed, NotSignedIn, PortalUnreachable

if TYPE_CHECKING:
    from homeport.cli.client import Client

TERMINAL = frozenset({"success", "failed", "cancelled"})
_PATIENCE = 60.0  # seconds that a portal may be away (it restarts, say) before following is given up
_POLL = 0.5


def job_messages(client: Client, job_id: str) -> Iterator[dict[str, Any]]:
    """Every message of a job, once, until its last: `{seq, type: step|log|status, step, message, status…}`.

    Reconnects with the last `seq` when the stream breaks. Where WebSockets do not get through, the job is polled, and
    its steps become messages. Raises PortalUnreachable when the portal stays away.
    """
    seen = 0
    gone_since: float | None = None
    while True:
        try:
            with client.stream(f"/api/jobs/{job_id}/stream", since=seen) as messages:
                gone_since = None
                for message in messages:
                    seen = max(seen, int(message.get("seq") or 0))
                    yield message
                    if message.get("type") == "status" and message.get("status") in TERMINAL:
                        return
        except (CertificateUnknown, NotSignedIn):
            raise
        except PortalUnreachable:
            gone_since = gone_since or time.monotonic()
            if time.monotonic() - gone_since > _PATIENCE:
                raise
        if gone_since and seen == 0 and _answers(client, job_id):
            yield from _polled(client, job_id)
            return
        time.sleep(_POLL)


def _answers(client: Client, job_id: str) -> bool:
    try:
        client.get(f"/api/jobs/{job_id}")
    except PortalUnreachable:
        return False
    return True


def _polled(client: Client, job_id: str) -> Iterator[dict[str, Any]]:
    told: dict[str, str] = {}
    while True:
        job = client.get(f"/api/jobs/{job_id}")
        for step in job.get("steps") or []:
            if step["status"] != told.get(step["name"], "pending"):
                told[step["name"]] = step["status"]
                yield {"type": "step", "step": step["name"], "status": step["status"], "message": step.get("detail")}
        if job["status"] in TERMINAL:
            yield {"type": "status", "status": job["status"], "message": job.get("error") or ""}
            return
        time.sleep(_POLL)


def follow(client: Client, job_id: str, *, verbose: bool, quiet: bool) -> dict[str, Any]:
    """Show a job's progress on stderr until it ends; the finished job. Raises JobFailed for any end but success."""
    from homeport.cli.progress import Progress

    with Progress(verbose=verbose, quiet=quiet) as progress:
        for message in job_messages(client, job_id):
            progress.hear(message)
    job: dict[str, Any] = client.get(f"/api/jobs/{job_id}")
    if job["status"] != "success":
        word = "was cancelled" if job["status"] == "cancelled" else "failed"
        reason = f": {job['error']}" if job.get("error") else "."
        step = f" at step {job['step']}" if job.get("step") and job["status"] == "failed" else ""
        progress.last_words()
        raise JobFailed(f"The {job['type']} of {job['service_name']} {word}{step}{reason}", details={"job": job})
    return job


def jobs(
    job: Annotated[str | None, typer.Argument(help="One job, by its id.", show_default=False)] = None,
    service: Annotated[str | None, typer.Option("--service", help="Only jobs of this app (name or id).")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only queued, running, success, failed or cancelled ones.")
    ] = None,
    follow_: Annotated[bool, typer.Option("--follow", "-f", help="Follow the job to its end.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the job.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many, newest first.")] = 20,
    verbose: Verbose = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List the deploys, or show, follow or cancel one."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import ago, print_json, print_table
    from homeport.cli.problems import UsageWrong

    if job is None and (follow_ or cancel):
        raise UsageWrong("Say which job: `homeport jobs JOB --follow`; `homeport jobs` lists them.")
    with Client(resolve(portal)) as client:
        if job is None:
            page = client.get("/api/jobs", service=service, status=status, per_page=limit)
            if json:
                return print_json(page)
            rows = (
                (row["id"], row["service_name"], row["type"], row["status"], row["step"], ago(row["created_at"]))
                for row in page["data"]
            )
            return print_table(("job", "app", "type", "status", "step", "started"), rows, empty="No deploys yet.")
        if cancel:
            found = client.post(f"/api/jobs/{job}/cancel")
        elif follow_:
            found = follow(client, job, verbose=verbose, quiet=json)
        else:
            found = client.get(f"/api/jobs/{job}")
        return print_json(found) if json else _show(found)


def _show(job: dict[str, Any]) -> None:
    from homeport.cli.output import print_fields, print_table

    names = ("id", "service_name", "type", "status", "error", "created_at", "started_at", "finished_at")
    print_fields((name, job.get(name)) for name in names)
    steps = ((step["name"], step["status"], step.get("detail")) for step in job.get("steps") or [])
    sys.stdout.write("\n")
    print_table(("step", "status", "detail"), steps, empty="No step has started.")
