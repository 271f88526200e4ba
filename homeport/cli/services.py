"""The verbs of one app's life, and the list of all apps."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from homeport.cli.options import Json, NoWait, OptionalRef, PortalUrl, Ref, Verbose


def services(
    ref: OptionalRef = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only running, stopped, deploying or failed ones.")
    ] = None,
    search: Annotated[str | None, typer.Option("--search", "-s", help="Only names that contain this.")] = None,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """List the apps, or show one."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, print_table

    with Client(resolve(portal)) as client:
        if ref is not None:
            service = client.get(f"/api/services/{ref}")
            return print_json(service) if json else _show(service)
        rows = _every(client, status=status, search=search)
        if json:
            return print_json({"data": rows, "total": len(rows)})
        cells = (
            (
                row["name"],
                row["status"],
                row["uptime"],
                row.get("release"),
                f"{row['resources']['memory_usage_mb']} MB" if row["status"] == "running" else None,
                row["url"],
            )
            for row in rows
        )
        columns = ("name", "status", "up", "release", "memory", "url")
        return print_table(columns, cells, empty="No apps yet: `homeport deploy PATH` makes one.")


def _every(client: Any, **filters: str | None) -> list[dict[str, Any]]:
    """All pages of the list, by name."""
    rows: list[dict[str, Any]] = []
    page = 0
    while True:
        page += 1
        answer = client.get("/api/services", page=page, per_page=100, sort="name", order="asc", **filters)
        rows += answer["data"]
        if not answer["data"] or len(rows) >= answer["total"]:
            return rows


def _show(service: dict[str, Any]) -> None:
    from homeport.cli.output import ago, print_fields

    if service["kind"] == "unit":
        names = (
            "name", "status", "active_state", "sub_state", "description", "uptime", "pid", "restarts", "exit_code",
            "unit_file_state",
        )  # fmt: skip
        return print_fields((name.replace("_", " "), service.get(name)) for name in names)
    resources, health = service["resources"], service.get("health") or {}
    source = service.get("git_url") or service.get("template") or service["deploy_method"]
    detection = service.get("detection") or {}
    print_fields(
        (
            ("name", service["name"]),
            ("id", service["id"]),
            ("url", service["url"]),
            ("status", service["status"]),
            ("health", health.get("status")),
            ("", health.get("message")),
            ("error", service.get("error")),
            ("up", service.get("uptime")),
            ("source", source),
            ("branch", service.get("git_branch")),
            ("revision", service.get("revision")),
            ("detected", " ".join(str(detection[key]) for key in ("kind", "version") if detection.get(key))),
            ("start", detection.get("start")),
            ("release", service.get("release")),
            ("deployed", ago(service.get("deployed_at"))),
            ("memory", f"{resources['memory_usage_mb']} of {resources['memory_limit_mb']} MB"),
            ("cpu", f"{resources['cpu_usage']} of {resources.get('cpu_limit')} cores"),
            ("storage", f"{resources.get('storage_mb')} MB"),
            *((f"${name}", value) for name, value in (service.get("variables") or {}).items()),
            ("pending", "variables changed since the last deploy" if service.get("variables_changed") else None),
        )
    )
    return None


def start(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """Start an app or a unit."""
    act(ref, "start", portal, as_json=json)


def stop(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """Stop an app or a unit; an app's data and releases stay."""
    act(ref, "stop", portal, as_json=json)


def restart(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """Stop and start an app or a unit."""
    act(ref, "restart", portal, as_json=json)


def act(ref: str, action: str, portal: str | None, *, as_json: bool) -> None:
    """POST the action and print what came of it."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, safe

    with Client(resolve(portal), timeout=150) as client:  # stopping may take the app's whole grace time, 120 s at most
        answer = client.post(f"/api/services/{ref}/{action}")
    if as_json:
        print_json(answer)
    else:
        sys.stdout.write(f"{safe(answer['name'])}: {safe(answer['message'])}\n")


def redeploy(
    ref: Ref, no_wait: NoWait = False, verbose: Verbose = False, portal: PortalUrl = None, json: Json = False
) -> None:
    """Deploy an app again from where it came: the newest commit, the template, the last upload."""
    _roll(ref, "redeploy", {}, portal, no_wait=no_wait, verbose=verbose, as_json=json)


def rollback(
    ref: Ref,
    to: Annotated[str | None, typer.Option("--to", help="Release number or id; by default the one before.")] = None,
    no_wait: NoWait = False,
    verbose: Verbose = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Go back to an earlier release: its revision, build, variables and routes together."""
    body: dict[str, Any] = {} if to is None else {"release": int(to) if to.isdecimal() else to}
    _roll(ref, "rollback", body, portal, no_wait=no_wait, verbose=verbose, as_json=json)


def _roll(
    ref: str,
    action: str,
    body: dict[str, Any],
    portal: str | None,
    *,
    no_wait: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.jobs import follow
    from homeport.cli.output import print_json, safe

    with Client(resolve(portal)) as client:
        answer = client.post(f"/api/services/{ref}/{action}", body, once=True)
        if no_wait:
            job = client.get(f"/api/jobs/{answer['deploy_job_id']}")
        else:
            job = follow(client, answer["deploy_job_id"], verbose=verbose, quiet=as_json)
        service = client.get(f"/api/services/{answer['id']}")
    if as_json:
        print_json({"service": service, "job": job})
    else:
        sys.stdout.write(f"{safe(service['url'])}\n")


def releases(ref: Ref, portal: PortalUrl = None, json: Json = False) -> None:
    """List an app's releases, newest first."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import ago, print_json, print_table

    with Client(resolve(portal)) as client:
        answer = client.get(f"/api/services/{ref}/releases")
    if json:
        return print_json(answer)
    rows = (
        (
            row["number"],
            row["status"],
            (row.get("revision") or "")[:12],
            row.get("summary"),
            ago(row["created_at"]),
            "yes" if row.get("can_rollback") else None,
        )
        for row in answer["data"]
    )
    columns = ("release", "status", "revision", "summary", "made", "rollback")
    return print_table(columns, rows, empty="No releases yet.")


def rm(
    ref: Ref,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    portal: PortalUrl = None,
    json: Json = False,
) -> None:
    """Remove an app with its releases, logs and data; this cannot be undone."""
    from homeport.cli.client import Client
    from homeport.cli.connection import resolve
    from homeport.cli.output import print_json, safe
    from homeport.cli.problems import UsageWrong

    with Client(resolve(portal), timeout=150) as client:
        service = client.get(f"/api/services/{ref}")
        name = safe(service["name"])
        if not yes:
            if not sys.stdin.isatty():
                raise UsageWrong(f"This would remove {name} and its data for good: say --yes.")
            typer.confirm(f"Remove {name} with its releases, logs and data for good?", abort=True, err=True)
        client.delete(f"/api/services/{service['id']}")
    if json:
        print_json({"id": service["id"], "name": service["name"], "removed": True})
    else:
        sys.stdout.write(f"{name}: Service removed\n")
