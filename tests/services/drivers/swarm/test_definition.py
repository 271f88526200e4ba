"""From a stack to service definitions: what is asked of the swarm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from homeport.services.compose.model import Healthcheck, Mount, Stack, StackService
from homeport.services.drivers import InstanceSpec, Limits
from homeport.services.drivers.swarm import definition

DATA = Mount("volume", "/var/lib/db", "files")
DB = StackService("db", image="db@sha256:1", mounts=(DATA,), environment={"B": "2", "A": "1"})
WEB = StackService("web", image="web@sha256:2", command=("serve",), depends_on={"db": "service_healthy"})
STACK = Stack((DB, WEB), ("files",), "web", 8080, "label homeport.route")


def spec(stack: Stack = STACK) -> InstanceSpec:
    return InstanceSpec(
        id="rel_1", service_id="svc_1", argv=(), cwd=Path("/"), env={}, port=20001, log_dir=Path("/"),
        limits=Limits(memory_mb=128, cpu=0.5, pids=99), restart_delay=timedelta(seconds=2), stack=stack,
    )  # fmt: skip


def routed(web: StackService = WEB, node: str | None = None) -> dict[str, Any]:
    asked = spec(replace(STACK, services=(DB, web)))
    return definition.routed(asked, portal_id="p1", network="net1", run="run1", node=node)


def backing(db: StackService = DB, node: str | None = None) -> dict[str, Any]:
    return definition.backing(spec(), db, portal_id="p1", network="net1", node=node)


def test_the_routed_one_listens_on_its_node_without_the_routing_mesh() -> None:
    made = routed()
    assert made["Name"] == "hp-rel_1"
    port = {"Protocol": "tcp", "TargetPort": 8080, "PublishedPort": 20001, "PublishMode": "host"}
    assert made["EndpointSpec"] == {"Mode": "dnsrr", "Ports": [port]}
    assert made["TaskTemplate"]["Networks"] == [{"Target": "net1", "Aliases": ["web"]}]


def test_everything_carries_the_portal_s_label() -> None:
    for made in (routed(), backing()):
        container = made["TaskTemplate"]["ContainerSpec"]
        for labels in (made["Labels"], container["Labels"]):
            assert (labels["homeport.portal"], labels["homeport.service"]) == ("p1", "svc_1")
    [volume] = backing()["TaskTemplate"]["ContainerSpec"]["Mounts"]
    assert volume["VolumeOptions"]["Labels"]["homeport.portal"] == "p1"


def test_only_the_routed_one_belongs_to_a_release() -> None:
    assert routed()["Labels"]["homeport.release"] == "rel_1"
    assert "homeport.release" not in backing()["Labels"]


def test_it_may_use_what_the_plan_allows_and_no_more() -> None:
    limits = routed()["TaskTemplate"]["Resources"]["Limits"]
    assert limits == {"MemoryBytes": 128 * 1024 * 1024, "NanoCPUs": 500_000_000, "Pids": 99}
    own = routed(replace(WEB, memory_mb=64, cpus=0.25, pids=10))["TaskTemplate"]["Resources"]["Limits"]
    assert own == {"MemoryBytes": 64 * 1024 * 1024, "NanoCPUs": 250_000_000, "Pids": 10}


def test_capabilities_are_dropped_but_those_that_images_need() -> None:  # apps G.1
    container = routed()["TaskTemplate"]["ContainerSpec"]
    assert container["CapabilityDrop"] == ["ALL"]
    assert set(container["CapabilityAdd"]) == set(definition.CAPABILITIES)
    assert container["Privileges"] == {"NoNewPrivileges": True}
    assert not {"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE"} & set(container["CapabilityAdd"])


def test_its_log_is_bounded_on_the_node() -> None:
    assert routed()["TaskTemplate"]["LogDriver"]["Options"] == {"max-size": "10m", "max-file": "3"}


def test_it_is_started_again_after_its_delay() -> None:
    assert routed()["TaskTemplate"]["RestartPolicy"] == {"Condition": "any", "Delay": 2_000_000_000}


@pytest.mark.parametrize(
    ("restart", "condition"),
    [("no", "none"), ("on-failure", "on-failure"), ("always", "any"), ("unless-stopped", "any")],
)
def test_a_backing_service_keeps_the_document_s_restart_policy(restart: Any, condition: str) -> None:
    assert backing(replace(DB, restart=restart))["TaskTemplate"]["RestartPolicy"]["Condition"] == condition


def test_what_writes_volumes_is_updated_stop_first_and_the_rest_start_first() -> None:  # apps C.5
    assert backing()["UpdateConfig"]["Order"] == "stop-first"
    reader = replace(DB, mounts=(replace(DATA, read_only=True),))
    assert backing(reader)["UpdateConfig"]["Order"] == "start-first"
    assert backing()["UpdateConfig"]["FailureAction"] == "rollback"
    assert backing()["RollbackConfig"]["Order"] == "stop-first"


def test_the_hash_tells_whether_an_update_is_needed() -> None:
    same = replace(DB, environment={"A": "1", "B": "2"})
    assert backing()["Labels"]["homeport.config"] == backing(same)["Labels"]["homeport.config"]
    for other in (replace(DB, image="db@sha256:9"), replace(DB, environment={"A": "1"}), replace(DB, user="1000")):
        assert backing()["Labels"]["homeport.config"] != backing(other)["Labels"]["homeport.config"]


def test_where_it_is_bound_to_is_no_reason_for_an_update() -> None:
    bound = backing(node="n1")
    assert bound["TaskTemplate"]["Placement"] == {"Constraints": ["node.id == n1"]}
    assert bound["Labels"]["homeport.config"] == backing()["Labels"]["homeport.config"]


def test_each_start_of_a_release_has_a_history_of_its_own() -> None:
    labels = routed()["TaskTemplate"]["ContainerSpec"]["Labels"]
    assert labels["homeport.run"] == "run1"


def test_durations_are_nanoseconds() -> None:
    check = Healthcheck(("CMD", "true"), interval=1.5, timeout=2, retries=4, start_period=10)
    container = routed(replace(WEB, healthcheck=check, stop_grace=3))["TaskTemplate"]["ContainerSpec"]
    assert container["Healthcheck"] == {
        "Test": ["CMD", "true"], "Interval": 1_500_000_000, "Timeout": 2_000_000_000, "Retries": 4,
        "StartPeriod": 10_000_000_000,
    }  # fmt: skip
    assert container["StopGracePeriod"] == 3_000_000_000


def test_a_health_check_can_be_switched_off() -> None:
    container = routed(replace(WEB, healthcheck_off=True))["TaskTemplate"]["ContainerSpec"]
    assert container["Healthcheck"] == {"Test": ["NONE"]}


def test_what_the_document_leaves_out_is_left_to_the_image() -> None:
    container = routed(StackService("web", image="web@sha256:2"))["TaskTemplate"]["ContainerSpec"]
    assert not {"Command", "Args", "User", "Dir", "Init", "Healthcheck", "StopSignal"} & set(container)


def test_memory_mounts_are_bounded() -> None:
    mounts = (Mount("tmpfs", "/cache", size_mb=8),)
    container = routed(replace(WEB, mounts=mounts, shm_mb=16))["TaskTemplate"]["ContainerSpec"]
    assert container["Mounts"] == [
        {"Type": "tmpfs", "Target": "/cache", "TmpfsOptions": {"SizeBytes": 8 * 1024 * 1024}},
        {"Type": "tmpfs", "Target": "/dev/shm", "TmpfsOptions": {"SizeBytes": 16 * 1024 * 1024}},
    ]


@pytest.mark.parametrize(
    ("reference", "found", "expected"),
    [
        ("db:1", None, "db:1"),
        ("db@sha256:1", {"Id": "sha256:9", "RepoDigests": ["x@sha256:2"]}, "db@sha256:1"),
        ("homeport/svc_1:rel_1-web", {"Id": "sha256:9", "RepoDigests": []}, "sha256:9"),
        ("homeport/svc_1:rel_1-db", {"Id": "sha256:9", "RepoDigests": ["db@sha256:2"]}, "db@sha256:2"),
    ],
)
def test_images_are_pinned_so_that_no_node_asks_in_vain(reference: str, found: Any, expected: str) -> None:
    assert definition.pinned(reference, found) == expected
