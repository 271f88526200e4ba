"""What can go wrong with units. The sentences are the contract of seed 000."""

from __future__ import annotations

from homeport.kit.problems import Conflict, Problem


class UnknownUnit(Problem):
    """A name that is not on the allow-list; whether such a unit exists is nobody's business."""

    code = "unknown_service"
    status = 400

    def __init__(self) -> None:
        super().__init__("Unknown service")


class InvalidAction(Problem):
    code = "invalid_action"
    status = 400

    def __init__(self) -> None:
        super().__init__("Invalid action")


class CannotStopItself(Problem):
    """The portal's own unit: whoever stops it could not start it again from here."""

    code = "cannot_stop_itself"
    status = 400

    def __init__(self) -> None:
        super().__init__("Cannot stop the panel service from the UI — it would terminate this session")


class ActionFailed(Problem):
    """systemctl failed or took too long. `details` is a string here (seed 000): what it said, cut and cleaned."""

    code = "action_failed"
    status = 500

    def __init__(self, unit: str, action: str, said: str) -> None:
        super().__init__(f"Failed to {action} {unit}", extra={"details": said})
        self.said = said


class UnitBusy(Conflict):
    """Another action on the unit did not end in time."""

    code = "unit_busy"


class JournalUnavailable(Problem):
    """The journal cannot be read here; the portal's log has the reason."""

    code = "journal_unavailable"
    status = 502
