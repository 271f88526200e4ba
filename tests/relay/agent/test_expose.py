"""`homeport expose` as a person runs it: the verb, a real portal as relay, and what is made public."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from homeport.kit.clock import SystemClock
from homeport.relay.agent import Agent, Automatic, FromTheRelay, Relay, TcpTarget, Wish, client_context
from homeport.relay.agent.identity import new_identity
from homeport.relay.agent.tls import TlsEngine
from homeport.testing.portal import PortalProcess
from homeport.testing.ports import free_port
from homeport.testing.relay_portal import RelayPortal

from .conftest import until

EXPOSE = (sys.executable, "-m", "homeport", "expose")
SECRET = b"the secret that nobody between may read"


class _Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._say(SECRET + b" " + self.path.encode())

    def do_POST(self) -> None:
        self._say(self.rfile.read(int(self.headers["Content-Length"])))

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def page() -> Iterator[int]:
    """The port of a small web service."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalProcess]:
    with PortalProcess(tmp_path_factory.mktemp("portal")) as process:
        yield process


class Exposed:
    """A running `homeport expose --json`: reads what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, true: Callable[[Mapping[str, Any]], bool], seconds: float = 40) -> Mapping[str, Any]:
        """The first thing said that is so, among what comes from now on and the last before."""
        deadline = time.monotonic() + seconds
        at = max(0, len(self.said) - 1)
        with self._changed:
            while True:
                for line in self.said[at:]:
                    if true(line):
                        return line
                at = len(self.said)
                assert self._changed.wait(deadline - time.monotonic()), f"it said: {self.said}"

    def state(self, state: str) -> Mapping[str, Any]:
        """What it says when its state is this."""
        return self.until(lambda line: line.get("state") == state)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.said.append(json.loads(line))
                self._changed.notify_all()


@contextmanager
def exposed(portal: PortalProcess, *words: str) -> Iterator[Exposed]:
    """Runs until the end of the block."""
    process = subprocess.Popen(
        [*EXPOSE, "--json", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=portal.environment,
    )
    try:
        yield Exposed(process)
    finally:
        process.terminate()
        process.wait(20)
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            pipe.close()


def test_a_port_is_public_by_the_portal_that_one_is_signed_in_to(portal: PortalProcess, page: int) -> None:
    with exposed(portal, str(page), "--name", "first", "--description", "a page") as verb:
        status = verb.state("online")

        assert status["url"] == f"https://first.localhost:{portal.port}"
        assert portal.fetch("first", "/hello").content == SECRET + b" /hello"

        verb.process.terminate()
        assert verb.process.wait(20) == 0

    with pytest.raises(httpx.HTTPError), portal.client("first") as client:
        client.get("/hello").raise_for_status()


def test_the_tunnel_belongs_to_who_is_signed_in(portal: PortalProcess, page: int) -> None:
    with exposed(portal, str(page), "--name", "mine") as verb, portal.api() as api:
        verb.state("online")

        rows = api.get("/api/tunnels").json()["data"]

        assert [row["hostname"] for row in rows if row["hostname"] == "mine.localhost"]


def test_it_survives_the_relays_death_without_a_human(portal: PortalProcess, page: int) -> None:
    with exposed(portal, str(page), "--name", "tough") as verb:
        verb.state("online")

        portal.kill()
        verb.state("offline")
        portal.start()
        verb.state("online")

        assert portal.fetch("tough", "/again").content == SECRET + b" /again"


def test_a_name_that_somebody_else_has_is_refused_clearly(portal: PortalProcess, page: int, tmp_path: Path) -> None:
    with exposed(portal, str(page), "--name", "taken") as verb:
        verb.state("online")
        stranger = subprocess.run(
            [*EXPOSE, str(page), "--name", "taken", "--relay", portal.base_url, "--ca", str(portal.ca_path)],
            env={**portal.environment, "XDG_CONFIG_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert stranger.returncode == 5, stranger.stderr
    assert "take another --name" in stranger.stderr


def test_two_agents_of_one_identity_do_not_fight(portal: PortalProcess, page: int) -> None:
    with exposed(portal, str(page), "--name", "single") as verb:
        verb.state("online")

        done = portal.homeport("expose", str(page), "--name", "single")

    assert done.returncode == 5
    assert f"by process {verb.process.pid}" in done.stderr


def test_a_relay_that_nobody_trusts_is_not_spoken_to(portal: PortalProcess, page: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [*EXPOSE, str(page), "--name", "x", "--relay", portal.base_url],
        env={**portal.environment, "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 7
    assert "--ca FILE" in done.stderr


@contextmanager
def unread(portal: PortalProcess, page: int, name: str) -> Iterator[subprocess.Popen[str]]:
    """Whose reader is gone since it was online."""
    words = [*EXPOSE, str(page), "--name", name, "--json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=portal.environment, stdout=pipe, stderr=pipe, text=True) as verb:
        try:
            assert verb.stdout is not None
            while '"online"' not in verb.stdout.readline():
                assert verb.poll() is None
            verb.stdout.close()
            yield verb
        finally:
            verb.kill()


@contextmanager
def visiting(portal: PortalProcess, hostname: str) -> Iterator[None]:
    """A visitor who begins to speak TLS; that its tunnel ends before it is answered is no fault."""
    hello = ssl.MemoryBIO()
    tls = portal.tls.wrap_bio(ssl.MemoryBIO(), hello, server_hostname=hostname)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    with socket.create_connection(("127.0.0.1", portal.port), timeout=20) as sock:
        sock.sendall(hello.read())
        yield


def test_it_ends_with_whoever_read_what_it_says(portal: PortalProcess, page: int) -> None:
    with unread(portal, page, "brief") as verb, visiting(portal, "brief.localhost"):  # it has something to say again
        assert verb.wait(60) == 0
        assert verb.stderr is not None
        assert verb.stderr.read() == ""


def test_it_ends_with_whoever_read_its_states(portal: PortalProcess, page: int) -> None:
    with unread(portal, page, "quiet") as verb:
        banned = portal.homeport("relay", "ban", "quiet")  # nobody visits it: only its state is new
        assert banned.returncode == 0, banned.stderr

        assert verb.wait(60) == 0
        assert verb.stderr is not None
        assert verb.stderr.read() == ""


def test_what_is_no_target_is_a_mistake_of_usage(portal: PortalProcess) -> None:
    done = portal.homeport("expose", "seventy", "--name", "x")

    assert done.returncode == 2
    assert "3000" in done.stderr


def test_ports_for_bytes_and_datagrams_lead_to_the_same_number(
    echoes: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with RelayPortal(tmp_path_factory.mktemp("ports")) as portal:
        with portal.api() as api:
            for kind in ("udp", "tcp-port"):
                assert api.post(f"/admin/settings/{kind}", json={"enabled": True, "max_leases": 0}).is_success
        with exposed(portal, str(echoes), "--name", "ports", "--tcp", "--udp") as verb:
            status = verb.state("online")

            answers = [
                _echo(socket.SOCK_STREAM, int(status["tcp_addr"].rpartition(":")[2])),
                _echo(socket.SOCK_DGRAM, int(status["udp_addr"].rpartition(":")[2])),
            ]

            assert answers == [b"hello", b"hello"]
            assert verb.until(lambda line: line.get("event") == "traffic" and line["sent"] >= 10)


@pytest.fixture
def echoes() -> Iterator[int]:
    """The port of a service that says what it is told, by TCP and by UDP."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", free_port()))
    stream = socket.create_server(datagrams.getsockname())

    def echo_datagrams() -> None:
        with contextlib.suppress(OSError):
            while True:
                data, address = datagrams.recvfrom(2000)
                datagrams.sendto(data, address)

    def echo_streams() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = stream.accept()
                with connection:
                    connection.sendall(connection.recv(100))

    for serve in (echo_datagrams, echo_streams):
        threading.Thread(target=serve, daemon=True).start()
    yield stream.getsockname()[1]
    datagrams.close()
    stream.close()


def _echo(kind: socket.SocketKind, port: int) -> bytes:
    """What comes back. A datagram is sent again: the agent's connection for them comes up after the tunnel."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.connect(("127.0.0.1", port))
        if kind is socket.SOCK_STREAM:
            sock.settimeout(10)
            sock.sendall(b"hello")
            return sock.recv(100)
        sock.settimeout(1)
        for _ in range(20):
            sock.sendall(b"hello")
            with contextlib.suppress(TimeoutError):
                return sock.recv(100)
    return b""


async def test_what_the_relay_forwards_is_ciphertext_that_only_the_agent_can_read(
    portal: PortalProcess, page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The visitor's bytes arrive at the agent's TLS as they left the visitor: the relay has touched none of them, and
    what the visitor was shown was signed with a key that the relay has never seen."""
    forwarded: dict[TlsEngine, bytes] = {}
    feed = TlsEngine.feed

    def heard(engine: TlsEngine, data: bytes | memoryview) -> None:
        forwarded[engine] = forwarded.get(engine, b"") + bytes(data)
        feed(engine, data)

    ca = portal.ca_path.read_text()
    clock = SystemClock()
    source = FromTheRelay(clock)
    agent = Agent(
        new_identity("sealed"),
        [Relay(portal.base_url, client_context(ca))],
        TcpTarget("127.0.0.1", page),
        Wish(),
        Automatic(source, source, None),
    )
    await agent.start()
    try:
        await until(agent, "online", 30)
        monkeypatch.setattr(TlsEngine, "feed", heard)
        sent, received, key = await asyncio.to_thread(_visit, portal.port, "sealed.localhost", ca)
    finally:
        await agent.stop()

    assert sent in forwarded.values()
    for bytes_on_the_wire in (sent, received):
        assert bytes_on_the_wire[0] == 22  # a TLS handshake record
        assert SECRET not in bytes_on_the_wire
        assert b"GET /wire" not in bytes_on_the_wire
    kept = [file.read_bytes() for file in portal.data_dir.rglob("*") if file.is_file()]
    keys = [load_pem_private_key(content, None) for content in kept if content.startswith(b"-----BEGIN PRIVATE KEY")]
    assert keys
    assert key not in [each.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for each in keys]


def _visit(port: int, hostname: str, ca: str) -> tuple[bytes, bytes, bytes]:
    """Ask for a page, and keep every byte that went through the public socket; then the public key that was shown."""
    context = ssl.create_default_context(cadata=ca)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=hostname)
    sent = received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:

        def shake() -> bool:
            tls.do_handshake()
            return True

        def until_done(step: Callable[[], Any]) -> Any:
            nonlocal sent, received
            while True:
                try:
                    result = step()
                except ssl.SSLWantReadError:
                    result = None
                if out := outgoing.read():
                    sock.sendall(out)
                    sent += out
                if result is not None:
                    return result
                data = sock.recv(65536)
                assert data, "the tunnel ended"
                incoming.write(data)
                received += data

        until_done(shake)
        until_done(lambda: tls.write(f"GET /wire HTTP/1.1\r\nHost: {hostname}\r\nConnection: close\r\n\r\n".encode()))
        page = b""
        while SECRET + b" /wire" not in page:
            page += until_done(lambda: tls.read(65536))
        leaf = tls.getpeercert(binary_form=True)
    assert leaf is not None
    public = x509.load_der_x509_certificate(leaf).public_key()
    return sent, received, public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
