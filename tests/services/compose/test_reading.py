"""What an admitted document becomes: plain values, in an order in which it can start."""

from __future__ import annotations

import pytest

from homeport.services.compose import (
    ComposeRefused,
    Healthcheck,
    Mount,
    Origin,
    StackLimits,
    StackService,
    inspect,
    read,
)


def service(*lines: str) -> StackService:
    text = "\n".join(["services:", "  web:", "    image: nginx", *(f"    {line}" for line in lines), "volumes: {v: }"])
    return read(text, {}).web


def reasons(text: str) -> list[str]:
    with pytest.raises(ComposeRefused) as refused:
        read(text, {})
    return [f"{one.path}: {one.reason}" for one in refused.value.violations]


def test_the_example_of_the_seed_is_read() -> None:  # apps C.3: a `version` key and an image without a registry
    stack = read("version: '3.8'\nservices:\n  web:\n    image: nginx:alpine\n    expose:\n      - '80'", {})
    assert (stack.routed, stack.port, stack.web.image) == ("web", 80, "nginx:alpine")
    assert stack.notes == ()


@pytest.mark.parametrize(
    "image",
    ["nginx", "nginx:1.27", "library/nginx", "docker.io/library/nginx:1", "ghcr.io/a-b/c_d/e.f:v1.2_x-y",
     "localhost:5000/x", "registry.example.org:5000/team/app@sha256:" + "0" * 64,
     "cafe:latest", "example.org/homeport/x"],
)  # fmt: skip
def test_images_of_every_spelling(image: str) -> None:
    assert read(f"services: {{web: {{image: '{image}'}}}}", {}).web.image == image


@pytest.mark.parametrize(
    "image", ["", "-v", "Nginx", "a b", "a:b:c", "../x", "http://x/y", "a@sha256:1", "a;b", "$$(id)", "x" * 600]
)
def test_what_is_no_image_is_refused(image: str) -> None:
    assert reasons(f"services: {{web: {{image: '{image}'}}}}")


@pytest.mark.parametrize(
    "image",
    ["a", "cafe", "0123456789ab", "sha256:" + "a" * 64, "sha256:ab", "homeport/svc_1:rel_1-web",
     "docker.io/homeport/svc_1:rel_1-web", "index.docker.io/homeport/svc_1:rel_1-web"],
)  # fmt: skip
def test_an_image_that_the_portal_keeps_for_another_app_cannot_be_named(image: str) -> None:
    (reason,) = reasons(f"services: {{web: {{image: '{image}'}}}}")
    assert "images that the portal keeps" in reason or "for the id of an image" in reason


def test_commands_are_split_as_a_shell_would_and_run_by_none() -> None:
    assert service("command: sh -c 'echo \"$$HOME\" > x'").command == ("sh", "-c", 'echo "$HOME" > x')
    assert service("command: [sh, -c, 'a b', 1]").command == ("sh", "-c", "a b", "1")
    assert service("entrypoint: []").entrypoint == ()
    assert service("command:").command is None


def test_the_environment_as_a_list_or_a_mapping_keeps_its_text() -> None:
    assert service("environment: {A: 1.10, B: yes, C: true, D: , E: '  x'}").environment == {
        "A": "1.10", "B": "yes", "C": "true", "D": "", "E": "  x",
    }  # fmt: skip
    assert service("environment: [A=1=2, 'B=']").environment == {"A": "1=2", "B": ""}
    assert read("services: {web: {image: x, environment: [TAKEN]}}", {"TAKEN": "t"}).web.environment == {"TAKEN": "t"}


def test_mounts_in_every_syntax() -> None:
    assert service("volumes: ['v:/a', {type: volume, source: v, target: /b/, read_only: true}, 'v:/c:ro']",
                   "tmpfs: ['/run', '/tmp:size=64m,noexec']").mounts == (
        Mount("volume", "/a", "v"),
        Mount("volume", "/b", "v", read_only=True),
        Mount("volume", "/c", "v", read_only=True),
        Mount("tmpfs", "/run"),
        Mount("tmpfs", "/tmp", size_mb=64),
    )  # fmt: skip
    assert service("tmpfs: /run").mounts == (Mount("tmpfs", "/run"),)
    assert service("volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1048576}}]").mounts == (
        Mount("tmpfs", "/x", size_mb=1),
    )
    assert service("volumes: ['v:/a']").is_stateful
    assert not service("volumes: ['v:/a:ro']").is_stateful


@pytest.mark.parametrize(
    "volume", ["/data", "w:/data", "v:data", "v:/", "v:/proc", "v:/sys/x", "v:/a/../b", "v:/a:z", ":/a", "v:", "v"]
)
def test_a_mount_that_does_not_fit_is_refused(volume: str) -> None:
    assert reasons(f"services: {{web: {{image: x, volumes: ['{volume}']}}}}\nvolumes: {{v: }}")


def test_two_things_on_one_path_are_refused() -> None:
    assert reasons("services: {web: {image: x, volumes: ['v:/a', 'v:/a'], tmpfs: /a}}\nvolumes: {v: }")


def test_a_healthcheck_has_seconds() -> None:
    lines = ("healthcheck:", "  test: curl -f localhost", "  interval: 1m30s", "  timeout: 500ms", "  retries: 5",
             "  start_period: 20s")  # fmt: skip
    assert service(*lines).healthcheck == Healthcheck(("CMD-SHELL", "curl -f localhost"), 90.0, 0.5, 5, 20.0)
    assert service("healthcheck: {test: [CMD, x, y]}").healthcheck == Healthcheck(("CMD", "x", "y"))
    assert service("healthcheck: {interval: 10s}").healthcheck == Healthcheck((), 10.0)
    assert service("healthcheck: {disable: true}").healthcheck_off
    assert service("healthcheck: {test: [NONE]}").healthcheck_off
    assert reasons("services: {web: {image: x, healthcheck: {test: [curl, x], interval: soon}}}")


def test_long_durations_are_capped_and_said() -> None:  # apps G.1: cap 120 s
    text = "services: {web: {image: x, stop_grace_period: 10m, healthcheck: {test: x, interval: 1h}}}"
    stack = read(text, {})
    assert stack.web.stop_grace == 120.0
    assert stack.web.healthcheck == Healthcheck(("CMD-SHELL", "x"), 120.0)
    assert len(stack.notes) == 2


def test_limits_are_always_set_and_never_above_those_of_the_app() -> None:  # apps G.1: min(user, plan)
    limits = StackLimits(memory_mb=256, cpu=0.5, pids=100)
    text = """
    services:
      web: {image: x, mem_limit: 1g, cpus: 4, pids_limit: -1, shm_size: 2g}
      small: {image: x, mem_limit: 64m, cpus: '0.25', pids_limit: 20}
      deployed: {image: x, deploy: {resources: {limits: {memory: 32M, cpus: '0.1', pids: 5}}}}
      silent: {image: x}
    """
    stack = read(text, {}, limits=limits)
    found = {one.name: (one.memory_mb, one.cpus, one.pids) for one in stack.services}
    assert found == {
        "web": (256, 0.5, 100),
        "small": (64, 0.25, 20),
        "deployed": (32, 0.1, 5),
        "silent": (256, 0.5, 100),
    }
    assert stack.web.shm_mb == 256
    assert any("mem_limit is capped at 256 MB" in note for note in stack.notes)


@pytest.mark.parametrize(
    "line",
    ["mem_limit: lots", "mem_limit: 1m", "mem_limit: -5", "cpus: x", "cpus: nan", "cpus: 1e9", "pids_limit: 1.5",
     "user: 'a b'", "working_dir: x", "working_dir: /a/../b", "init: perhaps", "stop_signal: TERM;x", "restart: often",
     "expose: [0]", "expose: [70000]", "expose: ['53/udp']", "expose: ['9-1']", "expose: x", "environment: {A: {}}",
     "environment: ['=x']", "environment: {'A B': x}", "command: \"'\"", "command: {a: b}", "image: [x]",
     "depends_on: [nobody]", "depends_on: {nobody: {condition: service_started}}", "depends_on: {web: later}",
     "labels: {homeport.port: x}", "labels: {homeport.route: perhaps}", "healthcheck: x", "tty: [true]",
     "networks: [other]", "deploy: {resources: {limits: {memory: x}}}", "mem_limit: " + "9" * 6000,
     "stop_grace_period: '1x'", "tmpfs: {a: b}", "volumes: {a: b}"],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_a_violation(line: str) -> None:
    text = (
        f"services:\n  web:\n    image: x\n    {line}"
        if not line.startswith("image")
        else f"services: {{web: {{{line}}}}}"
    )
    assert all(one.startswith("services.web.") for one in reasons(text))


def test_services_start_after_what_they_depend_on() -> None:
    text = """
    services:
      web: {image: x, depends_on: {db: {condition: service_healthy}, cache: {condition: service_started}}}
      worker: {image: x, depends_on: [web]}
      db: {image: x, depends_on: {init: {condition: service_completed_successfully}}}
      cache: {image: x}
      init: {image: x, restart: no}
    """
    stack = read(text, {})
    assert [one.name for one in stack.services] == ["cache", "init", "db", "web", "worker"]
    assert stack.web.depends_on == {"db": "service_healthy", "cache": "service_started"}
    assert stack.service("init").restart == "no"


def test_a_circle_of_dependencies_is_a_violation() -> None:
    (reason,) = reasons("services: {a: {image: x, depends_on: [b]}, b: {image: x, depends_on: [a]}}")
    assert "a, b" in reason
    assert reasons("services: {a: {image: x, depends_on: [a]}}")


@pytest.mark.parametrize("name", ["-x", "a b", "../x", "Web", "a;b", "x" * 41, "a.", "ä"])
def test_a_service_name_that_could_be_something_else_is_refused(name: str) -> None:
    (reason, *_) = reasons(f"services: {{{name!r}: {{image: x}}}}")
    assert "The name" in reason


def test_twenty_services_are_the_most() -> None:  # apps G.1
    def text(count: int) -> str:
        return "services:\n" + "".join(f"  s{n}: {{image: x}}\n" for n in range(count))

    assert len(read(text(20), {}).services) == 20
    assert reasons(text(21)) == ["services: It declares 21: at most 20 are accepted."]


@pytest.mark.parametrize("text", ["services: {}", "services:", "version: '3'", "services: []", "services: {web: }",
                                  "services: {web: x}", "services: {web: {}}",
                                  "volumes: [a]\nservices: {web: {image: x}}"])  # fmt: skip
def test_what_declares_nothing_to_run_is_refused(text: str) -> None:
    assert reasons(text)


def test_several_networks_are_one() -> None:
    text = """
    services: {web: {image: x, networks: [front, back]}, db: {image: x, networks: {back: }}}
    networks: {front: , back: {driver: bridge}}
    """
    stack = read(text, {})
    assert any("one network of its own" in note for note in stack.notes)


def test_a_build_of_a_clone() -> None:
    build_keys = "context: ./app, dockerfile: prod.Dockerfile, target: t, args: {A: 1, B: }"
    text = f"services: {{web: {{image: tag, build: {{{build_keys}}}}}}}"
    stack = read(text, {"B": "b"}, origin=Origin.CLONE)
    build = stack.web.build
    assert build is not None
    assert (build.context, build.dockerfile, build.target, dict(build.args)) == (
        "app", "prod.Dockerfile", "t", {"A": "1", "B": "b"},
    )  # fmt: skip
    assert stack.web.image is None


def test_an_inspection_shows_as_much_as_can_be_read() -> None:
    text = """
    services:
      web: {image: 'nginx:$TAG', privileged: true, depends_on: [db]}
      db: {image: x, volumes: ['v:/d']}
    volumes: {v: }
    """
    body = inspect(text, {"TAG": "1"}).body()
    assert body["ok"] is False
    assert [one["path"] for one in body["violations"]] == ["services.web.privileged"]
    assert [(one["name"], one["image"]) for one in body["services"]] == [("db", "x"), ("web", "nginx:1")]
    assert (body["routed"], body["port"], body["variables"]) == ("web", 80, ["TAG"])


def test_an_inspection_of_what_is_not_yaml_is_one_violation() -> None:
    body = inspect("a: [", {}).body()
    assert (body["ok"], body["services"], body["routed"]) == (False, [], None)
    assert body["violations"][0]["line"] == 1
