"""Nothing dials out around the guard: only the modules listed here open connections, each for the reason given."""

from __future__ import annotations

import ast
from pathlib import Path

HOMEPORT = Path(__file__).parents[2] / "homeport"

# Each either asks the guard for the address that it connects to, or connects only where a user has no say.
DIALLERS = {
    "kit/outbound_http.py": "asks the guard",
    "relay/certificates/acme/dns_answers.py": "asks the guard",
    "services/domain_proofs.py": "asks the guard; name servers are a setting",
    "services/endpoints.py": "asks the guard",
    "services/health.py": "an app of this portal, on an address that its driver gave",
    "services/proxy/apps.py": "an app of this portal, on an address that its driver gave",
    "services/docker/engine.py": "the engine that a setting names",
    "identity/rate_limits.py": "the Redis that a setting names",
    "services/shares/doors.py": "asks the guard; and apps of this portal, on an address that their driver gave",
    "relay/agent/relay_client.py": "the relay that its owner named; shares give an address that the guard has judged",
    "relay/agent/tcp.py": "the relay that its owner named, as above; and the target on the owner's machine",
    "relay/agent/udp.py": "the relay that its owner named, as above",
    "relay/agent/udp_peer.py": "the relay that its owner named, as above",
    "relay/udp/listener.py": "listens: the call opens a socket that is connected to nobody",
    "relay/thumbnails/browser/remote.py": "the browser that a setting names",
    "cli/agent_calls.py": "the shell, to the agent of its own machine",
    "cli/client.py": "the shell, on the machine of the person who typed the address",
    "cli/trust.py": "the shell, on the machine of the person who typed the address",
}
CALLS = {
    "open_connection", "open_unix_connection", "create_connection", "create_unix_connection",
    "create_datagram_endpoint", "sock_connect", "connect_ex", "urlopen", "urlretrieve", "HTTPConnection",
    "HTTPSConnection", "AsyncClient", "Client", "AsyncHTTPTransport", "HTTPTransport", "ClientSession", "from_url",
    "SMTP", "SMTP_SSL", "Resolver", "connect_tcp", "Docker", "UnixConnector", "TCPConnector",
}  # fmt: skip
AMBIGUOUS = {"Client", "ClientSession", "from_url", "Resolver", "HTTPConnection"}  # others bear these names too
MODULES = {"httpx", "aiohttp", "requests", "urllib.request", "http.client", "smtplib", "ftplib", "aiodocker"}


def test_only_the_listed_modules_open_connections() -> None:
    found = {str(file.relative_to(HOMEPORT)): sorted(_ways_out(file)) for file in _modules()}
    strangers = {name: ways for name, ways in found.items() if ways and name not in DIALLERS}
    assert strangers == {}, "connect through the portal's OutboundGuard, and say here why the module is listed"


def test_no_listed_module_has_stopped_to_open_connections() -> None:
    assert [name for name in DIALLERS if not _ways_out(HOMEPORT / name)] == []


def test_those_that_ask_the_guard_do_ask_it() -> None:
    for name, reason in DIALLERS.items():
        if reason.startswith("asks the guard"):
            assert ".resolve(" in (HOMEPORT / name).read_text(), name


def test_each_process_makes_one_guard() -> None:
    made = [
        str(file.relative_to(HOMEPORT))
        for file in _modules()
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and _name(node.func) == "OutboundGuard"
    ]
    assert made == ["cli/expose.py", "portal.py", "relay/agent/daemon/daemon.py"]


def _modules() -> list[Path]:
    """The product's own: what is copied into apps, and what only tests use, is none of it."""
    skipped = (HOMEPORT / "testing", HOMEPORT / "services" / "templates")
    return [file for file in sorted(HOMEPORT.rglob("*.py")) if not any(file.is_relative_to(one) for one in skipped)]


def _ways_out(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    network = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names} & MODULES
    network |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in MODULES}
    ways = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _name(node.func)
        if name in CALLS and (name not in AMBIGUOUS or network or _root(node.func) in {"Redis", "dns"}):
            ways.add(name)
        elif ast.unparse(node.func).startswith(("dns.asyncquery.", "dns.query.")):
            ways.add("dns")
    return ways


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
