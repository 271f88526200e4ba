"""Whatever comes in: ComposeRefused or a stack, and never a stack that reaches the machine."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeport.services.compose import ComposeRefused, Origin, Stack, inspect, read, variables_of
from homeport.services.compose.policy import TABLE
from homeport.services.compose.values import SERVICE_NAME, VOLUME_NAME

_LIMIT = settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
_ODD = st.sampled_from(
    ["", "/", "/etc:/x", "./a:/b", "v:/data", "v", "host", "container:x", "bind", "volume", "tmpfs", "true", "no", "80",
     "80:80", "[::1]:80:80", "1-65535", "$A", "${A", "${A:-/etc:/x}", "$$", "1m", "9" * 5000, "-1", "nan", "1e400",
     "CMD", "web", "db", "SYS_ADMIN", "CHOWN", "traefik.enable", "a=b", "=", "\x00", "\ud800", "x" * 300, "\u2028",
     "no-new-privileges:true", "service_healthy", "size=1g", "'", "~", "٣", "²"]
)  # fmt: skip
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | _ODD
_NAMES = st.sampled_from(sorted({part for key in TABLE for part in key.replace("[]", "").split(".") if part != "*"}))
_KEYS = _NAMES | st.sampled_from(["web", "db", "v", "<<", "x-a", "homeport.port", "A"]) | st.text(max_size=5)


def _below(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4)


_ANY = st.recursive(_SCALARS, _below, max_leaves=15)
_SERVICE = st.dictionaries(_NAMES, _ANY, max_size=6).map(lambda keys: {"image": "nginx", **keys})
_LIKELY = st.fixed_dictionaries(
    {"image": st.just("nginx")},
    optional={
        "volumes": st.lists(
            st.sampled_from(["v:/a", "v:/b:ro", "/etc:/c", "./x:/d", "$A:/e", "v:$A", "v:/f/../g"])
            | st.fixed_dictionaries({"type": _ODD, "source": st.just("v") | _ODD, "target": st.just("/h") | _ODD}),
            max_size=3,
        ),
        "tmpfs": st.lists(st.sampled_from(["/t", "/u:size=1m", "$A", "/w:$B"]), max_size=2),
        "cap_add": st.lists(st.sampled_from(["CHOWN", "$A", "sys_admin", "KILL"]), max_size=2),
        "labels": st.lists(st.sampled_from(["a=b", "$A=c", "homeport.port=$B", "TRAEFIK.x=1"]), max_size=2),
        "mem_limit": st.sampled_from(["64m", "9g", "$A", 0]),
        "stop_grace_period": st.sampled_from(["5s", "9h", "$B", 10]),
        "network_mode": st.sampled_from([None, False, "host", "$A"]),
        "privileged": st.sampled_from([None, False, True, "${A:-false}"]),
        "environment": st.dictionaries(st.sampled_from(["A", "B"]), _SCALARS, max_size=2),
    },
)
_DOCUMENT = st.fixed_dictionaries(
    {
        "services": st.dictionaries(
            st.sampled_from(["web", "db", "x", "a.b"]), _LIKELY | _SERVICE, min_size=1, max_size=3
        )
    },
    optional={"volumes": st.just({"v": None}) | _ANY, "networks": _ANY, "x-a": _ANY},
)
_VARIABLES = st.dictionaries(st.sampled_from(["A", "B"]), st.text(max_size=10) | _ODD, max_size=2)


def check(text: str, variables: Mapping[str, str]) -> Stack | None:
    inspected = inspect(text, variables)
    assert inspected.body()["ok"] is inspected.ok
    stack = None
    with contextlib.suppress(ComposeRefused):
        variables_of(text)
        stack = read(text, variables)
    assert inspected.ok is (stack is not None)
    return stack


def is_harmless(stack: Stack) -> bool:
    """Only declared volumes and memory are mounted, only listed capabilities are kept, nothing is built."""
    return all(
        SERVICE_NAME.fullmatch(one.name)
        and one.build is None
        and all(
            mount.source in stack.volumes and VOLUME_NAME.fullmatch(mount.source or "")
            if mount.type == "volume"
            else mount.source is None
            for mount in one.mounts
        )
        and all(mount.target.startswith("/") and ".." not in mount.target.split("/") for mount in one.mounts)
        and {"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"} >= set(one.cap_add)
        and not any(label.lower().startswith(("traefik", "com.docker.")) for label in one.labels)
        and one.memory_mb is not None
        and 0 < one.memory_mb <= 512
        and one.stop_grace <= 120
        for one in stack.services
    )


@_LIMIT
@given(text=st.text(), variables=_VARIABLES)
def test_any_text_is_read_or_refused(text: str, variables: dict[str, str]) -> None:
    stack = check(text, variables)
    assert stack is None or is_harmless(stack)


@_LIMIT
@given(text=st.text(alphabet="services:web{}[]&*<-!?|>'\"%@`$, \n\timage", max_size=80))
def test_any_text_of_yaml_signs_is_read_or_refused(text: str) -> None:
    stack = check(f"services: {{web: {{image: x}}}}\n{text}", {})
    assert stack is None or is_harmless(stack)


@_LIMIT
@given(document=_DOCUMENT, variables=_VARIABLES)
def test_any_document_is_harmless_or_refused(document: dict[str, Any], variables: dict[str, str]) -> None:
    stack = check(yaml.safe_dump(document, allow_unicode=True), variables)
    assert stack is None or is_harmless(stack)


@_LIMIT
@given(document=_DOCUMENT, variables=_VARIABLES)
def test_with_files_nothing_leads_out_of_them(document: dict[str, Any], variables: dict[str, str]) -> None:
    stack = None
    with contextlib.suppress(ComposeRefused):
        stack = read(yaml.safe_dump(document), variables, origin=Origin.CLONE)
    for one in stack.services if stack is not None else ():
        if one.build is not None:
            for path in (one.build.context, one.build.dockerfile):
                assert not path.startswith(("/", "-"))
                assert ".." not in path.split("/")
