"""Keyless TLS: signs handshakes for who holds a lease, with a key of its own (docs/decisions/0011).

Also certificates of the own authority for agents that keep their key. Owns nothing on disk: the pair is
`certificates.keyless`'s. Calls leases and policy; appends to the audit log.
"""

from homeport.relay.signing.http import routes
from homeport.relay.signing.issuing import TunnelCertificates
from homeport.relay.signing.signing import PATH, READ_BYTES, Signing

__all__ = ["PATH", "READ_BYTES", "Signing", "TunnelCertificates", "routes"]
