"""What a supervisor is told through its standard input. For type checkers only: never loaded at run time there."""

from __future__ import annotations

from typing import TypedDict


class Spec(TypedDict):
    """Plain types that `marshal` carries. Times are seconds; sizes are bytes unless their name says otherwise."""

    id: str
    service_id: str
    nonce: str
    argv: list[bytes]
    env: dict[bytes, bytes]
    cwd: bytes
    port: int
    uid: int | None
    log: str
    log_limit: int
    needles: list[bytes]
    restart_delay: float
    groups: list[tuple[str, list[tuple[str, str]]]]
    memory_mb: int
    pids: int
    watch_memory: bool
    watch_pids: bool
    cpus: list[int]
    confinement: tuple[list[str], list[str], list[str]] | None  # hidden, readable, writable
