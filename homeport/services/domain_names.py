"""What may be a domain of one's own, and how one is shown."""

from __future__ import annotations

import re
from typing import Any

from homeport.kit.clock import rfc3339
from homeport.kit.problems import ValidationFailed
from homeport.services.models import DomainRow

PREFIX = "homeport-verify="
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")


def normal_domain(text: str, own: str) -> str:
    """A domain as DNS writes it: small letters, IDNA 2008 (`xn--…`), no dot at the end.

    `own` is the portal's domain: names below it are given by the portal. Raises ValidationFailed on `domain`.
    """
    import idna

    name = text.strip().removesuffix(".")
    try:
        name = name.lower() if name.isascii() else idna.encode(name, uts46=True).decode()
        for label in name.split("."):
            if label.startswith("xn--"):
                idna.decode(label)
    except (idna.IDNAError, UnicodeError) as problem:
        raise _refused(f"is no name that DNS knows ({problem})") from None
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise _refused("use letters, digits and inner hyphens, 63 at most between two dots")
    if len(labels) < 2 or labels[-1].isdigit():
        raise _refused("use a whole name such as shop.example.com")
    for ours in (own.lower(), "localhost"):
        if name == ours or name.endswith(f".{ours}"):
            raise _refused(f"names below {ours} are the portal's own")
    return name


def domain_body(row: DomainRow) -> dict[str, Any]:
    """As it stands in its service's detail."""
    return {
        "domain": row.domain,
        "status": row.status,
        "verified_at": rfc3339(row.verified_at) if row.verified_at else None,
    }


def proof_body(row: DomainRow) -> dict[str, Any]:
    """With what proves it: a TXT record, or a file that the domain's web server has at this moment."""
    value = proof_value(row.token)
    return {
        **domain_body(row),
        "created_at": rfc3339(row.created_at),
        "token": row.token,
        "dns": {"name": txt_name(row.domain), "type": "TXT", "value": value},
        "http": {"path": file_path(row.token), "value": value},
    }


def proof_value(token: str) -> str:
    return f"{PREFIX}{token}"


def txt_name(domain: str) -> str:
    return f"_homeport.{domain}"


def file_path(token: str) -> str:
    return f"/.well-known/homeport/{token}"


def _refused(reason: str) -> ValidationFailed:
    return ValidationFailed({"domain": reason})
