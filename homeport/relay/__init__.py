"""How the world reaches us: one TLS port, the certificates it shows, and who gets which connection.

Owns the listening socket and the certificate authority. Calls wire. Hears nothing; publishes nothing yet.
"""

from homeport.relay.authority import Authority, AuthorityBroken
from homeport.relay.ingress import Handler, Ingress, TlsHandler

__all__ = ["Authority", "AuthorityBroken", "Handler", "Ingress", "TlsHandler"]
