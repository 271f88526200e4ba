"""Server certificates: which one a name is shown, how each is got, kept and renewed.

Owns the folder `data_dir/tls`. Calls the own authority for names that none covers, and ACME directories through the
outbound guard. Appends what came of orders to the audit log.
"""

from homeport.relay.certificates.certificates import Certificates, Defaults
from homeport.relay.certificates.orders import Orders
from homeport.relay.certificates.shelf import Shelf

__all__ = ["Certificates", "Defaults", "Orders", "Shelf"]
