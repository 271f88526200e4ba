"""The door for browsers and API clients.

Owns nothing stored. `create_app` puts every part's routes into one application, `LiveFeed` tells open tabs what changed
(it hears `kit.changes.Change` on the bus), `PortalServer` speaks HTTP and WebSocket on given sockets.
"""

from homeport.web.about import Place
from homeport.web.app import create_app
from homeport.web.live import LiveFeed
from homeport.web.server import PortalServer

__all__ = ["LiveFeed", "Place", "PortalServer", "create_app"]
