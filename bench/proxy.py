"""Requests through our front beside nginx and Caddy: TLS in, the same certificate, the same tiny app, the same run.

The server under test has one core and wrk with the app the other. `python -m bench.proxy` shows this one alone.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import uvloop

from bench.figures import Figure
from homeport.relay import Ingress, TlsHandler
from homeport.services.exposure import Routes, Target
from homeport.services.proxy import Proxy

LOAD_SECONDS = 6
ALONE_SECONDS = 3
CONNECTIONS = 32
BODY = '{"status":"ok","items":[1,2,3,4,5,6,7,8,9,10],"message":"about as much as a small API call returns"}'

_NGINX = """daemon off; master_process off; worker_processes 1; pid {dir}/{role}.pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
{body} }}
"""
_APP = "server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json; return 200 '{answer}'; }} }}"
_FRONT = """upstream app {{ server 127.0.0.1:{app}; keepalive 64; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {cert}; ssl_certificate_key {key};
ssl_protocols TLSv1.2 TLSv1.3;
location / {{ proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_set_header Host $host;
proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; }} }}"""
_CADDY = """{{
admin off
auto_https off
log {{
output discard
}}
}}
https://127.0.0.1:{port}, https://app.localhost:{port} {{
bind 127.0.0.1
tls {cert} {key}
reverse_proxy 127.0.0.1:{app}
}}
"""


def measure() -> list[Figure]:
    """No goals: the numbers stand beside those of nginx and Caddy in the same run. About 35 seconds."""
    missing = [tool for tool in ("nginx", "caddy", "wrk", "openssl") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"bench: the proxy needs the Debian packages {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="homeport-proxy-") as folder, ExitStack() as stack:
        directory = Path(folder)
        cert, key = certificate(directory)
        app = free_port()
        conf = _NGINX.format(dir=directory, role="app", body=_APP.format(port=app, answer=BODY))
        stack.enter_context(running(_nginx(directory, "app", conf), app, directory, core=0))
        figures: list[Figure] = []
        for name in ("homeport", "nginx", "caddy"):
            port = free_port()
            if name == "homeport":
                argv = [sys.executable, "-m", "bench.proxy", "serve", str(port), str(app), str(cert), str(key)]
            elif name == "nginx":
                front = _FRONT.format(app=app, port=port, cert=cert, key=key)
                argv = _nginx(directory, "front", _NGINX.format(dir=directory, role="front", body=front))
            else:
                caddyfile = directory / "Caddyfile"
                caddyfile.write_text(_CADDY.format(app=app, port=port, cert=cert, key=key))
                argv = ["caddy", "run", "--config", str(caddyfile), "--adapter", "caddyfile"]
            with running(argv, port, directory, core=1) as process:
                _wrk(port, 1, CONNECTIONS)
                figures += _loaded(name, port, psutil.Process(process.pid))
        return figures


def _loaded(name: str, port: int, server: psutil.Process) -> list[Figure]:
    before = server.cpu_times()
    rate, p50, p99 = _wrk(port, LOAD_SECONDS, CONNECTIONS)
    after = server.cpu_times()
    _, alone, _ = _wrk(port, ALONE_SECONDS, 1)
    spent = after.user + after.system - before.user - before.system
    return [
        # Of all these numbers the one that other work on the machine disturbs least.
        Figure(f"{name}: processor time a request", spent / (rate * LOAD_SECONDS) * 1e6, "us"),
        Figure(f"{name}: requests, {CONNECTIONS} connections", rate, "1/s"),
        Figure(f"{name}: p50, {CONNECTIONS} connections", p50, "ms"),
        Figure(f"{name}: p99, {CONNECTIONS} connections", p99, "ms"),
        Figure(f"{name}: p50, one connection", alone, "ms"),
    ]


def _wrk(port: int, seconds: int, connections: int) -> tuple[float, float, float]:
    """Requests a second, and the 50th and 99th percentile of latency in ms. A failed request fails it all."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-H", "Host: app.localhost"]
    out = subprocess.run(
        [*pinned(0), *argv, f"https://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"bench: requests failed:\n{out}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    if rate is None:
        raise SystemExit(f"bench: wrk said nothing of use:\n{out}")
    return float(rate[1]), latency(out, 50), latency(out, 99)


def latency(out: str, percent: int) -> float:
    found = re.search(rf"\b{percent}%\s+([\d.]+)(us|ms|s)\b", out)
    if found is None:
        raise SystemExit(f"bench: wrk named no {percent}th percentile:\n{out}")
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def certificate(directory: Path) -> tuple[Path, Path]:
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ),
            *("-subj", "/CN=app.localhost", "-addext", "subjectAltName=DNS:app.localhost,IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(cert)),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def _nginx(directory: Path, role: str, conf: str) -> list[str]:
    file = directory / f"{role}.conf"
    file.write_text(conf)
    return ["nginx", "-p", str(directory), "-e", "stderr", "-c", str(file)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)] if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else []


@contextmanager
def running(argv: list[str], port: int, home: Path, *, core: int) -> Iterator[subprocess.Popen[bytes]]:
    """The program, from when it listens until the end of the block."""
    environment = {**os.environ, "GOMAXPROCS": "1", "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home)}
    log = home / f"{Path(argv[0]).name}-{port}.log"
    with log.open("wb") as err:
        process = subprocess.Popen([*pinned(core), *argv], env=environment, stdout=err, stderr=err)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError as problem:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"bench: {argv[0]} does not listen:\n{log.read_text()}") from problem
                time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(10)


async def _serve(port: int, app: int, cert: str, key: str) -> None:
    """Our front as the portal composes it, with a given certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["http/1.1"])
    routes = Routes()
    routes.point("app", Target(app, "rel_1"), service_id="svc_1")
    proxy = Proxy(routes)
    ingress = Ingress(lambda _: TlsHandler(lambda _: context, proxy.protocol))
    await ingress.open("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        uvloop.run(_serve(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]))
    else:
        from bench.__main__ import main

        sys.exit(main(["proxy"]))
