"""Clones one branch of a repository: no shell, no foreign program, no redirect, no address but the checked ones."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from homeport.kit.commands import CommandFailed, CommandFlooded, CommandTimedOut, OnLine, run
from homeport.kit.confinement import Confinement
from homeport.kit.guard import DestinationUnknown, OutboundGuard
from homeport.services.problems import SourceRefused, SourceUnavailable
from homeport.services.sources.address import GitAddress, check_branch, check_url
from homeport.services.sources.contents import MAX_FILES, check_tree
from homeport.services.sources.disk import GrewTooLarge, watched
from homeport.services.sources.revision import Revision
from homeport.settings import Settings

_CONFIG = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.longpaths=false",
    "credential.helper=",
    "advice.detachedHead=false",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "submodule.recurse=false",
    "transfer.bundleURI=false",
    "transfer.fsckObjects=true",
    "fetch.fsckObjects=true",
    # faults of old tools in real histories, harmless to us
    "fetch.fsck.zeroPaddedFilemode=ignore",
    "fetch.fsck.badTimezone=ignore",
    "fetch.fsck.missingSpaceBeforeDate=ignore",
)
_COUNTER = re.compile(r"\b\d\d?% \(")
_ENTRY = re.compile(r"^(\d{6}) \w+ [0-9a-f]+ +(\d+|-)\t(.*)$")


Confine = Callable[[Path], Confinement | None]


def _unconfined(_folder: Path) -> None:
    """Whatever the portal's user may reach."""


class GitFetcher:
    """`limit_mb` bounds the files and, apart from them, what is transferred; `timeout` is seconds for all of it.

    git reads what strangers wrote: `confine` says which files it may reach when it works in a folder.
    """

    def __init__(
        self,
        guard: OutboundGuard,
        *,
        allow_http: bool = False,
        limit_mb: int = 500,
        timeout: float = 120,
        confine: Confine = _unconfined,
    ) -> None:
        self._guard = guard
        self._allow_http = allow_http
        self._limit_mb = limit_mb
        self._timeout = timeout
        self._confine = confine

    @classmethod
    def from_settings(cls, settings: Settings, guard: OutboundGuard, confine: Confine = _unconfined) -> GitFetcher:
        return cls(
            guard,
            allow_http=settings.git_allow_http,
            limit_mb=settings.clone_limit_mb,
            timeout=settings.fetch_timeout,
            confine=confine,
        )

    def check(self, url: str, branch: str | None) -> GitAddress:
        """Judge address and branch without any connection. Raises SourceRefused."""
        if branch:
            check_branch(branch)
        return check_url(url, allow_http=self._allow_http)

    async def admit(self, url: str, branch: str | None) -> tuple[GitAddress, tuple[str, ...]]:
        """Judge also where the host leads; returns the checked addresses. Nothing is connected to but DNS.

        Raises SourceRefused, DestinationRefused, SourceUnavailable for a host without an address.
        """
        address = self.check(url, branch)
        try:
            return address, await self._guard.resolve(address.host, address.port)
        except DestinationUnknown as problem:
            raise SourceUnavailable(problem.message) from None

    async def fetch(self, url: str, branch: str | None, into: Path, on_line: OnLine) -> Revision:
        """Put the newest commit of `branch` (or of the remote's default branch) into `into`, which is replaced.

        Raises SourceRefused, DestinationRefused, SourceUnavailable; on failure nothing is left behind.
        """
        address, addresses = await self.admit(url, branch)
        partial = into.with_name(f".{into.name}.fetch")
        await asyncio.to_thread(_start_over, partial, into)
        try:
            clone = _Clone(
                address,
                branch,
                addresses,
                partial,
                limit_mb=self._limit_mb,
                timeout=self._timeout,
                on_line=on_line,
                confinement=self._confine(partial),
            )
            revision = await clone.make()
            await asyncio.to_thread(check_tree, partial / "tree")
            (partial / "tree").rename(into)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, partial, ignore_errors=True))
        return revision


def _start_over(partial: Path, into: Path) -> None:
    """What an earlier, killed attempt has left is removed."""
    for folder in (partial, into):
        if folder.exists():
            shutil.rmtree(folder)
    (partial / "home").mkdir(parents=True, mode=0o700)


class _Clone:
    """One clone in `folder`: git/ is the repository, tree/ the files."""

    def __init__(
        self,
        address: GitAddress,
        branch: str | None,
        addresses: Sequence[str],
        folder: Path,
        *,
        limit_mb: int,
        timeout: float,
        on_line: OnLine,
        confinement: Confinement | None,
    ) -> None:
        self._address = address
        self._confinement = confinement
        self._branch = branch
        self._folder = folder
        self._limit_mb = limit_mb
        self._timeout = timeout
        self._ends = time.monotonic() + timeout
        self._on_line = on_line
        self._config = [*_CONFIG]
        if address.scheme == "http":
            self._config.append("protocol.http.allow=always")
        pinned = ",".join(f"[{found}]" if ":" in found else found for found in addresses)
        if address.host not in addresses:  # a literal address needs no pin
            self._config.append(f"http.curloptResolve={address.host}:{address.port}:{pinned}")

    async def make(self) -> Revision:
        try:
            return await watched(
                self._folder,
                self._make(),
                max_bytes=2 * self._limit_mb * 1024 * 1024,  # once as objects, once as files
                max_entries=MAX_FILES + 1000,
            )
        except GrewTooLarge as problem:
            raise self._too_large(problem.message) from None
        except CommandTimedOut:
            raise SourceUnavailable(
                f"The repository could not be fetched within {self._timeout:g} seconds: try again, or make it smaller."
            ) from None
        except CommandFlooded:
            raise SourceRefused("The repository lists more files than the portal accepts.") from None
        except CommandFailed as problem:
            raise self._explained(problem) from None

    async def _make(self) -> Revision:
        clone = ["clone", "--depth", "1", "--single-branch", "--no-tags", "--no-checkout", "--progress"]
        clone += ["--no-recurse-submodules", "--template=", f"--separate-git-dir={self._folder / 'git'}"]
        if self._branch:
            clone += ["--branch", self._branch]
        await self._git([*clone, "--", self._address.url, str(self._folder / "tree")], on_line=self._progress)
        told = await self._git(["-C", "tree", "log", "-1", "--no-show-signature", "--format=%H%x00%aI%x00%s"])
        commit, authored, subject = told.strip().split("\0", 2)
        branch = (await self._git(["-C", "tree", "rev-parse", "--abbrev-ref", "HEAD"])).strip()
        await self._weigh()
        await self._git(["-C", "tree", "checkout", "--quiet", "--force", "HEAD", "--", "."], on_line=self._on_line)
        (self._folder / "tree" / ".git").unlink()
        self._on_line(f"Fetched {commit[:12]}: {subject[:200]}")
        when = datetime.fromisoformat(authored).astimezone(UTC)
        return Revision(commit, subject[:200], when, self._branch or (branch if branch != "HEAD" else None))

    def _progress(self, line: str) -> None:
        """What git says, without its own paths and the steps of its counters."""
        if not line.startswith("Cloning into") and not _COUNTER.search(line):
            self._on_line(line.rstrip())

    async def _weigh(self) -> None:
        """Judge the files by the commit's own list, before one of them is written."""
        total = count = 0

        def add(line: str) -> None:
            nonlocal total, count
            entry = _ENTRY.match(line)
            if entry is not None:
                count += 1
                total += int(entry[2]) if entry[2] != "-" else 0
                if entry[1] == "160000":
                    self._on_line(f"The submodule {entry[3]} is left out: submodules are not fetched.")

        await self._git(["-C", "tree", "ls-tree", "-r", "-l", "--full-tree", "HEAD"], on_line=add, keep_output=0)
        if total > self._limit_mb * 1024 * 1024:
            raise self._too_large(f"its files are larger than {self._limit_mb} MB.")
        if count > MAX_FILES:
            raise self._too_large(f"it has more than {MAX_FILES} files.")
        if count == 0:
            raise SourceRefused("The repository has no files.")

    async def _git(self, arguments: Sequence[str], *, on_line: OnLine | None = None, keep_output: int = 65536) -> str:
        options = [part for setting in self._config for part in ("-c", setting)]
        result = await run(
            ["git", *options, *arguments],
            cwd=self._folder,
            env=self._environment(),
            timeout=max(0.1, self._ends - time.monotonic()),
            on_line=on_line,
            keep_output=keep_output,
            memory_mb=2048,
            file_mb=self._limit_mb + 1,
            confinement=self._confinement,
        )
        return result.output

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self._folder / "home"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "GIT_ALLOW_PROTOCOL": "https:http" if self._address.scheme == "http" else "https",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": str(self._folder.parent),
        }

    @staticmethod
    def _too_large(reason: str) -> SourceUnavailable:
        return SourceUnavailable(f"The repository was not taken: {reason}")

    def _explained(self, problem: CommandFailed) -> SourceRefused | SourceUnavailable:
        """A sentence for people from what git said."""
        host, said = self._address.host, f"{problem.output}\n{problem.message}"
        if re.search(r"error: 30[1278]|unable to update url base from redirection", said):
            return SourceRefused(f"{host} redirects to another address: give the address that it redirects to.")
        if re.search(r"fsck error|hasDot|gitmodules", said):
            return SourceRefused("The repository holds objects that git itself calls malformed or dangerous.")
        for pattern, explained in (
            (r"cannot run git", "git is not installed on the portal's machine: install it and deploy again."),
            (r"Remote branch .* not found", f"The repository has no branch {self._branch!r}: check its spelling."),
            (
                r"could not read Username|Authentication failed|error: 40[134]|not found|not valid: is this a git",
                f"No such repository on {host}, or it is private: check the address in a browser that is signed out.",
            ),
            (r"SSL|certificate", f"The certificate of {host} is not valid."),
            (
                r"Failed to connect|Could not connect|Connection refused|Connection timed out|unreachable",
                f"{host} does not answer.",
            ),
            (r"unknown revision|bad default revision|does not have any commits", "The repository has no commits."),
            (
                r"invalid index-pack output|File too large|File size limit|signal 25",
                f"The repository was not taken: it is larger than {self._limit_mb} MB.",
            ),
        ):
            if re.search(pattern, said):
                return SourceUnavailable(explained)
        return SourceUnavailable(f"The repository could not be fetched: {problem.message} The log says more.")
