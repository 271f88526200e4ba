"""A real git server over HTTP on loopback: git's own `http-backend` behind a small threaded server."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
}


def git(*arguments: str, cwd: Path) -> str:
    """Run git for a test and return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=cwd, env=_IDENTITY, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Repository:
    """A repository with a work tree, served at `url`."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "Change", branch: str = "main") -> str:
        """Write `files` (None removes), commit them to `branch`, and return the commit's id."""
        known = git("branch", "--list", branch, cwd=self.folder)
        if known:
            git("checkout", "-q", branch, cwd=self.folder)
        elif git("branch", "--list", cwd=self.folder):
            git("checkout", "-q", "-b", branch, cwd=self.folder)
        for name, content in files.items():
            path = self.folder / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        git("add", "-A", cwd=self.folder)
        git("commit", "-q", "--allow-empty", "-m", message, cwd=self.folder)
        head = git("rev-parse", "HEAD", cwd=self.folder)
        git("checkout", "-q", "main", cwd=self.folder)
        return head

    def link(self, name: str, target: str, message: str = "Link") -> str:
        """Commit a symbolic link."""
        (self.folder / name).symlink_to(target)
        return self.commit({}, message)


class GitServer:
    """`with GitServer(folder) as server: server.repository("hello", {"main.py": "…"}).url`"""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.requests: list[str] = []
        root.mkdir(parents=True, exist_ok=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="git server", daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def repository(self, name: str, files: Mapping[str, str | bytes | None] | None = None) -> Repository:
        """A new repository with one commit on `main`."""
        folder = self.root / name
        folder.mkdir()
        git("init", "-q", "-b", "main", cwd=folder)
        made = Repository(folder, f"{self.base_url}/{name}/.git")
        if files is not None:
            made.commit(files, "First")
        return made

    def __enter__(self) -> GitServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(git_server: GitServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def _serve(self) -> None:
            git_server.requests.append(self.path)
            address = urlsplit(self.path)
            body = self._body()
            environment = {
                **_IDENTITY,
                "GIT_PROJECT_ROOT": str(git_server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": address.path,
                "QUERY_STRING": address.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(
                ["git", "http-backend"],
                input=body,
                env=environment,
                capture_output=True,
                check=False,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = [line.partition(": ") for line in head.decode().splitlines()]
            status = next((value for name, _, value in headers if name.lower() == "status"), "200 OK")
            self.send_response(int(status.split()[0]))
            for name, _, value in headers:
                if name.lower() != "status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            try:
                self.end_headers()
                self.wfile.write(content)
            except ConnectionError:  # the client has had enough, as some tests want it to
                self.close_connection = True

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Nothing: `requests` holds what was asked."""

    return Handler
