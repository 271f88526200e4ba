"""What can go wrong with client certificates, beside being refused (identity/problems.py)."""

from __future__ import annotations

from homeport.kit.problems import Conflict, NotFound, Problem


class ClientAuthorityBroken(Problem):
    """The files of the authority for client certificates do not fit together; the message says what to do."""

    code = "client_authority_broken"


class CertificateNotFound(NotFound):
    code = "certificate_not_found"


class LabelTaken(Conflict):
    """An agent with this label has a certificate that is still good."""

    code = "label_taken"


class EnrolmentRefused(Problem):
    """The token is unknown, used or older than ten minutes; the answer does not say which."""

    code = "enrolment_refused"
    status = 401


class CsrInvalid(Problem):
    """The certificate signing request does not fit; the message says why."""

    code = "csr_invalid"
    status = 400


class ShownOnce(Problem):
    """A private key is given out when it is made and kept nowhere."""

    code = "shown_once"
    status = 410
