"""The plain text of a visitor's TLS, as a stream."""

from __future__ import annotations

import contextlib
import threading

from homeport.testing.relay_client.tenant.hello import Offer
from homeport.testing.relay_client.tenant.records import ALERT, APPLICATION_DATA, HANDSHAKE, Records, TlsFault

_CLOSE_NOTIFY = b"\x01\x00"


class TenantTls:
    """A ByteStream. `version` is `TLSv1.2` or `TLSv1.3`, `offer` what the visitor's hello said."""

    def __init__(self, records: Records, offer: Offer, version: str) -> None:
        self.offer = offer
        self.version = version
        self._records = records
        self._writing = threading.Lock()
        self._seen = b""
        self._ended = False

    def recv(self, limit: int) -> bytes:
        while not self._seen and not self._ended:
            record = self._records.read()
            if record is None:
                raise EOFError("the visitor's TLS ended without close_notify")
            kind, content = record
            if kind == APPLICATION_DATA:
                self._seen = content
            elif kind == ALERT:
                if content != _CLOSE_NOTIFY:
                    raise TlsFault(f"the visitor sent alert {content[1]}")
                self._ended = True
            elif kind != HANDSHAKE:
                raise TlsFault(f"record {kind} among the data")
        data, self._seen = self._seen[:limit], self._seen[limit:]
        return data

    def sendall(self, data: bytes) -> None:
        with self._writing:
            self._records.write(APPLICATION_DATA, data)

    def half_close(self) -> None:
        with self._writing:
            self._records.write(ALERT, _CLOSE_NOTIFY)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.half_close()
        self._records.stream.close()
