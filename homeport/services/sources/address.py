"""What a git address and a branch may look like. Everything is judged here before any process starts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from homeport.services.problems import SourceRefused

_MOST = 2048
_PATH = re.compile(r"(/[A-Za-z0-9._~+@:,=%-]+)+/?")
_BRANCH = re.compile(r"[A-Za-z0-9._/+#-]+")


@dataclass(frozen=True)
class GitAddress:
    """A checked address: `host` without brackets."""

    url: str
    scheme: str
    host: str
    port: int


def check_url(url: str, *, allow_http: bool = False) -> GitAddress:
    """Raises SourceRefused with the reason."""
    if not url:
        raise _refused("is missing")
    if len(url) > _MOST:
        raise _refused(f"is longer than {_MOST} characters")
    if url.startswith("-"):
        raise _refused("begins with a hyphen, which git would take for an option")
    if any(letter.isspace() or not letter.isprintable() for letter in url):
        raise _refused("holds white space or a control character")
    if not url.isascii() or "\\" in url:
        raise _refused("holds a character that must be written as %XX")
    scheme, separator, _ = url.partition("://")
    wanted = "https:// or http://" if allow_http else "https://"
    if "::" in scheme:
        raise _refused(f"names a git helper program ({scheme.partition('::')[0]}::): only {wanted} is accepted")
    if not separator:
        raise _refused(f"must begin with {wanted}; a path or the form user@host:path is not accepted")
    scheme = scheme.lower()
    if scheme not in ({"https", "http"} if allow_http else {"https"}):
        raise _refused(f"begins with {scheme}://: only {wanted} is accepted")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refused("has an invalid host or port") from None
    if "@" in parts.netloc:
        raise _refused("holds a user name or password, which would end in logs: take it out")
    if not host or host.startswith("-") or "%" in host:
        raise _refused("has no valid host")
    if port == 0 or parts.netloc.endswith(":"):
        raise _refused("has an invalid port")
    if parts.query or parts.fragment or url.endswith(("?", "#")):
        raise _refused("holds a query or a fragment: give the address that 'git clone' takes")
    if not _PATH.fullmatch(parts.path):
        raise _refused("must name a repository by letters, digits and . _ ~ + @ : , = % - only")
    if any(part in {".", ".."} or part.startswith("-") for part in parts.path.split("/")):
        raise _refused("has a path with '.', '..' or a leading hyphen")
    return GitAddress(url, scheme, host, port or (443 if scheme == "https" else 80))


def check_branch(branch: str) -> str:
    """The branch itself. Raises SourceRefused with the reason."""
    reason = None
    if not branch or len(branch) > 255:
        reason = "must have 1 to 255 characters"
    elif branch.startswith("-"):
        reason = "begins with a hyphen, which git would take for an option"
    elif not _BRANCH.fullmatch(branch):
        reason = "may hold letters, digits and . _ / + # - only"
    elif ".." in branch or "//" in branch:
        reason = "must not hold '..' or '//'"
    elif branch.startswith(("/", ".")) or branch.endswith(("/", ".")) or "/." in branch:
        reason = "must not begin or end with '/' or '.', nor any of its parts begin with '.'"
    elif any(part.endswith(".lock") for part in branch.split("/")):
        reason = "must not end in .lock"
    if reason is not None:
        raise SourceRefused(f"The branch {_shown(branch)} {reason}.")
    return branch


def _refused(reason: str) -> SourceRefused:
    """Without the address itself: it may hold a password."""
    return SourceRefused(f"The git address {reason}.")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")
