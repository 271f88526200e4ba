"""What can go wrong between the agent, its relays, and what it makes public."""

from __future__ import annotations

from homeport.kit.problems import Problem


class RelayUnreachable(Problem):
    """No connection, no answer in time, or a relay that is just not well: worth another try."""

    code = "unreachable"
    status = 503


class RelayUntrusted(RelayUnreachable):
    """The relay's certificate comes from an authority that nobody has trusted here, or is another's."""


class RelayIncompatible(Problem):
    """What answers is no relay, or one of a version that this agent does not speak."""

    code = "relay_incompatible"
    status = 502


class RelayRefused(Problem):
    """An error answer of the relay, with its own code, status and sentence."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class LeaseLost(Problem):
    """The relay does not know the lease (any more), or its token: register anew."""

    code = "lease_not_found"
    status = 404


class HostnameTaken(Problem):
    """Somebody else's tunnel has the name on this relay."""

    code = "hostname_conflict"
    status = 409


class SessionEnded(Problem):
    """A reverse session broke before a visitor came."""

    code = "session_ended"
    status = 502


class IdentityBroken(Problem):
    """The identity file cannot be read, or its parts do not belong together."""

    code = "identity_broken"
    status = 409


class CertificateUnavailable(Problem):
    """No certificate was to be had for the tunnel's host name."""

    code = "certificate_unavailable"
    status = 502


class TargetUnreachable(Problem):
    """What is made public does not answer at its address."""

    code = "target_unreachable"
    status = 503


class TargetInvalid(Problem):
    """What was given as the target is no port and no address."""

    code = "usage"
    status = 400
