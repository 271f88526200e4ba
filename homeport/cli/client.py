"""The portal's API as the verbs call it: one HTTP client and its WebSockets, with problems instead of status codes."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Self
from urllib.parse import urlencode

import httpx

from homeport import __version__
from homeport.cli.connection import Connection
from homeport.cli.problems import CertificateUnknown, NotSignedIn, PortalRefused, PortalUnreachable

_CHUNK = 256 * 1024
_RETRY_AFTER = 0.5
_LONGEST_WAIT = 65  # seconds, for the next minute of the rate limit
_OF_SIGN_IN = {"invalid_credentials", "2fa_required", "invalid_totp_code"}


class Client:
    """Talks to one portal. Every call raises a Problem for whatever goes wrong; `timeout` is in seconds."""

    def __init__(self, connection: Connection, *, timeout: float = 60) -> None:
        self._connection = connection
        self._timeout = timeout
        self._tls = connection.tls()
        host, port = connection.host, connection.port
        self._authority = (f"[{host}]" if ":" in host else host) + ("" if port == 443 else f":{port}")
        address = f"[{connection.address}]" if ":" in connection.address else connection.address
        # A portal is reached directly: the proxies of the environment are for the internet, not for one's own machines.
        self._http = httpx.Client(
            base_url=f"https://{address}:{port}", verify=self._tls, timeout=timeout, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @property
    def url(self) -> str:
        """The portal's own address."""
        return self._connection.url

    def get(self, path: str, **query: object) -> Any:
        """The JSON that GET answers; parameters that are None are left out."""
        return self._send("GET", path, query={name: value for name, value in query.items() if value is not None})

    def post(self, path: str, body: object = None, *, once: bool = False) -> Any:
        """The JSON that POST answers. `once` sends an Idempotency-Key and asks again when the connection breaks."""
        if not once:
            return self._send("POST", path, body=body)
        headers = {"Idempotency-Key": secrets.token_urlsafe(24)}
        try:
            return self._send("POST", path, body=body, headers=headers)
        except CertificateUnknown:
            raise
        except PortalUnreachable:
            time.sleep(_RETRY_AFTER)
            return self._send("POST", path, body=body, headers=headers)

    def patch(self, path: str, body: object) -> Any:
        """The JSON that PATCH answers."""
        return self._send("PATCH", path, body=body)

    def put(self, path: str, body: object = None) -> Any:
        """The JSON that PUT answers."""
        return self._send("PUT", path, body=body)

    def delete(self, path: str) -> Any:
        """DELETE, which mostly answers nothing."""
        return self._send("DELETE", path)

    def upload(self, file: IO[bytes], size: int, sent: Callable[[int], None]) -> Any:
        """Send `size` bytes of an archive to the portal; `sent` hears the size of each piece."""

        def pieces() -> Iterator[bytes]:
            while piece := file.read(_CHUNK):
                yield piece
                sent(len(piece))

        headers = {"Content-Type": "application/gzip", "Content-Length": str(size)}
        return self._send("POST", "/api/uploads", content=pieces(), headers=headers)

    @contextlib.contextmanager
    def stream(self, path: str, **query: object) -> Iterator[Iterator[Any]]:
        """The JSON messages of a WebSocket until the portal closes it. PortalUnreachable when it breaks."""
        from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus, WebSocketException
        from websockets.sync.client import connect

        connection = self._connection
        text = urlencode({name: value for name, value in query.items() if value is not None})
        try:
            sock = socket.create_connection((connection.address, connection.port), timeout=10)
            with connect(
                f"wss://{self._authority}{path}?{text}",
                sock=sock,
                ssl=self._tls,
                server_hostname=connection.host,
                additional_headers={"Authorization": f"Bearer {connection.key}"},
                user_agent_header=f"homeport/{__version__}",
                open_timeout=10,
                max_size=1 << 20,
            ) as channel:

                def messages() -> Iterator[Any]:
                    with contextlib.suppress(ConnectionClosedOK):
                        while True:
                            yield json.loads(channel.recv())

                yield messages()
        except InvalidStatus as refusal:
            raise self._refusal(refusal.response.status_code, bytes(refusal.response.body or b"")) from refusal
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 1008:  # a name that nobody has
                body = json.dumps({"error": closed.rcvd.reason, "code": "service_not_found"}).encode()
                raise self._refusal(404, body) from closed
            raise self._unreachable(closed) from closed
        except (WebSocketException, OSError, EOFError) as fault:
            raise self._unreachable(fault) from fault

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: object = None,
        content: Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        sent = {"Host": self._authority, "User-Agent": f"homeport/{__version__}", **(headers or {})}
        if self._connection.key:
            sent["Authorization"] = f"Bearer {self._connection.key}"
        for waits in (_LONGEST_WAIT, 0):
            try:
                answer = self._http.request(
                    method,
                    path,
                    params=query,
                    json=body,
                    content=content,
                    headers=sent,
                    extensions={"sni_hostname": self._connection.host},
                )
            except httpx.HTTPError as fault:
                raise self._unreachable(fault) from fault
            if answer.is_success:
                return answer.json() if answer.content else None
            refused = self._refusal(answer.status_code, answer.content)
            after = answer.headers.get("retry-after", "")
            # Nothing was done yet: this minute's requests are used up. An archive that was half sent cannot be resent.
            if refused.code != "rate_limited" or content is not None or not after.isdecimal() or int(after) > waits:
                raise refused
            time.sleep(int(after))
        raise refused

    def _refusal(self, status: int, content: bytes) -> PortalRefused | NotSignedIn:
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        refused = PortalRefused(body if isinstance(body, dict) else {}, status)
        if status == 401 and refused.code not in _OF_SIGN_IN:
            return NotSignedIn(
                f"{self.url} does not accept the saved credentials (any more): run `homeport login {self.url}`."
            )
        return refused

    def _unreachable(self, fault: BaseException) -> PortalUnreachable:
        reason: BaseException | None = fault
        while reason is not None:
            if isinstance(reason, ssl.SSLCertVerificationError):
                return CertificateUnknown(
                    f"The certificate of {self.url} is not trusted here ({reason.verify_message}): "
                    f"run `homeport login {self.url}`, with --ca FILE if you have its CA file."
                )
            reason = reason.__cause__ or reason.__context__
        if isinstance(fault, httpx.TimeoutException | TimeoutError):
            return PortalUnreachable(f"{self.url} did not answer within {self._timeout:.0f} seconds.")
        word = str(fault) or type(fault).__name__
        return PortalUnreachable(f"{self.url} cannot be reached ({word}): does it run? Start it with `homeport up`.")
