"""What leaves with each answer: its place in the rate limit, and before it an act's record in the audit log."""

from __future__ import annotations

from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeport.identity import Identity
from homeport.identity.audit import Act
from homeport.identity.guard import CALL, Call

_STARTS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}
_REFUSED = {401, 403}


class Trail:
    """Outermost, so that it sees the answer to a bug too. An answer waits until its act is on disk."""

    def __init__(self, app: ASGIApp, *, identity: Identity) -> None:
        self._app = app
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] in _STARTS and (call := cast(Call | None, scope.get(CALL))) is not None:
                if call.taken is not None and "status" in message:
                    pairs = ((name.encode(), value.encode()) for name, value in call.taken.headers)
                    message = {**message, "headers": [*message.get("headers", ()), *pairs]}
                if call.act is not None:
                    act, call.act = call.act, None
                    await self._record(act, call, int(message.get("status", 101)))
            await send(message)

        await self._app(scope, receive, answer)

    async def _record(self, act: Act, call: Call, status: int) -> None:
        """Done, or refused to somebody who is known or tried to get in, or broken. Other errors changed nothing."""
        if status < 400:
            act.result = "done"
        elif status in _REFUSED and (act.actor.kind != "anonymous" or call.admits):
            act.result = "refused"
        elif status >= 500:
            act.result = "failed"
        else:
            return
        act.status = status
        await self._identity.audit.append(act)
