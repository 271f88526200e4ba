"""The pictures that are held, in memory: the ones asked for least go first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from homeport.relay.thumbnails.pictures import Picture

MOST_PICTURES = 256
MOST_BYTES = 32 * 1024 * 1024  # of all pictures together


@dataclass(frozen=True, slots=True)
class Hung:
    """A picture and where it is from: what the tunnel's metadata said, empty for one of the tunnel's own page."""

    source: str
    picture: Picture


class Gallery:
    """One picture for each identity, by its key."""

    def __init__(self, most_pictures: int = MOST_PICTURES, most_bytes: int = MOST_BYTES) -> None:
        self._most_pictures = most_pictures
        self._most_bytes = most_bytes
        self._hung: OrderedDict[str, Hung] = OrderedDict()
        self.size = 0  # bytes

    def __len__(self) -> int:
        return len(self._hung)

    def find(self, key: str, source: str) -> Picture | None:
        """The identity's picture, if it is from there; it counts as asked for."""
        hung = self._hung.get(key)
        if hung is None or hung.source != source:
            return None
        self._hung.move_to_end(key)
        return hung.picture

    def holds(self, key: str, source: str) -> bool:
        hung = self._hung.get(key)
        return hung is not None and hung.source == source

    def hang(self, key: str, source: str, picture: Picture) -> None:
        """In place of the identity's other one."""
        self.take_down(key)
        self._hung[key] = Hung(source, picture)
        self.size += _size(self._hung[key])
        while len(self._hung) > self._most_pictures or self.size > self._most_bytes:
            self.take_down(next(iter(self._hung)))

    def take_down(self, key: str) -> None:
        hung = self._hung.pop(key, None)
        if hung is not None:
            self.size -= _size(hung)


def _size(hung: Hung) -> int:
    return len(hung.picture.data) + len(hung.source)
