"""A whole portal as a person starts it: `homeport up`, a process of its own, on a data directory of its own."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
from websockets.sync.client import ClientConnection, connect

from homeport.testing.ports import PortBlock

START_SECONDS = 30
STOP_SECONDS = 30
PATIENCE = 30  # seconds for an answer while the machine does much else; a test that promises speed measures it itself


class PortalProcess:
    """Lives in `folder`: `data/` is the data directory, `config/` holds the shell's credentials, `portal.log` its log.

    Listens on a port of 127.0.0.1 that stays its own while it is down, as do the ports of its apps and tunnels.
    `settings` are added by environment, named as in `Settings`. Leaving the context stops the portal and everything it
    has left running.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object] | None = None) -> None:
        self.data_dir = folder / "data"
        self.log = folder / "portal.log"
        self.password: str | None = None
        self.base_url = ""
        self._ports = PortBlock()
        self.port, *own = self._ports.ports
        given = {
            "app_port_first": own[0],
            "app_port_last": own[198],
            "relay_port_first": own[199],
            "relay_port_last": own[298],
            "docker_host": "",  # an engine is a test's own affair
            "certificate_port": 0,
            **dict.fromkeys(("rate_limit_api", "rate_limit_pages", "rate_limit_auth", "sockets_per_user"), 0),
            **(settings or {}),
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOMEPORT_")}
        self.environment = {
            **inherited,
            **{f"HOMEPORT_{name.upper()}": str(value) for name, value in given.items()},
            "XDG_CONFIG_HOME": str(folder / "config"),
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._end_what_it_left()

    @property
    def pid(self) -> int:
        """The portal's process."""
        if self._process is None:
            raise RuntimeError("the portal does not run")
        return self._process.pid

    @property
    def ca_path(self) -> Path:
        """The certificate of its authority."""
        return self.data_dir / "ca" / "ca.pem"

    def start(self) -> None:
        """Start, or start again, and wait until it serves. Raises RuntimeError with its log when it does not."""
        port = str(self.port)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "homeport", "up", "--json", "--data-dir", str(self.data_dir), "--port", port],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.environment,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # ends at the latest when the process does
        if not line:
            self._process.wait(START_SECONDS)
            raise RuntimeError(f"the portal did not start:\n{self.log.read_text()}")
        described = json.loads(line)
        self.base_url, self.port = described["base_url"], described["port"]
        self.password = described["password"] or self.password

    def stop(self) -> int:
        """SIGTERM, and its exit code; what it runs goes on running."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def homeport(
        self, *words: str, stdin: str = "", cwd: Path | None = None, timeout: float = 90
    ) -> subprocess.CompletedProcess[str]:
        """Run a verb of the shell as the portal's own user; `timeout` in seconds."""
        return subprocess.run(
            [sys.executable, "-m", "homeport", *words],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=cwd,
            timeout=timeout,
            check=False,
        )

    def ask(self, *words: str) -> Any:
        """The JSON that a verb answers. Raises RuntimeError with its complaint when it fails."""
        done = self.homeport(*words, "--json")
        if done.returncode != 0:
            raise RuntimeError(f"homeport {' '.join(words)}: exit {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def client(self, name: str = "", **options: Any) -> httpx.Client:
        """An HTTP client for the app called `name`, or for the portal: verifies, and needs no name to resolve."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        domain = self.environment.get("HOMEPORT_DOMAIN", "localhost")
        host = f"{name}.{domain}" if name else domain
        client = httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}", verify=context, trust_env=False, timeout=PATIENCE, **options
        )
        client.headers["Host"] = f"{host}:{self.port}"

        def ask_for(request: httpx.Request) -> None:
            request.extensions["sni_hostname"] = host

        client.event_hooks = {"request": [ask_for]}
        return client

    def fetch(self, name: str, path: str = "/") -> httpx.Response:
        """What the app called `name` answers at `path`."""
        with self.client(name) as client:
            return client.get(path)

    @property
    def key(self) -> str:
        """The machine's own API key."""
        return str(json.loads((self.data_dir / "local.json").read_text())["key"])

    @property
    def tls(self) -> ssl.SSLContext:
        """Trusts this portal's authority and nobody else."""
        return ssl.create_default_context(cafile=str(self.ca_path))

    def api(self) -> httpx.Client:
        """A client of the portal, signed in by the machine's key."""
        return self.client(headers={"Authorization": f"Bearer {self.key}"})

    def live(self, path: str, *, key: str = "") -> ClientConnection:
        """A WebSocket of the portal, with as much patience as `client` has. Raises InvalidStatus."""
        headers = {"Authorization": f"Bearer {key}"} if key else None
        url = f"wss://localhost:{self.port}{path}"
        return connect(url, ssl=self.tls, additional_headers=headers, open_timeout=PATIENCE)

    def wait(self, job_id: str, *, seconds: float = 60) -> Mapping[str, Any]:
        """The job, once it has ended. Raises TimeoutError."""
        deadline = time.monotonic() + seconds
        with self.api() as api:
            while (job := api.get(f"/api/jobs/{job_id}").json())["status"] in ("queued", "running"):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"job {job_id} is still {job['status']} at {job['step']}")
                time.sleep(0.05)
        return dict(job)

    def curl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The real curl, trusting this portal's authority."""
        return subprocess.run(
            ["curl", "-s", "--cacert", str(self.ca_path), *words],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def curl_in_background(self, *words: str) -> subprocess.Popen[bytes]:
        """The same against a path of the API, signed in, without waiting; the last word is the path."""
        *options, path = words
        argv = ["curl", "-s", "--cacert", str(self.ca_path), "-H", f"Authorization: Bearer {self.key}"]
        return subprocess.Popen([*argv, *options, f"{self.base_url}{path}"], stdout=subprocess.DEVNULL)

    def _end_what_it_left(self) -> None:
        """Apps outlive their portal; they are known by the data directory, which is nobody else's."""
        mark = str(self.data_dir)
        deadline = time.monotonic() + STOP_SECONDS
        while (left := [process for process in psutil.process_iter() if _mentions(process, mark)]) and (
            time.monotonic() < deadline
        ):
            for process in left:
                try:
                    process.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(left, timeout=1)


def _mentions(process: psutil.Process, mark: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return any(mark in word for word in process.cmdline()) or process.cwd().startswith(mark)
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False
