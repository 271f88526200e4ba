"""The database: engine, sessions, tables' base, migrations, durable work."""

from homeport.storage.database import Database
from homeport.storage.durable import Durable, Step, Workflow
from homeport.storage.options import Options
from homeport.storage.rotation import KeyRotation, KeyUse, Rotated
from homeport.storage.tables import Base, Instant, Json

__all__ = [
    "Base",
    "Database",
    "Durable",
    "Instant",
    "Json",
    "KeyRotation",
    "KeyUse",
    "Options",
    "Rotated",
    "Step",
    "Workflow",
]
