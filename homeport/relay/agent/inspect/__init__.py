"""What goes through a tunnel, to look at and to send again: `homeport expose --inspect`.

Owns: the last requests (bounded in number and bytes), the page on loopback. An `Inspector` is an Observer of the agent;
it only listens, and gives a connection up when it is not HTTP/1.1.
"""

from homeport.relay.agent.inspect.exchanges import Exchange, ExchangeLog
from homeport.relay.agent.inspect.inspector import Inspector

__all__ = ["Exchange", "ExchangeLog", "Inspector"]
