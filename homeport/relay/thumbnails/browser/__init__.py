"""A browser that looks at pages of strangers: started for one picture and ended, or one that runs elsewhere.

`camera` is the door; the way in is the DevTools protocol.
"""

from homeport.relay.thumbnails.browser.cameras import camera

__all__ = ["camera"]
