"""Keyless TLS: signs handshakes for who holds a lease, with a key of its own (docs/decisions/0011).

Owns nothing on disk: the pair is `certificates.keyless`'s. Calls leases and policy; appends to the audit log.
"""

from homeport.relay.signing.signing import MAX_BODY_BYTES, PATH, Signing

__all__ = ["MAX_BODY_BYTES", "PATH", "Signing"]
