"""TLS contexts for servers: one set of rules, whoever signed the certificate."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence


def server_context(key_and_chain: bytes, alpn: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """A context that shows this certificate (PEM: the key, then the leaf and its chain).

    Raises ssl.SSLError when OpenSSL does not take it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(list(alpn))
    # The ssl module reads keys from files only; this one is memory, and gone when closed.
    memory = os.memfd_create("leaf", os.MFD_CLOEXEC)
    try:
        os.write(memory, key_and_chain)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context
