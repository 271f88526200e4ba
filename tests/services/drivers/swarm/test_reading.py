"""From services, tasks and nodes to observations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from homeport.services.drivers import InstanceState, Observation
from homeport.services.drivers.swarm import reading
from homeport.services.drivers.swarm.reading import Node

NODES = {"n1": Node("n1", "node1", "10.0.0.1", True), "n2": Node("n2", "node2", "10.0.0.2", False)}


def service(replicas: int = 1, **labels: str) -> dict[str, Any]:
    return {
        "ID": "s1",
        "Spec": {
            "Name": "hp-rel_1",
            "Labels": {"homeport.service": "svc_1", "homeport.release": "rel_1", "homeport.part": "web", **labels},
            "Mode": {"Replicated": {"Replicas": replicas}},
            "EndpointSpec": {"Ports": [{"PublishedPort": 20001}]},
            "TaskTemplate": {
                "ContainerSpec": {"Image": "web", "Labels": {"homeport.run": "r1"}},
                "RestartPolicy": {"Delay": 60_000_000_000},
            },
        },
    }


def task(
    state: str,
    desired: str = "running",
    *,
    at: int = 0,
    node: str = "n1",
    code: int = 0,
    run: str = "r1",
    err: str = "",
) -> dict[str, Any]:
    has_run = state not in {"new", "pending", "rejected", "preparing", "ready"}
    container = {"ContainerID": "c", "PID": 77 if state == "running" else 0, "ExitCode": code}
    return {
        "ID": f"t{at}",
        "ServiceID": "s1",
        "CreatedAt": f"2026-03-29T14:30:{at:02}.123456789Z",
        "NodeID": node,
        "DesiredState": desired,
        "Spec": {"ContainerSpec": {"Labels": {"homeport.run": run}}},
        "Status": {
            "State": state,
            "Err": err,
            "Timestamp": f"2026-03-29T14:30:{at:02}.123456789Z",
            "ContainerStatus": container if has_run else {},
        },
    }


def see(*tasks: dict[str, Any], replicas: int = 1, **labels: str) -> Observation:
    return reading.observe(service(replicas, **labels), tasks, NODES)


def test_it_runs_at_the_address_of_its_node() -> None:
    seen = see(task("running"))
    assert (seen.state, seen.host, seen.port, seen.pid) == (InstanceState.RUNNING, "10.0.0.1", 20001, 77)
    assert seen.started_at == datetime(2026, 3, 29, 14, 30, 0, 123456, UTC)


def test_a_task_that_failed_is_a_back_off_until_the_next_one_runs() -> None:
    failed = task("failed", "shutdown", code=139)
    seen = see(failed, task("ready", "ready", at=1))
    assert (seen.state, seen.restarts, seen.exit_code, seen.pid) == (InstanceState.BACKOFF, 1, -11, None)
    assert seen.reason == "killed by signal 11"
    assert seen.retry_at == datetime(2026, 3, 29, 14, 31, 0, 123456, UTC)
    risen = see(failed, task("running", at=2))
    assert (risen.state, risen.restarts, risen.exit_code, risen.retry_at) == (InstanceState.RUNNING, 1, -11, None)


def test_a_task_that_failed_counts_before_the_swarm_has_planned_the_next_one() -> None:
    seen = see(task("failed", code=139, err="task: non-zero exit (139)"))
    assert (seen.state, seen.restarts, seen.exit_code) == (InstanceState.BACKOFF, 1, -11)
    assert seen.reason == "killed by signal 11"
    assert seen.retry_at == datetime(2026, 3, 29, 14, 31, 0, 123456, UTC)


def test_earlier_starts_do_not_count() -> None:
    assert see(task("failed", "shutdown", code=1, run="r0"), task("running", at=1)).restarts == 0


def test_a_lost_node_is_named() -> None:
    seen = see(task("running", "shutdown", node="n2"), task("preparing", at=1))
    assert (seen.state, seen.reason) == (InstanceState.BACKOFF, "its node node2 was lost; being started elsewhere")


def test_the_swarm_s_own_words_say_why_nothing_can_be_placed() -> None:
    seen = see(task("pending", err="no suitable node (scheduling constraints not satisfied on 1 node)"))
    assert seen.reason is not None
    assert "no suitable node" in seen.reason


def test_stopped_on_request_is_told_from_scaled_down_by_somebody_else() -> None:
    stopped = see(replicas=0, **{"homeport.stopped": "2026-03-29T14:30:00Z", "homeport.exit": "-15"})
    assert (stopped.state, stopped.exit_code) == (InstanceState.STOPPED, -15)
    assert see(replicas=0).state is InstanceState.LOST


def test_a_health_check_that_has_not_passed_yet_is_no_back_off() -> None:
    waiting = task("starting")
    waiting["Spec"]["ContainerSpec"]["Healthcheck"] = {"Test": ["CMD", "true"]}
    assert see(waiting).state is InstanceState.RUNNING


def test_a_one_shot_that_did_its_work_has_exited() -> None:
    part = reading.parts(service(), [task("complete", "shutdown")], NODES)
    assert (part.part, part.state, part.exit_code, part.node) == ("web", "exited", 0, "node1")


@pytest.mark.parametrize(
    ("address", "manager", "expected"),
    [
        ("10.0.0.1", None, "10.0.0.1"),
        ("0.0.0.0", "10.0.0.5:2377", "10.0.0.9"),
        ("127.0.0.1", "[fd00::5]:2377", "10.0.0.9"),
    ],
)
def test_a_manager_s_own_address_is_the_one_that_it_advertises(
    address: str, manager: str | None, expected: str
) -> None:
    told = {"ID": "n1", "Status": {"Addr": address, "State": "ready"}, "Description": {"Hostname": "node1"}}
    if manager:
        told["ManagerStatus"] = {"Addr": manager}
    assert reading.node(told, own_id="n1", own_address="10.0.0.9").address == expected


def test_another_manager_s_address_comes_from_its_cluster_address() -> None:
    told = {"ID": "n1", "Status": {"Addr": "0.0.0.0"}, "ManagerStatus": {"Addr": "[fd00::5]:2377"}}
    assert reading.node(told, own_id="n7", own_address="10.0.0.9").address == "fd00::5"
