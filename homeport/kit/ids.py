"""Opaque ids with a type prefix, as the apps seed writes them: `svc_k3v9…`."""

from __future__ import annotations

import secrets

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters that cannot be mistaken for each other


def new_id(prefix: str) -> str:
    """`prefix_` and 16 random letters: 80 bits."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(16))}"
