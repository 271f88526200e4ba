"""Sign-In with Ethereum: the text that a wallet signs to say who it is (EIP-4361), one layout, composed and parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_LONGEST = 4096  # characters of a message
_FIRST = re.compile(r"(?P<domain>[^\s/?#@]{1,255}) wants you to sign in with your Ethereum account:")
_AUTHORITY = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)  # RFC 3986 3.2, without who
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)")
_NONCE = re.compile(r"[A-Za-z0-9]{8,128}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class InvalidMessage(ValueError):
    """No message of this layout."""


@dataclass(frozen=True, slots=True)
class SiweMessage:
    """What is said in it. `address` is EIP-55, `statement` one line, the instants are UTC in whole seconds."""

    domain: str
    address: str
    statement: str
    uri: str
    nonce: str
    issued_at: datetime
    expires_at: datetime
    request_id: str
    chain_id: int = 1


def is_authority(text: str) -> bool:
    """Whether a Host header can stand in a message: a name or an address, perhaps with a port."""
    return len(text) <= 255 and _AUTHORITY.fullmatch(text) is not None


def compose(message: SiweMessage) -> str:
    """The text: lines by LF, none at the end."""
    return "\n".join(
        (
            f"{message.domain} wants you to sign in with your Ethereum account:",
            message.address,
            "",
            message.statement,
            "",
            f"URI: {message.uri}",
            "Version: 1",
            f"Chain ID: {message.chain_id}",
            f"Nonce: {message.nonce}",
            f"Issued At: {_written(message.issued_at)}",
            f"Expiration Time: {_written(message.expires_at)}",
            f"Request ID: {message.request_id}",
        )
    )


def parse(text: str) -> SiweMessage:
    """A text of exactly that layout. Raises InvalidMessage for every other."""
    lines = text.split("\n") if len(text) <= _LONGEST else []
    if len(lines) != 12 or lines[2] or lines[4] or not lines[3]:
        raise InvalidMessage("a message to sign in with has twelve lines")
    first = _FIRST.fullmatch(lines[0])
    if first is None or not is_authority(first["domain"]) or not _ADDRESS.fullmatch(lines[1]):
        raise InvalidMessage("the message does not say who signs in, and where")
    if _field(lines[6], "Version") != "1":
        raise InvalidMessage("the message is of another version")
    chain, nonce = _field(lines[7], "Chain ID"), _field(lines[8], "Nonce")
    if not re.fullmatch(r"[0-9]{1,18}", chain) or not _NONCE.fullmatch(nonce):
        raise InvalidMessage("the message has no chain or no nonce")
    return SiweMessage(
        first["domain"],
        lines[1],
        lines[3],
        _field(lines[5], "URI"),
        nonce,
        _instant(_field(lines[9], "Issued At")),
        _instant(_field(lines[10], "Expiration Time")),
        _field(lines[11], "Request ID"),
        int(chain),
    )


def _field(line: str, name: str) -> str:
    start = f"{name}: "
    if not line.startswith(start) or len(line) == len(start):
        raise InvalidMessage(f"the message does not say its {name}")
    return line[len(start) :]


def _instant(text: str) -> datetime:
    if not _INSTANT.fullmatch(text):
        raise InvalidMessage("the message has a time that is none")
    try:
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidMessage("the message has a time that is none") from None


def _written(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
