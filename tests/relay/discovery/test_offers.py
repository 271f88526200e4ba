"""What the relay's own descriptor offers is what it gives."""

from __future__ import annotations

from pathlib import Path

from homeport.kit.guard import OutboundGuard
from homeport.relay.discovery import Discovery
from homeport.relay.policy import Policy, PortPolicy
from homeport.relay.relay_identity import RelayIdentity
from homeport.settings import Settings
from homeport.storage import Database, Options
from homeport.testing.clock import ManualClock


async def test_ports_that_are_switched_off_are_not_advertised(  # relay L.18
    database: Database, tmp_path: Path
) -> None:
    settings, clock = Settings(data_dir=tmp_path, relay_discovery=True, domain="relay.example"), ManualClock()
    policy = Policy(database, settings, Options(database), clock)
    discovery = Discovery(
        database,
        lambda: settings,
        clock,
        OutboundGuard(()),
        RelayIdentity(tmp_path, "relay.example"),
        lambda: (0, 0),
        offers=lambda: (policy.udp.enabled, policy.tcp_port.enabled),
    )
    assert (discovery.own().supports_udp, discovery.own().supports_tcp) == (True, True)

    await policy.set_udp(PortPolicy(False))
    clock.advance(11)

    assert (discovery.own().supports_udp, discovery.own().supports_tcp) == (False, True)
