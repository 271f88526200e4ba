"""`homeport expose` far away: delay, loss, lines that go dead without a word, two relays. # relay I.4, L.7"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from homeport.testing.relay_portal import RelayPortal
from homeport.testing.wan import Wan, wan_is_possible

pytestmark = [
    pytest.mark.skipif(not wan_is_possible(), reason="network namespaces need root, iproute2 and /dev/net/tun"),
    pytest.mark.timeout(240),
]
PAGE = os.urandom(1024 * 1024)
RECOVERY_SECONDS = 90.0


@dataclass
class Far:
    """Two relays here, and over a line to each an agent that exposes a page to both."""

    relays: list[RelayPortal]
    lines: list[Wan]
    agent: subprocess.Popen[bytes]
    log: Path

    def page(self, number: int) -> bytes:
        """What a visitor of relay `number` gets."""
        relay = self.relays[number]
        return relay.page(f"far.{relay.relay().host}", "/page").body

    def until_served(self, number: int) -> float:
        """Seconds until relay `number` serves the page again, by trying. Raises TimeoutError."""
        began = time.monotonic()
        while time.monotonic() - began < RECOVERY_SECONDS:
            try:
                if self.page(number) == PAGE:
                    return time.monotonic() - began
            except (OSError, EOFError, ValueError):
                time.sleep(0.25)
        raise TimeoutError(f"relay {number} does not serve the page; the agent says:\n{self.log.read_text()[-3000:]}")


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("far")
    namespace = f"hpfar{os.getpid()}"
    number = os.getpid() % 100
    lines = [Wan(namespace, number + at * 100, delay=0.03, loss=0.02) for at in (0, 1)]
    names = {line.near: f"relay-{word}.test" for line, word in zip(lines, ("one", "two"), strict=True)}
    with ExitStack() as stack:
        relays = []
        for line in lines:
            home = folder / names[line.near]
            home.mkdir()
            settings = {"domain": names[line.near], "bind": "0.0.0.0"}
            relays.append(stack.enter_context(RelayPortal(home, settings)))
            line.hosts = {name: address for address, name in names.items()}
            stack.enter_context(line)
        (folder / "web").mkdir()
        (folder / "web" / "page").write_bytes(PAGE)
        trusted = folder / "relays.pem"
        trusted.write_text("\n".join(relay.ca_path.read_text() for relay in relays))
        service = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "-d", str(folder / "web"), "3000"]
        stack.enter_context(_running(lines[0].command(*service), folder / "web.log", {}))
        words = ["3000", "--name", "far", "--ca", str(trusted), "--json", "--log-level", "info"]
        for relay in relays:
            words += ["--relay", f"https://{relay.relay().authority}"]
        argv = lines[0].command(sys.executable, "-m", "homeport", "expose", *words)
        log = folder / "agent.log"
        agent = stack.enter_context(_running(argv, log, {"XDG_CONFIG_HOME": str(folder / "agent")}))
        yield Far(relays, lines, agent, log)


class _running:  # noqa: N801
    """A process for the length of a block."""

    def __init__(self, argv: list[str], log: Path, environment: dict[str, str]) -> None:
        self._argv = argv
        self._log = log
        self._environment = {**os.environ, **environment}

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log, env=self._environment)
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        finally:
            self._process.kill()


def test_pages_come_whole_over_a_line_with_delay_and_loss(far: Far) -> None:
    for number in (0, 1):
        far.until_served(number)
        assert hashlib.sha256(far.page(number)).digest() == hashlib.sha256(PAGE).digest()
        assert far.lines[number].carried > 1000


def test_many_visitors_at_once_are_served_over_a_line_with_delay_and_loss(far: Far) -> None:
    far.until_served(0)
    served: list[bool] = []

    def visit() -> None:
        served.append(far.page(0) == PAGE)

    visitors = [threading.Thread(target=visit) for _ in range(12)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(60)
    assert served == [True] * 12


def test_a_line_that_went_dead_without_a_word_is_used_again_when_it_lives(far: Far) -> None:
    far.until_served(0)
    far.lines[0].cut = True
    time.sleep(40)  # longer than either side believes in the other
    far.lines[0].cut = False
    far.until_served(0)
    assert far.agent.poll() is None


def test_one_relay_goes_on_while_the_line_to_the_other_is_dead(far: Far) -> None:
    far.until_served(0)
    far.until_served(1)
    far.lines[1].cut = True
    try:
        for _ in range(4):
            assert far.page(0) == PAGE
            time.sleep(2)
    finally:
        far.lines[1].cut = False
    far.until_served(1)


def test_a_line_that_is_dead_for_a_moment_loses_no_bytes(far: Far) -> None:
    far.until_served(0)

    def hiccup() -> None:
        far.lines[0].cut = True
        time.sleep(2)
        far.lines[0].cut = False

    interruption = threading.Timer(0.2, hiccup)
    interruption.start()
    assert far.page(0) == PAGE
    interruption.join()


def test_a_relay_that_starts_again_is_served_by_the_far_agent_again(far: Far) -> None:
    far.until_served(1)
    far.relays[1].kill()
    time.sleep(2)
    far.relays[1].start()
    far.until_served(1)
    assert far.agent.poll() is None
