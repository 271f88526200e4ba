"""Modules that are imported when something of them is used: for a library's imports that we never come to."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


def late(name: str, *parts: str) -> None:
    """Put a stand-in where `import name` and `from name import part` look, unless the module is there already.

    The first look at anything but the named parts (or into one of them) imports the real module.
    """
    if name in sys.modules:
        return
    stand_in = sys.modules[name] = _StandIn(name, name, parts)
    for part in parts:
        whole = f"{name}.{part}"
        inner = sys.modules[whole] = _StandIn(whole, name, parts)
        setattr(stand_in, part, inner)


class _StandIn(ModuleType):
    def __init__(self, name: str, root: str, parts: tuple[str, ...]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []  # a package, so that `import psycopg.rows` asks here and not for a file
        self.__dict__["_homeport"] = (root, parts)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or "_homeport" not in self.__dict__:
            raise AttributeError(attribute)
        root, parts = self.__dict__["_homeport"]
        for one in (root, *(f"{root}.{part}" for part in parts)):
            if isinstance(sys.modules.get(one), _StandIn):
                del sys.modules[one]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(real.__dict__)  # whoever holds the stand-in looks at the real thing from now on
        return getattr(real, attribute)
