"""How the shell finds and enters the portal of its own machine without a login.

A running portal leaves `local.json` (0600) in its data directory: where it listens and an API key of the administrator.
Whoever can read that file can also read the keys that sign sessions, so it gives away nothing that was not in
reach; see docs/decisions for why.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from homeport.cli.credentials import write_private

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?")


@dataclass(frozen=True)
class LocalAccess:
    """`address` is the IP address that is listened on, reachable from this machine, `ca` the path of the CA file."""

    url: str
    address: str
    port: int
    ca: str
    key: str

    def __repr__(self) -> str:
        return f"LocalAccess(url={self.url!r})"


def local_file(data_dir: Path) -> Path:
    """Where a portal that keeps everything in `data_dir` leaves its connection details."""
    return data_dir / "local.json"


def read_local(data_dir: Path) -> LocalAccess | None:
    """The connection details in `data_dir`; None when there are none, or they are not for this user's eyes."""
    try:
        return LocalAccess(**json.loads(local_file(data_dir).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_local(data_dir: Path, access: LocalAccess) -> None:
    """Leave the connection details in `data_dir`, readable by their owner only."""
    write_private(local_file(data_dir), json.dumps(asdict(access), indent=2))


def trusted_locally(ca: str, data_dir: Path) -> str:
    """PEM of everything that the portal in `data_dir` may show: its authority, and what serves instead of its leaves.

    The path `ca` itself when there is nothing else, or it is not for this user's eyes.
    """
    try:
        kept = [file.read_text() for file in sorted((data_dir / "tls").glob("*.pem"))]
        return "".join(_CERTIFICATE.findall("".join([Path(ca).read_text(), *kept]))) if kept else ca
    except (OSError, ValueError):
        return ca
