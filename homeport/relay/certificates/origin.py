"""How a certificate came to be here, and what is needed to get the next one; kept beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from homeport.kit.clock import parse_rfc3339, rfc3339, rfc3339_ms

Method = Literal["letsencrypt", "selfsigned", "custom"]  # as seed 002's clients know them
Challenge = Literal["http-01", "dns-01", "tls-alpn-01"]
KEYLESS = "_keyless"  # what the relay's own pair is known by: no host has such a name


@dataclass(frozen=True)
class Wish:
    """What to order from an ACME directory. `names` begins with the name it is known by, unless `known_as` says so.

    `dns` says who sets TXT records (dns-01 only); it may hold secrets. `automatic`: nobody asked, a proven domain did.
    """

    names: tuple[str, ...]
    email: str
    challenge: Challenge
    directory_url: str
    dns: Mapping[str, Any] | None = field(default=None, repr=False)
    automatic: bool = False
    known_as: str = ""

    @property
    def domain(self) -> str:
        return self.known_as or self.names[0]

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to set the record each time."""
        return self.challenge == "dns-01" and (self.dns or {}).get("provider") == "manual"


@dataclass(frozen=True)
class Origin:
    """`serves`: the names it answers for; a self-signed one holds more. The last three tell of failed renewals."""

    method: Method
    serves: tuple[str, ...]
    installed_at: datetime
    wish: Wish | None = None
    validity_days: int = 0
    key_type: str = ""
    failures: int = 0
    tried_at: datetime | None = None
    error: str = ""

    def failed(self, at: datetime, error: str) -> Origin:
        """After one more renewal that did not work."""
        return replace(self, failures=self.failures + 1, tried_at=at, error=error)


def to_json(origin: Origin) -> str:
    """Without the provider's settings, which are kept elsewhere."""
    body = asdict(origin)
    body["installed_at"] = rfc3339_ms(origin.installed_at)
    body["tried_at"] = rfc3339(origin.tried_at) if origin.tried_at else None
    if body["wish"] is not None:
        del body["wish"]["dns"]
    return json.dumps(body, indent=2) + "\n"


def from_json(text: str, dns: Mapping[str, Any] | None) -> Origin:
    """`dns`: the provider's settings. Raises ValueError, KeyError or TypeError for what is no origin."""
    body = json.loads(text)
    wish, tried_at = body.pop("wish"), body.pop("tried_at")
    body["serves"] = tuple(body["serves"])
    body["installed_at"] = parse_rfc3339(body["installed_at"])
    return Origin(
        **body,
        wish=None if wish is None else Wish(**{**wish, "names": tuple(wish["names"])}, dns=dns),
        tried_at=parse_rfc3339(tried_at) if tried_at else None,
    )
