"""Certificates from a public or private authority by ACME (RFC 8555, RFC 8737).

Calls the directory through the outbound guard. Loaded when a certificate is asked for; keeps the accounts' keys.
"""

from homeport.relay.certificates.acme.accounts import Accounts
from homeport.relay.certificates.acme.alpn_answers import AlpnAnswers
from homeport.relay.certificates.acme.client import Binding
from homeport.relay.certificates.acme.http_answers import HttpAnswers
from homeport.relay.certificates.acme.issuer import AcmeIssuer, Issuer
from homeport.relay.certificates.acme.transport import Transport

__all__ = ["Accounts", "AcmeIssuer", "AlpnAnswers", "Binding", "HttpAnswers", "Issuer", "Transport"]
