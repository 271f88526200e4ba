"""What is open follows the policy: a ban or a denial ends what it forbids at once, and not only what comes later."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from homeport.kit.bus import Bus
from homeport.relay.events import LeaseChanged, LeaseEnded
from homeport.relay.lease import Lease
from homeport.relay.policy import Policy


class Enforcement:
    """Hears the policy's changes from now on. `leases` gives those that run.

    Leases that have ended are remembered for as long as somebody is served through them.
    """

    def __init__(self, policy: Policy, leases: Callable[[], Iterable[Lease]], bus: Bus) -> None:
        self._policy = policy
        self._leases = leases
        self._bus = bus
        self._ended: set[Lease] = set()
        policy.changed = self.apply
        bus.subscribe(LeaseEnded, self._remember)

    def apply(self, key: str | None) -> None:
        """Look again at the leases of one identity; None: at all, and at every visitor's address."""
        running = list(self._leases())
        for lease in [*running, *self._ended]:
            if key is None or lease.key == key:
                self._look_at(lease)
        self._tidy()
        for lease in running:
            if key == lease.key:
                self._bus.publish(LeaseChanged(lease))

    def _look_at(self, lease: Lease) -> None:
        policy = self._policy
        if not policy.routable(lease.key) or policy.refused(lease.client_ip):
            if lease.sessions is not None:
                lease.sessions.dismiss()
            cut = set(lease.bridges)
        else:
            cut = {bridge for bridge in lease.bridges if policy.refused(bridge.address)}
        for bridge in cut:  # a bridge leaves the lease's set when it is cut
            bridge.cut()

    def _remember(self, event: LeaseEnded) -> None:
        self._tidy()
        if event.lease.bridges:
            self._ended.add(event.lease)

    def _tidy(self) -> None:
        self._ended = {lease for lease in self._ended if lease.bridges}
