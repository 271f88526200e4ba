"""The certificates that serve instead of the own authority's: kept as files, found by name, changed while serving."""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from homeport.kit.clock import Clock
from homeport.kit.files import atomic_write
from homeport.kit.problems import Problem
from homeport.relay.certificates.origin import KEYLESS, Origin, from_json, to_json
from homeport.relay.certificates.pairs import Pair, load_pair, read_pair
from homeport.relay.certificates.problems import CertificateNotFound, CertificateRefused
from homeport.relay.certificates.provider_secrets import ProviderSecrets

log = structlog.get_logger()

MOST = 500
_STEM = re.compile(r"(?:_wildcard\.)?[a-z0-9_.:-]{1,253}\Z")


@dataclass(frozen=True)
class Kept:
    """`domain` is the name it is known by, `path` its PEM file: the key, the certificate, the chain."""

    domain: str
    pair: Pair
    origin: Origin
    path: Path

    @property
    def not_after(self) -> datetime:
        return self.pair.not_after


class Shelf:
    """Owns `directory`: `<domain>.pem` and `<domain>.json`, both 0600; `*` is written `_wildcard`.

    Of those that cover a name and have not run out, the one installed last serves; exact names win over wildcards. The
    relay's own pair lies here, too, and serves no name. `changes` counts what was put, noted, removed and read.
    """

    def __init__(self, directory: Path, clock: Clock, secrets: ProviderSecrets) -> None:
        self._directory = directory
        self._clock = clock
        self._secrets = secrets
        self._kept: dict[str, Kept] = {}
        self._by_name: dict[str, list[Kept]] = {}  # installed last comes first
        self.changes = 0
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Read what the folder holds. What cannot be read is said in the log and does not serve."""
        async with self._lock:
            self._take(await asyncio.to_thread(self._read_all))

    def context_for(self, name: str | None) -> ssl.SSLContext | None:
        """The context for a connection that asks for `name`; None where the own authority answers."""
        kept = self.find_for(name)
        return kept.pair.context if kept else None

    def find_for(self, name: str | None) -> Kept | None:
        """Which certificate such a connection is shown; one that is out of date is not."""
        if not name or not self._by_name:
            return None
        name = name.lower().removesuffix(".")
        now = self._clock.now()
        for each in (name, f"*.{name.partition('.')[2]}"):
            for kept in self._by_name.get(each, ()):
                if kept.not_after > now:
                    return kept
        return None

    @property
    def keyless(self) -> Kept | None:
        """The relay's own pair, where one was uploaded or ordered; it may have run out."""
        return self._kept.get(KEYLESS)

    def list(self) -> list[Kept]:
        """All, by name."""
        return [self._kept[domain] for domain in sorted(self._kept)]

    def get(self, domain: str) -> Kept:
        """Raises CertificateNotFound."""
        kept = self._kept.get(domain.lower())
        if kept is None:
            raise CertificateNotFound(f"No certificate is kept for {domain[:253]!r}: see `homeport tls info`.")
        return kept

    async def put(self, domain: str, pair: Pair, origin: Origin) -> Kept:
        """On disk and serving when this returns; the one of the same domain is replaced."""
        async with self._lock:
            if domain not in self._kept and len(self._kept) >= MOST:
                raise CertificateRefused(f"{MOST} certificates are kept already: remove one first.")
            kept = Kept(domain, pair, origin, self._path(domain))
            await self._secrets.keep(domain, origin.wish.dns if origin.wish else None)
            await asyncio.to_thread(self._write, kept)
            self._take({**self._kept, domain: kept})
        return kept

    async def note(self, domain: str, origin: Origin) -> None:
        """Remember how a renewal went; nothing when the certificate was removed meanwhile."""
        async with self._lock:
            kept = self._kept.get(domain)
            if kept is None:
                return
            kept = replace(kept, origin=origin)
            await asyncio.to_thread(self._write_origin, kept)
            self._take({**self._kept, domain: kept})

    async def remove(self, domain: str) -> Kept:
        """Back to the own authority for its names. Raises CertificateNotFound."""
        async with self._lock:
            kept = self.get(domain)
            await asyncio.to_thread(self._unlink, kept)
            await self._secrets.keep(kept.domain, None)
            self._take({name: each for name, each in self._kept.items() if name != kept.domain})
        return kept

    def check(self, kept: Kept) -> None:
        """Judge it again as it lies on disk; blocks. Raises CertificateRefused."""
        pem = _read(kept.path)
        read_pair(pem, pem, self._clock.now())

    def _take(self, kept: dict[str, Kept]) -> None:
        by_name: dict[str, list[Kept]] = {}
        for each in sorted(kept.values(), key=lambda one: one.origin.installed_at, reverse=True):
            for name in each.origin.serves if each.domain != KEYLESS else ():
                by_name.setdefault(name, []).append(each)
        self._kept, self._by_name = kept, by_name
        self.changes += 1

    def _path(self, domain: str) -> Path:
        stem = domain.replace("*", "_wildcard", 1)
        if not _STEM.match(stem) or ".." in stem or stem.startswith((".", "-")):
            raise CertificateRefused(f"{domain[:253]!r} is not a name that a certificate can be kept under.")
        return self._directory / f"{stem}.pem"

    def _read_all(self) -> dict[str, Kept]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found: dict[str, Kept] = {}
        for path in sorted(self._directory.glob("*.pem"))[:MOST]:
            domain = path.stem.replace("_wildcard", "*", 1)
            try:
                found[domain] = self._read_one(domain, path)
            except (Problem, OSError, ValueError, KeyError, TypeError) as problem:
                log.error("a certificate cannot be used", path=str(path), reason=str(problem)[:300])
        return found

    def _read_one(self, domain: str, path: Path) -> Kept:
        pem = _read(path)
        pair = load_pair(pem, pem)
        notes = path.with_suffix(".json")
        if notes.exists():
            origin = from_json(notes.read_text(), self._secrets.find(domain))
        else:  # somebody put a file there
            origin = Origin(
                "custom", pair.names, datetime.fromtimestamp(path.stat().st_mtime, self._clock.now().tzinfo)
            )
        return Kept(domain, pair, origin, path)

    def _write(self, kept: Kept) -> None:
        """The notes first: a certificate without them would never be renewed, notes without one are nothing."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_origin(kept)
        atomic_write(kept.path, kept.pair.key_and_chain, mode=0o600)

    def _write_origin(self, kept: Kept) -> None:
        text = to_json(kept.origin)
        atomic_write(kept.path.with_suffix(".json"), text, mode=0o600)

    @staticmethod
    def _unlink(kept: Kept) -> None:
        kept.path.unlink(missing_ok=True)
        kept.path.with_suffix(".json").unlink(missing_ok=True)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(256 * 1024)
