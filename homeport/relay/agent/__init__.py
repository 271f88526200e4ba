"""The agent: makes what runs here public through relays, with TLS that ends on this machine.

Owns: the identity file, reverse sessions, the visitors' TLS and its key. Calls: relays of this product and of the
reference product alike, and what it makes public. Needs no portal: nothing but kit, wire and a few files of the relay.
`Agent` is the door; a `Target` says where visitors go, an `Observer` looks on, a `Companion` works along with a lease.
"""

from homeport.relay.agent.agent import Agent
from homeport.relay.agent.certificates import Automatic, CertificateSource, FromAcme, FromTheRelay, SelfSigned, Shown
from homeport.relay.agent.held import Held
from homeport.relay.agent.identity import AgentIdentity, load_or_create
from homeport.relay.agent.observer import Observer, Tap, Visitor
from homeport.relay.agent.relay_client import Wish
from homeport.relay.agent.relays import Relay, client_context, relay_url
from homeport.relay.agent.status import State, Status
from homeport.relay.agent.targets import CallableTarget, Target, TcpTarget, parse_target
from homeport.relay.agent.tunnel import Companion, Tunnel

__all__ = [
    "Agent",
    "AgentIdentity",
    "Automatic",
    "CallableTarget",
    "CertificateSource",
    "Companion",
    "FromAcme",
    "FromTheRelay",
    "Held",
    "Observer",
    "Relay",
    "SelfSigned",
    "Shown",
    "State",
    "Status",
    "Tap",
    "Target",
    "TcpTarget",
    "Tunnel",
    "Visitor",
    "Wish",
    "client_context",
    "load_or_create",
    "parse_target",
    "relay_url",
]
