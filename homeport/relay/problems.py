"""What can go wrong between the relay and those who tunnel through it: the codes and statuses of seed 004."""

from __future__ import annotations

from homeport.kit.problems import Problem


class FeatureUnavailable(Problem):
    code = "feature_unavailable"
    status = 503


class HostnameConflict(Problem):
    code = "hostname_conflict"
    status = 409


class IpBanned(Problem):
    code = "ip_banned"
    status = 403


class LeaseNotFound(Problem):
    code = "lease_not_found"
    status = 404


class LeaseRejected(Problem):
    """The lease is there, but not (or no longer) approved, or banned or denied."""

    code = "lease_rejected"
    status = 403


class TransportMismatch(Problem):
    code = "transport_mismatch"
    status = 409


class TokenRefused(Problem):
    """A lease's token that is not ours, not any more, or somebody else's; also a signature that does not fit."""

    code = "unauthorized"
    status = 403


class AdminUnauthorized(Problem):
    code = "unauthorized"
    status = 401


class WalletRefused(Problem):
    """A wallet that signed well and may not administer."""

    code = "unauthorized"
    status = 403


class UdpDisabled(Problem):
    code = "udp_disabled"
    status = 403


class UdpCapacityExceeded(Problem):
    code = "udp_capacity_exceeded"
    status = 503


class UdpPortExhausted(Problem):
    code = "udp_port_exhausted"
    status = 503


class TcpPortDisabled(Problem):
    code = "tcp_port_disabled"
    status = 403


class TcpPortCapacityExceeded(Problem):
    code = "tcp_port_capacity_exceeded"
    status = 503


class TcpPortExhausted(Problem):
    code = "tcp_port_exhausted"
    status = 503


class Http11Only(Problem):
    code = "http11_only"
    status = 505


class HijackUnsupported(Problem):
    """The connection cannot become a byte stream: something between ends it, or it has carried other requests."""

    code = "hijack_unsupported"
    status = 500


class MethodNotAllowed(Problem):
    code = "method_not_allowed"
    status = 405


class InvalidRequest(Problem):
    code = "invalid_request"
    status = 400


class InvalidJson(Problem):
    code = "invalid_json"
    status = 400


class InvalidMode(Problem):
    code = "invalid_mode"
    status = 400


class InvalidIp(Problem):
    code = "invalid_ip"
    status = 400


class InvalidAddress(Problem):
    code = "invalid_address"
    status = 400


class RateLimited(Problem):
    code = "rate_limited"
    status = 429
