"""The keys of one service: a table from key to reader. Each adds what it finds to the service that is being built."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping as Map
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from homeport.services.compose import values
from homeport.services.compose.document import Mapping, Node, Scalar, Sequence
from homeport.services.compose.model import Build, Healthcheck
from homeport.services.compose.problems import Findings
from homeport.services.compose.values import Unfit

T = TypeVar("T")

MAX_SECONDS = 120.0
MAX_START_PERIOD = 600.0
MAX_SHM_MB = 256
MIN_MEMORY_MB = 6  # what the engine takes
CAPABILITIES = frozenset({"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"})
RESERVED_LABELS = ("traefik.", "com.docker.", "homeport.")
OWN_LABELS = frozenset({"homeport.route", "homeport.port"})
_MAX_ITEMS = 200


@dataclass(frozen=True)
class StackLimits:
    """The most that each service of a stack may use, and what it gets when it says nothing."""

    memory_mb: int = 512
    cpu: float = 1.0
    pids: int = 512


@dataclass
class Draft:
    """One service while it is read: `values` are StackService's, the rest is for the stack."""

    path: str
    findings: Findings
    variables: Map[str, str]
    limits: StackLimits
    volumes: frozenset[str]
    networks: frozenset[str]
    dockerfile: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    published: tuple[int, ...] = ()

    def read(self, node: Node, path: str, reader: Callable[[Scalar], T]) -> T | None:
        """One scalar through `reader`; None, and a violation, when it does not fit."""
        if not isinstance(node, Scalar) or node.is_null:
            self.refuse(path, "It must be a single value.", node)
            return None
        if node.unfilled:
            return None
        try:
            return reader(node)
        except Unfit as why:
            self.refuse(path, f"It {why}.", node)
            return None

    def refuse(self, path: str, reason: str, node: Node) -> None:
        self.findings.refuse(path, reason, node.line)

    def items(self, node: Node, path: str) -> tuple[Node, ...]:
        if not isinstance(node, Sequence):
            self.refuse(path, "It must be a list.", node)
            return ()
        if len(node.items) > _MAX_ITEMS:
            self.refuse(path, f"It has more than {_MAX_ITEMS} entries.", node)
            return ()
        return node.items

    def pairs(self, node: Node, path: str) -> dict[str, Scalar | None]:
        """A mapping, or a list of `name=value`; None for a name without a value."""
        found: dict[str, Scalar | None] = {}
        if isinstance(node, Mapping):
            if len(node.entries) > _MAX_ITEMS:
                self.refuse(path, f"It has more than {_MAX_ITEMS} entries.", node)
                return {}
            for name, value in node.entries.items():
                if not isinstance(value, Scalar):
                    self.refuse(f"{path}.{name}", "It must be a single value.", value)
                else:
                    found[name] = None if value.is_null else value
            return found
        for number, item in enumerate(self.items(node, path)):
            pair = self.read(item, f"{path}[{number}]", values.text)
            if pair is not None:
                name, equals, text = pair.partition("=")
                if not equals and isinstance(item, Scalar) and "$" in item.written:
                    self.refuse(f"{path}[{number}]", f"It must be NAME=value, not {item.shown}.", item)
                else:
                    found[name] = Scalar(text, item.line) if equals else None
        return found

    def cap(self, name: str, wanted: float, most: float, unit: str) -> float:
        if wanted > most:
            self.findings.note(f"{self.path}.{name} is capped at {most:g}{unit}.")
        return min(wanted, most)


Reader = Callable[[Draft, Node, str], None]


def one(attribute: str, reader: Callable[[Scalar], Any]) -> Reader:
    """A key that holds one value and names one attribute."""

    def read(draft: Draft, node: Node, path: str) -> None:
        found = draft.read(node, path, reader)
        if found is not None:
            draft.values[attribute] = found

    return read


def command(attribute: str) -> Reader:
    def read(draft: Draft, node: Node, path: str) -> None:
        if isinstance(node, Sequence):
            argv = [draft.read(item, f"{path}[{i}]", values.text) for i, item in enumerate(draft.items(node, path))]
            draft.values[attribute] = tuple(word for word in argv if word is not None)
        else:
            one(attribute, values.words)(draft, node, path)

    return read


def environment(draft: Draft, node: Node, path: str) -> None:
    found: dict[str, str] = {}
    for name, value in draft.pairs(node, path).items():
        if not values.VARIABLE_NAME.fullmatch(name):
            draft.refuse(path, f"{_shown(name, node)} is not the name of a variable.", node)
        elif value is not None:
            found[name] = draft.read(value, f"{path}.{name}", values.text) or ""
        elif name in draft.variables:
            found[name] = draft.variables[name]
        elif isinstance(node, Mapping):
            found[name] = ""
        else:
            draft.refuse(path, f"It needs the variable {name}, which has no value.", node)
    draft.values["environment"] = found


def labels(draft: Draft, node: Node, path: str) -> None:
    found: dict[str, str] = {}
    given = draft.pairs(node, path)
    for name, value in given.items():
        if name not in OWN_LABELS and f"{name.lower()}.".startswith(RESERVED_LABELS):
            draft.refuse(f"{path}.{name}", "Labels of this kind steer proxies and the portal itself.", node)
        elif not name or len(name) > 255 or not name.isprintable():
            draft.refuse(path, f"{_shown(name, node)} is not the name of a label.", node)
        else:
            found[name] = value.text[: values.MAX_TEXT] if value is not None else ""
    if "homeport.port" in found:
        port = given["homeport.port"] or Scalar("", node.line)
        draft.read(replace(port, written="that"), f"{path}.homeport.port", lambda value: values.whole(value, 1, 65535))
    if found.get("homeport.route", "true").lower() not in {"true", "false"}:
        draft.refuse(f"{path}.homeport.route", "It must be true or false.", node)
    draft.values["labels"] = found


def _shown(name: str, node: Node) -> str:
    """Keys stand in the document as they are; an entry of a list may hold a variable's value."""
    return repr(name[:60]) if isinstance(node, Mapping) else "One of its names"


def expose(draft: Draft, node: Node, path: str) -> None:
    ports = [draft.read(item, f"{path}[{i}]", values.tcp_ports) or () for i, item in enumerate(draft.items(node, path))]
    draft.values["expose"] = tuple(dict.fromkeys(port for some in ports for port in some))


def ports(draft: Draft, node: Node, path: str) -> None:
    """With files only (the policy refuses it elsewhere): what they publish is what they listen on."""
    found: list[int] = []
    for number, item in enumerate(draft.items(node, path)):
        at = f"{path}[{number}]"
        if isinstance(item, Mapping):
            target = item.entries.get("target", Scalar("", item.line))
            found += draft.read(target, f"{at}.target", values.tcp_ports) or ()
        else:
            found += draft.read(item, at, values.container_ports) or ()
    draft.published = tuple(dict.fromkeys(found))
    if found:
        draft.findings.note(f"{path} is read as `expose`: only the portal takes ports of the machine.")


def healthcheck(draft: Draft, node: Node, path: str) -> None:
    if not isinstance(node, Mapping):
        draft.refuse(path, "It must be a mapping.", node)
        return
    keys = {key: value for key, value in node.entries.items() if not (isinstance(value, Scalar) and value.is_null)}
    off = "disable" in keys and draft.read(keys["disable"], f"{path}.disable", values.truth)
    test = _test(draft, keys["test"], f"{path}.test") if "test" in keys else ()
    if off or test[:1] == ("NONE",):
        draft.values["healthcheck_off"] = True
        return
    times: dict[str, float] = {}
    for key, most in (("interval", MAX_SECONDS), ("timeout", MAX_SECONDS), ("start_period", MAX_START_PERIOD)):
        found = draft.read(keys[key], f"{path}.{key}", values.seconds) if key in keys else None
        if found is not None:
            times[key] = draft.cap(f"healthcheck.{key}", found, most, " seconds")
            if times[key] < 0.001 and key != "start_period":
                draft.refuse(f"{path}.{key}", "It must be at least a millisecond.", keys[key])
    retries = (
        draft.read(keys["retries"], f"{path}.retries", lambda value: values.whole(value, 0, 1000))
        if "retries" in keys
        else None
    )
    draft.values["healthcheck"] = Healthcheck(test, retries=retries or 3, **times)


def _test(draft: Draft, node: Node, path: str) -> tuple[str, ...]:
    if isinstance(node, Scalar):
        line = draft.read(node, path, values.text)
        return ("CMD-SHELL", line) if line else ()
    read = [draft.read(item, f"{path}[{i}]", values.text) for i, item in enumerate(draft.items(node, path))]
    test = tuple(word for word in read if word is not None)
    if test and (
        test[0] not in {"CMD", "CMD-SHELL", "NONE"} or (test[0] == "CMD-SHELL") != (len(test) == 2 and test[0] != "CMD")
    ):
        draft.refuse(path, "It must begin with CMD, CMD-SHELL (and one line) or NONE.", node)
    return test


def depends_on(draft: Draft, node: Node, path: str) -> None:
    found: dict[str, str] = {}
    if isinstance(node, Mapping):
        for name, value in node.entries.items():
            condition = value.entries.get("condition") if isinstance(value, Mapping) else None
            said = draft.read(condition, f"{path}.{name}.condition", values.text) if condition is not None else None
            found[name] = said or "service_started"
            if not isinstance(value, Mapping):
                draft.refuse(f"{path}.{name}", "It must be a mapping with `condition`.", value)
    else:
        for number, item in enumerate(draft.items(node, path)):
            name = draft.read(item, f"{path}[{number}]", values.text) or ""
            found.update({name: "service_started"} if name else {})
    draft.values["depends_on"] = found


def restart(draft: Draft, node: Node, path: str) -> None:
    said = draft.read(node, path, values.text)
    policy = (said or "").partition(":")[0]
    policy = "no" if isinstance(node, Scalar) and node.is_false else policy
    if said is not None and policy not in {"no", "always", "on-failure", "unless-stopped"}:
        draft.refuse(path, "It must be no, always, on-failure or unless-stopped.", node)
    elif said is not None:
        draft.values["restart"] = policy


def grace(draft: Draft, node: Node, path: str) -> None:
    found = draft.read(node, path, values.seconds)
    if found is not None:
        draft.values["stop_grace"] = draft.cap("stop_grace_period", found, MAX_SECONDS, " seconds")


def memory(draft: Draft, node: Node, path: str) -> None:
    found = draft.read(node, path, values.size_mb)
    if found:
        if found < MIN_MEMORY_MB:
            draft.refuse(path, f"It must be at least {MIN_MEMORY_MB} MB.", node)
        draft.values["memory_mb"] = int(draft.cap("mem_limit", found, draft.limits.memory_mb, " MB"))


def cpus(draft: Draft, node: Node, path: str) -> None:
    found = draft.read(node, path, values.number)
    if found:
        draft.values["cpus"] = max(0.01, draft.cap("cpus", found, draft.limits.cpu, " cores"))


def pids(draft: Draft, node: Node, path: str) -> None:
    found = draft.read(node, path, lambda value: values.whole(value, -1, 4_194_304))
    if found is not None and found > 0:
        draft.values["pids"] = int(draft.cap("pids_limit", found, draft.limits.pids, ""))


def shm(draft: Draft, node: Node, path: str) -> None:
    found = draft.read(node, path, values.size_mb)
    if found:
        draft.values["shm_mb"] = int(draft.cap("shm_size", found, MAX_SHM_MB, " MB"))


def cap_add(draft: Draft, node: Node, path: str) -> None:
    found: list[str] = []
    for number, item in enumerate(draft.items(node, path)):
        name = (draft.read(item, f"{path}[{number}]", values.text) or "").upper().removeprefix("CAP_")
        if name in CAPABILITIES:
            found.append(name)
        else:
            draft.refuse(f"{path}[{number}]", f"Only {', '.join(sorted(CAPABILITIES))} are accepted.", item)
    draft.values["cap_add"] = tuple(dict.fromkeys(found))


def deploy(draft: Draft, node: Node, path: str) -> None:
    """Its limits; those of the service's own keys win. The policy has judged the keys."""
    inner: Node | None = node
    for key in ("resources", "limits"):
        if isinstance(inner, Mapping):
            inner = inner.entries.get(key)
    if not isinstance(inner, Mapping):
        return
    for key, name, reader in (("memory", "memory_mb", memory), ("cpus", "cpus", cpus), ("pids", "pids", pids)):
        if key in inner.entries and name not in draft.values:
            reader(draft, inner.entries[key], f"{path}.resources.limits.{key}")


def networks(draft: Draft, node: Node, path: str) -> None:
    named = (
        list(node.entries)
        if isinstance(node, Mapping)
        else [draft.read(item, f"{path}[{i}]", values.text) or "" for i, item in enumerate(draft.items(node, path))]
    )
    for name in named:
        if name not in draft.networks:
            draft.refuse(path, f"The network {name[:60]!r} is not declared in this document.", node)


def build(draft: Draft, node: Node, path: str) -> None:
    if isinstance(node, Scalar):
        context = draft.read(node, path, values.clone_path)
        draft.values["build"] = Build(context or ".", dockerfile_inline=draft.dockerfile)
        return
    if not isinstance(node, Mapping):
        draft.refuse(path, "It must be a path or a mapping.", node)
        return
    keys = {key: value for key, value in node.entries.items() if not (isinstance(value, Scalar) and value.is_null)}
    found: dict[str, Any] = {}
    for key, reader in (
        ("context", values.clone_path),
        ("dockerfile", values.clone_path),
        ("dockerfile_inline", values.text),
        ("target", values.text),
    ):
        said = draft.read(keys[key], f"{path}.{key}", reader) if key in keys else None
        if said is not None:
            found[key] = said
    if "dockerfile" in found and "dockerfile_inline" in found:
        draft.refuse(f"{path}.dockerfile", "Either a file or its text, not both.", node)
    if "dockerfile" not in found and "dockerfile_inline" not in found and draft.dockerfile is not None:
        found["dockerfile_inline"] = draft.dockerfile
    args = draft.pairs(keys["args"], f"{path}.args") if "args" in keys else {}
    found["args"] = {
        name: value.text if value is not None else draft.variables.get(name, "") for name, value in args.items()
    }
    draft.values["build"] = Build(**found)
