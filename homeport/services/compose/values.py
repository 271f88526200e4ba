"""How a single value is read: text in, a plain value out, or Unfit with a reason, which never shows a variable."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import PurePosixPath

from homeport.services.compose.document import Scalar

MAX_TEXT = 32_768
_SIZE = re.compile(r"([0-9]{1,15})(?:\.[0-9]{1,9})?\s*([bBkKmMgGtT]?)(?:i?[bB])?")
_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62}))*(?::[0-9]{1,5})?/)?"
_IMAGE = re.compile(
    _HOST + r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_IMAGE_ID = re.compile(r"(?:sha256:)?[0-9a-f]{1,64}")  # or the beginning of one
OWN_IMAGES = "homeport/"
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?")
_SIGNAL = re.compile(r"(?:SIG)?(?:[A-Z][A-Z0-9]{1,9}(?:[+-][0-9]{1,2})?)|[1-9]|[1-5][0-9]|6[0-4]")
SERVICE_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,38}[a-z0-9])?")
VOLUME_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_TAKEN_TARGETS = ("/proc", "/sys", "/dev")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108  inside a container


class Unfit(Exception):
    """A value that does not fit; the message continues the sentence 'It …'."""


def text(value: Scalar) -> str:
    if len(value.text) > MAX_TEXT:
        raise Unfit(f"is longer than {MAX_TEXT} characters")
    return value.text


def truth(value: Scalar) -> bool:
    if value.truth is None:
        raise Unfit(f"must be true or false, not {value.shown}")
    return value.truth


def whole(value: Scalar, lowest: int, highest: int) -> int:
    if not re.fullmatch(r"-?[0-9]{1,15}", value.text, re.ASCII) or not lowest <= int(value.text) <= highest:
        raise Unfit(f"must be a whole number from {lowest} to {highest}, not {value.shown}")
    return int(value.text)


def number(value: Scalar) -> float:
    """A number of cores; 0 means no wish."""
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{0,9})?|\.[0-9]{1,9}", value.text, re.ASCII):
        raise Unfit(f"must be a number such as 0.5, not {value.shown}")
    return float(value.text)


def size_mb(value: Scalar) -> int:
    """MiB, rounded up; 0 means no wish."""
    found = _SIZE.fullmatch(value.text)
    if found is None:
        raise Unfit(f"must be a size such as 256m or 1g, not {value.shown}")
    amount = float(re.match(r"[0-9.]+", value.text).group())  # type: ignore[union-attr]
    return -int(-amount * _UNITS[found.group(2).lower()] // 1024**2)


def seconds(value: Scalar) -> float:
    """A duration such as `1m30s`, or a bare number of seconds."""
    if re.fullmatch(r"[0-9]{1,9}", value.text, re.ASCII):
        return float(value.text)
    parts = _DURATION.findall(value.text)
    if not parts or "".join(amount + unit for amount, unit in parts) != value.text:
        raise Unfit(f"must be a duration such as 30s or 1m30s, not {value.shown}")
    return float(sum(float(amount) * _SECONDS[unit] for amount, unit in parts))


def words(value: Scalar) -> tuple[str, ...]:
    """A command line, split as a shell would."""
    try:
        return tuple(shlex.split(text(value)))
    except ValueError:
        raise Unfit("has a quotation mark that is not closed") from None


def matching(pattern: re.Pattern[str], what: str) -> Callable[[Scalar], str]:
    """A reader of text that has to fit `pattern`."""

    def read(value: Scalar) -> str:
        if not pattern.fullmatch(value.text):
            raise Unfit(f"must be {what}, not {value.shown}")
        return value.text

    return read


def image(value: Scalar) -> str:
    """A reference; the registry is optional."""
    if len(value.text) > 512 or not _IMAGE.fullmatch(value.text):
        raise Unfit(f"must be the name of an image such as nginx:1.27, not {value.shown}")
    if why := why_not_named(value.text):
        raise Unfit(f"must not name {value.shown}: {why}")
    return value.text


def why_not_named(reference: str) -> str | None:
    """Why an image may not be named like that: the engine holds the images of every app, and answers to ids too."""
    if _IMAGE_ID.fullmatch(reference):
        return "the engine would take it for the id of an image that is here; add a tag"
    if reference.removeprefix("index.").removeprefix("docker.io/").startswith(OWN_IMAGES):
        return f"{OWN_IMAGES}… are the images that the portal keeps of its apps"
    return None


user = matching(_USER, "a user or user:group")
signal = matching(_SIGNAL, "a signal such as SIGTERM")


def inner_path(value: Scalar) -> str:
    """An absolute path inside the container."""
    path = value.text
    if not path.startswith("/") or len(path) > 1024 or not path.isprintable() or ".." in path.split("/"):
        raise Unfit(f"must be an absolute path inside the container, not {value.shown}")
    return str(PurePosixPath("/" + path.lstrip("/")))


def mount_target(value: Scalar) -> str:
    """Where something may be mounted: not over the root or the kernel's own folders."""
    path = inner_path(value)
    taken = any(path == one or path.startswith(f"{one}/") for one in _TAKEN_TARGETS) and path != _SHARED_MEMORY
    if path == "/" or taken:
        raise Unfit(f"must not be mounted over {value.shown}")
    return path


def clone_path(value: Scalar) -> str:
    """A relative path inside the files that came with the document."""
    path = value.text
    odd = not path or len(path) > 1024 or not path.isprintable() or any(sign in path for sign in "\\:$~")
    if odd or path.startswith(("/", "-")) or ".." in path.split("/"):
        raise Unfit(f"must be a relative path inside the files, without '..', not {value.shown}")
    return str(PurePosixPath(path))


def tcp_ports(value: Scalar) -> tuple[int, ...]:
    """`80`, `80/tcp` or `3000-3003`."""
    return _ports(value.text, value)


def container_ports(value: Scalar) -> tuple[int, ...]:
    """The container side of `80`, `8080:80`, `127.0.0.1:8080:80/tcp`."""
    return _ports(value.text.rpartition(":")[2], value)


def _ports(written: str, value: Scalar) -> tuple[int, ...]:
    found = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/([a-z]+))?", written, re.ASCII)
    if found is None:
        raise Unfit(f"must be a port from 1 to 65535, not {value.shown}")
    if found.group(3) not in {None, "tcp"}:
        raise Unfit(f"must be a TCP port, not {value.shown}: requests come by TCP")
    first, last = int(found.group(1)), int(found.group(2) or found.group(1))
    if not 1 <= first <= last <= 65535 or last - first >= 100:
        raise Unfit(f"must be a port from 1 to 65535, or a range of at most 100, not {value.shown}")
    return tuple(range(first, last + 1))
