"""A relay as small as one can be (relay A.1 to A.5, C.4), for tests of those who tunnel: real sockets, and obedient.

It says nothing by itself on a waiting session, and hands visitors' connections to the test instead of listening for
them: `session()` gives one that waits, `Session.claim` makes it a visitor's.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.relay.agent.connection import Buffers, Connection
from homeport.relay.agent.tls import TlsEngine
from homeport.relay.contexts import server_context
from homeport.testing.ports import free_port
from homeport.wire import ethereum

WAIT_SECONDS = 10.0


@dataclass
class Session:
    """The relay's end of one reverse session."""

    connection: Connection
    token: str

    async def claim(self, marker: int, data: bytes = b"") -> None:
        """A visitor is there; its first bytes may come along with the marker."""
        await self.connection.write(bytes([marker]) + data)

    async def keep_alive(self) -> None:
        """What a relay says every 15 seconds."""
        await self.connection.write(b"\0")

    async def send(self, data: bytes) -> None:
        """From the visitor."""
        await self.connection.write(data)

    async def receive(self) -> bytes:
        """Some bytes for the visitor; none at the agent's close_notify. Raises ConnectionResetError without one."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.connection.read(64 * 1024)

    async def end(self) -> None:
        """Our close_notify: nothing more will come, and what the agent sends is read on."""
        self.connection.engine.close()
        await self.connection.flush()

    def cut(self) -> None:
        """As a relay that dies: TCP ends, without a word of TLS."""
        self.connection.close()


class TlsVisitor:
    """A browser on a claimed session: TLS inside the tunnel's, verified against the relay's authority."""

    def __init__(self, session: Session, hostname: str, trusted: ssl.SSLContext) -> None:
        self._session = session
        self._engine = TlsEngine(trusted, server_hostname=hostname)

    async def handshake(self) -> None:
        """The first bytes go together with the marker, as relays may send them. Raises ssl.SSLError."""
        self._engine.handshake()
        await self._session.claim(0x02, self._engine.output())
        while not self._engine.handshake():
            self._engine.feed(await self._some())
        await self._flush()

    async def send(self, data: bytes) -> None:
        self._engine.write(data)
        await self._flush()

    async def receive(self) -> bytes:
        """Some plain bytes; none once the agent has ended its side."""
        view = memoryview(bytearray(64 * 1024))
        while not (count := self._engine.read(view)) and not self._engine.ended:
            self._engine.feed(await self._some())
        return bytes(view[:count])

    async def receive_all(self) -> bytes:
        """Until the agent has ended its side."""
        got = b""
        while piece := await self.receive():
            got += piece
        return got

    async def end(self) -> None:
        """The visitor's close_notify, inside; the tunnel stays."""
        self._engine.close()
        await self._flush()

    async def _some(self) -> bytes:
        got = await self._session.receive()
        if not got:
            raise ConnectionResetError("the agent ended the tunnel, and not TLS inside it")
        return got

    async def _flush(self) -> None:
        if data := self._engine.output():
            await self._session.send(data)


@dataclass
class Refusal:
    """What a path answers instead: an error of the envelope, or (with an empty code) plain text."""

    status: int
    code: str = ""


@dataclass
class FakeRelay:
    """Serves https://localhost:<port> inside `async with`. Everything it was asked for stands in `requests`."""

    protocol: str = "7"
    ttl: int = 120
    extra: dict[str, Any] = field(default_factory=dict)  # of the answer to a registration
    refusals: dict[str, Refusal] = field(default_factory=dict)  # by path, until it is taken away
    siwe_domain: str = ""  # of the messages to sign, instead of its own
    accepts: bool = True  # False: connections are taken and nothing is said
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = 0
        self.leases: dict[str, str] = {}  # label by token
        self._key, self.ca_pem = _authority()
        self._context = self._leaf(["localhost"])
        self._sessions: asyncio.Queue[Session] = asyncio.Queue()
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._challenges: dict[str, tuple[str, dict[str, Any]]] = {}
        self._listener: socket.socket | None = None
        self._count = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def trusted(self) -> ssl.SSLContext:
        """What trusts this relay, and what its authority signs."""
        return ssl.create_default_context(cadata=self.ca_pem)

    async def start(self) -> None:
        """Listen, on the port it had before, if it had one."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind(("127.0.0.1", self.port or free_port()))
        listener.listen(128)
        self._listener, self.port = listener, listener.getsockname()[1]
        self._spawn(self._accept(listener))

    async def stop(self) -> None:
        """Every connection breaks, as when a process is killed."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        for connection in self._open:
            connection.close()
        self._open.clear()
        while not self._sessions.empty():
            self._sessions.get_nowait()

    async def session(self) -> Session:
        """One that waits, the oldest first."""
        async with asyncio.timeout(WAIT_SECONDS):
            return await self._sessions.get()

    @property
    def waiting(self) -> int:
        """Sessions that nobody has taken by `session()`."""
        return self._sessions.qsize()

    async def visit(self, hostname: str) -> TlsVisitor:
        """A browser that is through its handshake."""
        visitor = TlsVisitor(await self.session(), hostname, self.trusted)
        await visitor.handshake()
        return visitor

    def asked(self, path: str) -> int:
        """How often."""
        return sum(1 for each, _, _ in self.requests if each == path)

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            sock, _ = await asyncio.get_running_loop().sock_accept(listener)
            sock.setblocking(False)
            self._spawn(self._serve(sock))

    async def _serve(self, sock: socket.socket) -> None:
        engine = TlsEngine(self._context)
        connection = Connection(sock, engine, Buffers())
        self._open.add(connection)
        try:
            if not self.accepts:
                await asyncio.Event().wait()
            while not engine.handshake():
                await connection.flush()
                if not await connection.fill():
                    return connection.close()
            await connection.flush()
            while await self._request(connection):
                continue
        except OSError:  # the agent's affair
            connection.close()

    async def _request(self, connection: Connection) -> bool:
        """Answer one; whether the connection goes on as HTTP."""
        got = b""
        while b"\r\n\r\n" not in got:
            piece = await connection.read(64 * 1024)
            if not piece:
                connection.close()
                return False
            got += piece
        head, _, body = got.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        path = lines[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", "0")):
            body += await connection.read(64 * 1024)
        asked = json.loads(body) if body else {}
        self.requests.append((path, headers, asked))
        if refusal := self.refusals.get(path):
            await connection.write(_refused(refusal))
            return True
        token = headers.get("x-portal-access-token", "") or asked.get("access_token", "")
        if path not in _OPEN and token not in self.leases:
            await connection.write(_refused(Refusal(404, "lease_not_found")))
            return True
        if path == "/sdk/connect":
            await connection.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
            self._sessions.put_nowait(Session(connection, token))
            return False
        status, data = self._answer(path, asked, token)
        await connection.write(_http(status, {"ok": True, "data": data}))
        return True

    def _answer(self, path: str, asked: dict[str, Any], token: str) -> tuple[int, Mapping[str, Any]]:
        expires_at = (datetime.now(UTC) + timedelta(seconds=self.ttl)).isoformat()
        if path == "/sdk/domain":
            return 200, {"protocol_version": self.protocol, "release_version": "v0"}
        if path == "/sdk/register/challenge":
            self._count += 1
            number = f"rch_{self._count:016x}"
            domain = self.siwe_domain or f"localhost:{self.port}"
            message = _siwe(domain, asked["identity"]["address"], number)
            self._challenges[number] = (message, asked)
            return 201, {"challenge_id": number, "expires_at": expires_at, "siwe_message": message}
        if path == "/sdk/register":
            message, wanted = self._challenges.pop(asked["challenge_id"])
            assert asked["siwe_message"] == message
            assert ethereum.recover_message(message, asked["siwe_signature"]) == wanted["identity"]["address"]
            token = f"token-{self._count}"
            self.leases[token] = wanted["identity"]["name"]
            return 201, {
                "identity": wanted["identity"],
                "expires_at": expires_at,
                "access_token": token,
                "sni_port": self.port,
                **self.extra,
            }
        if path == "/sdk/renew":
            self.leases[f"{token}+"] = self.leases[token]
            return 200, {"expires_at": expires_at, "access_token": f"{token}+"}
        if path == "/sdk/unregister":
            del self.leases[token]
            return 200, {}
        assert path == "/sdk/certificate", path
        return 200, {"certificate": self._sign(asked["csr"])}

    def _sign(self, request: str) -> str:
        asked = x509.load_pem_x509_csr(request.encode())
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        leaf = _certificate(names, asked.public_key(), self._key, x509.load_pem_x509_certificate(self.ca_pem.encode()))
        return leaf.public_bytes(serialization.Encoding.PEM).decode()

    def _leaf(self, hosts: list[str]) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        leaf = _certificate(names, key.public_key(), self._key, x509.load_pem_x509_certificate(self.ca_pem.encode()))
        return server_context(_pem(key) + leaf.public_bytes(serialization.Encoding.PEM))


_OPEN = {"/sdk/domain", "/sdk/register/challenge", "/sdk/register"}


def _siwe(domain: str, address: str, number: str) -> str:
    now = datetime.now(UTC).replace(microsecond=0)
    return "\n".join(
        (
            f"{domain} wants you to sign in with your Ethereum account:",
            address,
            "",
            "Register a portal lease",
            "",
            f"URI: https://{domain}/sdk/register",
            "Version: 1",
            "Chain ID: 1",
            "Nonce: AbCdEfGhIjKlMnOp",
            f"Issued At: {now:%Y-%m-%dT%H:%M:%SZ}",
            f"Expiration Time: {now + timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}",
            f"Request ID: {number}",
        )
    )


def _http(status: int, body: object) -> bytes:
    content = json.dumps(body).encode() + b"\n"
    return (
        f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode()
        + content
    )


def _refused(refusal: Refusal) -> bytes:
    if not refusal.code:
        return f"HTTP/1.1 {refusal.status} Said\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nnone".encode()
    return _http(refusal.status, {"ok": False, "error": {"code": refusal.code, "message": "as the test wants it"}})


def _authority() -> tuple[ec.EllipticCurvePrivateKey, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A relay for tests")])
    now = datetime.now(UTC)
    ca = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, ca.public_bytes(serialization.Encoding.PEM).decode()


def _certificate(
    names: x509.SubjectAlternativeName, public: Any, key: ec.EllipticCurvePrivateKey, ca: x509.Certificate
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(ca.subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=10))
        .add_extension(names, critical=True)
        .sign(key, hashes.SHA256())
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
