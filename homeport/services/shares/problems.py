"""What can go wrong with tunnels for services."""

from __future__ import annotations

from homeport.kit.problems import NotFound, Problem


class TunnelNotFound(NotFound):
    code = "tunnel_not_found"


class NotShareable(Problem):
    """The service has nothing that a tunnel could lead to, or not in the way that was asked for."""

    code = "not_shareable"
    status = 422


class RelayOff(Problem):
    """This portal serves no tunnels, and no other relay was named."""

    code = "relay_off"
    status = 422
