"""From a visitor's first byte to the plain text."""

from __future__ import annotations

from homeport.testing.relay_client.stream import ByteStream
from homeport.testing.relay_client.tenant import tls12, tls13
from homeport.testing.relay_client.tenant.exchange import Signer
from homeport.testing.relay_client.tenant.hello import parse_offer
from homeport.testing.relay_client.tenant.records import ALERT, Records, TlsFault
from homeport.testing.relay_client.tenant.stream import TenantTls

_HANDSHAKE_FAILURE = b"\x02\x28"


def accept_tls(stream: ByteStream, signer: Signer) -> TenantTls:
    """The highest version that the visitor offers. Raises TlsFault, and whatever signer and stream raise."""
    records = Records(stream)
    offer = parse_offer(records.message(1))
    try:
        if 0x0304 in offer.versions:
            tls13.shake_hands(records, offer, signer)
            return TenantTls(records, offer, "TLSv1.3")
        if 0x0303 in offer.versions:
            tls12.shake_hands(records, offer, signer)
            return TenantTls(records, offer, "TLSv1.2")
        raise TlsFault("no version in common")
    except TlsFault:
        records.write(ALERT, _HANDSHAKE_FAILURE)
        raise
