"""Pictures of tunnels: what their holders give, and otherwise what a browser sees (seed 004, digest A.12, H, L.20).

Owns its memory only. Hears LeaseBegan and LeaseEnded; publishes nothing.
"""

from homeport.relay.thumbnails.http import routes
from homeport.relay.thumbnails.thumbnails import Thumbnails

__all__ = ["Thumbnails", "routes"]
