"""What can go wrong with a server certificate."""

from __future__ import annotations

from homeport.kit.problems import Problem


class CertificateRefused(Problem):
    """A pair that would not serve: broken, mismatched, out of date. What serves stays."""

    code = "certificate_refused"
    status = 422


class CertificateNotFound(Problem):
    """No certificate is kept for that name."""

    code = "certificate_not_found"
    status = 404


class RenewalRefused(Problem):
    """A certificate that cannot be renewed here: it was uploaded, or a person has to take part."""

    code = "renewal_refused"
    status = 409


class OrderNotFound(Problem):
    """No such order, or one of before the last start: orders are not kept."""

    code = "order_not_found"
    status = 404


class OrderOpen(Problem):
    """An order for that name is open already, or too many are."""

    code = "order_open"
    status = 409


class AcmeFailed(Problem):
    """The directory did not give a certificate; the message says what it said."""

    code = "acme_failed"
    status = 502
