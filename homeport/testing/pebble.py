"""A real ACME directory on loopback: Pebble, with the name server that its tests come with."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from homeport.testing.ports import free_ports

START_SECONDS = 10


def pebble_is_installed() -> bool:
    """Whether the Debian package pebble is there."""
    return shutil.which("pebble") is not None and shutil.which("pebble-challtestsrv") is not None


class Pebble:
    """Every name that it asks for is 127.0.0.1, unless `dns` (address:port) names another name server.

    `ca_file` is there before it starts: what its own HTTPS is signed with. It rejects one nonce in five, as it may.
    """

    def __init__(self, folder: Path, *, http_port: int, tls_port: int, dns: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._http_port = http_port
        self._tls_port = tls_port
        self._dns = dns
        self._port, self._management, self._names, self._orders = free_ports(4)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.ca_file = folder / "https.pem"
        write_certificate(self.ca_file, folder / "https.key")

    @property
    def directory_url(self) -> str:
        return f"https://127.0.0.1:{self._port}/dir"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """With nothing in it: Pebble forgets its accounts. Raises RuntimeError with its log when it does not start."""
        config = {
            "listenAddress": f"127.0.0.1:{self._port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self.ca_file),
            "privateKey": str(self._folder / "https.key"),
            "httpPort": self._http_port,
            "tlsPort": self._tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        file = self._folder / "pebble.json"
        file.write_text(json.dumps({"pebble": config}))
        dns = self._dns or f"127.0.0.1:{self._names}"
        quick = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20", "PEBBLE_AUTHZREUSE": "0"}
        with (self._folder / "pebble.log").open("ab") as log:
            if not self._dns:
                names = ["-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-dns01", f"127.0.0.1:{self._names}"]
                off = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-management", f"127.0.0.1:{self._orders}"]
                self._run(["pebble-challtestsrv", *names, *off], log.fileno(), {})
            self._run(["pebble", "-config", str(file), "-dnsserver", dns], log.fileno(), quick)
        self._wait()

    def stop(self) -> None:
        """What was issued stays valid."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()

    def set_txt(self, name: str, value: str) -> None:
        """As an owner of the name would, in the name server that it came with."""
        body = json.dumps({"host": f"{name}.", "value": value}).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._orders}/set-txt", body)
        with urllib.request.urlopen(request, timeout=5):  # noqa: S310
            return

    def root(self) -> str:
        """The authority that signs what it issues, in PEM; a new one at each start."""
        return self._fetch(f"https://127.0.0.1:{self._management}/roots/0")

    def _run(self, argv: list[str], log: int, environment: dict[str, str]) -> None:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environment}
        )
        self._processes.append(process)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._fetch(self.directory_url)
            except OSError:
                ended = any(process.poll() is not None for process in self._processes)
                if ended or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(
                        f"Pebble did not start:\n{self._folder.joinpath('pebble.log').read_text()}"
                    ) from None
                time.sleep(0.05)
            else:
                return

    def _fetch(self, url: str) -> str:
        trusted = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(url, timeout=5, context=trusted) as answer:  # noqa: S310
            return str(answer.read().decode())


def write_certificate(path: Path, key_path: Path) -> None:
    """A certificate for 127.0.0.1 and localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Pebble")])
    now = datetime.now(UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
