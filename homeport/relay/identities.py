"""Names and addresses of those who tunnel, in one spelling (seed 004, digest B.1 and C.10)."""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode

from homeport.relay.lease import TunnelIdentity
from homeport.relay.problems import InvalidRequest
from homeport.wire.ethereum import InvalidAddress, checksum_address

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_LONGEST_NAME = 1024  # characters before it is normalised
_HASH_DOMAIN = b"portal hostname hash v1\0"


def identity_of(name: str, address: str) -> TunnelIdentity:
    """The identity in its one spelling. Raises InvalidRequest, which says what is wrong with which of the two."""
    label = normal_name(name)
    try:
        return TunnelIdentity(label, checksum_address(address))
    except InvalidAddress as problem:
        raise InvalidRequest(f"The identity's address is invalid: {problem}.") from None


def normal_name(name: str) -> str:
    """A DNS label: lower case, runs of other characters than letters, digits and hyphens as one hyphen, IDNA.

    Raises InvalidRequest.
    """
    if len(name) > _LONGEST_NAME:
        raise InvalidRequest("The name is too long: a tunnel's name has at most 63 letters.")
    kept: list[str] = []
    gap = False
    for letter in name.strip().lower():
        if letter == "-" or letter.isalpha() or letter.isdecimal():
            kept.append(letter)
            gap = False
        elif not gap:
            kept.append("-")
            gap = True
    label = "".join(kept).strip("-")
    if not label:
        raise InvalidRequest("A name is required, with a letter or a digit in it.")
    if not label.isascii():
        label = _ascii(label)
    if not is_label(label):
        raise InvalidRequest("The name does not make a label of at most 63 letters, digits and hyphens.")
    return label


def is_label(text: str) -> bool:
    """Whether this is one label of a host name, in its one spelling."""
    return _LABEL.fullmatch(text) is not None


def normal_host(host: str) -> str:
    """As TLS names are compared: lower case, no blanks around, without the dot at the end."""
    return host.strip().lower().removesuffix(".")


def hostname_hash(host: str) -> str:
    """What a client sends for its public name where it hides it: 43 letters of unpadded base64url."""
    return urlsafe_b64encode(hashlib.sha256(_HASH_DOMAIN + normal_host(host).encode()).digest()).rstrip(b"=").decode()


def _ascii(label: str) -> str:
    import idna

    try:
        return idna.encode(label, uts46=True, std3_rules=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise InvalidRequest("The name has letters that a host name cannot have.") from None
