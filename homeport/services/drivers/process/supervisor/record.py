"""The instance's directory: the lock that proves its supervisor lives, and what it says of itself."""

from __future__ import annotations

import fcntl
import os


def claim(directory: str) -> int:
    """Hold `lock` until this process ends; returns its descriptor. Raises BlockingIOError where another holds it.

    A POSIX record lock: children do not inherit it, and the kernel names its holder to whoever asks (F_GETLK).
    """
    fd = os.open(f"{directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return fd


def write_state(directory: str, state: dict[str, str | int | None]) -> None:
    """Replace `state.json` at once: a reader sees the old or the new."""
    body = ", ".join(f"{_text(key)}: {_value(value)}" for key, value in state.items())
    fd = os.open(f"{directory}/state.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    os.write(fd, b"{%b}\n" % body.encode())
    os.close(fd)
    os.replace(f"{directory}/state.new", f"{directory}/state.json")


def read_grace(directory: str, default: float) -> float:
    """Seconds between SIGTERM and SIGKILL that whoever asked us to stop has written down."""
    try:
        fd = os.open(f"{directory}/grace", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return default
    try:
        return float(os.read(fd, 64))
    except ValueError:
        return default
    finally:
        os.close(fd)


def _value(value: str | int | None) -> str:
    if value is None:
        return "null"
    return _text(value) if isinstance(value, str) else str(value)


def _text(text: str) -> str:
    """A JSON string: ASCII only, as `json` would cost every supervisor a megabyte."""
    units = text.encode("utf-16-be", "replace")
    codes = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return '"' + "".join(chr(c) if 32 <= c < 127 and c not in {34, 92} else f"\\u{c:04x}" for c in codes) + '"'
