"""What a compose document may say: one table from key to rule, and the walk that holds a document against it.

A key that is not in the table is denied. `*` stands for any name, `[]` for the items of a list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Map
from dataclasses import dataclass
from enum import StrEnum

from homeport.services.compose.document import Mapping, Node, Scalar, Sequence
from homeport.services.compose.interpolate import is_extension
from homeport.services.compose.problems import Findings


class Verdict(StrEnum):
    ALLOWED = "allowed"
    NEUTRAL = "without effect"  # accepted, changes nothing; said in a note
    FILES = "with files"  # only where the document comes with files: a git repository, an upload
    DENIED = "denied"


@dataclass(frozen=True)
class Rule:
    """`why` is a sentence for people; `only` names the values that are accepted, empty for all that fit."""

    verdict: Verdict
    why: str
    only: tuple[str, ...] = ()


def _all(verdict: Verdict, why: str, keys: str, only: tuple[str, ...] = ()) -> dict[str, Rule]:
    return dict.fromkeys(keys.split(), Rule(verdict, why, only))


def _below(parent: str, rules: Map[str, Rule]) -> dict[str, Rule]:
    return {f"{parent}.{key}": rule for key, rule in rules.items()}


_A, _N, _F, _D = Verdict.ALLOWED, Verdict.NEUTRAL, Verdict.FILES, Verdict.DENIED
_HOST_FILES = "It would read files of the machine."
_OWN_NAME = "The portal gives the names, so that apps cannot take each other's."
_ONE_NETWORK = "Each app has one network of its own; its services reach each other there by name."
_NAMESPACE = "It would share a namespace of the machine or of another container."
_HARDWARE = "It would hand over devices or kernel privileges of the machine."
_STABILITY = "It could harm everything else on the machine."
_PORTAL = "The portal decides this."
_LIMIT = "Capped at the limit of the app."
_RELATIVE = "A path inside the files, relative, without `..`."

_SERVICE: dict[str, Rule] = {
    "image": Rule(_A, "Any name of an image, but no id and none of homeport/…; a registry is optional."),
    **_all(_A, "Text, split as a shell would (but never run by one), or a list.", "command entrypoint"),
    "environment": Rule(_A, "A list or a mapping; a name without a value takes the variable of that name."),
    "expose": Rule(_A, "TCP ports inside. The first one of the routed service receives its requests."),
    "volumes": Rule(_A, "Named volumes that the document declares, and tmpfs. Never a path of the machine."),
    "tmpfs": Rule(_A, "Paths inside; the option `size` counts."),
    "depends_on": Rule(_A, "A list or a mapping with conditions; cycles are refused."),
    "healthcheck": Rule(_A, "Runs inside the container only; durations are capped."),
    "restart": Rule(_A, "`no`, `always`, `on-failure` or `unless-stopped`."),
    "labels": Rule(_A, "All but traefik.*, com.docker.* and homeport.*; homeport.route and homeport.port are read."),
    **_all(_A, "As the image runs it.", "user working_dir init read_only tty stop_signal"),
    "stop_grace_period": Rule(_A, "At most 120 seconds."),
    **_all(_A, _LIMIT, "mem_limit cpus pids_limit shm_size"),
    "cap_add": Rule(_A, "CHOWN, DAC_OVERRIDE, FOWNER, KILL, NET_BIND_SERVICE, SETGID and SETUID only."),
    "deploy": Rule(_A, "Its limits are read."),
    "networks": Rule(_A, _ONE_NETWORK),
    "build": Rule(_F, "Builds need files: deploy from git or an upload."),
    "ports": Rule(_F, "Only the portal takes ports of the machine: use `expose`. With files it is read as `expose`."),
    "security_opt": Rule(
        _N, "It is set anyway.", ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
    ),
    "cap_drop": Rule(_N, "All capabilities are dropped anyway."),
    "mem_reservation": Rule(_N, "Only the limit counts."),
    "pull_policy": Rule(_N, "Each deploy asks for the newest.", ("always", "missing", "if_not_present", "newer")),
    "scale": Rule(_N, "One container a release.", ("1",)),
    "privileged": Rule(_D, "It makes the container root on the machine."),
    **_all(_D, _HARDWARE, "devices device_cgroup_rules gpus credential_spec use_api_socket runtime isolation"),
    **_all(_D, _NAMESPACE, "network_mode pid ipc uts userns_mode cgroup cgroup_parent volumes_from"),
    **_all(_D, _STABILITY, "sysctls ulimits oom_kill_disable oom_score_adj blkio_config cpu_rt_period cpu_rt_runtime"
           " memswap_limit mem_swappiness storage_opt"),
    **_all(_D, "Use `cpus`.", "cpu_count cpu_percent cpu_shares cpu_period cpu_quota cpuset"),
    **_all(_D, _HOST_FILES + " Write `environment` instead.", "env_file configs secrets label_file"),
    "extends": Rule(_D, _HOST_FILES + " Write the service out."),
    "develop": Rule(_D, _HOST_FILES),
    **_all(_D, _OWN_NAME, "container_name hostname domainname mac_address"),
    **_all(_D, _ONE_NETWORK, "links external_links extra_hosts dns dns_opt dns_search"),
    **_all(_D, "It runs commands outside of what is checked.", "post_start pre_stop provider models"),
    **_all(_D, _PORTAL, "logging platform profiles annotations attach stdin_open group_add"),
}  # fmt: skip

_BUILD: dict[str, Rule] = {
    "context": Rule(_A, _RELATIVE),
    "dockerfile": Rule(_A, _RELATIVE + " It starts at the context."),
    "dockerfile_inline": Rule(_A, "The text of a Dockerfile."),
    "target": Rule(_A, "A stage of the Dockerfile."),
    "args": Rule(_A, "Visible in the image: no place for secrets."),
    **_all(_D, "It reaches beyond the files.", "additional_contexts ssh secrets cache_from cache_to"),
    **_all(_D, _HARDWARE, "privileged entitlements isolation"),
    **_all(_D, _STABILITY, "network shm_size ulimits extra_hosts"),
    **_all(_D, _PORTAL, "labels no_cache platforms pull tags provenance sbom"),
}

_VOLUME_ITEM: dict[str, Rule] = {
    "type": Rule(_A, "A path of the machine (`bind`) is never mounted.", ("volume", "tmpfs")),
    **_all(_A, "A declared volume, and an absolute path inside.", "source target read_only"),
    "tmpfs": Rule(_A, "Its size."),
    "tmpfs.size": Rule(_A, "Bytes, or with a unit."),
    "tmpfs.mode": Rule(_D, _PORTAL),
    "volume": Rule(_N, "Options of the volume."),
    **_all(_D, "Options of volumes are not passed on.", "volume.nocopy volume.subpath volume.labels consistency"),
    **_all(_D, "A path of the machine is never mounted.", "bind cluster image npipe"),
}

_PORT_ITEM: dict[str, Rule] = {
    "target": Rule(_A, "The port inside."),
    **_all(_N, "The portal publishes on the loopback only.", "published host_ip app_protocol name mode"),
    "protocol": Rule(_A, "Requests come by TCP.", ("tcp",)),
}

_DEPLOY: dict[str, Rule] = {
    "resources": Rule(_A, _LIMIT),
    "resources.limits": Rule(_A, _LIMIT),
    **_all(_A, _LIMIT, "resources.limits.memory resources.limits.cpus resources.limits.pids"),
    "resources.reservations": Rule(_N, "Only the limit counts."),
    **_all(_N, "Only the limit counts.", "resources.reservations.memory resources.reservations.cpus"),
    **_all(_D, _HARDWARE, "resources.limits.devices resources.reservations.devices"
           " resources.reservations.generic_resources"),
    "replicas": Rule(_N, "One container a release.", ("1",)),
    "mode": Rule(_N, "One container a release.", ("replicated",)),
    "restart_policy": Rule(_N, "`restart` counts."),
    **_all(_N, "`restart` counts.", "restart_policy.condition restart_policy.delay restart_policy.max_attempts"
           " restart_policy.window"),
    **_all(_D, _PORTAL, "update_config rollback_config placement endpoint_mode labels"),
}  # fmt: skip

TABLE: dict[str, Rule] = {
    "version": Rule(_N, "Obsolete."),
    "name": Rule(_N, _OWN_NAME),
    "services": Rule(_A, "At most 20."),
    **_below("services.*", _SERVICE),
    **_below("services.*.build", _BUILD),
    **_below("services.*.volumes[]", _VOLUME_ITEM),
    **_below("services.*.ports[]", _PORT_ITEM),
    **_below("services.*.deploy", _DEPLOY),
    **_below("services.*.healthcheck", {
        **_all(_A, "Inside the container.", "test retries disable"),
        **_all(_A, "Durations such as `1m30s`.", "interval timeout start_period"),
        "start_interval": Rule(_N, "`interval` counts."),
    }),
    **_below("services.*.depends_on.*", {
        "condition": Rule(_A, "When the other one counts as started.",
                          ("service_started", "service_healthy", "service_completed_successfully")),
        "restart": Rule(_N, "Services restart on their own."),
        "required": Rule(_N, "What a service depends on has to be there.", ("true",)),
    }),
    **_below("services.*.networks.*", _all(
        _D, _ONE_NETWORK, "aliases ipv4_address ipv6_address link_local_ips mac_address driver_opts gw_priority"
        " interface_name priority")),
    "volumes": Rule(_A, "The named volumes of the app. They stay until the app is deleted."),
    **_below("volumes.*", {
        "driver": Rule(_N, "Volumes live on the machine's own disk.", ("local", "default")),
        "driver_opts": Rule(_D, "It can mount any path of the machine, or a network share."),
        **_all(_D, "It would use a volume of another app.", "external name"),
        "labels": Rule(_D, _PORTAL),
    }),
    "networks": Rule(_N, _ONE_NETWORK),
    **_below("networks.*", {
        "driver": Rule(_N, _ONE_NETWORK, ("bridge", "default")),
        **_all(_D, "It would join a network of another app or of the portal.", "external name ipam"),
        **_all(_D, _PORTAL, "driver_opts internal attachable enable_ipv4 enable_ipv6 labels"),
    }),
    **_all(_D, _HOST_FILES + " Write `environment` instead.", "configs secrets"),
    "include": Rule(_D, _HOST_FILES + " Write everything into one document."),
    "models": Rule(_D, "It runs programs outside of what is checked."),
}  # fmt: skip

OPEN_WITH_FILES = frozenset({"services.*.build", "services.*.ports"})
_PARENTS = frozenset(key.rpartition(".")[0] for key in TABLE)
_UNKNOWN = "This key is not known, and what is not known is not accepted."


def judge(tree: Mapping, findings: Findings, *, opened: Collection[str] = ()) -> None:
    """Add a violation for every key that the table does not admit. `opened`: patterns of FILES rules that apply."""
    for path, pattern, node, line in _keys(tree, "", "", opened):
        rule = TABLE.get(pattern)
        if rule is None:
            findings.refuse(path, _UNKNOWN, line)
        elif rule.verdict is Verdict.DENIED or (rule.verdict is Verdict.FILES and pattern not in opened):
            if not _says_nothing(node):
                findings.refuse(path, rule.why, line)
        elif rule.only:
            for text in _scalars(node):
                if text.text not in rule.only:
                    findings.refuse(path, f"{text.shown} is not accepted, only {_or(rule.only)}. {rule.why}", line)
        if rule is not None and rule.verdict is Verdict.NEUTRAL and path not in {"version", "name"}:
            findings.note(f"{path} has no effect. {rule.why}")


def _keys(node: Node, path: str, pattern: str, opened: Collection[str]) -> Iterator[tuple[str, str, Node, int]]:
    """Every key that has to be judged, as (path, pattern, value, line). What is denied is not looked into."""
    if isinstance(node, Sequence):
        for number, item in enumerate(node.items):
            yield from _keys(item, f"{path}[{number}]", f"{pattern}[]", opened)
    elif isinstance(node, Mapping):
        below = f"{pattern}." if pattern else ""
        named = f"{pattern}.*" if pattern else "*"
        for key, value in node.entries.items():
            here = f"{path}.{key}" if path else key
            if named in _PARENTS:  # the keys are names that people chose
                yield from _keys(value, here, named, opened)
            elif pattern in _PARENTS and not is_extension(key):
                rule = TABLE.get(below + key)
                yield here, below + key, value, node.at(key)
                if rule is not None and (rule.verdict in {_A, _N} or below + key in opened):
                    yield from _keys(value, here, below + key, opened)


def _says_nothing(node: Node) -> bool:
    """`privileged: false`, `devices: []`: the key is denied, but nothing is asked for."""
    if isinstance(node, Scalar):
        return node.is_null or node.is_false
    return not (node.items if isinstance(node, Sequence) else node.entries)


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        if not node.is_null and not node.unfilled:
            yield node
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _scalars(item)
    else:
        yield Scalar("{…}", node.line)


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(words)


def as_table() -> str:
    """The table in Markdown, keys with one rule in one row; docs/guide/compose.md holds it, and a test compares."""
    rows: dict[tuple[str, Rule], list[str]] = {}
    for pattern, rule in TABLE.items():
        parent, _, key = pattern.rpartition(".")
        rows.setdefault((parent, rule), []).append(f"`{key}`")
    lines = ["| below | keys | | |", "| --- | --- | --- | --- |"]
    for (parent, rule), keys in rows.items():
        only = f" Only {_or(tuple(f'`{word}`' for word in rule.only))}." if rule.only else ""
        place = f"`{parent}`" if parent else "the top"
        lines.append(f"| {place} | {' '.join(keys)} | {rule.verdict} | {rule.why}{only} |")
    return "\n".join(lines) + "\n"
