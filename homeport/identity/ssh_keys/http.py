"""Routes of SSH keys, as seed 002 has them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse

from homeport.identity import Identity
from homeport.identity.access import Verb
from homeport.identity.guard import CurrentActor, CurrentCall, require
from homeport.identity.models import SshKey
from homeport.identity.second_factors import schemas
from homeport.kit.routes import Router

KeyId = Annotated[int, Path(ge=1, le=2**31 - 1)]
UserRef = Annotated[str | None, Query(max_length=40, description="Whose: for administrators.")]
_COLUMNS = ("id", "name", "key_type", "public_key", "fingerprint", "created_at", "last_used_at")


def routes(identity: Identity) -> APIRouter:
    router = Router(prefix="/api/ssh-keys", tags=["identity"])
    keys = identity.ssh_keys

    @router.post("", status_code=201, dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def create_ssh_key(
        body: schemas.NewSshKey, actor: CurrentActor, call: CurrentCall, response: Response
    ) -> schemas.SshKeyCreated:
        """A new key pair. `private_key` is shown this once and kept nowhere."""
        response.headers["cache-control"] = "no-store"
        made = await keys.create(actor, body.name, body.key_type)
        call.concerns("ssh-key", str(made.key.id), name=made.key.name, fingerprint=made.key.fingerprint)
        return schemas.SshKeyCreated.model_validate({**_columns(made.key), "private_key": made.private_key})

    @router.get("", dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def list_ssh_keys(actor: CurrentActor) -> schemas.SshKeyList:
        """Your public keys."""
        return schemas.SshKeyList(keys=[_row(key) for key in await keys.list_for(actor.id)])

    @router.get("/authorized", response_class=PlainTextResponse, dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def get_authorized_keys(actor: CurrentActor, user_id: UserRef = None) -> PlainTextResponse:
        """Your public keys as an `authorized_keys` file has them."""
        return PlainTextResponse(await keys.authorized(actor, user_id))

    @router.get("/{key_id}", dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def get_ssh_key(key_id: KeyId, actor: CurrentActor) -> schemas.SshKeyRow:
        """One public key; administrators may read anybody's."""
        return _row(await keys.get(actor, key_id))

    @router.delete("/{key_id}", dependencies=[require(Verb.ACCOUNT_KEYS)])
    async def delete_ssh_key(key_id: KeyId, actor: CurrentActor) -> schemas.Status:
        """Forget a key of yours; remove it from the machines that trust it yourself."""
        await keys.delete(actor, key_id)
        return schemas.Status(status="deleted")

    return router


def _columns(key: SshKey) -> dict[str, object]:
    return {name: getattr(key, name) for name in _COLUMNS}


def _row(key: SshKey) -> schemas.SshKeyRow:
    return schemas.SshKeyRow.model_validate(_columns(key))
