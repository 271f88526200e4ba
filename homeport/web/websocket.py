"""Uvicorn's WebSocket, with a short way out for text: a line goes to a thousand viewers, and each step counts."""

from __future__ import annotations

import functools

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State

from homeport.identity.sockets import WRITE_TEXT

KEPT_FRAMES = 8  # a message's viewers are served one after the other


class WebSocketConnection(WebSocketsSansIOProtocol):
    """Offers the application the extension WRITE_TEXT. Frames are made once for all who get the same text, which asks
    for no compression (it is off) and no mask (RFC 6455 5.1: a server sends none)."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][WRITE_TEXT] = {"write": self.write_text}

    def write_text(self, text: str) -> bool:
        """Write one message, or nothing: False before the upgrade, while the client's buffer is full, after the end."""
        if (
            not self.handshake_complete
            or not self.writable.is_set()
            or self.disconnected
            or self.close_sent
            or self.conn.state is not State.OPEN
            or self.transport.is_closing()
        ):
            return False
        self.transport.write(_frame(text))
        return True


@functools.lru_cache(KEPT_FRAMES)
def _frame(text: str) -> bytes:
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
