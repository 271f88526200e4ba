"""Cloning from a real git server on loopback, and every attack on it that we know."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homeport.kit.confinement import Confinement
from homeport.kit.guard import DestinationRefused, OutboundGuard
from homeport.kit.problems import Problem
from homeport.services.problems import SourceRefused, SourceUnavailable
from homeport.services.sources.git import GitFetcher
from homeport.testing.git_server import GitServer, git

LOOPBACK = OutboundGuard(["127.0.0.0/8"])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("git")) as running:
        yield running


def to_its_folder(folder: Path) -> Confinement:
    return Confinement([str(folder.parent.resolve())], [], [str(folder.resolve())])


@pytest.fixture
def fetcher() -> GitFetcher:
    # Confined as the portal confines it: to the folder of the clone.
    return GitFetcher(LOOPBACK, allow_http=True, limit_mb=5, timeout=60, confine=to_its_folder)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    (tmp_path / "releases").mkdir()
    return tmp_path / "releases" / "one"


def silent(line: str) -> None:
    """Nobody listens."""


async def refused(fetcher: GitFetcher, url: str, into: Path, branch: str | None = None) -> Problem:
    """The problem; nothing may be left behind."""
    with pytest.raises(Problem) as caught:
        await fetcher.fetch(url, branch, into, silent)
    assert list(into.parent.iterdir()) == []
    return caught.value


# A04
async def test_the_default_branch_is_fetched_with_its_revision(
    server: GitServer, fetcher: GitFetcher, into: Path
) -> None:
    repository = server.repository("plain", {"main.py": "print(1)\n", "lib/x.py": "x = 1\n"})
    head = repository.commit({"run.sh": "#!/bin/sh\n"}, "Say more\n\nAnd more still")
    lines: list[str] = []
    revision = await fetcher.fetch(repository.url, None, into, lines.append)
    assert (revision.id, revision.summary, revision.branch) == (head, "Say more", "main")
    assert revision.authored_at is not None
    assert revision.authored_at.utcoffset() is not None
    assert sorted(path.name for path in into.iterdir()) == ["lib", "main.py", "run.sh"]
    assert [path.name for path in into.parent.iterdir()] == ["one"]
    assert lines[-1] == f"Fetched {head[:12]}: Say more"
    assert not any(str(into.parent) in line for line in lines)


async def test_a_branch_is_fetched_by_its_name(server: GitServer, fetcher: GitFetcher, into: Path) -> None:
    repository = server.repository("branches", {"main.py": "1"})
    head = repository.commit({"main.py": "2"}, "Try", branch="feature/two")
    revision = await fetcher.fetch(repository.url, "feature/two", into, silent)
    assert (revision.id, revision.branch) == (head, "feature/two")
    assert (into / "main.py").read_text() == "2"


async def test_a_second_fetch_replaces_the_first(server: GitServer, fetcher: GitFetcher, into: Path) -> None:
    repository = server.repository("twice", {"old": "1"})
    await fetcher.fetch(repository.url, None, into, silent)
    repository.commit({"old": None, "new": "2"})
    await fetcher.fetch(repository.url, None, into, silent)
    assert [path.name for path in into.iterdir()] == ["new"]


async def test_a_name_is_pinned_to_the_checked_address(server: GitServer, into: Path) -> None:
    """git itself never asks for the name again: the system's resolver knows nothing of it."""
    repository = server.repository("pinned", {"main.py": "1"})

    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    fetcher = GitFetcher(OutboundGuard(["127.0.0.1/32"], resolver), allow_http=True)
    url = repository.url.replace("127.0.0.1", "git.homeport.invalid")
    revision = await fetcher.fetch(url, None, into, silent)
    assert revision.summary == "First"


# The attacks


@pytest.mark.parametrize(
    "url",
    [
        "--upload-pack=touch /tmp/homeport-attack",
        "ext::sh -c touch% /tmp/homeport-attack",
        "file:///etc",
        "ssh://-oProxyCommand=touch${IFS}/tmp/homeport-attack/x",
        "http://user:pass@127.0.0.1/x",
    ],
)
async def test_a_dangerous_address_is_refused_before_any_process(fetcher: GitFetcher, into: Path, url: str) -> None:
    assert isinstance(await refused(fetcher, url, into), SourceRefused)
    assert not Path("/tmp/homeport-attack").exists()


@pytest.mark.parametrize("branch", ["--x", "a..b", "$(id)", "x.lock", "a@{1}"])
async def test_a_dangerous_branch_is_refused_before_any_process(
    server: GitServer, fetcher: GitFetcher, into: Path, branch: str
) -> None:
    server.requests.clear()
    assert isinstance(await refused(fetcher, f"{server.base_url}/plain/.git", into, branch), SourceRefused)
    assert server.requests == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", "169.254.169.254"],
)
async def test_an_inner_address_is_refused_in_every_spelling(server: GitServer, into: Path, host: str) -> None:
    server.requests.clear()
    fetcher = GitFetcher(OutboundGuard(), allow_http=True)
    problem = await refused(fetcher, f"http://{host}:{server.port}/plain/.git", into)
    assert isinstance(problem, DestinationRefused)
    assert server.requests == []


async def test_a_redirect_to_another_local_port_is_not_followed(
    server: GitServer, fetcher: GitFetcher, into: Path
) -> None:
    repository = server.repository("inner", {"secret": "1"})

    class Redirect(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", repository.url + self.path.removeprefix("/outer"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing."""

    outer = ThreadingHTTPServer(("127.0.0.1", 0), Redirect)
    thread = threading.Thread(target=outer.serve_forever)
    thread.start()
    try:
        server.requests.clear()
        problem = await refused(fetcher, f"http://127.0.0.1:{outer.server_address[1]}/outer", into)
    finally:
        outer.shutdown()
        outer.server_close()
        thread.join()
    assert isinstance(problem, SourceRefused)
    assert "redirects" in problem.message
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Procfile", "/etc/passwd"),
        ("Dockerfile", "/etc/passwd"),
        ("requirements.txt", "../../../../etc/passwd"),
        ("public", "/etc"),
        ("loop", "loop"),
    ],
)
async def test_a_link_out_of_the_tree_is_refused(
    server: GitServer, fetcher: GitFetcher, into: Path, name: str, target: str
) -> None:
    repository = server.repository(f"link-{name}", {"main.py": "1"})
    repository.link(name, target)
    problem = await refused(fetcher, repository.url, into)
    assert isinstance(problem, SourceRefused)
    assert problem.message.startswith(f"{name} is a symbolic link that leads out of the source")


async def test_a_link_within_the_tree_is_kept(server: GitServer, fetcher: GitFetcher, into: Path) -> None:
    repository = server.repository("inside", {"docs/readme": "hello"})
    repository.link("README", "docs/readme")
    await fetcher.fetch(repository.url, None, into, silent)
    assert (into / "README").read_text() == "hello"


async def test_hooks_and_filters_of_a_repository_never_run(
    server: GitServer, fetcher: GitFetcher, into: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    repository = server.repository("hooks", {".gitattributes": "* filter=evil\n", "main.py": "1"})
    (repository.folder / ".git" / "hooks").mkdir(exist_ok=True)
    hook = repository.folder / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    await fetcher.fetch(repository.url, None, into, silent)
    assert not mark.exists()


async def test_submodules_are_left_out_and_named(server: GitServer, fetcher: GitFetcher, into: Path) -> None:
    inner = server.repository("submodule-inner", {"x": "1"})
    repository = server.repository("submodule-outer", {"main.py": "1"})
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.folder), "sub", cwd=repository.folder)
    repository.commit({}, "Add the submodule")
    lines: list[str] = []
    await fetcher.fetch(repository.url, None, into, lines.append)
    assert "The submodule sub is left out: submodules are not fetched." in lines
    assert list((into / "sub").iterdir()) == []


async def test_the_portals_own_folder_cannot_be_brought_along(
    server: GitServer, fetcher: GitFetcher, into: Path
) -> None:
    repository = server.repository("own", {".homeport/venv/bin/python": "#!/bin/sh\n"})
    problem = await refused(fetcher, repository.url, into)
    assert ".homeport" in problem.message


# What can go wrong


async def test_files_over_the_limit_are_refused_before_they_are_written(
    server: GitServer, fetcher: GitFetcher, into: Path
) -> None:
    """Ten kilobytes on the wire, 40 megabytes on disk."""
    repository = server.repository("bomb", {"zeros": b"\0" * 40_000_000})
    problem = await refused(fetcher, repository.url, into)
    assert isinstance(problem, SourceUnavailable)
    assert "larger than 5 MB" in problem.message


async def test_a_transfer_over_the_limit_is_cut(server: GitServer, into: Path) -> None:
    noise = random.Random(7).randbytes(12_000_000)
    repository = server.repository("noise", {f"noise{part}": noise[part::4] for part in range(4)})
    problem = await refused(GitFetcher(LOOPBACK, allow_http=True, limit_mb=2), repository.url, into)
    assert isinstance(problem, SourceUnavailable)
    assert "larger than" in problem.message


async def test_an_unknown_branch_is_named(server: GitServer, fetcher: GitFetcher, into: Path) -> None:
    problem = await refused(fetcher, f"{server.base_url}/plain/.git", into, "nope")
    assert problem.message == "The repository has no branch 'nope': check its spelling."


async def test_an_unknown_repository_says_that_it_may_be_private(
    server: GitServer, fetcher: GitFetcher, into: Path
) -> None:
    problem = await refused(fetcher, f"{server.base_url}/none/.git", into)
    assert isinstance(problem, SourceUnavailable)
    assert "No such repository on 127.0.0.1, or it is private" in problem.message


async def test_an_empty_repository_is_refused(server: GitServer, fetcher: GitFetcher, into: Path) -> None:
    repository = server.repository("empty")
    problem = await refused(fetcher, repository.url, into)
    assert "no commits" in problem.message


async def test_a_server_that_does_not_answer_is_named(fetcher: GitFetcher, into: Path) -> None:
    problem = await refused(fetcher, "http://127.0.0.1:1/x", into)
    assert problem.message == "127.0.0.1 does not answer."


async def test_a_server_that_stalls_is_given_up(into: Path) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    stalled = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = stalled.sockets[0].getsockname()[1]
    fetcher = GitFetcher(LOOPBACK, allow_http=True, timeout=1)
    problem = await refused(fetcher, f"http://127.0.0.1:{port}/x", into)
    stalled.close()
    assert problem.message == "The repository could not be fetched within 1 seconds: try again, or make it smaller."


async def test_a_cancelled_fetch_leaves_nothing(into: Path) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    stalled = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = stalled.sockets[0].getsockname()[1]
    fetcher = GitFetcher(LOOPBACK, allow_http=True)
    task = asyncio.create_task(fetcher.fetch(f"http://127.0.0.1:{port}/x", None, into, silent), name="fetch")
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stalled.close()
    assert list(into.parent.iterdir()) == []
