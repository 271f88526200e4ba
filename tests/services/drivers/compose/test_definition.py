"""From a stack to what the engine is asked to make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from homeport.services.compose.model import Healthcheck, Mount, Stack, StackService
from homeport.services.docker import labels
from homeport.services.drivers import InstanceSpec, Limits
from homeport.services.drivers.compose import definition

WEB = StackService("web", image="app:1", environment={"A": "b=c"}, expose=(80, 9000), labels={"team": "x"})


def spec(*services: StackService) -> InstanceSpec:
    stack = Stack(services or (WEB,), ("data",), "web", 80, "the only one")
    return InstanceSpec(
        "rel_1", "svc_1", (), Path("/"), {}, 20001, Path("/logs"), limits=Limits(128, 0.5, 99), stack=stack,
        secrets=("hush-hush",),
    )  # fmt: skip


def routed(service: StackService = WEB) -> dict[str, object]:
    return definition.routed(spec(), service, portal_id="p1", network_id="net", port=80)


def host(service: StackService = WEB) -> dict[str, object]:
    found = routed(service)["HostConfig"]
    assert isinstance(found, dict)
    return found


# issue: security injected always
def test_what_keeps_a_container_apart_is_always_written() -> None:
    given = host()
    assert given["Privileged"] is False
    assert given["SecurityOpt"] == ["no-new-privileges:true"]
    assert given["CapDrop"] == ["ALL"]
    assert "SYS_ADMIN" not in given["CapAdd"]  # type: ignore[operator]
    assert (given["Memory"], given["MemorySwap"], given["NanoCpus"], given["PidsLimit"]) == (
        128 << 20, 128 << 20, 500_000_000, 99,
    )  # fmt: skip
    assert given["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert "Binds" not in given


def test_a_service_may_name_limits_of_its_own() -> None:
    given = host(replace(WEB, memory_mb=64, cpus=0.25, pids=7))
    assert (given["Memory"], given["NanoCpus"], given["PidsLimit"]) == (64 << 20, 250_000_000, 7)


def test_the_routed_one_is_published_on_this_machine_only() -> None:
    assert host()["PortBindings"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "20001"}]}


def test_a_backing_one_is_not_published() -> None:
    body = definition.backing(spec(), WEB, portal_id="p1", network_id="net", image_id="sha256:1")
    assert "PortBindings" not in body["HostConfig"]


def test_the_routed_one_is_always_started_again() -> None:
    assert host(replace(WEB, restart="no"))["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}


def test_labels_say_whose_it_is_and_a_document_cannot_change_that() -> None:
    found = routed(replace(WEB, labels={labels.PORTAL: "another", "team": "x"}))["Labels"]
    assert isinstance(found, dict)
    assert (found[labels.PORTAL], found[labels.SERVICE], found[labels.RELEASE], found[labels.PART], found["team"]) == (
        "p1", "svc_1", "rel_1", "web", "x",
    )  # fmt: skip


def test_each_is_reached_by_its_name_on_the_network() -> None:
    assert routed()["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": ["web"]}}}


def test_a_volume_is_the_services_own() -> None:
    mounts = (Mount("volume", "/data", "data", read_only=True), Mount("tmpfs", "/cache", size_mb=5))
    assert host(replace(WEB, mounts=mounts))["Mounts"] == [
        {"Type": "volume", "Source": "hp-svc_1-data", "Target": "/data", "ReadOnly": True},
        {"Type": "tmpfs", "Target": "/cache", "TmpfsOptions": {"SizeBytes": 5 << 20}},
    ]


def test_a_health_check_is_in_nanoseconds() -> None:
    check = Healthcheck(("CMD", "ok"), interval=1.5, timeout=2, retries=4, start_period=0.5)
    assert routed(replace(WEB, healthcheck=check))["Healthcheck"] == {
        "Test": ["CMD", "ok"], "Interval": 1_500_000_000, "Timeout": 2_000_000_000, "Retries": 4,
        "StartPeriod": 500_000_000,
    }  # fmt: skip
    assert routed(replace(WEB, healthcheck_off=True))["Healthcheck"] == {"Test": ["NONE"]}


def test_what_is_not_said_is_as_the_image_says() -> None:
    assert not {"Cmd", "Entrypoint", "User", "WorkingDir", "StopSignal", "Healthcheck"} & routed().keys()


def test_the_configuration_does_not_change_with_the_release_or_the_images_name() -> None:
    first = definition.config_hash(spec(), replace(WEB, image="homeport/svc_1:rel_1-db"), "sha256:1")
    other = replace(spec(), id="rel_2", port=20002)
    assert definition.config_hash(other, replace(WEB, image="homeport/svc_1:rel_2-db"), "sha256:1") == first


@pytest.mark.parametrize("changed", [{"environment": {"A": "2"}}, {"command": ("x",)}, {"memory_mb": 99}])
def test_the_configuration_changes_with_what_the_container_is(changed: dict[str, object]) -> None:
    first = definition.config_hash(spec(), WEB, "sha256:1")
    assert definition.config_hash(spec(), replace(WEB, **changed), "sha256:1") != first  # type: ignore[arg-type]
    assert definition.config_hash(spec(), WEB, "sha256:2") != first
