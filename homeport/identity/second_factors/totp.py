"""Codes of authenticator apps (RFC 6238: SHA-1, 30 seconds, 6 digits) and the codes that stand in for a lost one."""

from __future__ import annotations

import hashlib
import hmac
import io
import re
import secrets
from datetime import datetime

STEP_SECONDS = 30
WINDOW = 1  # steps before and after, for clocks that differ
BACKUP_CODES = 10
ISSUER = "Homeport"
_SIX_DIGITS = re.compile(r"[0-9]{6}", re.ASCII)
_BACKUP_CODE = re.compile(r"[0-9A-F]{8}", re.ASCII)


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 R6 recommends."""
    import pyotp

    return pyotp.random_base32()


def provisioning_uri(secret: str, account: str) -> str:
    """`otpauth://totp/Homeport:<account>?secret=…&issuer=Homeport`, which authenticator apps read."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=ISSUER)


def qr_svg(text: str) -> str:
    """A QR code as an SVG document, black on white in either theme."""
    import segno

    buffer = io.BytesIO()
    segno.make(text, error="m").save(
        buffer, kind="svg", xmldecl=False, scale=4, border=3, light="#fff", svgclass=None, lineclass=None
    )
    return buffer.getvalue().decode()


def step_of(now: datetime) -> int:
    return int(now.timestamp()) // STEP_SECONDS


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The step whose code this is, of the three that count; None when it is none of theirs."""
    import pyotp

    totp, current = pyotp.TOTP(secret), step_of(now)
    matches = [
        step
        for step in range(current - WINDOW, current + WINDOW + 1)
        if hmac.compare_digest(totp.generate_otp(step), code)
    ]
    return matches[-1] if matches else None


def tidy(code: str) -> str:
    """As people type it: without spaces and dashes, in upper case."""
    return re.sub(r"[\s-]", "", code).upper()


def is_totp(code: str) -> bool:
    return _SIX_DIGITS.fullmatch(code) is not None


def is_backup_code(code: str) -> bool:
    return _BACKUP_CODE.fullmatch(code) is not None


def new_backup_codes() -> list[str]:
    """Ten different ones of eight upper-case hexadecimal digits."""
    codes: set[str] = set()
    while len(codes) < BACKUP_CODES:
        codes.add(secrets.token_hex(4).upper())
    return sorted(codes)


def digest(backup_code: str) -> bytes:
    return hashlib.sha256(backup_code.encode()).digest()
