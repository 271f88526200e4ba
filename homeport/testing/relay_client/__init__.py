"""A client of relays, written from the seed and the wire's description alone: it shares no line with `homeport.relay`.

Blocking, with one thread for what waits; everything has a time limit. `Relay` says where, `RelayClient` speaks the API,
`ReverseSession` is one connection waiting for a visitor, `TenantTls` ends the visitor's TLS with signatures from afar,
`Tunnel` keeps two sessions open and serves whoever comes.
"""

from homeport.testing.relay_client.answers import Answer, Refused
from homeport.testing.relay_client.client import Registration, RelayClient
from homeport.testing.relay_client.relay import Relay
from homeport.testing.relay_client.session import RAW, TLS, ReverseSession
from homeport.testing.relay_client.signer import RemoteSigner, SignRefused
from homeport.testing.relay_client.stream import ByteStream, PlainStream, TlsStream
from homeport.testing.relay_client.tenant import TenantTls, accept_tls
from homeport.testing.relay_client.tunnel import Tunnel, answer_http, echo
from homeport.testing.relay_client.wallet import Wallet

__all__ = [
    "RAW",
    "TLS",
    "Answer",
    "ByteStream",
    "PlainStream",
    "Refused",
    "Registration",
    "Relay",
    "RelayClient",
    "RemoteSigner",
    "ReverseSession",
    "SignRefused",
    "TenantTls",
    "TlsStream",
    "Tunnel",
    "Wallet",
    "accept_tls",
    "answer_http",
    "echo",
]
