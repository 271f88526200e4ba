"""The routes of tunnels for services, and of the caller's own tunnels."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from homeport.identity import Verb
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.kit.routes import Router
from homeport.services.http import answers, reply
from homeport.services.shares import schemas
from homeport.services.shares.shares import Shares

READ = require(Verb.TUNNELS_READ)


def router(shares: Shares) -> APIRouter:
    """All routes, bound to the part that serves them."""
    routes = Router(tags=["tunnels"])

    @routes.post(
        "/api/services/{ref}/share",
        dependencies=[require(Verb.TUNNELS_WRITE, action="share_service")],
        **answers(schemas.TunnelOut, 201),
    )
    async def share_service(actor: CurrentActor, call: CurrentCall, ref: str, wanted: schemas.ShareIn) -> Response:
        """Put a service on the internet: a tunnel for it, at this portal's relay or at others. Answers at once; the
        tunnel is `connecting` for a moment."""
        row = await shares.create(actor, ref, wanted)
        call.concerns(
            "tunnel", row["id"], name=row["name"], service=row["service_name"], access=row["access"],
            expires_at=row["expires_at"], relays=wanted.relays,
        )  # fmt: skip
        return reply(row, 201)

    @routes.get("/api/services/{ref}/shares", dependencies=[READ], **answers(schemas.TunnelsOut))
    async def list_shares(actor: CurrentActor, ref: str) -> Response:
        """The tunnels of a service, whoever opened them; newest first."""
        rows = await shares.of_service(actor, ref)
        return reply({"data": rows, "total": len(rows)})

    @routes.get("/api/tunnels", dependencies=[READ], **answers(schemas.TunnelsOut))
    async def list_tunnels(
        actor: CurrentActor,
        everybodys: Annotated[
            bool, Query(alias="all", description="Administrators: all that you may end, not only your own.")
        ] = False,
    ) -> Response:
        """Your tunnels: of services that you shared, and of agents that you signed in with; newest first."""
        rows = await shares.list(actor, everybodys=everybodys)
        return reply({"data": rows, "total": len(rows)})

    @routes.get("/api/tunnels/{tunnel_id}", dependencies=[READ], **answers(schemas.TunnelOut))
    async def get_tunnel(actor: CurrentActor, tunnel_id: str) -> Response:
        """One tunnel, with its address as a QR code."""
        return reply(await shares.get(actor, tunnel_id))

    @routes.delete(
        "/api/tunnels/{tunnel_id}", dependencies=[require(Verb.TUNNELS_WRITE, action="end_tunnel")], status_code=204
    )
    async def end_tunnel(actor: CurrentActor, call: CurrentCall, tunnel_id: str) -> Response:
        """It leads nowhere from now on, and whoever is connected is cut off."""
        row = await shares.end(actor, tunnel_id)
        call.concerns("tunnel", row["id"], name=row["name"], service=row["service_name"])
        return Response(status_code=204)

    @routes.post(
        "/api/tunnels/{tunnel_id}/enter",
        dependencies=[require(Verb.TUNNELS_READ, action="enter_tunnel")],
        **answers(schemas.EnterOut),
    )
    async def enter_tunnel(actor: CurrentActor, call: CurrentCall, tunnel_id: str, asked: schemas.EnterIn) -> Response:
        """Where a browser goes that wants to see a tunnel for people who are signed in: its address with a ticket
        that opens it once, within 30 seconds, for the browser with this `state`."""
        location = await shares.enter(actor, tunnel_id, asked)
        call.concerns("tunnel", tunnel_id)
        return reply({"location": location})

    return routes
