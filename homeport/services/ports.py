"""Local ports for apps: one of its own for each release that runs."""

from __future__ import annotations

import random
import socket

from homeport.services.problems import StartFailed

TRIES = 200


class Ports:
    """Picks from `first` to `last` inclusive. The choice is written with the release, in the caller's transaction."""

    def __init__(self, first: int, last: int, chance: random.Random) -> None:
        self._first = first
        self._last = last
        self._chance = chance

    def pick(self, taken: set[int]) -> int:
        """A port that no release holds and nobody listens on. Raises StartFailed when there is none."""
        for _ in range(TRIES):
            port = self._chance.randint(self._first, self._last)
            if port not in taken and _is_free(port):
                return port
        raise StartFailed(
            f"No free port between {self._first} and {self._last}; widen app_port_first and app_port_last."
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
