"""Keyless TLS: signs handshakes for who holds a lease, with a key of its own (docs/decisions/0011).

Owns nothing on disk: the pair is `certificates.keyless`'s. Calls leases and policy; appends to the audit log.
"""

from homeport.relay.signing.signing import PATH, READ_BYTES, Signing

__all__ = ["PATH", "READ_BYTES", "Signing"]
