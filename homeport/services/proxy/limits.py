"""Every bound of the proxy, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Durations are seconds, accurate to half a second."""

    connect: float = 5.0  # an app accepts a connection
    response: float = 60.0  # the head of its answer comes, counted from the end of the request
    head: float = 15.0  # a client sends a whole request head
    keep_alive: float = 75.0  # a client's connection without a request
    body: float = 60.0  # between two pieces of a request's body
    stream: float = 600.0  # between two pieces of an answer
    tunnel: float = 3600.0  # between two pieces in a WebSocket or another upgrade
    app_idle: float = 4.0  # a connection kept to an app: most apps close after 5
    linger: float = 2.0  # reading on after an answer that came before the end of its request
    connections: int = 4000  # of clients
    per_instance: int = 512  # connections to one instance
    idle_per_instance: int = 64
    body_bytes: int | None = None  # largest body of a request; None: as long as the app takes it
    buffered_bytes: int = 256 * 1024  # in each direction of a connection, before its source is paused
