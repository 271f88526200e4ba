"""A stand-in costs nothing until something of the module is used, and then is the module."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from homeport.kit.late import late
late("psycopg", "errors")
import psycopg
from psycopg import errors
assert "psycopg.connection" not in sys.modules, "imported too soon"
kind = errors.ConnectionTimeout
assert psycopg.OperationalError.__module__ == "psycopg" or psycopg.OperationalError.__name__ == "OperationalError"
assert issubclass(kind, psycopg.OperationalError)
import psycopg.rows
assert sys.modules["psycopg"].connect is psycopg.connect
late("psycopg", "errors")
assert psycopg.connect is sys.modules["psycopg"].connect
print("fine")
"""


def test_a_module_comes_when_something_of_it_is_used() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert run.stdout == "fine\n", run.stderr
