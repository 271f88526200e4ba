"""Server certificates: which one a name is shown, how each is got, kept and renewed.

Owns the folder `data_dir/tls`. Calls the own authority for names that none covers, and ACME directories through the
outbound guard. Appends what came of orders to the audit log.
"""

from homeport.relay.certificates.assembly import assembled
from homeport.relay.certificates.certificates import Certificates
from homeport.relay.certificates.http import routes

__all__ = ["Certificates", "assembled", "routes"]
