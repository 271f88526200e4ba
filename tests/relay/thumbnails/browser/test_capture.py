"""A real Chromium looks at real tunnels, some of them hostile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from homeport.relay.thumbnails.browser import cameras, remote
from homeport.relay.thumbnails.browser.cameras import OwnCamera
from homeport.relay.thumbnails.browser.remote import RemoteCamera
from homeport.relay.thumbnails.pictures import NoPicture
from homeport.settings import Settings
from homeport.testing.pictures import jpeg_size
from homeport.testing.relay_client import Tunnel
from homeport.testing.relay_client.stream import ByteStream
from homeport.testing.relay_portal import DOMAIN, RelayPortal
from homeport.testing.waiting import eventually

CHROMIUM = "/usr/bin/chromium"
DEAF = Path(__file__).parents[3] / "browser" / "deaf_chromium.py"


def chromium_can_run() -> bool:
    """Whether it is installed, and has its sandbox where this is not root."""
    if shutil.which(CHROMIUM) is None:
        return False
    argv = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "true"]
    return os.geteuid() == 0 or subprocess.run(argv, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not chromium_can_run(),
        reason="no Chromium here (Debian package chromium; and user namespaces, or root): `make test` says how",
    ),
]

# Tries by every way that a page has to reach {TCP} and {UDP} of loopback, and to stop the browser.
HOSTILE = """<!doctype html><title>hostile</title><body style="background: #b22; color: #fff"><h1>A tunnel</h1>
<img src="http://127.0.0.1:{TCP}/"><img src="http://localhost:{TCP}/"><img src="http://[::1]:{TCP}/">
<img src="https://127.0.0.1:{TCP}/"><img src="https://{HOST}:{TCP}/"><img src="https://other.localhost:{TCP}/">
<iframe src="http://127.0.0.1:{TCP}/"></iframe><iframe src="file:///etc/passwd"></iframe>
<link rel="preconnect" href="http://127.0.0.1:{TCP}"><script>
const tried = (act) => { try { act(); } catch { /* the next one */ } };
tried(() => fetch("http://127.0.0.1:{TCP}/", { mode: "no-cors" }).catch(() => 0));
tried(() => navigator.sendBeacon("http://127.0.0.1:{TCP}/", "x"));
tried(() => new WebSocket("ws://127.0.0.1:{TCP}/"));
tried(() => new WebSocket("wss://{HOST}:{TCP}/"));
tried(() => new WebTransport("https://127.0.0.1:{UDP}/"));
tried(() => new Worker(URL.createObjectURL(new Blob(["new WebSocket('ws://127.0.0.1:{TCP}/')"]))));
tried(async () => {
  const turn = ["turn:127.0.0.1:{TCP}?transport=tcp", "turn:127.0.0.1:{UDP}?transport=udp"];
  const iceServers = [{ urls: "stun:127.0.0.1:{UDP}" }, { urls: turn, username: "a", credential: "b" }];
  const [one, two] = [new RTCPeerConnection({ iceServers }), new RTCPeerConnection()];
  one.createDataChannel("x");
  await one.setLocalDescription(await one.createOffer());
  await two.setRemoteDescription(one.localDescription);
  await two.setLocalDescription(await two.createAnswer());
  await one.setRemoteDescription(two.localDescription);
  const tcp = "tcp 1518280447 127.0.0.1 {TCP} typ host tcptype passive";
  for (const way of ["udp 2130706431 127.0.0.1 {UDP} typ host", tcp])
    await one.addIceCandidate({ candidate: `candidate:1 1 ${way}`, sdpMid: "0", sdpMLineIndex: 0 });
});
tried(() => window.open("http://127.0.0.1:{TCP}/"));
tried(() => alert("stop"));
</script>"""


def page(body: str, *, status: str = "200 OK") -> Callable[[ByteStream], None]:
    """A server that answers every request so, and says so of itself."""
    data = body.encode()
    answer = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"

    def serve(stream: ByteStream) -> None:
        seen = b""
        while b"\r\n\r\n" not in seen:
            if not (piece := stream.recv(65536)):
                return
            seen += piece
        stream.sendall(answer.encode() + data)

    return serve


class Victim:
    """A service of this machine that nobody from outside may reach: who came nevertheless, by TCP or UDP."""

    def __init__(self) -> None:
        self.tcp = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.reached: list[str] = []
        for work in (self._accept, self._receive):
            threading.Thread(target=work, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self.tcp.accept()[0].close()
                self.reached.append("tcp")

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while self.udp.recv(100):
                self.reached.append("udp")

    def attacked_by(self, text: str, hostname: str) -> str:
        ports = {"TCP": self.tcp.getsockname()[1], "UDP": self.udp.getsockname()[1], "HOST": hostname}
        for name, value in ports.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text


@pytest.fixture
def victim() -> Iterator[Victim]:
    victim = Victim()
    yield victim
    victim.tcp.close()
    victim.udp.close()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines that run tests are slow, and a browser comes after everything else."""
    for module in (cameras, remote):
        monkeypatch.setattr(module, "SECONDS", 100.0)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayPortal]:
    with RelayPortal(tmp_path_factory.mktemp("thumbnails"), {"relay_browser": CHROMIUM}) as portal:
        yield portal


def picture(portal: RelayPortal, name: str, *, seconds: float = 180) -> bytes:
    """Of this tunnel, once there is one. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    with portal.client() as browser:
        while time.monotonic() < deadline:
            answer = browser.get(f"/thumbnail/{name}.{DOMAIN}")
            if answer.status_code == 200:
                assert answer.headers["content-type"] == "image/jpeg"
                return answer.content
            time.sleep(0.5)
    raise TimeoutError(portal.log.read_text()[-3000:])


def browsers_of(pid: int) -> list[int]:
    """Those that this process has started and that run now."""
    found = []
    for one in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # also said of one that nobody has waited for yet
            if any("homeport-browser-" in word for word in one.cmdline()):
                found.append(one.pid)
    return found


def test_a_hostile_page_has_its_picture_taken_and_reaches_nothing_else(portal: RelayPortal, victim: Victim) -> None:
    # R30, relay H, relay L.20
    client = portal.agent()
    client.register()
    with Tunnel(client, page(victim.attacked_by(HOSTILE, f"{client.name}.{DOMAIN}"))) as tunnel:
        assert jpeg_size(picture(portal, client.name)) == (1280, 720)
        assert tunnel.served >= 1
        time.sleep(1)
        assert victim.reached == []
        with portal.client() as browser:
            rows = browser.get("/api/tunnels/public").json()["tunnels"]
        assert [row["thumbnail"] for row in rows if row["name"] == client.name] == [
            f"/thumbnail/{client.name}.{DOMAIN}"
        ]
        client.unregister()
        with portal.client() as browser:
            assert browser.get(f"/thumbnail/{client.name}.{DOMAIN}").status_code == 404
    assert browsers_of(portal.pid) == []


def camera(portal: RelayPortal) -> OwnCamera:
    settings = Settings(data_dir=portal.data_dir, domain=DOMAIN, port=portal.port)
    return OwnCamera(lambda: settings, CHROMIUM)


async def test_the_attack_of_these_tests_works_where_nothing_stops_it(portal: RelayPortal, victim: Victim) -> None:
    """Otherwise the test above could not fail."""
    client = portal.agent()
    client.register(metadata={"hide": True})
    with (
        Tunnel(client, page(victim.attacked_by(HOSTILE, f"{client.name}.{DOMAIN}"))),
        free_chromium() as url,
    ):
        settings = Settings(data_dir=portal.data_dir, domain=DOMAIN, port=portal.port)
        data = await RemoteCamera(lambda: settings, url).capture(f"{client.name}.{DOMAIN}")  # R30: by its URL
        assert jpeg_size(data) == (1280, 720)
        await eventually(lambda: set(victim.reached) == {"tcp", "udp"}, seconds=60)
    client.unregister()


@contextlib.contextmanager
def free_chromium() -> Iterator[str]:
    """The DevTools URL of one that can reach everything."""
    with tempfile.TemporaryDirectory(prefix="homeport-free-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [
                str(DEAF), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                "--remote-debugging-port=0", f"--user-data-dir={folder}",
            ],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            file, deadline = Path(folder, "DevToolsActivePort"), time.monotonic() + 60
            while not file.is_file() or not file.read_text():
                assert time.monotonic() < deadline, "Chromium did not start"
                time.sleep(0.1)
            yield f"http://127.0.0.1:{file.read_text().split()[0]}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


async def test_a_redirect_elsewhere_is_not_followed(portal: RelayPortal) -> None:
    client = portal.agent()
    client.register(metadata={"hide": True})
    away = page("", status=f"302 Found\r\nLocation: {portal.base_url}/")
    with Tunnel(client, away), pytest.raises(NoPicture, match="ERR_"):
        await camera(portal).capture(f"{client.name}.{DOMAIN}")
    client.unregister()


async def test_an_error_page_is_no_picture(portal: RelayPortal) -> None:
    client = portal.agent()
    client.register(metadata={"hide": True})
    with Tunnel(client, page("Bad gateway", status="502 Bad Gateway")), pytest.raises(NoPicture, match="502"):
        await camera(portal).capture(f"{client.name}.{DOMAIN}")
    client.unregister()


RESTLESS = "<script>for (;;) history.pushState(0, '', '?' + Math.random())</script>"


async def test_a_page_that_never_rests_is_ended_with_its_browser(
    portal: RelayPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "SECONDS", 8.0)
    client = portal.agent()
    client.register(metadata={"hide": True})
    with tempfile.TemporaryDirectory() as folder, Tunnel(client, page(RESTLESS)):
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with pytest.raises(NoPicture):
            await camera(portal).capture(f"{client.name}.{DOMAIN}")
        assert list(Path(folder).iterdir()) == []
    client.unregister()
    assert browsers_of(os.getpid()) == []


async def test_giving_up_ends_the_browser(portal: RelayPortal) -> None:
    client = portal.agent()
    client.register(metadata={"hide": True})
    with Tunnel(client, page("<script>for (;;);</script>")) as tunnel:
        capture = asyncio.create_task(camera(portal).capture(f"{client.name}.{DOMAIN}"))
        await eventually(lambda: tunnel.served > 0, seconds=90)
        assert browsers_of(os.getpid())
        capture.cancel()
        with pytest.raises(asyncio.CancelledError):
            await capture
    client.unregister()
    assert browsers_of(os.getpid()) == []


async def test_a_program_that_is_no_browser_fails_at_once(portal: RelayPortal) -> None:
    settings = Settings(data_dir=portal.data_dir, domain=DOMAIN, port=portal.port)
    with pytest.raises(NoPicture, match="it has ended"):
        await OwnCamera(lambda: settings, "/bin/true").capture(f"demo.{DOMAIN}")
    with pytest.raises(NoPicture, match="no program"):
        await OwnCamera(lambda: settings, "/nowhere/chromium").capture(f"demo.{DOMAIN}")
    with pytest.raises(NoPicture, match="not there"):
        await RemoteCamera(lambda: settings, "http://127.0.0.1:9").capture(f"demo.{DOMAIN}")
