"""Sockets that the peer has reset, as libuv watches them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


def rewatch_if_reset(loop: asyncio.AbstractEventLoop, sock: socket.socket, readable: Callable[[], None]) -> bool:
    """Whether the peer has reset `sock`, whose reader `readable` just got some of its bytes: it is called on then.

    libuv calls once for a socket with an error, and never again (uv__poll_io), whatever is still unread and although
    nobody has heard of the end. The error is taken off here: what is left can be read, and then the end. Where somebody
    also waits to write to `sock`, that one hears of the error, and has to watch for what is left to read.
    """
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    loop.remove_reader(sock)
    loop.add_reader(sock, readable)
    return True
