"""Telling systemd how far a start has come: sd_notify(3), without its library."""

from __future__ import annotations

import os
import socket


def tell_systemd(state: str) -> bool:
    """Send `READY=1` or the like; False where no systemd waits for it (or does not hear it)."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.sendto(state.encode(), address)
    except OSError:
        return False
    return True
