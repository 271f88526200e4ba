"""How far set-up has come. Until it is complete, the portal manages nothing."""

from __future__ import annotations

from enum import StrEnum

from homeport.identity import store
from homeport.identity.problems import OnboardingIncomplete
from homeport.storage import Database


class OnboardingStatus(StrEnum):
    FRESH = "FRESH"
    COMPLETE = "COMPLETE"


class OnboardingGate:
    """Remembers completion, which is never taken back; until then each question reads the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._complete = False

    async def status(self) -> OnboardingStatus:
        if self._complete:
            return OnboardingStatus.COMPLETE
        async with self._database.read() as db:
            status = OnboardingStatus(await store.onboarding_status(db) or OnboardingStatus.FRESH)
        self._complete = status is OnboardingStatus.COMPLETE
        return status

    async def require_complete(self) -> None:
        """Raises OnboardingIncomplete."""
        if not self._complete and (status := await self.status()) is not OnboardingStatus.COMPLETE:
            raise OnboardingIncomplete(status)
