"""The agent as a service of this machine: keeps the tunnels of a state directory up, and can be asked on loopback.

Owns: the state directory (tunnels, identities, the token that may change them), the local API of seed 004
(`/v1/agent/*`). `homeport agent run` is this; `homeport agent add` and the rest ask it.
"""

from homeport.relay.agent.daemon.daemon import Daemon
from homeport.relay.agent.daemon.specs import RelaySpec, TunnelSpec, read_spec
from homeport.relay.agent.daemon.state import AgentState

DEFAULT_PORT = 4018

__all__ = ["DEFAULT_PORT", "AgentState", "Daemon", "RelaySpec", "TunnelSpec", "read_spec"]
