"""Relays that know of each other, by descriptors that each signs itself.

Owns the table `relay_peers`. Asks other relays through the outbound guard.
"""

from homeport.relay.discovery.discovery import Discovery

__all__ = ["Discovery"]
