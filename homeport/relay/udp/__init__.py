"""UDP through the relay: public ports whose datagrams travel to a tunnel's end inside QUIC datagrams.

Owns: the QUIC listener, the leases' public UDP sockets, their flows. Calls wire. aioquic is loaded with the first lease
that asks for UDP. The agent's end of the same is `relay/agent/udp.py`.
"""

from homeport.relay.udp.ports import UdpPolicy, UdpPorts

__all__ = ["UdpPolicy", "UdpPorts"]
