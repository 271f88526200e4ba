"""Digest apps G.7: each thing in a compose document that would give the host away, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from homeport.services.compose import ComposeRefused, Origin, Violation, read
from homeport.services.compose.policy import OPEN_WITH_FILES, TABLE, Verdict, as_table
from homeport.services.compose.reading import READERS


def violations(
    text: str, variables: Mapping[str, str] | None = None, origin: Origin = Origin.TENANT
) -> dict[str, Violation]:
    with pytest.raises(ComposeRefused) as refused:
        read(text, variables or {}, origin=origin)
    return {one.path: one for one in refused.value.violations}


def web(*lines: str) -> str:
    """A document with one service `web`, whose keys are `lines`; the first of them stands on line 4."""
    return "\n".join(["services:", "  web:", "    image: nginx", *(f"    {line}" for line in lines)])


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize(
    ("line", "path"),
    [
        pytest.param("privileged: true", "privileged", id="apps G.7: privileged"),
        pytest.param('privileged: "true"', "privileged", id="apps G.7: privileged, as text"),
        pytest.param("cap_add: [SYS_ADMIN]", "cap_add[0]", id="apps G.7: cap_add SYS_ADMIN"),
        pytest.param("cap_add: [CAP_sys_admin]", "cap_add[0]", id="apps G.7: cap_add, spelled differently"),
        pytest.param("cap_add: [ALL]", "cap_add[0]", id="apps G.7: cap_add ALL"),
        pytest.param("volumes: ['/var/run/docker.sock:/s']", "volumes[0]", id="apps G.7: docker.sock"),
        pytest.param("volumes: ['./conf:/etc/conf']", "volumes[0]", id="apps G.7: ./ bind"),
        pytest.param("volumes: ['../conf:/etc/conf:ro']", "volumes[0]", id="apps G.7: ../ bind"),
        pytest.param("volumes: ['~/.ssh:/keys']", "volumes[0]", id="apps G.7: ~ bind"),
        pytest.param("volumes: ['.:/all']", "volumes[0]", id="apps G.7: . bind"),
        pytest.param("volumes: ['C:\\conf:/conf']", "volumes[0]", id="apps G.7: windows bind"),
        pytest.param("volumes: ['sub/dir:/conf']", "volumes[0]", id="apps G.7: relative bind"),
        pytest.param(
            "volumes: [{type: bind, source: /etc, target: /e}]", "volumes[0].type", id="apps G.7: long-syntax bind"
        ),
        pytest.param(
            "volumes: [{type: volume, source: /etc, target: /e}]", "volumes[0].source", id="apps G.7: bind as volume"
        ),
        pytest.param("volumes: [{source: /etc, target: /e}]", "volumes[0].type", id="apps G.7: bind without a type"),
        pytest.param("network_mode: host", "network_mode", id="apps G.7: network_mode host"),
        pytest.param("network_mode: container:homeport", "network_mode", id="apps G.7: network_mode container"),
        pytest.param("pid: host", "pid", id="apps G.7: pid host"),
        pytest.param("ipc: host", "ipc", id="apps G.7: ipc host"),
        pytest.param("uts: host", "uts", id="apps G.7: uts host"),
        pytest.param("userns_mode: host", "userns_mode", id="apps G.7: userns_mode host"),
        pytest.param("cgroup: host", "cgroup", id="apps G.7: cgroup host"),
        pytest.param("cgroup_parent: /", "cgroup_parent", id="apps G.7: cgroup_parent"),
        pytest.param("extends: {file: ../../other.yml, service: x}", "extends", id="apps G.7: extends a parent path"),
        pytest.param("env_file: /etc/environment", "env_file", id="apps G.7: env_file"),
        pytest.param("env_file: [{path: /etc/environment}]", "env_file", id="apps G.7: env_file, long"),
        pytest.param("devices: ['/dev/sda']", "devices", id="devices"),
        pytest.param("device_cgroup_rules: ['a *:* rwm']", "device_cgroup_rules", id="device_cgroup_rules"),
        pytest.param("gpus: all", "gpus", id="gpus"),
        pytest.param("security_opt: [seccomp:unconfined]", "security_opt", id="security_opt unconfined"),
        pytest.param("security_opt: [no-new-privileges:false]", "security_opt", id="security_opt off"),
        pytest.param("sysctls: {net.core.somaxconn: 1}", "sysctls", id="sysctls"),
        pytest.param("oom_kill_disable: true", "oom_kill_disable", id="oom_kill_disable"),
        pytest.param("ulimits: {nofile: 1}", "ulimits", id="ulimits"),
        pytest.param("volumes_from: [container:homeport]", "volumes_from", id="volumes_from"),
        pytest.param("runtime: sysbox", "runtime", id="runtime"),
        pytest.param("logging: {driver: syslog}", "logging", id="logging"),
        pytest.param("extra_hosts: ['panel:127.0.0.1']", "extra_hosts", id="extra_hosts"),
        pytest.param("links: [db]", "links", id="links"),
        pytest.param("dns: 1.1.1.1", "dns", id="dns"),
        pytest.param("post_start: [{command: x, privileged: true}]", "post_start", id="post_start"),
        pytest.param("container_name: homeport", "container_name", id="container_name"),
        pytest.param("hostname: panel", "hostname", id="hostname"),
        pytest.param("use_api_socket: true", "use_api_socket", id="use_api_socket"),
        pytest.param("labels: ['traefik.enable=true']", "labels.traefik.enable", id="apps G.7: traefik label"),
        pytest.param("labels: {Traefik.http.x: y}", "labels.Traefik.http.x", id="apps G.7: traefik label, upper case"),
        pytest.param(
            "labels: {com.docker.compose.project: p}", "labels.com.docker.compose.project", id="label of docker"
        ),
        pytest.param("labels: {homeport.portal: p}", "labels.homeport.portal", id="label of the portal"),
        pytest.param("networks: [other]", "networks", id="a network that is not declared"),
        pytest.param(
            "networks: {default: {ipv4_address: 10.0.0.1}}", "networks.default.ipv4_address", id="own address"
        ),
        pytest.param("tmpfs: ['/proc/x']", "tmpfs[0]", id="a mount over /proc"),
        pytest.param("tmpfs: ['/run:exec']", "tmpfs[0]", id="a tmpfs that executes"),
        pytest.param("made_up: 1", "made_up", id="an unknown key"),
        pytest.param(
            "deploy: {resources: {reservations: {devices: [{count: 1}]}}}",
            "deploy.resources.reservations.devices",
            id="devices below deploy",
        ),
        pytest.param("deploy: {labels: {traefik.enable: 'true'}}", "deploy.labels", id="labels below deploy"),
        pytest.param("deploy: {replicas: 5}", "deploy.replicas", id="replicas"),
        pytest.param("healthcheck: {test: x, made_up: 1}", "healthcheck.made_up", id="an unknown key further down"),
    ],
)
def test_what_gives_the_host_away_is_refused_with_its_path_and_line(line: str, path: str, origin: Origin) -> None:
    found = violations(web(line), origin=origin)
    assert list(found) == [f"services.web.{path}"]
    assert found[f"services.web.{path}"].line == 4
    assert found[f"services.web.{path}"].reason


@pytest.mark.parametrize("origin", Origin)
@pytest.mark.parametrize(
    ("lines", "path"),
    [
        pytest.param("include: ['../other.yml']", "include", id="apps G.7: include of a parent path"),
        pytest.param("secrets: {s: {file: /etc/shadow}}", "secrets", id="apps G.7: secrets.file"),
        pytest.param("configs: {c: {file: /etc/shadow}}", "configs", id="configs.file"),
        pytest.param(
            "volumes: {v: {driver_opts: {type: none, o: bind, device: /}}}",
            "volumes.v.driver_opts",
            id="apps G.7: driver_opts bind",
        ),
        pytest.param("volumes: {v: {driver: nfs}}", "volumes.v.driver", id="a volume driver"),
        pytest.param("volumes: {v: {external: true}}", "volumes.v.external", id="an external volume"),
        pytest.param("volumes: {v: {name: hp-svc_other-data}}", "volumes.v.name", id="a volume of another app"),
        pytest.param("networks: {n: {external: true}}", "networks.n.external", id="apps G.7: external network"),
        pytest.param("networks: {n: {external: {name: x}}}", "networks.n.external", id="external network, by name"),
        pytest.param("networks: {n: {name: hp-svc_other}}", "networks.n.name", id="a network of another app"),
        pytest.param("networks: {n: {driver: host}}", "networks.n.driver", id="the host's network"),
        pytest.param("networks: {n: {driver: macvlan}}", "networks.n.driver", id="macvlan"),
        pytest.param("networks: {n: {ipam: {config: []}}}", "networks.n.ipam", id="ipam"),
        pytest.param("made_up: 1", "made_up", id="an unknown key at the top"),
    ],
)
def test_the_top_level_keys_give_nothing_away_either(lines: str, path: str, origin: Origin) -> None:
    assert list(violations(f"{web()}\n{lines}", origin=origin)) == [path]


def test_published_port_80_is_refused_and_is_read_as_expose_where_files_came_along() -> None:  # apps G.7
    for line in ("ports: ['80:80']", "ports: [80]", "ports: [{target: 80, published: 80}]"):
        assert list(violations(web(line))) == ["services.web.ports"]
        stack = read(web(line), {}, origin=Origin.CLONE)
        assert (stack.web.expose, stack.port, stack.routed) == ((), 80, "web")
        assert any("ports is read as `expose`" in note for note in stack.notes)


def test_an_anchor_that_hides_privileged_is_found() -> None:  # apps G.7
    text = "x-a: &a {image: nginx, privileged: true}\nservices:\n  web: *a\n"
    found = violations(text)
    assert list(found) == ["services.web.privileged"]
    assert found["services.web.privileged"].line == 1  # where it is written


def test_a_merge_key_that_brings_privileged_is_found() -> None:  # apps G.7
    text = "x-a: &a\n  privileged: true\nservices:\n  web:\n    <<: [{image: nginx}, *a]\n"
    assert violations(text)["services.web.privileged"].line == 2


def test_a_variable_cannot_bring_in_what_the_text_may_not_say() -> None:  # apps G.1: re-validated after substitution
    assert list(violations(web("volumes: ['${FROM}:/x']"), {"FROM": "/etc"})) == ["services.web.volumes[0]"]
    assert list(violations(web("cap_add: ['$CAP']"), {"CAP": "SYS_ADMIN"})) == ["services.web.cap_add[0]"]
    assert list(violations(web("labels: ['$L=1']"), {"L": "traefik.enable"})) == ["services.web.labels.traefik.enable"]
    assert list(violations(web("privileged: ${P}"), {"P": "false"})) == ["services.web.privileged"]


def test_a_value_with_line_breaks_adds_no_key() -> None:  # apps G.6
    stack = read(web("environment: {A: '${A}'}"), {"A": "x\n    privileged: true"})
    assert stack.web.environment == {"A": "x\n    privileged: true"}


def test_a_build_needs_files_or_a_dockerfile_handed_along() -> None:
    text = "services: {web: {build: .}}"
    assert list(violations(text)) == ["services.web.build"]
    build = read(text, {}, dockerfile="FROM scratch").web.build
    assert build is not None
    assert (build.context, build.dockerfile_inline) == (".", "FROM scratch")


@pytest.mark.parametrize(
    "context",
    [
        "/",
        "/etc",
        "..",
        "../x",
        "a/../../b",
        "https://example.org/x.git",
        "git@host:x",
        "~/x",
        "-x",
        "a\\b",
        "''",
        "$$HOME",
    ],
)
def test_a_build_context_outside_of_the_files_is_refused(context: str) -> None:  # apps G.7: build.context /
    for text in (
        f"services: {{web: {{build: {{context: {context!r}}}}}}}",
        f"services: {{web: {{build: {context!r}}}}}",
    ):
        found = violations(text.replace("\"''\"", "''"), origin=Origin.CLONE)
        assert all(path.startswith("services.web.build") for path in found)


@pytest.mark.parametrize(
    "key",
    ["ssh: [default]", "secrets: [x]", "network: host", "additional_contexts: {x: /}", "privileged: true",
     "entitlements: [security.insecure]", "dockerfile: /etc/passwd", "dockerfile: ../Dockerfile", "extra_hosts: [a:1]"],
)  # fmt: skip
def test_a_build_stays_inside_of_the_files(key: str) -> None:
    found = violations(f"services: {{web: {{build: {{context: ., {key}}}}}}}", origin=Origin.CLONE)
    assert list(found) == [f"services.web.build.{key.partition(':')[0]}"]


def test_every_violation_is_told_at_once() -> None:  # apps C.3
    text = web("privileged: true", "pid: host", "made_up: 1", "volumes: ['/:/host']") + "\ninclude: [x.yml]"
    assert sorted(violations(text)) == [
        "include",
        "services.web.made_up",
        "services.web.pid",
        "services.web.privileged",
        "services.web.volumes[0]",
    ]


def test_a_denied_key_that_asks_for_nothing_is_no_violation() -> None:
    read(web("privileged: false", "devices: []", "network_mode: null", "env_file:", "stdin_open: false"), {})


def test_each_allowed_key_of_a_service_has_a_reader_and_no_other_has() -> None:
    allowed = {
        key.removeprefix("services.*.")
        for key, rule in TABLE.items()
        if key.startswith("services.*.") and key.count(".") == 2 and rule.verdict in {Verdict.ALLOWED, Verdict.FILES}
    }
    assert allowed == set(READERS)
    assert all(TABLE[key].verdict is Verdict.FILES for key in OPEN_WITH_FILES)


def test_the_guide_shows_the_table_as_it_is() -> None:
    guide = Path(__file__).parents[3] / "docs" / "guide" / "compose.md"
    assert guide.read_text().endswith(f"\n\n{as_table()}"), "write what as_table() says at the end of the guide"
