"""Docker Engine: its connection and its images. Only what carries this portal's label is ever touched."""

from __future__ import annotations

from homeport.services.docker.engine import Engine
from homeport.services.docker.images import Images

__all__ = ["Engine", "Images"]
