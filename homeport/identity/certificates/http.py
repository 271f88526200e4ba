"""Routes of client certificates: /api/certs/agent… for administrators, /api/enroll, /api/me/certificates."""

from __future__ import annotations

import base64

from fastapi import APIRouter, Response

from homeport.identity import scopes
from homeport.identity.access import Verb
from homeport.identity.certificates import Certificates, schemas
from homeport.identity.certificates.authority import pem_of
from homeport.identity.certificates.issuing import Issued
from homeport.identity.certificates.problems import ShownOnce
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import ClientCertificate
from homeport.kit.routes import Router

READ, WRITE = Verb.CERTIFICATES_READ, Verb.CERTIFICATES_WRITE


def routes(certificates: Certificates) -> list[APIRouter]:
    """The routers of this part."""
    return [
        _enrolment(certificates),
        _issued(certificates),
        _agents(certificates),
        _own(certificates),
        _rotation(certificates),
    ]


def _issued(certificates: Certificates) -> APIRouter:
    """What was given out, to machines and to people."""
    router = Router(prefix="/api/certs/agent", tags=["certificates"])
    agents, own = certificates.agents, certificates.own

    @router.get("", dependencies=[require(READ)])
    async def list_agents() -> schemas.AgentList:
        """Every certificate that a machine or a person ever had, the newest first."""
        rows = [(row, None) for row in await agents.list()]
        everything = sorted((*rows, *await own.list_all()), key=lambda one: one[0].created_at, reverse=True)
        shown = [_agent(row, username) for row, username in everything]
        return schemas.AgentList(agents=shown, port=certificates.port or None)

    @router.delete("/{label}", dependencies=[require(WRITE)])
    async def revoke_agent_certificate(label: str, actor: CurrentActor) -> schemas.Revoked:
        """Refused at once, with all that it delegated; what is open by them ends. A person's certificate is named by
        its id, a machine's by its label or id."""
        if (persons := await own.revoke_anybodys(actor, label)) is not None:
            return schemas.Revoked(label=persons.label, revoked=[persons.label])
        return schemas.Revoked(label=label, revoked=list(await agents.revoke(label)))

    return router


def _agents(certificates: Certificates) -> APIRouter:
    router = Router(prefix="/api/certs/agent", tags=["certificates"])
    agents = certificates.agents

    @router.post("", dependencies=[require(WRITE)])
    async def issue_agent_certificate(
        body: schemas.NewAgent, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.Made:
        """A certificate for a machine. Its key is shown this once."""
        call.concerns("certificate", body.label[:100], capabilities=body.capabilities)
        issued = await agents.issue(
            actor,
            body.label,
            capabilities=body.capabilities,
            allowed_sites=body.allowed_sites,
            form=body.form,
            legacy=body.legacy,
            days=body.days,
        )
        response.headers["cache-control"] = "no-store"
        return schemas.Made(**_made(certificates, issued))

    @router.get("/{label}/download", dependencies=[require(READ)])
    async def download_agent_certificate(label: str) -> None:
        """410: a key is shown when it is made, and kept nowhere."""
        row = await agents.get(label)
        raise ShownOnce(f"The key of {row.label} was shown when it was made. Revoke it and issue another one.")

    @router.patch("/{label}/capabilities", dependencies=[require(WRITE)])
    async def set_agent_capabilities(
        label: str, body: schemas.Capabilities, actor: CurrentActor, call: CurrentCall
    ) -> schemas.AgentChanged:
        """Counts at once; what is open by it ends."""
        call.concerns("certificate", label, capabilities=body.capabilities)
        return _changed(await agents.set_capabilities(actor, label, body.capabilities))

    @router.patch("/{label}/allowed-sites", dependencies=[require(WRITE)])
    async def set_agent_sites(label: str, body: schemas.AllowedSites, call: CurrentCall) -> schemas.AgentChanged:
        """The static sites that the agent may reach with `sites:read` and `sites:write`."""
        call.concerns("certificate", label, allowed_sites=body.allowed_sites)
        return _changed(await agents.set_sites(label, body.allowed_sites))

    return router


def _enrolment(certificates: Certificates) -> APIRouter:
    router = Router(prefix="/api", tags=["certificates"])
    enrolment = certificates.enrolment

    @router.post("/certs/agent/enroll", dependencies=[require(WRITE)])
    async def invite_agent(
        body: schemas.NewEnrolment, actor: CurrentActor, call: CurrentCall
    ) -> schemas.EnrolmentInvitation:
        """A token by which a machine gets a certificate for a key of its own: once, within ten minutes."""
        call.concerns("certificate", body.label[:100], capabilities=body.capabilities)
        new = await enrolment.invite(actor, body.label, body.capabilities)
        return schemas.EnrolmentInvitation(token=new.token, label=new.label, expires_at=new.expires_at)

    @router.delete("/certs/agent/enroll/{label}", dependencies=[require(WRITE)])
    async def cancel_enrolment(label: str) -> schemas.Done:
        """The token is no longer good."""
        await enrolment.cancel(label)
        return schemas.Done()

    @router.post("/certs/agent/enroll-delegated", dependencies=[require(Verb.CERTIFICATES_OWN)])
    async def delegate_certificate(
        body: schemas.NewEnrolment, actor: CurrentActor, call: CurrentCall
    ) -> schemas.EnrolmentInvitation:
        """For agents: a token for a program of the agent's own, which may do no more than the agent."""
        call.concerns("certificate", body.label[:100], capabilities=body.capabilities)
        new = await enrolment.delegate(actor, body.label, body.capabilities)
        return schemas.EnrolmentInvitation(token=new.token, label=new.label, expires_at=new.expires_at)

    @router.post("/certs/agent/upgrade-cert", dependencies=[require(Verb.CERTIFICATES_OWN)])
    async def renew_agent_certificate(body: schemas.Csr, actor: CurrentActor) -> schemas.Signed:
        """For agents: the next certificate, for a new key; the one in use is refused from now on."""
        return schemas.Signed(**_signed(certificates, await certificates.agents.renew(actor, body.csr)))

    @router.post("/enroll", dependencies=[require(Verb.PUBLIC, rate="auth", certificate=False)])
    async def enroll(body: schemas.EnrolmentRequest, call: CurrentCall) -> schemas.Signed:
        """A certificate for the key of a signing request, by a token."""
        issued = await enrolment.enrol(body.token, body.csr)
        call.concerns("certificate", issued.row.label, serial=issued.row.serial)
        return schemas.Signed(**_signed(certificates, issued))

    return router


def _own(certificates: Certificates) -> APIRouter:
    router = Router(prefix="/api/me/certificates", tags=["certificates"])
    own = certificates.own

    @router.get("", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def list_own_certificates(actor: CurrentActor) -> schemas.OwnCertificates:
        """Your certificates, the newest first."""
        rows = [_own_row(row, actor.credential_id) for row in await own.list_for(actor.id)]
        return schemas.OwnCertificates(certificates=rows, port=certificates.port or None)

    @router.post("", status_code=201, dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def issue_own_certificate(
        body: schemas.NewOwnCertificate, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.Made:
        """A certificate that stands for you. Its key is shown this once."""
        call.concerns("certificate", body.label[:100])
        issued = await own.issue(actor, body.label, form=body.form, legacy=body.legacy, days=body.days, csr=body.csr)
        response.headers["cache-control"] = "no-store"
        return schemas.Made(**_made(certificates, issued))

    @router.post("/{certificate_id}/rotate", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def rotate_own_certificate(
        certificate_id: str, actor: CurrentActor, response: Response, body: schemas.Rotation | None = None
    ) -> schemas.Rotated:
        """Another one in its place: the old one is refused from now on."""
        wanted = body or schemas.Rotation()
        issued, old = await own.rotate(actor, certificate_id, form=wanted.format, legacy=wanted.legacy)
        response.headers["cache-control"] = "no-store"
        return schemas.Rotated(**_made(certificates, issued), replaced=old)

    @router.delete("/{certificate_id}", status_code=204, dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def revoke_own_certificate(certificate_id: str, actor: CurrentActor) -> None:
        """Refused at once; what is open by it ends."""
        await own.revoke(certificate_id, actor.id)

    return router


def _rotation(certificates: Certificates) -> APIRouter:
    """The names that seed 000's clients use for a person's own certificate."""
    router = Router(prefix="/api/certs", tags=["certificates"])

    @router.post("/mtls/rotate", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def rotate_certificate(
        actor: CurrentActor, response: Response, body: schemas.Rotation | None = None
    ) -> schemas.Rotated:
        """Another certificate in place of the one in use (else of your newest), which is refused from now on."""
        wanted = body or schemas.Rotation()
        issued, old = await certificates.own.rotate(actor, None, form=wanted.format, legacy=wanted.legacy)
        response.headers["cache-control"] = "no-store"
        return schemas.Rotated(**_made(certificates, issued), replaced=old)

    @router.get("/mtls/download", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def download_certificate() -> None:
        """410: a key is shown when it is made, and kept nowhere."""
        raise ShownOnce("The key was shown when it was made. POST /api/certs/mtls/rotate makes another one.")

    @router.get("/admin/auth-mode", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def get_auth_mode(actor: CurrentActor) -> schemas.AuthMode:
        """Whether the key of your newest good certificate was made here or by your own hardware."""
        good = [row for row in await certificates.own.list_for(actor.id) if row.revoked_at is None]
        mode = "hardware-bound" if good and good[0].enrollment_method == "csr" else "p12"
        return schemas.AuthMode(mode=mode, admin_auth_mode=mode)

    @router.post("/admin/upgrade-to-hardware-bound", dependencies=[require(Verb.ACCOUNT_SECURITY)])
    async def bind_certificate_to_hardware(body: schemas.Csr, actor: CurrentActor) -> schemas.Rotated:
        """A certificate for a key of your own hardware, in place of the one in use, which is refused from now on."""
        issued, old = await certificates.own.rotate(actor, None, csr=body.csr)
        return schemas.Rotated(**_made(certificates, issued), replaced=old)

    return router


def _scopes(row: ClientCertificate) -> list[str]:
    return list(scopes.read(row.scopes) or ())


def _agent(row: ClientCertificate, username: str | None) -> schemas.AgentRow:
    names = ("id", "label", "serial", "kind", "allowed_sites", "enrollment_method", "created_at", "expires_at")
    more = ("revoked_at", "delegated_by", "last_used_at")
    capabilities = _scopes(row)
    return schemas.AgentRow(
        capabilities=[] if username and capabilities == ["*"] else capabilities,
        revoked=row.revoked_at is not None,
        username=username,
        **{name: getattr(row, name) for name in (*names, *more)},
    )


def _own_row(row: ClientCertificate, current: str | None) -> schemas.OwnCertificate:
    names = ("id", "label", "serial", "created_at", "expires_at", "last_used_at", "revoked_at")
    return schemas.OwnCertificate(
        scopes=_scopes(row),
        revoked=row.revoked_at is not None,
        current=row.id == current,
        **{name: getattr(row, name) for name in names},
    )


def _changed(row: ClientCertificate) -> schemas.AgentChanged:
    return schemas.AgentChanged(label=row.label, capabilities=_scopes(row), allowed_sites=row.allowed_sites)


def _signed(certificates: Certificates, issued: Issued) -> dict[str, object]:
    row = issued.row
    return {
        "id": row.id,
        "label": row.label,
        "serial": row.serial,
        "expires_at": row.expires_at,
        "capabilities": _scopes(row),
        "cert": pem_of(issued.certificate),
        "ca_cert": certificates.authority.pem,
    }


def _made(certificates: Certificates, issued: Issued) -> dict[str, object]:
    bundle = issued.bundle
    if bundle is None:
        return _signed(certificates, issued)
    return {
        **_signed(certificates, issued),
        "p12": base64.b64encode(bundle.p12).decode() if bundle.p12 else None,
        "p12_password": bundle.p12_password,
        "pem": bundle.pem,
        "key": bundle.key,
    }
