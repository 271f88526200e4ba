"""What a service mounts: named volumes and memory. A path of the machine is refused in every spelling."""

from __future__ import annotations

from homeport.services.compose import values
from homeport.services.compose.document import Mapping, Node, Scalar
from homeport.services.compose.fields import Draft
from homeport.services.compose.model import Mount
from homeport.services.compose.values import Unfit

_HARMLESS = frozenset({"rw", "noexec", "nosuid", "nodev"})  # what the engine sets anyway, or takes as given
_NO_PATHS = "a path of the machine is never mounted: declare a named volume under `volumes:` and use its name"


def volumes(draft: Draft, node: Node, path: str) -> None:
    found: list[Mount] = []
    for number, item in enumerate(draft.items(node, path)):
        at = f"{path}[{number}]"
        mount = _long(draft, item, at) if isinstance(item, Mapping) else draft.read(item, at, _short)
        if mount is None:
            continue
        if mount.type == "volume" and mount.source not in draft.volumes:
            shown = item.shown if isinstance(item, Scalar) else "its source"
            draft.refuse(at, f"The volume of {shown} is not declared under `volumes:`.", item)
        else:
            found.append(mount)
    _keep(draft, found, node, path)


def tmpfs(draft: Draft, node: Node, path: str) -> None:
    items = (node,) if isinstance(node, Scalar) else draft.items(node, path)
    found = [draft.read(item, f"{path}[{number}]", _memory) for number, item in enumerate(items)]
    _keep(draft, [mount for mount in found if mount is not None], node, path)


def _keep(draft: Draft, found: list[Mount], node: Node, path: str) -> None:
    mounts = (*draft.values.get("mounts", ()), *found)
    targets = [mount.target for mount in mounts]
    if len(set(targets)) < len(targets):
        draft.refuse(path, "Two things are mounted on the same path.", node)
    draft.values["mounts"] = mounts


def _short(value: Scalar) -> Mount:
    """`name:/path`, `name:/path:ro`."""
    source, colon, rest = value.text.partition(":")
    target, _, options = rest.partition(":")
    if source.startswith(("/", ".", "~")) or "/" in source or "\\" in value.text:
        raise Unfit(f"names {value.shown}: {_NO_PATHS}" if colon else f"has no volume in {value.shown}: name one")
    if not colon:
        raise Unfit(f"has no volume in {value.shown}: write name:/path")
    if not values.VOLUME_NAME.fullmatch(source):
        raise Unfit(f"names {value.shown}: {_NO_PATHS}")
    if options not in {"", "ro", "rw"}:
        raise Unfit(f"has an option other than ro and rw: {value.shown}")
    return Mount(
        "volume", values.mount_target(Scalar(target, value.line, written=value.written)), source, options == "ro"
    )


def _long(draft: Draft, item: Mapping, path: str) -> Mount | None:
    kind = item.entries.get("type")
    if not isinstance(kind, Scalar) or kind.text not in {"volume", "tmpfs"}:
        draft.refuse(f"{path}.type", f"It must be volume or tmpfs: {_NO_PATHS}.", kind or item)
        return None
    target = draft.read(item.entries.get("target", Scalar("", item.line)), f"{path}.target", values.mount_target)
    if target is None:
        return None
    only = item.entries.get("read_only")
    read_only = bool(draft.read(only, f"{path}.read_only", values.truth)) if only is not None else False
    if kind.text == "tmpfs":
        options = item.entries.get("tmpfs")
        size = options.entries.get("size") if isinstance(options, Mapping) else None
        return Mount("tmpfs", target, size_mb=draft.read(size, f"{path}.tmpfs.size", values.size_mb) if size else None)
    named = values.matching(values.VOLUME_NAME, f"the name of a volume ({_NO_PATHS})")
    source = draft.read(item.entries.get("source", Scalar("", item.line)), f"{path}.source", named)
    return Mount("volume", target, source, read_only) if source is not None else None


def _memory(value: Scalar) -> Mount:
    """`/path`, `/path:size=64m`."""
    path, _, options = value.text.partition(":")
    size = None
    for option in filter(None, options.split(",")):
        name, _, amount = option.partition("=")
        if name == "size":
            size = values.size_mb(Scalar(amount, value.line, written=value.written)) or None
        elif option not in _HARMLESS:
            raise Unfit(f"has an option other than size in {value.shown}")
    return Mount("tmpfs", values.mount_target(Scalar(path, value.line, written=value.written)), size_mb=size)
