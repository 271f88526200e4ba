"""What happened to a credential."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CredentialEnded:
    """A session or an API key stopped being valid before its time."""

    credential_id: str
    user_id: str
