"""Routes of server certificates: seed 002's certificate page, and the host digest's list. Keys never come back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from homeport.identity import Verb
from homeport.identity.guard import CurrentCall, require
from homeport.kit.routes import Router
from homeport.relay.certificates import schemas
from homeport.relay.certificates.certificates import Certificates
from homeport.relay.certificates.orders import Order
from homeport.relay.certificates.shelf import Kept

READ = require(Verb.CERTIFICATES_READ)


def write(action: str) -> Any:
    """An act that the audit log knows by this name."""
    return require(Verb.CERTIFICATES_WRITE, action=action)


def routes(certificates: Certificates) -> APIRouter:
    """All routes, bound to the part that serves them."""
    router = Router(prefix="/api/certs", tags=["certificates"])

    @router.get("", dependencies=[READ])
    async def list_certificates() -> schemas.RowsOut:
        """The portal's own authority, and every certificate that serves instead of its leaves."""
        rows = [
            schemas.RowOut(
                **row,
                expires_at=row["expiresAt"],
                days_until_expiry=row["daysUntilExpiry"],
                expiring_soon=row["expiringSoon"],
                renews_at=row["renewsAt"],
            )
            for row in certificates.rows()
        ]
        return schemas.RowsOut(certs=rows)

    @router.get("/info", dependencies=[READ])
    async def get_certificate_info(hostname: str | None = None) -> schemas.InfoOut:
        """The certificate that a host name, by default the portal's own, is shown."""
        return schemas.InfoOut(**certificates.info(hostname))

    @router.get("/auto-renew-status", dependencies=[READ])
    async def get_auto_renew_status() -> schemas.AutoRenewOut:
        """Whether certificates renew themselves, and when."""
        found = certificates.auto_renew_status()
        return schemas.AutoRenewOut(**found, next_run=found["nextRun"], last_run=found["lastRun"])

    @router.post("/upload", dependencies=[write("upload_certificate")])
    async def upload_certificate(call: CurrentCall, given: schemas.UploadIn) -> schemas.InstalledOut:
        """Serve this pair from the next connection on. A pair that would not serve is refused, and nothing changes."""
        return installed(certificates, call, await certificates.upload(given.cert, given.key))

    @router.post("/self-signed", dependencies=[write("self_sign_certificate")])
    async def self_sign_certificate(call: CurrentCall, given: schemas.SelfSignedIn) -> schemas.InstalledOut:
        """Make a self-signed certificate and serve it from the next connection on."""
        kept = await certificates.self_sign(given.hostname, given.validity_days, given.key_type)
        return installed(certificates, call, kept)

    @router.post("/apply", dependencies=[write("apply_certificate")])
    async def apply_certificate() -> schemas.AppliedOut:
        """Read the files in `data_dir/tls` anew and judge what serves. Nothing is restarted, no connection ends."""
        return schemas.AppliedOut(status="applied", message=await certificates.apply())

    async def order(call: CurrentCall, given: schemas.AcmeIn, response: Response) -> schemas.InstalledOut:
        """A certificate by ACME, from Let's Encrypt unless `directory_url` or the settings name another directory.

        Answers when it serves, 202 with the order when that takes longer, or when TXT records wait for a person.
        """
        wish = certificates.wish(
            (given.hostname, *given.names),
            email=given.email,
            challenge=given.challenge,
            directory_url=given.directory_url,
            dns=given.dns_config(),
        )
        call.concerns("certificate", wish.domain, challenge=wish.challenge, directory=wish.directory_url)
        return ordered(certificates, response, await certificates.order(wish))

    for path, name in (("/letsencrypt", "order_certificate"), ("/acme", "order_certificate_by_acme")):
        router.add_api_route(
            path,
            order,
            methods=["POST"],
            name=name,
            dependencies=[write("order_certificate")],
            response_model=schemas.InstalledOut,
            responses={202: {"model": schemas.InstalledOut}},
        )

    @router.get("/orders", dependencies=[READ])
    async def list_orders() -> schemas.OrdersOut:
        """The last orders, the newest first; they are forgotten when the portal stops."""
        return schemas.OrdersOut(orders=[schemas.order_out(each) for each in certificates.orders.list()])

    @router.get("/orders/{order_id}", dependencies=[READ])
    async def get_order(order_id: str) -> schemas.OrderOut:
        """How an order goes."""
        return schemas.order_out(certificates.orders.get(order_id))

    @router.post(
        "/orders/{order_id}/continue",
        dependencies=[write("continue_certificate_order")],
        responses={202: {"model": schemas.InstalledOut}},
    )
    async def continue_order(order_id: str, response: Response) -> schemas.InstalledOut:
        """The TXT records stand: the directory may look."""
        return ordered(certificates, response, await certificates.go_on(order_id))

    @router.get("/keyless", dependencies=[READ])
    async def get_keyless_certificate() -> schemas.KeylessOut:
        """The pair that clients of the relay are shown, and that signs for tunnels without a key of their own."""
        return schemas.KeylessOut(**certificates.keyless_info())

    @router.post("/keyless/upload", dependencies=[write("upload_keyless_certificate")])
    async def upload_keyless_certificate(call: CurrentCall, given: schemas.UploadIn) -> schemas.InstalledOut:
        """Use this pair for keyless tunnels from the next connection on: for the portal's name and all below it, with a
        key that serves nothing else."""
        return installed(certificates, call, await certificates.upload_keyless(given.cert, given.key))

    @router.post(
        "/keyless/acme",
        dependencies=[write("order_keyless_certificate")],
        responses={202: {"model": schemas.InstalledOut}},
    )
    async def order_keyless_certificate(
        call: CurrentCall, given: schemas.KeylessAcmeIn, response: Response
    ) -> schemas.InstalledOut:
        """A certificate for keyless tunnels by ACME, dns-01; its key stays the same when it is renewed."""
        wish = certificates.keyless_wish(email=given.email, directory_url=given.directory_url, dns=given.dns_config())
        call.concerns("certificate", wish.domain, challenge=wish.challenge, directory=wish.directory_url)
        return ordered(certificates, response, await certificates.order(wish))

    @router.post(
        "/{domain}/renew",
        dependencies=[write("renew_certificate")],
        responses={202: {"model": schemas.InstalledOut}},
    )
    async def renew_certificate(call: CurrentCall, domain: str, response: Response) -> schemas.InstalledOut:
        """Get the next one now: by ACME in the same way as before, or self-signed again."""
        found = await certificates.renew(domain)
        if isinstance(found, Order):
            return ordered(certificates, response, found)
        return installed(certificates, call, found)

    @router.delete("/{domain}", dependencies=[write("remove_certificate")], status_code=204)
    async def remove_certificate(domain: str) -> Response:
        """Its names go back to the portal's own authority from the next connection on."""
        await certificates.remove(domain)
        return Response(status_code=204)

    return router


def installed(certificates: Certificates, call: CurrentCall, kept: Kept) -> schemas.InstalledOut:
    """The answer for a pair that serves."""
    call.concerns("certificate", kept.domain, method=kept.origin.method)
    return schemas.InstalledOut(
        status="installed",
        message=f"The certificate of {kept.domain} is in use from the next connection on: nothing has to be restarted.",
        domain=kept.domain,
        cert_info=schemas.CertificateOut(**certificates.describe(kept.pair)),
    )


def ordered(certificates: Certificates, response: Response, order: Order) -> schemas.InstalledOut:
    """The answer for an order: 202 while it is open."""
    domain = order.wish.domain
    shown = schemas.order_out(order)
    if order.status == "valid":
        kept = certificates.shelf.get(domain)
        return schemas.InstalledOut(
            status="installed",
            message=f"The certificate of {domain} is in use from the next connection on: nothing has to be restarted.",
            domain=domain,
            cert_info=schemas.CertificateOut(**certificates.describe(kept.pair)),
            order=shown,
        )
    response.status_code = 202
    if order.status == "waiting":
        message = f"Set {len(order.records)} TXT record(s), then continue the order."
        return schemas.InstalledOut(status="waiting", message=message, domain=domain, order=shown)
    message = f"The order for {domain} is under way."
    return schemas.InstalledOut(status="pending", message=message, domain=domain, order=shown)
