"""The tenant's end of a visitor's TLS, by hand, because Python's ssl cannot have its signatures made elsewhere.

TLS 1.3 (RFC 8446) with TLS_AES_128_GCM_SHA256, and TLS 1.2 (RFC 5246) with ECDHE and AES-128-GCM; x25519 or P-256; one
full handshake, no resumption. For tests only.
"""

from homeport.testing.relay_client.tenant.accept import accept_tls
from homeport.testing.relay_client.tenant.stream import TenantTls

__all__ = ["TenantTls", "accept_tls"]
