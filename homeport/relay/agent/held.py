"""What a relay has given the agent, for as long as it lasts."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import datetime

from homeport.relay.agent.relays import Relay
from homeport.relay.agent.status import Traffic


@dataclass(slots=True)
class Held:
    """A lease at one relay. `token` and `expires_at` (UTC) change as it is renewed: read them when they are used.

    `tcp_addr` and `udp_addr` are host:port, empty where none was given. `answers`: by host name, what proves it to a
    certificate authority just now. `traffic` is the tunnel's, for who carries some of it.
    """

    relay: Relay
    protocol: str
    hostname: str
    token: str = field(repr=False)
    expires_at: datetime
    sni_port: int = 0
    tcp_addr: str = ""
    udp_addr: str = ""
    udp_enabled: bool = False
    answers: dict[str, ssl.SSLContext] = field(default_factory=dict, repr=False)
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def url(self) -> str:
        """Where visitors find the tunnel."""
        port = self.sni_port or self.relay.port
        return f"https://{self.hostname}" if port == 443 else f"https://{self.hostname}:{port}"
